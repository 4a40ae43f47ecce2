import { describe, expect, it } from '@jest/globals';
import { changeLeader, growInSync, newRecord, shrinkInSync, addLearner } from '../map/changes.js';
import type { PartitionRecord } from '../map/records.js';
import { inSyncOf, leaderOf, replicaOn } from '../map/records.js';
import { ReplicaMachine } from './replica.machine.js';
import type { ReplicaAction, ReplicaEvent, ReplicatedEntry } from './replication-types.js';

/*
 * Plan: wire several machines by a queue with seeded random delays, cut streams, crash and restart nodes so that they keep only what
 * was durable, change leaders and in-sync sets by the real record functions, and check that no acknowledged write is ever lost, that
 * one seq is never acknowledged for two writes, and that all copies end up equal.
 */
const mulberry = (seed: number) => {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
};

interface Disk {
  promised: number;
  asked?: { epoch: number; node: string };
  base: { seq: number; epoch: number };
  log: ReplicatedEntry[];
  applied: number;
  data: Map<string, string>;
  state: 'active' | 'filling' | 'absent';
}

const emptyDisk = (state: Disk['state']): Disk => ({
  promised: 0,
  base: { seq: 0, epoch: 0 },
  log: [],
  applied: 0,
  data: new Map(),
  state,
});
const cloneDisk = (d: Disk): Disk => ({ ...d, base: { ...d.base }, log: [...d.log], data: new Map(d.data) });
const textOf = (bytes: Uint8Array) => String.fromCharCode(...bytes);
const bytesOf = (text: string) => Uint8Array.from(text, (c) => c.charCodeAt(0));
const digestOf = (data: Map<string, string>) =>
  [...data]
    .map(([k, v]) => `${k}=${v}`)
    .sort()
    .join(',');

class SimNode {
  machine!: ReplicaMachine;
  memory: Disk;
  life = 0;
  up = false;
  linkedTo = new Map<string, number>();
  constructor(
    readonly id: string,
    public disk: Disk,
  ) {
    this.memory = cloneDisk(disk);
  }
}

class World {
  now = 0;
  private order = 0;
  private queue: { at: number; order: number; run: () => void }[] = [];
  readonly nodes = new Map<string, SimNode>();
  readonly acked = new Map<string, number>();
  readonly ackedSeqs = new Map<number, string>();
  record: PartitionRecord;
  chaos = true;
  private links = new Map<string, number>(); // epoch of a stream between two nodes
  private lastDelivery = new Map<string, number>();
  private tokens = new Map<number, string>();
  private token = 0;

  constructor(
    readonly random: () => number,
    ids: string[],
    readonly minInSync: number,
    replicas: string[],
  ) {
    this.record = newRecord(0, replicas);
    for (const id of ids) this.nodes.set(id, new SimNode(id, emptyDisk(replicas.includes(id) ? 'active' : 'absent')));
    for (const id of ids) this.start(id);
  }

  after(delay: number, run: () => void) {
    this.order += 1;
    this.queue.push({ at: this.now + delay, order: this.order, run });
  }

  step(): boolean {
    if (this.queue.length === 0) return false;
    let best = 0;
    this.queue.forEach((q, i) => {
      const b = this.queue[best]!;
      if (q.at < b.at || (q.at === b.at && q.order < b.order)) best = i;
    });
    const [next] = this.queue.splice(best, 1);
    this.now = Math.max(this.now, next!.at);
    next!.run();
    return true;
  }

  runUntil(done: () => boolean, limitMs: number) {
    const end = this.now + limitMs;
    while (!done()) {
      if (this.now > end || !this.step()) return false;
    }
    return true;
  }

  delay(max = 20) {
    return 0.1 + this.random() * max;
  }

  start(id: string) {
    const node = this.nodes.get(id)!;
    node.life += 1;
    node.up = true;
    node.memory = cloneDisk(node.disk);
    const { memory: m } = node;
    const lastSeq = m.base.seq + m.log.length;
    node.machine = new ReplicaMachine(
      {
        node: id,
        ...(m.asked && { asked: m.asked }),
        state: m.state,
        promisedEpoch: m.promised,
        firstSeq: m.base.seq + 1,
        lastSeq,
        lastEpoch: m.log.at(-1)?.epoch ?? m.base.epoch,
        appliedSeq: m.applied,
        log: m.log,
      },
      {
        inSyncTimeoutMs: 300,
        refollowMs: 50,
        changeRetryMs: 20,
        keepEntries: 64,
        rememberMs: 200,
        keepBytes: 16 * 1024,
      },
    );
    this.ticking(node, node.life);
    this.tell(node);
  }

  private ticking(node: SimNode, life: number) {
    this.after(10, () => {
      if (node.life !== life || !node.up) return;
      this.feed(node, { type: 'tick' });
      this.ticking(node, life);
    });
  }

  tell(node: SimNode) {
    const record = this.record;
    const { life } = node;
    this.after(
      this.delay(40),
      () => node.life === life && node.up && this.feed(node, { type: 'record', record, minInSync: this.minInSync }),
    );
  }

  publish(record: PartitionRecord) {
    this.record = record;
    for (const node of this.nodes.values()) if (node.up) this.tell(node);
  }

  crash(id: string) {
    const node = this.nodes.get(id)!;
    node.up = false;
    node.life += 1;
    for (const other of this.nodes.keys()) this.cut(id, other);
  }

  cut(a: string, b: string) {
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      const link = `${from}>${to}`; // follower > leader
      this.links.set(link, (this.links.get(link) ?? 0) + 1);
      const follower = this.nodes.get(from)!;
      const leader = this.nodes.get(to)!;
      const gone = this.delay();
      if (leader.up) this.later(leader, { type: 'follower-gone', from }, gone); // a driver says so before it hands on anything of a newer stream
      if (follower.up) this.after(gone + this.delay(), () => this.relink(follower, to));
    }
  }

  private relink(follower: SimNode, to: string) {
    this.feed(follower, { type: 'link', to, up: false });
    this.feed(follower, { type: 'link', to, up: true });
  }

  private later(node: SimNode, event: ReplicaEvent, delay = this.delay()) {
    const { life } = node;
    this.after(delay, () => node.life === life && node.up && this.feed(node, event));
  }

  /** FIFO per stream; a cut stream delivers nothing more. */
  private send(follower: string, leader: string, to: string, event: ReplicaEvent) {
    const link = `${follower}>${leader}`;
    const version = this.links.get(link) ?? 0;
    const channel = `${link}:${to}`;
    const at = Math.max(this.now + this.delay(), (this.lastDelivery.get(channel) ?? 0) + 0.001);
    this.lastDelivery.set(channel, at);
    const target = this.nodes.get(to)!;
    const { life } = target;
    this.after(at - this.now, () => {
      if (target.up && target.life === life && (this.links.get(link) ?? 0) === version) this.feed(target, event);
    });
  }

  feed(node: SimNode, event: ReplicaEvent) {
    if (!node.up) return;
    const queue = [event];
    const streams = new Set<string>();
    for (let e = queue.shift(); e; e = queue.shift()) {
      for (const action of node.machine.onEvent(e, this.now))
        action.type === 'stream' ? streams.add(action.to) : this.perform(node, action, queue);
    }
    for (const to of streams) this.stream(node, to);
  }

  private durable(node: SimNode, change: (disk: Disk) => void, then: () => void) {
    const { life } = node;
    const at = Math.max(this.now + this.delay(10), this.lastDelivery.get(`disk:${node.id}:${life}`) ?? 0);
    this.lastDelivery.set(`disk:${node.id}:${life}`, at + 0.001);
    this.after(at - this.now, () => {
      if (node.life !== life) return;
      change(node.disk);
      then();
    });
  }

  private perform(node: SimNode, a: ReplicaAction, queue: ReplicaEvent[]) {
    const m = node.memory;
    switch (a.type) {
      case 'promise':
        expect(a.epoch).toBeGreaterThan(node.disk.promised);
        m.promised = a.epoch;
        return this.durable(
          node,
          (d) => (d.promised = a.epoch),
          () => this.feed(node, { type: 'promised', epoch: a.epoch }),
        );
      case 'mark-asked': {
        const asked = { epoch: a.epoch, node: a.node };
        return this.durable(
          node,
          (d) => (d.asked = asked),
          () => this.feed(node, { type: 'asked-marked', ...asked }),
        );
      }
      case 'append': {
        expect(a.entries[0]!.seq).toBe(m.base.seq + m.log.length + 1);
        m.log.push(...a.entries);
        const last = a.entries.at(-1)!.seq;
        return this.durable(
          node,
          (d) => d.log.push(...a.entries),
          () => this.feed(node, { type: 'durable', seq: last, cut: a.cut }),
        );
      }
      case 'apply': {
        const entries = m.log.slice(m.applied - m.base.seq, a.uptoSeq - m.base.seq);
        expect(entries.length).toBe(a.uptoSeq - m.applied);
        for (const e of entries)
          for (const op of e.ops)
            op.kind === 'put' ? m.data.set(textOf(op.key), textOf(op.value)) : m.data.delete(textOf(op.key));
        m.applied = a.uptoSeq;
        const data = new Map(m.data);
        return this.durable(
          node,
          (d) => ((d.applied = a.uptoSeq), (d.data = data)),
          () => undefined,
        );
      }
      case 'truncate': {
        expect(a.seq).toBeGreaterThanOrEqual(m.applied);
        m.log.length = a.seq - m.base.seq;
        return this.durable(
          node,
          (d) => (d.log.length = Math.min(d.log.length, a.seq - d.base.seq)),
          () => this.feed(node, { type: 'truncated', cut: a.cut }),
        );
      }
      case 'trim': {
        const cut = (d: Disk) => {
          const drop = a.beforeSeq - 1 - d.base.seq;
          d.base = { seq: a.beforeSeq - 1, epoch: d.log[drop - 1]!.epoch };
          d.log = d.log.slice(drop);
        };
        cut(m);
        return this.durable(node, cut, () => undefined);
      }
      case 'reply':
        return this.onReply(a);
      case 'send-follow':
        return this.send(node.id, a.to, a.to, { ...a, type: 'follow', from: node.id });
      case 'send-ack':
        return this.send(node.id, a.to, a.to, { type: 'ack', from: node.id, epoch: a.epoch, durableSeq: a.durableSeq });
      case 'send-unfollow':
        return this.send(node.id, a.to, a.to, { type: 'unfollow', from: node.id, epoch: a.epoch });
      case 'send-released':
        return this.send(node.id, a.to, a.to, { type: 'released', from: node.id, epoch: a.epoch });
      case 'send-truncate':
        return this.send(a.to, node.id, a.to, { type: 'truncate', from: node.id, epoch: a.epoch, seq: a.seq });
      case 'send-need-snapshot':
        return this.send(a.to, node.id, a.to, { type: 'need-snapshot', from: node.id, epoch: a.epoch });
      case 'send-refused':
        return this.send(a.to, node.id, a.to, { type: 'refused', from: node.id, epoch: a.epoch, reason: a.reason });
      case 'fill':
        return this.fill(node, a.from);
      case 'compare':
        queue.push({ type: 'compared', equal: m.applied === a.mark.seq && digestOf(m.data) === a.mark.digest });
        return undefined;
      case 'change-in-sync':
        return this.change(node, a);
      case 'stream':
      case 'stop-fill':
      case 'trouble':
        return undefined;
    }
  }

  private stream(node: SimNode, to: string) {
    for (let pull = node.machine.pull(to); pull; pull = node.machine.pull(to)) {
      const m = node.memory;
      const upto = Math.min(pull.toSeq, pull.fromSeq + 4);
      const entries = m.log.slice(pull.fromSeq - 1 - m.base.seq, upto - m.base.seq);
      const mark = pull.mark ? { seq: m.applied, records: m.data.size, digest: digestOf(m.data) } : undefined;
      if (mark) expect(mark.seq).toBe(pull.commitSeq);
      this.send(to, node.id, to, {
        type: 'entries',
        from: node.id,
        epoch: pull.epoch,
        entries,
        commitSeq: pull.commitSeq,
        ...(mark && { mark }),
      });
      node.machine.sent(to, pull.epoch, pull.fromSeq + entries.length - 1, pull.commitSeq, mark);
    }
  }

  private fill(node: SimNode, from: string) {
    const { life } = node;
    const wanted = node.machine.record?.epoch;
    const attempt = () => {
      if (node.life !== life || !node.up || node.machine.record?.epoch !== wanted) return;
      const source = this.nodes.get(from)!;
      if (!source.up || source.machine.phase !== 'serving') return this.after(this.delay(50), attempt);
      const { memory: s } = source;
      const epochAtApplied = s.log[s.applied - s.base.seq - 1]?.epoch ?? s.base.epoch;
      const base = source.machine.copyBase(s.applied, epochAtApplied);
      this.feed(source, { type: 'copying', to: node.id, seq: base.seq });
      const data = new Map(s.data);
      const promised = node.memory.promised;
      node.memory = { promised, base: { ...base }, log: [], applied: base.seq, data, state: 'active' };
      return this.durable(
        node,
        () => (node.disk = cloneDisk(node.memory)),
        () => this.feed(node, { type: 'filled', ...base }),
      );
    };
    this.after(this.delay(50), attempt);
  }

  /** The active controller: compares the epoch; its answer, or the request, may be lost. */
  private change(node: SimNode, a: Extract<ReplicaAction, { type: 'change-in-sync' }>) {
    const { life } = node;
    const answer = (outcome: 'refused' | 'unknown') =>
      this.after(
        this.delay(),
        () => node.life === life && this.feed(node, { type: 'change-answered', id: a.id, outcome }),
      );
    const lostAnswer = this.chaos && this.random() < 0.3;
    this.after(this.delay(60), () => {
      if (this.record.epoch !== a.epoch || leaderOf(this.record) !== node.id) return answer('refused');
      try {
        let record = this.record;
        if (a.add) {
          const source = this.nodes.get(a.add.node)!;
          expect(source.disk.base.seq + source.disk.log.length).toBeGreaterThanOrEqual(a.add.seq);
          record = growInSync(record, a.add.node);
        }
        for (const gone of a.remove) record = shrinkInSync(record, gone);
        record = { ...record, epoch: this.record.epoch + 1 };
        return this.publish(record);
      } catch {
        return answer('refused');
      }
    });
    if (lostAnswer) answer('unknown');
  }

  write(id: string, key: string, value: string, at: string) {
    const node = this.nodes.get(at)!;
    if (!node.up) return;
    this.token += 1;
    this.tokens.set(this.token, id);
    this.feed(node, {
      type: 'write',
      token: this.token,
      requestId: id,
      ops: [{ kind: 'put', key: bytesOf(key), value: bytesOf(value) }],
    });
  }

  private onReply(a: Extract<ReplicaAction, { type: 'reply' }>) {
    if (a.outcome.kind !== 'done') return;
    const id = this.tokens.get(a.token)!;
    const { seq } = a.outcome;
    expect(this.ackedSeqs.get(seq) ?? id).toBe(id);
    expect(this.acked.get(id) ?? seq).toBe(seq);
    this.ackedSeqs.set(seq, id);
    this.acked.set(id, seq);
  }

  describe(): string {
    const nodes = [...this.nodes.values()].map(
      (n) =>
        `${n.id}:${n.machine.phase} e${n.machine.record?.epoch} p${n.machine.promisedEpoch} ${n.machine.appliedSeq}/${n.machine.lastSeq}`,
    );
    return `e${this.record.epoch} ${this.record.replicas.map((r) => `${r.node}:${r.role}:${r.inSync}`).join(' ')} | ${nodes.join(' ')}`;
  }

  /** The controller's failover: a leader without a session loses its lead to an in-sync replica that is up. */
  failover() {
    const leader = leaderOf(this.record)!;
    if (this.nodes.get(leader)!.up) return;
    const next = inSyncOf(this.record).find((n) => this.nodes.get(n)!.up);
    if (next) this.publish(changeLeader(this.record, next, inSyncOf(this.record).length < 2));
  }
}

const oneRun = (seed: number) => {
  const random = mulberry(seed);
  const world = new World(random, ['a', 'b', 'c', 'd'], 1, ['a', 'b', 'c']);
  let n = 0;
  const ids: string[] = [];
  for (let round = 0; round < 220; round += 1) {
    const until = world.now + random() * 60;
    world.runUntil(() => world.now >= until, 100);
    const dice = random();
    const all = ['a', 'b', 'c', 'd'];
    const pick = all[Math.floor(random() * all.length)]!;
    if (dice < 0.03 && [...world.nodes.values()].filter((x) => x.up).length > 2) world.crash(pick);
    else if (dice < 0.1) world.cut(pick, all[Math.floor(random() * all.length)]!);
    else if (dice < 0.2) for (const node of world.nodes.values()) if (!node.up) world.start(node.id);
    if (dice >= 0.2 && dice < 0.3) world.failover();
    if (dice >= 0.3 && dice < 0.33) {
      const target = inSyncOf(world.record).find((x) => x !== leaderOf(world.record));
      if (target) world.publish(changeLeader(world.record, target));
    }
    if (round === 60 && !replicaOn(world.record, 'd')) world.publish(addLearner(world.record, 'd'));
    for (let w = 0; w < 4; w += 1) {
      // A new write or the retry of an old one, at whichever node believes that it leads.
      const retry = ids.length > 0 && random() < 0.3;
      const id = retry ? ids.at(-1 - Math.floor(random() * Math.min(20, ids.length)))! : `w${(n += 1)}`;
      if (!retry) ids.push(id);
      for (const node of world.nodes.values())
        if (node.up && node.machine.phase === 'serving') world.write(id, `k${id.length}${id.slice(-1)}`, id, node.id);
    }
  }
  world.chaos = false;
  for (const node of world.nodes.values()) if (!node.up) world.start(node.id);
  const calm = world.runUntil(() => {
    world.failover();
    const leader = world.nodes.get(leaderOf(world.record)!)!;
    return (
      inSyncOf(world.record).length === 4 &&
      leader.machine.phase === 'serving' &&
      [...world.nodes.values()].every(
        (x) => x.machine.appliedSeq === leader.machine.lastSeq && x.machine.record?.epoch === world.record.epoch,
      )
    );
  }, 20_000);
  return { world, calm };
};

describe('ReplicaMachine', () => {
  it('loses no acknowledged write and ends with equal copies under random schedules', () => {
    const first = Number(process.env['SEED'] ?? 1);
    const runs = process.env['SEED'] ? 1 : 16;
    let acked = 0;
    let epochs = 0;
    for (let seed = first; seed < first + runs; seed += 1) {
      try {
        const { world, calm } = oneRun(seed);
        if (!calm) throw new Error(`not calm: ${world.describe()}`);
        const copies = [...world.nodes.values()].map((x) => x.memory);
        for (const copy of copies) expect(digestOf(copy.data)).toBe(digestOf(copies[0]!.data));
        for (const { log } of copies)
          for (const e of log) if (world.ackedSeqs.has(e.seq)) expect(e.requestId).toBe(world.ackedSeqs.get(e.seq));
        // A write of which nothing remains: no copy's log begins so late that it could be hidden by trimming alone.
        const known = new Set(copies.flatMap((c) => c.log.map((e) => e.requestId)));
        const base = Math.min(...copies.map((c) => c.base.seq));
        for (const [id, seq] of world.acked) if (seq > base) expect(known.has(id)).toBe(true);
        acked += world.acked.size;
        epochs += world.record.epoch;
      } catch (error) {
        throw new Error(`seed ${seed} (replay with SEED=${seed}): ${(error as Error).message}`, { cause: error });
      }
    }
    expect(acked).toBeGreaterThan(runs * 50);
    expect(epochs).toBeGreaterThan(runs * 10);
  });
});
