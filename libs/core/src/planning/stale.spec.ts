import { describe, expect, it } from '@jest/globals';
import { changeLeader, newRecord } from '../map/changes.js';
import type { PartitionRecord } from '../map/records.js';
import { canonicalPlanBytes } from './canonical.js';
import type { PlanBody } from './plan.js';
import { dealt, keyspaceOf, nodeOf, planOf, specOf } from './planning-fixtures.js';
import { checkStale } from './stale.js';

const records = dealt(12, ['a', 'b', 'c']);
const nodes = ['a', 'b', 'c', 'd'].map((n) => nodeOf(n));
const body: PlanBody = {
  ...planOf({ keyspaces: [keyspaceOf(specOf(12, 1), records)], nodes }),
  proposer: 'planner',
  reason: 'd joined',
};
const touched = body.moves[0]!.partition;
const current =
  (change?: (r: PartitionRecord) => PartitionRecord | undefined) =>
  (_: string, p: number): PartitionRecord | undefined =>
    p === touched && change ? change(records[p]!) : records[p];

describe('staleness of a plan', () => {
  it('is fresh while nothing that it touches has changed', () => {
    // The world is as it was.
    expect(checkStale(body, current(), nodes)).toEqual({ fresh: true });
  });

  it('ignores partitions that it does not touch', () => {
    // Raise the epoch of one that stays.
    const other = records.findIndex((r) => body.moves.every((m) => m.partition !== r.partition));
    expect(checkStale(body, (_, p) => (p === other ? { ...records[p]!, epoch: 9 } : records[p]), nodes)).toEqual({
      fresh: true,
    });
  });

  it.each([
    [
      'another epoch',
      (r: PartitionRecord) => ({ ...r, epoch: 4 }),
      /^keyspace orders partition \d+: was at epoch 1 and is at epoch 4, on [abc], led by [abc]$/,
    ],
    ['the source gone', () => newRecord(touched, ['z']), /: was on [abc] and is on z$/],
    [
      'a copy on the target',
      (r: PartitionRecord) => ({ ...r, replicas: [...r.replicas, ...newRecord(0, ['x', 'd']).replicas.slice(1)] }),
      /: had no copy on d and has one now$/,
    ],
    ['no partition', () => undefined, /: existed and does not any more$/],
  ])('names %s', (_, change, sentence) => {
    // One touched partition differs in one way.
    const result = checkStale(body, current(change), nodes);
    expect(result).toMatchObject({ fresh: false, changes: [expect.stringMatching(sentence)] });
  });

  it('names targets that are not up', () => {
    // The target drains, or is not known any more.
    expect(checkStale(body, current(), nodes.slice(0, 3))).toEqual({
      fresh: false,
      changes: ['node d was up and is unknown; it is a target of the plan'],
    });
    expect(checkStale(body, current(), [...nodes.slice(0, 3), nodeOf('d', {}, 1, 'draining')])).toMatchObject({
      fresh: false,
    });
  });

  it('names a leader that has changed', () => {
    // A plan of one leader transfer on a record whose leader moved on, with the epoch as expected.
    const pair = newRecord(0, ['a', 'b']);
    const move = { ...body.moves[0]!, kind: 'leader' as const, partition: 0, from: 'a', to: 'b', leaderAfter: 'b' };
    expect(checkStale({ moves: [move] }, () => ({ ...changeLeader(pair, 'b'), epoch: 1 }), nodes)).toMatchObject({
      changes: ['keyspace orders partition 0: was led by a and is led by b'],
    });
  });
});

describe('canonical bytes', () => {
  it('differ for every field that runs or is shown', () => {
    // Change one field at a time; no two results may be equal.
    const [first, ...rest] = body.moves;
    const changed: PlanBody[] = [
      body,
      { ...body, proposer: 'other' },
      { ...body, reason: 'other' },
      { ...body, base: [{ keyspace: 'orders', generation: { incarnation: 2, number: 7 } }] },
      { ...body, moves: rest },
      ...Object.entries({
        step: 9,
        partition: 99,
        kind: 'add',
        from: 'q',
        to: 'q',
        leaderAfter: 'q',
        baseEpoch: 2,
        reason: 'q',
        bytes: 1,
        keyspace: 'q',
        index: 7,
      }).map(([k, v]) => ({ ...body, moves: [{ ...first!, [k]: v }, ...rest] })),
      { ...body, nodes: body.nodes.slice(1) },
      { ...body, cost: { ...body.cost, bytes: 1 } },
      { ...body, cost: { ...body.cost, boundBecause: '' } },
    ];
    const hex = changed.map((b) => canonicalPlanBytes(b).join(','));
    expect(new Set(hex).size).toBe(changed.length);
    expect(canonicalPlanBytes(structuredClone(body)).join(',')).toBe(hex[0]);
  });

  it('do not confuse neighbouring texts', () => {
    // Shift a character over the border of two fields.
    expect(canonicalPlanBytes({ ...body, proposer: 'ab', reason: 'c' })).not.toEqual(
      canonicalPlanBytes({ ...body, proposer: 'a', reason: 'bc' }),
    );
  });
});
