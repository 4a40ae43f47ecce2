import { describe, expect, it } from '@jest/globals';
import { addLearner, changeLeader, newRecord, shrinkInSync } from '../map/changes.js';
import type { PartitionRecord } from '../map/records.js';
import { LogIndex } from './log-index.js';
import { RecentRequests } from './recent-requests.js';
import { ReplicaMachine } from './replica.machine.js';
import type { CopyState, ReplicaAction, ReplicaEvent } from './replication-types.js';

// Plan: one machine, driven by hand, one rule a test: what it must wait for, what it must refuse, and what it must not forget.
const write: Extract<ReplicaEvent, { type: 'write' }> = { type: 'write', token: 1, requestId: 'r1', ops: [] };

class Bench {
  readonly machine: ReplicaMachine;
  now = 0;
  constructor(
    node: string,
    state: CopyState = 'active',
    readonly minInSync = 1,
  ) {
    this.machine = new ReplicaMachine(
      { node, state, promisedEpoch: 0, firstSeq: 1, lastSeq: 0, lastEpoch: 0, appliedSeq: 0, log: [] },
      { inSyncTimeoutMs: 300, changeRetryMs: 20 },
    );
  }
  feed(event: ReplicaEvent): ReplicaAction[] {
    return this.machine.onEvent(event, this.now);
  }
  record(record: PartitionRecord): ReplicaAction[] {
    const actions = this.feed({ type: 'record', record, minInSync: this.minInSync });
    return actions.some((a) => a.type === 'promise')
      ? [...actions, ...this.feed({ type: 'promised', epoch: record.epoch })]
      : actions;
  }
  follow(from: string, epoch: number, lastSeq = 0, lastEpoch = 0): ReplicaAction[] {
    return this.feed({ type: 'follow', from, epoch, lastSeq, lastEpoch, appliedSeq: 0 });
  }
  ack(from: string, epoch: number, durableSeq: number): ReplicaAction[] {
    return this.feed({ type: 'ack', from, epoch, durableSeq });
  }
}

const typesOf = (actions: ReplicaAction[]) => actions.map((a) => a.type);
const repliesOf = (actions: ReplicaAction[]) => actions.flatMap((a) => (a.type === 'reply' ? [a.outcome.kind] : []));
const record = newRecord(0, ['a', 'b']);

/** a leads, b follows at epoch 1, nothing written. */
const serving = (minInSync = 1): Bench => {
  const bench = new Bench('a', 'active', minInSync);
  bench.record(record);
  bench.follow('b', 1);
  bench.ack('b', 1, 0);
  expect(bench.machine.phase).toBe('serving');
  return bench;
};

describe('a leader', () => {
  it('does not serve before every in-sync replica has followed under its epoch', () => {
    const bench = new Bench('a');
    bench.record(record);
    expect(bench.machine.phase).toBe('sealing');
    bench.follow('b', 1);
    expect(bench.machine.phase).toBe('sealing');
    bench.ack('b', 1, 0);
    expect(bench.machine.phase).toBe('serving');
  });

  it('takes writes while it seals, sends them once its promise is durable, and answers them once it serves', () => {
    // Plan: the record alone, a write, a follower; then each of the three things that are waited for, one after the other.
    const bench = new Bench('a');
    bench.feed({ type: 'record', record: { ...record, epoch: 2 }, minInSync: 1 });
    expect(typesOf(bench.feed(write))).toEqual(['append']);
    expect(typesOf(bench.follow('b', 2))).toEqual([]);
    expect(bench.machine.pull('b')).toBeUndefined();
    expect(typesOf(bench.feed({ type: 'promised', epoch: 2 }))).toEqual(['stream']);
    expect(bench.machine.pull('b')).toMatchObject({ fromSeq: 1, toSeq: 1 });
    expect(typesOf(bench.feed({ type: 'durable', seq: 1, cut: 0 }))).toEqual([]);
    expect(bench.machine.phase).toBe('sealing');
    expect(repliesOf(bench.ack('b', 2, 1))).toEqual(['done']);
    expect(bench.machine.phase).toBe('serving');
  });

  it('takes no write of the first epoch before it serves: its disk may be one that was wiped', () => {
    // Plan: a copy without a promise or an entry is named as the first leader; what the others hold shows whether it was one before.
    const bench = new Bench('a');
    bench.record(record);
    expect(bench.machine.takesWrites).toBe(false);
    expect(repliesOf(bench.feed(write))).toEqual(['not-leader']);
    const lost = bench.feed({ type: 'follow', from: 'b', epoch: 1, lastSeq: 9, lastEpoch: 1, appliedSeq: 8 });
    expect(typesOf(lost)).toEqual(['trouble', 'send-refused']);
    expect(bench.machine.takesWrites).toBe(false);
  });

  it('takes no write while it seals where an earlier life may have given its place in the log away', () => {
    // Plan: a process that finds its own promise of the epoch on the disk; it serves once the follower has shown its log, not before.
    const machine = new ReplicaMachine({
      node: 'a',
      state: 'active',
      promisedEpoch: 1,
      firstSeq: 1,
      lastSeq: 0,
      lastEpoch: 0,
      appliedSeq: 0,
      log: [],
    });
    machine.onEvent({ type: 'record', record, minInSync: 1 }, 0);
    expect(machine.takesWrites).toBe(false);
    expect(repliesOf(machine.onEvent(write, 0))).toEqual(['not-leader']);
    const follow = {
      type: 'follow',
      from: 'b',
      epoch: 1,
      lastSeq: 0,
      lastEpoch: 0,
      appliedSeq: 0,
      durableSeq: 0,
    } as const;
    machine.onEvent(follow, 0);
    expect(machine.takesWrites).toBe(true);
  });

  it('acknowledges only what is durable here and at every in-sync replica', () => {
    const bench = serving();
    expect(repliesOf(bench.feed(write))).toEqual([]);
    expect(repliesOf(bench.feed({ type: 'durable', seq: 1, cut: 0 }))).toEqual([]);
    expect(repliesOf(bench.ack('b', 1, 1))).toEqual(['done']);
  });

  it('takes a retry for what it is, before and after the commit', () => {
    const bench = serving();
    bench.feed(write);
    expect(typesOf(bench.feed({ ...write, token: 2 }))).toEqual([]);
    bench.feed({ type: 'durable', seq: 1, cut: 0 });
    expect(repliesOf(bench.ack('b', 1, 1))).toEqual(['done', 'done']);
    expect(bench.feed({ ...write, token: 3 })).toEqual([
      { type: 'reply', token: 3, outcome: { kind: 'done', epoch: 1, seq: 1 } },
    ]);
  });

  it('takes no write when fewer are in sync than the keyspace asks for', () => {
    const bench = new Bench('a', 'active', 2);
    bench.record(shrinkInSync(record, 'b'));
    expect(bench.feed(write)).toEqual([
      { type: 'reply', token: 1, outcome: { kind: 'too-few', inSync: 1, minInSync: 2 } },
    ]);
  });

  it('does not acknowledge what too few copies have, not even on a retry', () => {
    const bench = serving(2);
    bench.feed(write);
    bench.feed({ type: 'durable', seq: 1, cut: 0 });
    const tooFew = { kind: 'too-few', inSync: 1, minInSync: 2, appended: true };
    const shrunk = bench.record(shrinkInSync(record, 'b'));
    expect(shrunk).toContainEqual({ type: 'reply', token: 1, outcome: tooFew });
    expect(bench.feed({ ...write, token: 2 })).toEqual([{ type: 'reply', token: 2, outcome: tooFew }]);
  });

  it('takes no more writes than it can hold while a follower is silent, and forgets callers that asked too often', () => {
    const bench = serving();
    Object.assign((bench.machine as unknown as { core: { options: object } }).core.options, { uncommittedMax: 2 });
    bench.feed(write);
    bench.feed({ ...write, token: 2, requestId: 'r2' });
    expect(repliesOf(bench.feed({ ...write, token: 3, requestId: 'r3' }))).toEqual(['busy']);
    const replies = Array.from({ length: 9 }, (_, i) => repliesOf(bench.feed({ ...write, token: 10 + i }))).flat();
    expect(replies).toEqual(['busy', 'busy']);
  });

  it('does not go on leading when an in-sync follower has applied more than it has', () => {
    const bench = new Bench('a');
    bench.record(record);
    const actions = bench.feed({ type: 'follow', from: 'b', epoch: 1, lastSeq: 9, lastEpoch: 1, appliedSeq: 7 });
    expect(typesOf(actions)).toEqual(['trouble', 'send-refused']);
    for (bench.now = 100; bench.now < 2000; bench.now += 100)
      expect(typesOf(bench.feed({ type: 'tick' }))).not.toContain('change-in-sync');
    expect(bench.machine.phase).toBe('sealing');
  });

  it('proposes to remove a silent follower and keeps waiting for it until the map says so', () => {
    const bench = serving();
    bench.feed(write);
    bench.feed({ type: 'durable', seq: 1, cut: 0 });
    for (const now of [100, 200, 300, 400]) {
      bench.now = now;
      const change = bench.feed({ type: 'tick' }).find((a) => a.type === 'change-in-sync');
      expect(change?.remove).toEqual(now > 300 ? ['b'] : undefined);
    }
    expect(repliesOf(bench.feed({ type: 'change-answered', id: 1, outcome: 'unknown' }))).toEqual([]);
    expect(repliesOf(bench.record(shrinkInSync(record, 'b')))).toEqual(['done']);
  });

  it('does not blame a follower for its own standstill', () => {
    const bench = serving();
    bench.feed(write);
    bench.now = 60_000;
    expect(typesOf(bench.feed({ type: 'tick', pausedMs: 59_900 }))).not.toContain('change-in-sync');
  });

  it('judges silence by the node: one that is heard of is busy, one that is not is late, one that cannot go on is late', () => {
    const removed = (heardAt: number | undefined, before?: ReplicaEvent): boolean => {
      const bench = serving();
      bench.feed(write);
      if (before) bench.feed(before);
      bench.now = 400;
      const heard = new Map(heardAt === undefined ? [] : [['b', heardAt]]);
      return typesOf(bench.feed({ type: 'tick', heardAt: heard })).includes('change-in-sync');
    };
    expect(removed(390)).toBe(false);
    expect(removed(50)).toBe(true);
    expect(removed(undefined)).toBe(true);
    expect(removed(390, { type: 'unfollow', from: 'b', epoch: 1 })).toBe(true);
  });

  it('asks for ticks only while it waits for something', () => {
    const bench = new Bench('a');
    bench.record(record);
    expect(bench.machine.pending).toBe(true);
    bench.follow('b', 1);
    bench.ack('b', 1, 0);
    expect(bench.machine.pending).toBe(false);
    bench.feed(write);
    expect(bench.machine.pending).toBe(true);
    bench.feed({ type: 'durable', seq: 1, cut: 0 });
    bench.ack('b', 1, 1);
    expect(bench.machine.pending).toBe(false);
    bench.feed({ type: 'follower-gone', from: 'b' });
    expect(bench.machine.pending).toBe(true);
    const follower = new Bench('b');
    follower.record(record);
    expect(follower.machine.pending).toBe(true);
    follower.feed({ type: 'entries', from: 'a', epoch: 1, entries: [], commitSeq: 0 });
    expect(follower.machine.pending).toBe(false);
  });

  it('answers what it has in flight when it leads no more, and what a follower with a newer epoch knows stops it', () => {
    const bench = serving();
    bench.feed(write);
    bench.feed({ type: 'unfollow', from: 'b', epoch: 2 });
    expect(bench.machine.phase).toBe('sealing');
    const answers = bench.record(changeLeader(record, 'b')).filter((a) => a.type === 'reply');
    // The follower may have it, and lead next: nobody may be told that nothing happened.
    expect(answers.map((a) => a.outcome)).toEqual([{ kind: 'not-leader', appended: true }]);
    expect(bench.machine.phase).toBe('following');
  });

  it('does not lead what is not there', () => {
    const bench = new Bench('a', 'absent');
    expect(typesOf(bench.record({ ...record, epoch: 5 }))).toEqual(['trouble']);
    expect(bench.machine.phase).toBe('idle');
  });

  it('gives an entry that is not durable here only to in-sync followers', () => {
    const bench = serving();
    bench.record(addLearner(record, 'c'));
    bench.follow('c', 1);
    bench.machine.sent('c', 1, 0, 0);
    bench.feed(write);
    expect(bench.machine.pull('b')).toMatchObject({ fromSeq: 1, toSeq: 1 });
    expect(bench.machine.pull('c')).toBeUndefined();
    bench.feed({ type: 'durable', seq: 1, cut: 0 });
    expect(bench.machine.pull('c')).toMatchObject({ fromSeq: 1, toSeq: 1 });
  });
});

describe('an epoch that rises under the same leader', () => {
  const three = newRecord(0, ['a', 'b', 'c']);
  /** a leads b and c at epoch 1. */
  const leading = (): Bench => {
    const bench = new Bench('a');
    bench.record(three);
    for (const node of ['b', 'c']) bench.feed({ ...followOf(node, 1), durableSeq: 0 });
    expect(bench.machine.phase).toBe('serving');
    return bench;
  };
  const followOf = (from: string, epoch: number) =>
    ({ type: 'follow', from, epoch, lastSeq: 0, lastEpoch: 0, appliedSeq: 0 }) as const;

  it('does not interrupt serving, and the promise goes to disk before the first entry that bears it', () => {
    const bench = leading();
    const raised = bench.feed({ type: 'record', record: shrinkInSync(three, 'c'), minInSync: 1 });
    expect(raised[0]).toEqual({ type: 'promise', epoch: 2 });
    expect(bench.machine.phase).toBe('serving');
    const append = bench.feed(write).find((a) => a.type === 'append');
    expect(append?.entries[0]?.epoch).toBe(2);
  });

  it('counts what was acknowledged under the epochs of the tenure, and only waits for whom the new record names', () => {
    const bench = leading();
    bench.feed(write);
    bench.feed({ type: 'durable', seq: 1, cut: 0 });
    expect(repliesOf(bench.ack('b', 1, 1))).toEqual([]);
    expect(repliesOf(bench.record(shrinkInSync(three, 'c')))).toEqual(['done']);
    bench.feed({ ...write, token: 2, requestId: 'r2' });
    bench.feed({ type: 'durable', seq: 2, cut: 0 });
    expect(repliesOf(bench.ack('b', 1, 2))).toEqual(['done']);
  });

  it('counts an acknowledgement of a follower that learned of it first', () => {
    const bench = leading();
    bench.feed(write);
    bench.feed({ type: 'durable', seq: 1, cut: 0 });
    bench.ack('b', 2, 1);
    expect(repliesOf(bench.ack('c', 2, 1))).toEqual(['done']);
  });

  it('seals again when a record was missed, because another may have led meanwhile, and what was acknowledged before does not count', () => {
    const bench = leading();
    bench.feed(write);
    bench.feed({ type: 'durable', seq: 1, cut: 0 });
    const actions = bench.record({ ...three, epoch: 3 });
    expect(bench.machine.phase).toBe('sealing');
    expect(typesOf(actions)).toEqual(['promise', 'send-refused', 'send-refused']);
    bench.ack('b', 1, 1);
    bench.ack('c', 1, 1);
    expect(bench.machine.phase).toBe('sealing');
    bench.feed({ ...followOf('b', 3), lastSeq: 1, lastEpoch: 1, durableSeq: 1 });
    expect(bench.machine.phase).toBe('sealing');
    expect(repliesOf(bench.feed({ ...followOf('c', 3), lastSeq: 1, lastEpoch: 1, durableSeq: 1 }))).toEqual(['done']);
    expect(bench.machine.phase).toBe('serving');
  });

  it('waits for whoever the new record counts in, even if it never followed', () => {
    const bench = leading();
    const grown = { ...newRecord(0, ['a', 'b', 'c', 'd']), epoch: 2 };
    bench.record(grown);
    bench.feed(write);
    bench.feed({ type: 'durable', seq: 1, cut: 0 });
    bench.ack('b', 1, 1);
    expect(repliesOf(bench.ack('c', 1, 1))).toEqual([]);
    expect(repliesOf(bench.feed({ ...followOf('d', 2), lastSeq: 1, lastEpoch: 2, durableSeq: 1 }))).toEqual(['done']);
  });

  it('does not stop a leader that a follower was quicker to learn it, but one of another leader does until the map tells', () => {
    const bench = leading();
    bench.feed({ type: 'unfollow', from: 'b', epoch: 2 });
    expect(bench.machine.phase).toBe('sealing');
    bench.record(shrinkInSync(three, 'b'));
    expect(bench.machine.phase).toBe('serving');
  });

  it('takes a follower along, whoever learns of it first, and only within the tenure', () => {
    const bench = new Bench('b');
    const entriesOf = (epoch: number, seq: number): ReplicaEvent => ({
      type: 'entries',
      from: 'a',
      epoch,
      entries: [{ epoch, seq, requestId: '', ops: [] }],
      commitSeq: 0,
    });
    bench.record({ ...three, epoch: 5 });
    expect(typesOf(bench.feed(entriesOf(5, 1)))).toEqual(['append', 'send-ack']);
    // The leader is first: the promise lies before the entry.
    expect(typesOf(bench.feed(entriesOf(6, 2)))).toEqual(['promise', 'append']);
    expect(bench.record(shrinkInSync({ ...three, epoch: 5 }, 'c'))).toEqual([]);
    // The map is first.
    expect(typesOf(bench.record({ ...three, epoch: 7 }))).toEqual(['promise']);
    expect(typesOf(bench.feed(entriesOf(6, 3)))).toEqual(['append']);
    expect(bench.feed(entriesOf(4, 4))).toEqual([{ type: 'send-unfollow', to: 'a', epoch: 7 }]);
    // A record was missed: it follows anew.
    expect(typesOf(bench.record({ ...three, epoch: 9 }))).toEqual(['promise', 'send-follow']);
  });
});

describe('read leases', () => {
  const lease = (until: number) => new Map([['b', until]]);

  it('lets a leader read only while everybody that may come to lead follows it and has granted a lease', () => {
    const bench = serving();
    expect(bench.machine.mayRead(100, new Map())).toBe(false);
    expect(bench.machine.mayRead(100, lease(100))).toBe(false);
    expect(bench.machine.mayRead(100, lease(101))).toBe(true);
    bench.feed({ type: 'follower-gone', from: 'b' });
    expect(bench.machine.mayRead(100, lease(101))).toBe(false);
    bench.follow('b', 1);
    expect(bench.machine.mayRead(100, lease(101))).toBe(true);
    bench.feed({ type: 'unfollow', from: 'b', epoch: 2 });
    expect(bench.machine.mayRead(100, lease(101))).toBe(false);
  });

  it('counts one that was asked to join among them, and nobody when the leader is alone', () => {
    const bench = serving();
    bench.record(addLearner(record, 'c'));
    bench.follow('c', 1);
    expect(bench.machine.mayRead(0, lease(1))).toBe(true);
    bench.machine.sent('c', 1, 0, 0);
    bench.ack('c', 1, 0);
    bench.feed({ type: 'tick' });
    expect(bench.machine.mayRead(0, lease(1))).toBe(false);
    const alone = new Bench('a');
    alone.record(newRecord(0, ['a']));
    expect(alone.machine.mayRead(0, new Map())).toBe(true);
  });

  const three = newRecord(0, ['a', 'b', 'c']);
  /** b followed a, granted it a lease until 500, and is named as leader; c follows. */
  const successor = (dead: boolean): Bench => {
    const bench = new Bench('b');
    bench.record(three);
    bench.feed({ type: 'entries', from: 'a', epoch: 1, entries: [], commitSeq: 0 });
    const next = changeLeader(three, 'b', !dead);
    const left = bench.feed({ type: 'record', record: next, minInSync: 1, granted: new Map([['a', 500]]) });
    expect(left).toContainEqual({ type: 'send-unfollow', to: 'a', epoch: 2 });
    bench.feed({ type: 'promised', epoch: 2 });
    bench.feed({ type: 'follow', from: 'c', epoch: 2, lastSeq: 0, lastEpoch: 0, appliedSeq: 0, durableSeq: 0 });
    expect(bench.machine.phase).toBe('sealing');
    return bench;
  };

  it('makes a successor wait until what it granted has run out', () => {
    const bench = successor(true);
    bench.now = 499;
    bench.feed({ type: 'tick' });
    expect([bench.machine.phase, bench.machine.pending]).toEqual(['sealing', true]);
    bench.now = 500;
    bench.feed({ type: 'tick' });
    expect(bench.machine.phase).toBe('serving');
  });

  it('is released at once when the leader before follows', () => {
    const bench = successor(false);
    bench.feed({ type: 'follow', from: 'a', epoch: 2, lastSeq: 0, lastEpoch: 0, appliedSeq: 0, durableSeq: 0 });
    expect(bench.machine.phase).toBe('serving');
  });

  it('is released at once when the leader before says that it has left, though it never follows', () => {
    const bench = successor(true);
    bench.feed({ type: 'released', from: 'c', epoch: 2 });
    bench.feed({ type: 'released', from: 'a', epoch: 1 });
    expect(bench.machine.phase).toBe('sealing');
    bench.feed({ type: 'released', from: 'a', epoch: 2 });
    expect(bench.machine.phase).toBe('serving');
  });

  it('is not even begun when that word came before the record, and is when the leader before has led again since', () => {
    // Plan: a says that it left at epoch 2; b learns of 2 and has nothing to wait for. a leads 3, grants count again, b is named for 4.
    const bench = new Bench('b');
    bench.record(three);
    bench.feed({ type: 'released', from: 'a', epoch: 2 });
    const granted = new Map([['a', 500]]);
    const alone = (whole: PartitionRecord) => ({
      ...whole,
      replicas: whole.replicas.filter((r) => r.node !== 'c').map((r) => ({ ...r, inSync: r.role === 'leader' })),
    });
    bench.feed({ type: 'record', record: alone(changeLeader(three, 'b', true)), minInSync: 1, granted });
    bench.feed({ type: 'promised', epoch: 2 });
    expect(bench.machine.phase).toBe('serving');
    bench.feed({ type: 'record', record: { ...three, epoch: 3 }, minInSync: 1, granted });
    bench.feed({ type: 'promised', epoch: 3 });
    const last = alone({ ...changeLeader({ ...three, epoch: 3 }, 'b', true) });
    bench.feed({ type: 'record', record: last, minInSync: 1, granted });
    bench.feed({ type: 'promised', epoch: 4 });
    expect(bench.machine.phase).toBe('sealing');
    bench.feed({ type: 'released', from: 'a', epoch: 4 });
    expect(bench.machine.phase).toBe('serving');
  });

  it('is given up by a leader in a word to all that may follow it, at the moment at which it learns of another', () => {
    const bench = serving();
    const actions = bench.feed({ type: 'record', record: changeLeader(record, 'b', true), minInSync: 1 });
    expect(actions.filter((a) => a.type === 'send-released')).toEqual([{ type: 'send-released', to: 'b', epoch: 2 }]);
    expect(bench.machine.mayRead(0, new Map([['b', 900]]))).toBe(false);
  });

  it('is waited for too when another was to lead in between, and when it was granted in a life before', () => {
    const bench = new Bench('b');
    bench.record(three);
    const granted = new Map([['a', 500]]);
    bench.feed({ type: 'record', record: { ...changeLeader(three, 'c', false), epoch: 2 }, minInSync: 1, granted });
    const back = { ...changeLeader(three, 'b', false), epoch: 3 };
    bench.feed({
      type: 'record',
      record: { ...back, replicas: back.replicas.filter((r) => r.node === 'b') },
      minInSync: 1,
    });
    bench.feed({ type: 'promised', epoch: 3 });
    expect(bench.machine.phase).toBe('sealing');
    const restarted = new ReplicaMachine({
      node: 'a',
      grantedUntil: 500,
      state: 'active',
      promisedEpoch: 2,
      firstSeq: 1,
      lastSeq: 0,
      lastEpoch: 0,
      appliedSeq: 0,
      log: [],
    });
    restarted.onEvent({ type: 'record', record: { ...newRecord(0, ['a']), epoch: 2 }, minInSync: 1 }, 400);
    expect(restarted.phase).toBe('sealing');
    restarted.onEvent({ type: 'tick' }, 500);
    expect(restarted.phase).toBe('serving');
  });
});

describe('comparing logs', () => {
  /** Leads at epoch 5 with entries of epochs 1 1 2 2 4 from seq 11 on; what came before was trimmed. */
  const leader = (): Bench => {
    const bench = new Bench('a');
    const log = [1, 1, 2, 2, 4].map((epoch) => ({ epoch, requestId: '' }));
    Object.assign(bench, {
      machine: new ReplicaMachine({
        node: 'a',
        state: 'active',
        promisedEpoch: 5,
        firstSeq: 11,
        lastSeq: 15,
        lastEpoch: 4,
        appliedSeq: 15,
        log,
      }),
    });
    bench.record({ ...record, epoch: 5 });
    return bench;
  };
  const verdict = (lastSeq: number, lastEpoch: number, appliedSeq: number) => {
    const [first] = leader().feed({ type: 'follow', from: 'b', epoch: 5, lastSeq, lastEpoch, appliedSeq });
    return first?.type === 'send-truncate' ? first.seq : first?.type;
  };

  it.each<[string, number, number, number, string | number]>([
    ['the same log', 15, 4, 12, 'stream'],
    ['a shorter log', 13, 2, 12, 'stream'],
    ['a longer log', 18, 4, 12, 15],
    ['entries of an epoch that the leader has not', 15, 3, 12, 14],
    ['more entries of an epoch than the leader has', 15, 2, 12, 14],
    ['entries of an old leader where the leader has newer ones', 14, 1, 11, 12],
    ['a difference below what is applied', 14, 1, 13, 'send-need-snapshot'],
    ['a log that ends before the leader begins', 5, 1, 5, 'send-need-snapshot'],
    ['a log that ends just before, all applied', 10, 1, 10, 'stream'],
    ['a log that ends just before, not all applied', 10, 1, 9, 'send-need-snapshot'],
    ['nothing', 0, 0, 0, 'send-need-snapshot'],
  ])('%s', (_what, lastSeq, lastEpoch, appliedSeq, expected) => {
    expect(verdict(lastSeq, lastEpoch, appliedSeq)).toBe(expected);
  });
});

describe('joining the in-sync set', () => {
  /** c has caught up, its content was compared, and the controller was asked to take it in; one write waits for c alone. */
  const asking = (): { bench: Bench; id: number } => {
    const bench = serving();
    bench.record(addLearner(record, 'c'));
    bench.follow('c', 1);
    bench.machine.sent('c', 1, 0, 0);
    bench.ack('c', 1, 0);
    bench.feed({ type: 'tick' });
    bench.feed({ type: 'durable', seq: 1, cut: 0 });
    expect(bench.machine.pull('c')).toMatchObject({ fromSeq: 1, toSeq: 1, mark: true });
    bench.machine.sent('c', 1, 1, 0, { seq: 0, records: 0, digest: 'd' });
    bench.ack('b', 1, 1);
    // That it is asked for is written down first.
    expect(bench.ack('c', 1, 1)).toContainEqual({ type: 'mark-asked', epoch: 1, node: 'c' });
    const change = bench.feed({ type: 'asked-marked', epoch: 1, node: 'c' }).find((a) => a.type === 'change-in-sync');
    expect(change?.add).toEqual({ node: 'c', seq: 0, records: 0, digest: 'd' });
    bench.feed(write);
    bench.feed({ type: 'durable', seq: 2, cut: 0 });
    expect(repliesOf(bench.ack('b', 1, 2))).toEqual([]);
    return { bench, id: change!.id };
  };

  it('requires the acknowledgement of the one that joins', () => {
    expect(repliesOf(asking().bench.ack('c', 1, 2))).toEqual(['done']);
  });

  it('gives up a joiner that falls silent before it was asked for, so that it holds up nobody', () => {
    const bench = serving();
    bench.record(addLearner(record, 'c'));
    bench.follow('c', 1);
    bench.machine.sent('c', 1, 0, 0);
    bench.ack('c', 1, 0);
    bench.feed({ type: 'tick' });
    bench.feed(write);
    bench.feed({ type: 'durable', seq: 2, cut: 0 });
    expect(repliesOf(bench.ack('b', 1, 2))).toEqual([]);
    bench.now = 400;
    expect(repliesOf(bench.feed({ type: 'tick' }))).toEqual(['done']);
  });

  it('still requires it after a restart that forgot the question, and asks for a higher epoch to be rid of it', () => {
    const machine = new ReplicaMachine({
      node: 'a',
      asked: { epoch: 1, node: 'c' },
      state: 'active',
      promisedEpoch: 1,
      firstSeq: 1,
      lastSeq: 0,
      lastEpoch: 0,
      appliedSeq: 0,
      log: [],
    });
    const alone = addLearner(newRecord(0, ['a']), 'c');
    machine.onEvent({ type: 'record', record: alone, minInSync: 1 }, 0);
    expect(machine.phase).toBe('sealing');
    const change = machine.onEvent({ type: 'tick' }, 100).find((a) => a.type === 'change-in-sync');
    expect(change).toMatchObject({ epoch: 1, remove: [] });
    expect(change?.add).toBeUndefined();
    machine.onEvent({ type: 'record', record: { ...alone, epoch: 2 }, minInSync: 1 }, 200);
    expect(machine.phase).toBe('serving');
  });

  it('lets go of it after a refusal', () => {
    const { bench, id } = asking();
    expect(repliesOf(bench.feed({ type: 'change-answered', id, outcome: 'refused' }))).toEqual(['done']);
  });

  it('lets one that the register would not take in wait longer each time before it asks again', () => {
    const bench = serving();
    let known = addLearner(record, 'c');
    bench.record(known);
    bench.follow('c', 1);
    const asksAfter = (): number => {
      const began = bench.now;
      for (; bench.now - began < 10_000; bench.now += 50) {
        const actions = bench.feed({ type: 'tick' });
        const seq = bench.machine.lastSeq;
        actions.push(...bench.feed({ type: 'durable', seq, cut: 0 }));
        const pull = bench.machine.pull('c');
        if (pull)
          bench.machine.sent('c', known.epoch, seq, seq, pull.mark ? { seq, records: 0, digest: 'd' } : undefined);
        for (const peer of ['b', 'c']) actions.push(...bench.ack(peer, known.epoch, seq));
        const marked = actions.find((a) => a.type === 'mark-asked');
        if (marked) actions.push(...bench.feed({ ...marked, type: 'asked-marked' }));
        if (actions.some((a) => a.type === 'change-in-sync' && a.add)) return bench.now - began;
      }
      return Infinity;
    };
    const waits = [1, 2, 3, 4].map(() => {
      const wait = asksAfter();
      // The answer of the register: a newer epoch with the same in-sync set.
      known = { ...known, epoch: known.epoch + 1 };
      bench.record(known);
      return wait;
    });
    expect(waits[0]).toBeLessThan(300);
    expect(waits.slice(1).every((wait, i) => wait >= 300 * 2 ** i && wait < Infinity)).toBe(true);
  });

  it('holds on to it after an unknown outcome, even when it dies and a later attempt is refused, until the epoch rises', () => {
    const { bench, id } = asking();
    bench.feed({ type: 'change-answered', id, outcome: 'unknown' });
    bench.feed({ type: 'follower-gone', from: 'c' });
    bench.now = 100;
    expect(typesOf(bench.feed({ type: 'tick' }))).toContain('change-in-sync');
    expect(repliesOf(bench.feed({ type: 'change-answered', id, outcome: 'refused' }))).toEqual([]);
    bench.record(shrinkInSync({ ...record, epoch: 4 }, 'b'));
    expect(bench.machine.phase).toBe('serving');
  });
});

describe('a follower', () => {
  const following = (): Bench => {
    const bench = new Bench('b');
    bench.record({ ...record, epoch: 3 });
    return bench;
  };
  const entries = (epoch: number, seqs: number[], commitSeq = 0): ReplicaEvent => ({
    type: 'entries',
    from: 'a',
    epoch,
    entries: seqs.map((seq) => ({ epoch, seq, requestId: `${epoch}:${seq}`, ops: [] })),
    commitSeq,
  });

  it('follows only once its promise is durable', () => {
    const bench = new Bench('b');
    expect(typesOf(bench.feed({ type: 'record', record, minInSync: 1 }))).toEqual(['promise']);
    expect(typesOf(bench.feed({ type: 'promised', epoch: 1 }))).toEqual(['send-follow']);
  });

  it('refuses a leader of an older epoch and says which it has promised', () => {
    expect(following().feed(entries(2, [1]))).toEqual([{ type: 'send-unfollow', to: 'a', epoch: 3 }]);
  });

  it('acknowledges only what is durable, and nothing that a cut has taken away', () => {
    const bench = following();
    expect(typesOf(bench.feed(entries(3, [1, 2])))).toEqual(['append', 'send-ack']);
    bench.feed({ type: 'truncate', from: 'a', epoch: 3, seq: 1 });
    bench.feed({ type: 'truncated', cut: 1 });
    bench.feed(entries(3, [2]));
    expect(typesOf(bench.feed({ type: 'durable', seq: 2, cut: 0 }))).toEqual([]);
    expect(bench.feed({ type: 'durable', seq: 2, cut: 1 })).toEqual([
      { type: 'send-ack', to: 'a', epoch: 3, durableSeq: 2 },
    ]);
  });

  it('says nothing that counts before what was cut off is gone from its disk', () => {
    // Plan: a cut; it asks at once and gets an entry in the place of the one that was cut off; its word on both waits for the cut.
    const bench = following();
    bench.feed(entries(3, [1, 2]));
    bench.feed({ type: 'durable', seq: 2, cut: 0 });
    expect(bench.feed({ type: 'truncate', from: 'a', epoch: 3, seq: 1 })).toMatchObject([
      { type: 'truncate' },
      { type: 'send-follow', lastSeq: 1, durableSeq: 0 },
    ]);
    expect(typesOf(bench.feed(entries(3, [2])))).toEqual(['append']);
    expect(typesOf(bench.feed({ type: 'durable', seq: 2, cut: 1 }))).toEqual([]);
    expect(typesOf(bench.feed({ type: 'truncated', cut: 0 }))).toEqual([]);
    expect(bench.feed({ type: 'truncated', cut: 1 })).toMatchObject([{ type: 'send-ack', durableSeq: 2 }]);
  });

  it('asks with a log that is cut to nothing once the cut is on its disk', () => {
    const bench = following();
    bench.feed(entries(3, [1]));
    expect(typesOf(bench.feed({ type: 'truncate', from: 'a', epoch: 3, seq: 0 }))).toEqual(['truncate']);
    expect(typesOf(bench.feed({ type: 'tick' }))).toEqual([]);
    expect(bench.feed({ type: 'truncated', cut: 1 })).toMatchObject([
      { type: 'send-follow', lastSeq: 0, durableSeq: 0 },
    ]);
  });

  it('asks at once whom it comes to follow, and says nothing that counts before its promise is durable', () => {
    // Plan: the next leader; its first entry comes and is durable before the promise, which a slow disk holds back.
    const three = newRecord(0, ['a', 'b', 'c']);
    const bench = new Bench('c');
    bench.record(three);
    bench.feed({
      type: 'entries',
      from: 'a',
      epoch: 1,
      entries: [{ epoch: 1, seq: 1, requestId: '', ops: [] }],
      commitSeq: 0,
    });
    bench.feed({ type: 'durable', seq: 1, cut: 0 });
    const asked = bench.feed({ type: 'record', record: changeLeader(three, 'b'), minInSync: 1 });
    expect(asked.filter((a) => a.type === 'promise' || a.type === 'send-follow')).toMatchObject([
      { type: 'promise', epoch: 2 },
      { type: 'send-follow', to: 'b', epoch: 2, lastSeq: 1, durableSeq: 0 },
    ]);
    const entry = { epoch: 2, seq: 2, requestId: '', ops: [] };
    expect(typesOf(bench.feed({ type: 'entries', from: 'b', epoch: 2, entries: [entry], commitSeq: 0 }))).toEqual([
      'append',
    ]);
    expect(typesOf(bench.feed({ type: 'durable', seq: 2, cut: 0 }))).toEqual([]);
    expect(bench.feed({ type: 'promised', epoch: 2 })).toEqual([
      { type: 'send-ack', to: 'b', epoch: 2, durableSeq: 2 },
    ]);
  });

  it('asks with an empty log once its promise is durable', () => {
    // Plan: a durable seq of 0 would be taken for the word of a follower that has promised.
    const bench = new Bench('b');
    expect(typesOf(bench.feed({ type: 'record', record, minInSync: 1 }))).toEqual(['promise']);
    expect(typesOf(bench.feed({ type: 'promised', epoch: 1 }))).toEqual(['send-follow']);
  });

  it('asks again when entries are missing between', () => {
    const bench = following();
    bench.feed(entries(3, [1]));
    expect(typesOf(bench.feed(entries(3, [3])))).toEqual(['send-follow']);
  });

  it('is not wiped while the map counts on it, and is filled once it does not', () => {
    const bench = following();
    expect(typesOf(bench.feed({ type: 'need-snapshot', from: 'a', epoch: 3 }))).toEqual(['trouble']);
    expect(typesOf(bench.record(shrinkInSync({ ...record, epoch: 3 }, 'b')))).toEqual(['promise', 'fill']);
    expect(typesOf(bench.feed({ type: 'need-snapshot', from: 'a', epoch: 4 }))).toEqual([]);
  });

  it('does not append what came with a mark that it does not match', () => {
    const bench = new Bench('c');
    bench.record(addLearner(record, 'c'));
    const marked: ReplicaEvent = {
      ...(entries(1, [1]) as Extract<ReplicaEvent, { type: 'entries' }>),
      mark: { seq: 0, records: 9, digest: 'x' },
    };
    expect(typesOf(bench.feed(marked))).toEqual(['compare']);
    expect(typesOf(bench.feed({ type: 'compared', equal: false }))).toEqual(['send-unfollow', 'trouble', 'fill']);
  });
});

describe('LogIndex', () => {
  it('knows the epoch of each entry through append, truncate, trim and reset', () => {
    const log = new LogIndex({ firstSeq: 1, lastSeq: 5, lastEpoch: 4 }, [1, 1, 2, 4, 4]);
    expect([1, 2, 3, 4, 5, 6].map((s) => log.epochAt(s))).toEqual([1, 1, 2, 4, 4, undefined]);
    expect([0, 1, 2, 3, 4].map((e) => log.lastUpToEpoch(e))).toEqual([0, 2, 3, 3, 5]);
    log.truncateAfter(4);
    log.append(7);
    expect([log.lastSeq, log.lastEpoch, log.epochAt(5)]).toEqual([5, 7, 7]);
    log.trimBefore(3);
    expect([log.firstSeq, log.epochAt(1), log.epochAt(2), log.epochAt(3)]).toEqual([3, undefined, 1, 2]);
    log.reset(9, 8);
    expect([log.firstSeq, log.lastSeq, log.lastEpoch, log.epochAt(9)]).toEqual([10, 9, 8, 8]);
  });
});

describe('recognising a retry', () => {
  const requests = (count: number) => {
    const bench = serving();
    for (let seq = 1; seq <= count; seq += 1) {
      bench.feed({ ...write, token: seq, requestId: `r${seq}` });
      bench.machine.sent('b', 1, seq, 0);
      bench.feed({ type: 'durable', seq, cut: 0 });
      bench.ack('b', 1, seq);
    }
    return bench;
  };
  const again = (bench: Bench) => bench.feed({ ...write, token: 0 }).find((a) => a.type === 'reply');
  const done = { type: 'reply', token: 0, outcome: { kind: 'done', epoch: 1, seq: 1 } };

  it('goes on for a minute, however many other requests come, and the log is kept for it', () => {
    const bench = requests(20_000);
    bench.now = 59_000;
    expect(typesOf(bench.feed({ type: 'tick' }))).not.toContain('trim');
    expect(again(bench)).toEqual(done);
    expect(bench.machine.copyBase(20_000, 1).seq).toBe(1);
  });

  it('ends when it is old and many came since', () => {
    const bench = requests(20_000);
    const trims: string[] = [];
    for (bench.now = 1000; bench.now < 70_000; bench.now += 1000) trims.push(...typesOf(bench.feed({ type: 'tick' })));
    expect(trims).toContain('trim');
    expect(bench.machine.pending).toBe(false);
    bench.feed({ ...write, token: 30_000, requestId: 'late' });
    expect(again(bench)).toBeUndefined();
  });
});

describe('RecentRequests', () => {
  it('forgets the oldest first, and what was cut', () => {
    const recent = new RecentRequests(2);
    ['x', 'y', 'z'].forEach((id, i) => recent.add(id, i + 1, 1));
    expect(['x', 'y', 'z', ''].map((id) => recent.find(id)?.seq)).toEqual([undefined, 2, 3, undefined]);
    recent.truncateAfter(2);
    expect(recent.find('z')).toBeUndefined();
    recent.add('y', 3, 4);
    recent.add('w', 4, 5);
    expect(['y', 'w'].map((id) => recent.find(id))).toEqual([
      { seq: 3, epoch: 4 },
      { seq: 4, epoch: 5 },
    ]);
    recent.add('v', 5, 5);
    expect(['y', 'w', 'v'].map((id) => recent.find(id)?.epoch)).toEqual([undefined, 5, 5]);
  });
});
