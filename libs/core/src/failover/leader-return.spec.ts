import { describe, expect, it } from '@jest/globals';
import { newRecord, shrinkInSync } from '../map/changes.js';
import type { PartitionRecord } from '../map/records.js';
import { leaderOf } from '../map/records.js';
import { decideFailover } from './failover.js';
import { decideLeaderReturn, leadsLost } from './leader-return.js';

const nodes = ['a', 'b', 'c'];
const fresh = (): PartitionRecord[] =>
  Array.from({ length: 12 }, (_, p) => newRecord(p, [...nodes.slice(p % 3), ...nodes.slice(0, p % 3)]));
const countIn = (records: readonly PartitionRecord[]) => (node: string) =>
  records.filter((r) => leaderOf(r) === node).length;
const put = (records: readonly PartitionRecord[], changed: readonly PartitionRecord[]): PartitionRecord[] =>
  records.map((r) => changed.find((c) => c.partition === r.partition) ?? r);

/** a leads 4 of 12; it dies, is followed by b and c, and comes back in sync. */
const afterReturn = () => {
  let records = fresh();
  const before = records;
  for (const r of before) {
    const { record } = decideFailover(r, { alive: (n) => n !== 'a', leaderCount: countIn(records) });
    if (record) records = put(records, [record]);
  }
  const owed = leadsLost((p) => before[p]!, records).get('a')!;
  records = records.map((r) => ({ ...r, replicas: r.replicas.map((x) => ({ ...x, inSync: true })) }));
  return { records, owed };
};

describe('decideLeaderReturn', () => {
  // Plan: a node that led four of twelve dies and returns; two at a time it gets back what evens the keyspace out, and then it ends.
  it('gives back what was taken, a few at a time, until it is even', () => {
    let { records, owed } = afterReturn();
    expect(owed).toBe(4);
    let turns = 0;
    while (owed > 0) {
      const turn = decideLeaderReturn({
        records,
        node: 'a',
        owed,
        leaderCount: countIn(records),
        busy: () => false,
        max: 2,
      });
      expect(turn.records.length).toBeLessThanOrEqual(2);
      records = put(records, turn.records);
      owed = turn.owed;
      turns += 1;
      expect(turns).toBeLessThan(5);
    }
    expect(nodes.map(countIn(records))).toEqual([4, 4, 4]);
  });

  // Plan: partitions that a plan is about to change, and copies that are not in sync yet, are left for later; nothing is forgotten.
  it('waits for copies that are not in sync and for plans', () => {
    const { records, owed } = afterReturn();
    const behind = records.map((r) => (leaderOf(r) === 'a' ? r : shrinkInSync(r, 'a')));
    const view = { node: 'a', owed, leaderCount: countIn(records), max: 8 };
    expect(decideLeaderReturn({ ...view, records: behind, busy: () => false })).toEqual({ records: [], owed: 4 });
    expect(decideLeaderReturn({ ...view, records, busy: () => true })).toEqual({ records: [], owed: 4 });
  });

  // Plan: nobody leads two more than the node that is back: nothing is moved and the debt is over, so that nothing swings to and fro.
  it('ends when nothing would become more even', () => {
    const records = fresh();
    const turn = decideLeaderReturn({
      records,
      node: 'a',
      owed: 3,
      leaderCount: countIn(records),
      busy: () => false,
      max: 8,
    });
    expect(turn).toEqual({ records: [], owed: 0 });
  });
});
