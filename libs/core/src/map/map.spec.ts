import { describe, expect, it } from '@jest/globals';
import {
  addLearner,
  changeLeader,
  checkRecord,
  dropLearner,
  growInSync,
  newRecord,
  removeReplica,
  shrinkInSync,
} from './changes.js';
import { isKnown, KeyspaceMap } from './keyspace-map.js';
import type { KeyspaceSpec, NodeEntry, PartitionRecord } from './records.js';
import { inSyncOf, leaderOf, replicaOn } from './records.js';

const spec: KeyspaceSpec = {
  name: 'k',
  scheme: { kind: 'hash-slots', slots: 4, hash: 'murmur3', hashTags: false },
  replicationFactor: 3,
  minInSync: 2,
  spread: [],
};
const node = (id: string, address = `${id}:1`): NodeEntry => ({ id, address, labels: {}, weight: 1 });
const nodes = ['a', 'b', 'c', 'd'].map((id) => node(id));
const at = (number: number) => ({ incarnation: 1, number });
const records = [0, 1, 2, 3].map((p) => newRecord(p, ['a', 'b', 'c']));
const refused = expect.objectContaining({ code: 'FAILED_PRECONDITION' });

describe('changes of a record', () => {
  const record = newRecord(0, ['a', 'b', 'c']);

  // Plan: the whole way of a move, with the epoch that each step must have.
  it('moves a leading copy from a to d', () => {
    const learning = addLearner(record, 'd');
    expect([learning.epoch, inSyncOf(learning)]).toEqual([1, ['a', 'b', 'c']]);
    const joined = growInSync(learning, 'd');
    expect([joined.epoch, replicaOn(joined, 'd')?.role]).toEqual([2, 'follower']);
    const led = changeLeader(joined, 'd');
    expect([led.epoch, leaderOf(led), led.replicas[0]!.node]).toEqual([3, 'd', 'd']);
    const moved = removeReplica(led, 'a', 2);
    expect([moved.epoch, moved.replicas.map((r) => r.node)]).toEqual([4, ['d', 'b', 'c']]);
    expect(checkRecord(moved)).toBeUndefined();
  });

  // Plan: what would break an invariant is refused, whoever asks.
  it.each<[string, () => PartitionRecord]>([
    ['a second copy on a node', () => addLearner(record, 'b')],
    ['a learner as leader', () => changeLeader(addLearner(record, 'd'), 'd')],
    ['an out-of-sync leader', () => changeLeader(shrinkInSync(record, 'b'), 'b')],
    ['the removal of the leader', () => removeReplica(record, 'a', 1)],
    ['a removal below minInSync', () => removeReplica(shrinkInSync(record, 'b'), 'c', 2)],
    ['the last in-sync copy leaving the set', () => shrinkInSync(newRecord(0, ['a']), 'a')],
    ['the leader leaving the set', () => shrinkInSync(record, 'a')],
    ['a follower dropped as a learner', () => dropLearner(record, 'b')],
    ['a stranger in the in-sync set', () => growInSync(record, 'z')],
  ])('refuses %s', (_what, change) => expect(change).toThrow(refused));

  // Plan: dropping a learner fences whatever its leader had asked for it.
  it('raises the epoch when a learner is dropped', () =>
    expect(dropLearner(addLearner(record, 'd'), 'd').epoch).toBe(2));
});

describe('KeyspaceMap', () => {
  const map = KeyspaceMap.fromRecords(spec, at(1), records, nodes);
  const delta = (from: number, to: number, changed: PartitionRecord[], more: NodeEntry[] = []) => ({
    keyspace: 'k',
    from: at(from),
    to: at(to),
    records: changed,
    nodes: more,
  });

  // Plan: a delta makes a new map; the old value stays as it was.
  it('is replaced, never edited', () => {
    const changed = changeLeader(records[2]!, 'b');
    const next = map.withDelta(delta(1, 2, [changed]));
    expect(next.record(2)).toEqual(changed);
    expect(next.leader(2)?.id).toBe('b');
    expect(map.record(2)).toEqual(records[2]);
    expect(next.record(1)).toEqual(records[1]);
  });

  // Plan: a delta that does not begin where the map is, is refused.
  it('refuses a gap', () => expect(() => map.withDelta(delta(2, 3, []))).toThrow(refused));

  // Plan: an owner's word heals a record forwards only, and a later delta with an older record does not undo it.
  it('never puts an older record over a newer one', () => {
    const newer = changeLeader(changeLeader(records[0]!, 'b'), 'c');
    const healed = map.healed(newer, []);
    expect(healed.leader(0)?.id).toBe('c');
    expect(healed.healed(records[0]!, [])).toBe(healed);
    expect(healed.withDelta(delta(1, 2, [changeLeader(records[0]!, 'b')])).leader(0)?.id).toBe('c');
  });

  // Plan: more replicas than places widen the columns; new nodes are appended.
  it('grows for more replicas and new nodes', () => {
    const wide = ['e', 'f'].reduce((r, n) => addLearner(r, n), addLearner(records[1]!, 'd'));
    const next = map.withDelta(delta(1, 2, [wide], [node('e'), node('f')]));
    expect(next.record(1)).toEqual(wide);
    expect(next.record(3)).toEqual(records[3]);
  });

  // Plan: partitions lose and regain their leader, in deltas and in a map made from columns; whoever leads is always told rightly.
  it('tells who leads, also while some partitions have no leader', () => {
    const orphan: PartitionRecord = {
      partition: 1,
      epoch: 2,
      replicas: ['a', 'b'].map((n) => ({ node: n, role: 'follower', state: 'available', inSync: true })),
    };
    const leaders = (of: KeyspaceMap) => [0, 1, 2, 3].map((p) => of.leader(p)?.id);
    const without = map.withDelta(delta(1, 2, [orphan]));
    expect(leaders(without)).toEqual(['a', undefined, 'a', 'a']);
    expect(leaders(KeyspaceMap.fromColumns(without))).toEqual(['a', undefined, 'a', 'a']);
    const again = without.withDelta(delta(2, 3, [{ ...newRecord(1, ['b', 'a']), epoch: 3 }]));
    expect(leaders(again)).toEqual(['a', 'b', 'a', 'a']);
    expect(leaders(KeyspaceMap.fromRecords(spec, at(1), [records[0]!, orphan], nodes))).toEqual([
      'a',
      undefined,
      undefined,
      undefined,
    ]);
    expect(leaders(map)).toEqual(['a', 'a', 'a', 'a']);
  });

  // Plan: the table of nodes grows past what 16 bits can number; records keep their nodes, and a node beyond is found.
  it('holds more nodes than a narrow column can number', () => {
    const many = Array.from({ length: 0x8000 - 5 }, (_, i) => node(`m${i}`));
    const narrow = map.withDelta({ ...delta(1, 2, []), nodes: many });
    expect(narrow.replicaNodes).toBeInstanceOf(Int16Array);
    const last = { ...newRecord(2, ['z', 'a', 'b']), epoch: 9 };
    const wide = narrow.withDelta({ ...delta(2, 3, [last]), nodes: [node('y'), node('z')] });
    expect(wide.replicaNodes).toBeInstanceOf(Int32Array);
    expect([wide.leader(2)?.id, wide.record(2), wide.record(0)]).toEqual(['z', last, map.record(0)]);
  });

  // Plan: a number that would be a node's after its upper bits are cut off is refused, not cut off.
  it('refuses a cell that names no node', () => {
    const replicaNodes = Int32Array.from(map.replicaNodes);
    replicaNodes[1] = 0x10000 + 1;
    const columns = { ...map, spec, partitions: 4, stride: 3, replicaNodes };
    expect(() => KeyspaceMap.fromColumns(columns)).toThrow(expect.objectContaining({ code: 'DATA_LOSS' }));
  });

  // Plan: an address changes without a generation; the delta is new to a holder of that generation, any other old one is not.
  it('takes a change of nodes alone', () => {
    const moved = delta(1, 1, [], [node('a', 'elsewhere:9')]);
    expect(isKnown(moved, at(1))).toBe(false);
    expect(isKnown(moved, at(2))).toBe(true);
    expect(isKnown(delta(1, 2, []), at(2))).toBe(true);
    expect(map.withDelta(moved).leader(0)?.address).toBe('elsewhere:9');
  });

  // Plan: records that break an invariant or name unknown nodes or partitions are refused.
  it.each<[string, PartitionRecord]>([
    ['an unknown node', newRecord(0, ['z'])],
    ['a partition too many', newRecord(9, ['a'])],
    [
      'two leaders',
      {
        partition: 0,
        epoch: 1,
        replicas: ['a', 'b'].map((n) => ({ node: n, role: 'leader', state: 'available', inSync: true })),
      },
    ],
    [
      'a node twice',
      {
        partition: 0,
        epoch: 1,
        replicas: ['a', 'a'].map((n, i) => ({
          node: n,
          role: i ? 'follower' : 'leader',
          state: 'available',
          inSync: true,
        })),
      },
    ],
    [
      'no in-sync copy',
      { partition: 0, epoch: 1, replicas: [{ node: 'a', role: 'follower', state: 'available', inSync: false }] },
    ],
    ['epoch 0', { ...newRecord(0, ['a']), epoch: 0 }],
  ])('refuses a record with %s', (_what, record) => {
    expect(() => KeyspaceMap.fromRecords(spec, at(1), [record], nodes)).toThrow(
      expect.objectContaining({ code: 'DATA_LOSS' }),
    );
  });
});
