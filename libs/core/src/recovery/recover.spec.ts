import { describe, expect, it } from '@jest/globals';
import { changeLeader, growInSync, newRecord, shrinkInSync } from '../map/changes.js';
import type { Generation } from '../map/generation.js';
import { KeyspaceMap } from '../map/keyspace-map.js';
import type { KeyspaceSpec, NodeEntry, PartitionRecord } from '../map/records.js';
import { inSyncOf, leaderOf } from '../map/records.js';
import type { FoundCopy } from './recover-partition.js';
import { EPOCH_STEP, recoverPartition } from './recover-partition.js';
import { isAsRestored, recover, recoverySentence } from './recover.js';

const ALL = new Set(['n1', 'n2', 'n3', 'n4']);
const copy = (node: string, over: Partial<FoundCopy> = {}): FoundCopy => ({
  node,
  keyspace: 'orders',
  partition: 0,
  promisedEpoch: 1,
  whole: true,
  lastEpoch: 1,
  lastSeq: 10,
  setAside: false,
  ...over,
});
const three = () => newRecord(0, ['n1', 'n2', 'n3']);
const summary = (record: PartitionRecord) => ({
  epoch: record.epoch,
  leader: leaderOf(record),
  inSync: inSyncOf(record).sort(),
  nodes: record.replicas.map((r) => r.node).sort(),
});

describe('a partition of a restored register', () => {
  it('goes on as the newest map says, under an epoch that nobody has heard of', () => {
    // Plan: all copies are there and have promised what the map says, one more from a stray.
    const found = recoverPartition(
      three(),
      [copy('n1'), copy('n2'), copy('n3'), copy('n4', { promisedEpoch: 7, setAside: true })],
      ALL,
    );
    expect(found.finding).toBe('whole');
    expect(summary(found.record)).toEqual({
      epoch: 7 + EPOCH_STEP,
      leader: 'n1',
      inSync: ['n1', 'n2', 'n3'],
      nodes: ['n1', 'n2', 'n3'],
    });
  });

  it('believes a newer record that an agent was told with an answer', () => {
    // Plan: the leader has shrunk the set; no map says so yet, the leader does.
    const record = shrinkInSync(three(), 'n2');
    const found = recoverPartition(
      three(),
      [copy('n1', { promisedEpoch: 2, record }), copy('n2'), copy('n3', { promisedEpoch: 2 })],
      ALL,
    );
    expect(found.finding).toBe('whole');
    expect(summary(found.record)).toMatchObject({ leader: 'n1', inSync: ['n1', 'n3'], nodes: ['n1', 'n2', 'n3'] });
  });

  it('goes on from the longest log of those who promised most, when nobody knows the record any more', () => {
    // Plan: n1 and n3 have promised an epoch whose record is lost; n2, longer under an older epoch, must not lead or count.
    const found = recoverPartition(
      three(),
      [
        copy('n1', { promisedEpoch: 3, lastEpoch: 3, lastSeq: 14 }),
        copy('n2', { promisedEpoch: 1, lastEpoch: 1, lastSeq: 40 }),
        copy('n3', { promisedEpoch: 3, lastEpoch: 3, lastSeq: 15 }),
      ],
      ALL,
    );
    expect(found.finding).toBe('by-promise');
    expect(summary(found.record)).toEqual({
      epoch: 3 + EPOCH_STEP,
      leader: 'n3',
      inSync: ['n3'],
      nodes: ['n1', 'n2', 'n3'],
    });
  });

  it('holds every acknowledged write, whatever was known to whom when the register went', () => {
    // Plan: random lives of one partition: a leader appends, acknowledges what its whole in-sync set has, sets shrink and grow, leaders
    // change; a random suffix of the records is forgotten by all maps. Whoever counts afterwards has every acknowledged entry.
    for (let seed = 1; seed <= 3_000; seed += 1) {
      const world = new World(seed);
      for (let i = 0; i < 30; i += 1) world.step();
      const { record } = recoverPartition(world.remembered(), world.copies(), ALL);
      for (const node of inSyncOf(record)) {
        const log = world.logs.get(node)!;
        const missing = world.acked.filter(({ seq, epoch }) => log[seq - 1] !== epoch);
        expect({ seed, node, missing }).toEqual({ seed, node, missing: [] });
      }
      expect(leaderOf(record)).toBeDefined();
    }
  });

  it('takes copies out of the in-sync set that are not there, and another leader where that one is gone', () => {
    // Plan: n1, the leader, was wiped; n3 is filling.
    const gone = recoverPartition(three(), [copy('n2'), copy('n3', { lastSeq: 12 })], ALL);
    expect(gone.finding).toBe('shrunk');
    expect(summary(gone.record)).toMatchObject({ leader: 'n3', inSync: ['n2', 'n3'] });
    const filling = recoverPartition(three(), [copy('n1'), copy('n2'), copy('n3', { whole: false })], ALL);
    expect(summary(filling.record)).toMatchObject({ leader: 'n1', inSync: ['n1', 'n2'] });
  });

  it('goes on counting on nodes that were not heard, and says so', () => {
    // Plan: n2 and n3 are away; then all who are there have nothing.
    const heard = new Set(['n1']);
    const away = recoverPartition(three(), [copy('n1')], heard);
    expect(away.finding).toBe('unheard');
    expect(summary(away.record)).toMatchObject({ leader: 'n1', inSync: ['n1', 'n2', 'n3'] });
    const lost = recoverPartition(three(), [], ALL);
    expect(lost.finding).toBe('lost');
    expect(summary(lost.record)).toMatchObject({ leader: 'n1', inSync: ['n1', 'n2', 'n3'] });
  });

  it('leaves learners out', () => {
    // Plan: a copy that a plan was filling.
    const record: PartitionRecord = {
      ...three(),
      replicas: [...three().replicas, { node: 'n4', role: 'learner', state: 'initializing', inSync: false }],
    };
    const found = recoverPartition(record, [copy('n1'), copy('n2'), copy('n3'), copy('n4', { whole: false })], ALL);
    expect(summary(found.record).nodes).toEqual(['n1', 'n2', 'n3']);
  });
});

/** One partition under the rules of replication, as far as they matter here. Epochs of entries by place in the log. */
class World {
  readonly logs = new Map([...ALL].map((node): [string, number[]] => [node, []]));
  readonly promised = new Map([...ALL].map((node): [string, number] => [node, 1]));
  readonly acked: { seq: number; epoch: number }[] = [];
  private readonly history: PartitionRecord[] = [newRecord(0, ['n1', 'n2', 'n3'])];
  private state: number;

  constructor(seed: number) {
    this.state = seed * 2_654_435_761;
  }

  step(): void {
    const record = this.history.at(-1)!;
    const leader = leaderOf(record)!;
    const inSync = inSyncOf(record);
    const others = inSync.filter((n) => n !== leader);
    const dice = this.dice(10);
    if (dice < 3) this.logs.get(leader)!.push(record.epoch);
    else if (dice < 7)
      for (const { node } of record.replicas) if (this.dice(3) > 0) this.follow(node, leader, record.epoch);
    if (dice === 7 && others.length > 0) this.change(shrinkInSync(record, others[this.dice(others.length)]!));
    // A joiner holds all that its leader has before the register names it.
    if (dice === 8) {
      const out = record.replicas.find((r) => !r.inSync)?.node;
      if (out) {
        this.follow(out, leader, record.epoch, true);
        this.change(growInSync(record, out));
      }
    }
    if (dice === 9 && others.length > 0) this.change(changeLeader(record, others[this.dice(others.length)]!, false));
    this.acknowledge();
  }

  /** Somebody held this one; what came after may be known to nobody but by its promises. */
  remembered(): PartitionRecord {
    return this.history[this.dice(this.history.length)]!;
  }

  copies(): FoundCopy[] {
    return [...this.logs].map(([node, log]) => ({
      ...copy(node, { promisedEpoch: this.promised.get(node)!, lastEpoch: log.at(-1) ?? 0, lastSeq: log.length }),
    }));
  }

  /** A new leader, or one whose set has changed, seals: all in-sync replicas promise and hold its whole log before anything counts. */
  private change(next: PartitionRecord): void {
    this.history.push(next);
    const leader = leaderOf(next)!;
    this.promised.set(leader, next.epoch);
    if (this.dice(2) === 0) for (const node of inSyncOf(next)) this.follow(node, leader, next.epoch);
  }

  private follow(node: string, leader: string, epoch: number, whole = false): void {
    const log = this.logs.get(leader)!;
    const upTo = !whole && this.dice(4) === 0 ? this.dice(log.length + 1) : log.length;
    const own = this.logs.get(node)!;
    const same = own.every((e, i) => log[i] === e);
    if (node !== leader && (!same || upTo > own.length)) this.logs.set(node, log.slice(0, same ? upTo : log.length));
    this.promised.set(node, Math.max(this.promised.get(node)!, epoch));
  }

  private acknowledge(): void {
    const record = this.history.at(-1)!;
    const log = this.logs.get(leaderOf(record)!)!;
    const inSync = inSyncOf(record);
    if (inSync.some((node) => this.promised.get(node)! < record.epoch)) return;
    for (let seq = this.acked.length + 1; seq <= log.length; seq += 1) {
      if (!inSync.every((node) => this.logs.get(node)![seq - 1] === log[seq - 1])) return;
      this.acked.push({ seq, epoch: log[seq - 1]! });
    }
  }

  private dice(sides: number): number {
    this.state = (Math.imul(this.state ^ (this.state >>> 15), 2_246_822_519) + 3_266_489_917) >>> 0;
    return ((this.state ^ (this.state >>> 13)) >>> 0) % sides;
  }
}

describe('a restored register', () => {
  const nodes: NodeEntry[] = [...ALL].map((id) => ({ id, address: `${id}:1`, labels: {}, weight: 1 }));
  const spec = (name: string): KeyspaceSpec => ({
    name,
    scheme: { kind: 'hash-slots', slots: 4, hash: 'crc16', hashTags: false },
    replicationFactor: 3,
    minInSync: 2,
    spread: [],
  });
  const first = () => Array.from({ length: 4 }, (_, p) => newRecord(p, ['n1', 'n2', 'n3']));
  const mapOf = (name: string, generation: Generation, records = first()) =>
    KeyspaceMap.fromRecords(spec(name), generation, records, nodes);
  const copiesOf = (map: KeyspaceMap): FoundCopy[] =>
    map
      .records()
      .flatMap((r) =>
        r.replicas.map(({ node }) =>
          copy(node, { keyspace: map.spec.name, partition: r.partition, promisedEpoch: r.epoch }),
        ),
      );
  const generation = (number: number, incarnation = 1) => ({ incarnation, number });
  const byName = (...maps: KeyspaceMap[]) => new Map(maps.map((m) => [m.spec.name, m]));

  it('is as it was when nothing happened since', () => {
    // Plan: the same map everywhere; only generation and epochs are new.
    const map = mapOf('orders', generation(5));
    const found = recover({
      incarnation: 2,
      registered: byName(map),
      found: byName(map),
      copies: copiesOf(map),
      heard: ALL,
    });
    expect(isAsRestored(found)).toBe(true);
    expect(found.keyspaces[0]).toMatchObject({ verdict: 'unchanged', generation: generation(6, 2), changed: [] });
    expect(recoverySentence(found.keyspaces[0]!)).toBe('orders: as in the copy');
  });

  it('takes what moved on, what was made and what was dropped since from the agents', () => {
    // Plan: orders has another leader in one partition; users is new; old is dropped; a copy on n4 is named by nobody.
    const old = mapOf('old', generation(3));
    const before = mapOf('orders', generation(5));
    const records = first().map((r) => (r.partition === 2 ? changeLeader(r, 'n2') : r));
    const after = mapOf('orders', generation(6), records);
    const users = mapOf('users', generation(1));
    const stray = copy('n4', { partition: 2, setAside: true });
    const found = recover({
      incarnation: 2,
      registered: byName(old, before),
      found: byName(after, users),
      copies: [...copiesOf(after), ...copiesOf(users), stray],
      heard: ALL,
    });
    expect(found.keyspaces.map(({ name, verdict, changed }) => ({ name, verdict, changed }))).toEqual([
      { name: 'old', verdict: 'gone', changed: [] },
      { name: 'orders', verdict: 'moved-on', changed: [2] },
      { name: 'users', verdict: 'found', changed: [0, 1, 2, 3] },
    ]);
    expect(leaderOf(found.keyspaces[1]!.records[2]!)).toBe('n2');
    expect(found.unnamed).toEqual([stray]);
    expect(found.waitsFor).toEqual([]);
    expect(isAsRestored(found)).toBe(false);
  });

  it('waits for nodes that the newest maps name, not for those that only the old copy does', () => {
    // Plan: n3 was moved to n4 since; n4 is silent, then n3 is.
    const before = mapOf('orders', generation(5));
    const records = first().map((r) => newRecord(r.partition, ['n1', 'n2', 'n4']));
    const after = mapOf('orders', generation(9), records);
    const at = (...heard: string[]) =>
      recover({ incarnation: 2, registered: byName(before), found: byName(after), copies: [], heard: new Set(heard) });
    expect(at('n1', 'n2', 'n3').waitsFor).toEqual(['n4']);
    expect(at('n1', 'n2', 'n4').waitsFor).toEqual([]);
  });

  it('believes the restored register where it is newer than what any agent has', () => {
    // Plan: the copy is of generation 7, agents have heard of 5.
    const found = recover({
      incarnation: 2,
      registered: byName(mapOf('orders', generation(7))),
      found: byName(mapOf('orders', generation(5))),
      copies: copiesOf(mapOf('orders', generation(5))),
      heard: ALL,
    });
    expect(found.keyspaces[0]).toMatchObject({
      verdict: 'unchanged',
      known: generation(7),
      generation: generation(8, 2),
    });
  });
});
