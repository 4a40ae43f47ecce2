import { describe, expect, it } from '@jest/globals';
import { newRecord } from '../map/changes.js';
import { votersOf } from '../map/records.js';
import type { PartitionRecord } from '../map/records.js';
import type { PlanInput } from './plan.js';
import { hard, keyspaceOf, nodeOf, planOf, playedAll, specOf } from './planning-fixtures.js';
import { proposePlan } from './propose.js';

const noise = (i: number): number => ((i * 2654435761) >>> 0) / 2 ** 32;
const nodes = Array.from({ length: 12 }, (_, i) => nodeOf(`n${String(i).padStart(2, '0')}`, { zone: `z${i % 3}` }));
const partitions = 240;
const spec = specOf(partitions, 2, [hard('zone')]);
const records = Array.from({ length: partitions }, (_, p) => {
  const a = Math.floor(noise(p) ** 1.3 * 12);
  return newRecord(p, [nodes[a]!.entry.id, nodes[(a + 1) % 12]!.entry.id]);
});
const loads = (p: number) => ({ reads: 1 + 9 * noise(p + 1000), writes: 1 + 9 * noise(p + 5000) });
const input = (held: readonly PartitionRecord[]): PlanInput => ({
  keyspaces: [{ ...keyspaceOf(spec, held), loadsOf: loads }],
  nodes,
  dimensions: ['reads', 'writes'],
});
const heldBy = (held: readonly PartitionRecord[], name: 'reads' | 'writes'): number[] =>
  nodes.map((n) =>
    held.filter((r) => votersOf(r).includes(n.entry.id)).reduce((sum, r) => sum + loads(r.partition)[name], 0),
  );

describe('balance by loads', () => {
  it('brings every node within 5 % of its share on two dimensions, constraints kept, and then proposes nothing', () => {
    // Skewed copies on twelve nodes; both loads are summed here, apart from the planner's own sums.
    const plan = planOf(input(records));
    const zones = new Map(nodes.map((n) => [n.entry.id, n.entry.labels['zone']]));
    const after = playedAll(records, plan, (r) => expect(new Set(votersOf(r).map((v) => zones.get(v))).size).toBe(2));
    for (const name of ['reads', 'writes'] as const) {
      const held = heldBy(after, name);
      const mean = held.reduce((a, b) => a + b, 0) / held.length;
      expect(Math.max(...held) / mean).toBeLessThanOrEqual(1.05 + 1e-9);
      expect(Math.min(...held) / mean).toBeGreaterThanOrEqual(0.95 - 1e-9);
    }
    expect(plan.cost.imbalanceAfter).toBeLessThanOrEqual(0.05 + 1e-9);
    expect(plan.cost.lowerBoundMoves).toBeGreaterThan(0);
    expect(plan.cost.lowerBoundMoves).toBeLessThanOrEqual(plan.cost.replicaMoves);
    expect(plan.cost.lowerBoundBytes).toBeLessThanOrEqual(plan.cost.bytes);
    expect(proposePlan(input(after))).toMatchObject({ kind: 'nothing' });
  });

  it('swaps where no single move helps', () => {
    // Two nodes, two partitions each: 6 and 4 on one, 3 and 1 on the other; only an exchange evens 10 and 4 out to 7 and 7.
    const sizes = [6, 4, 3, 1];
    const held = sizes.map((_, p) => newRecord(p, [p < 2 ? 'a' : 'b']));
    const plan = planOf({
      keyspaces: [{ ...keyspaceOf(specOf(4, 1), held), loadsOf: (p) => ({ heat: sizes[p]! }) }],
      nodes: [nodeOf('a'), nodeOf('b')],
      dimensions: ['heat'],
      tolerance: 0.01,
    });
    const after = playedAll(held, plan);
    const sum = (node: string) =>
      after.filter((r) => votersOf(r)[0] === node).reduce((total, r) => total + sizes[r.partition]!, 0);
    expect([sum('a'), sum('b')]).toEqual([7, 7]);
    expect(plan.moves.filter((m) => m.kind === 'replica')).toHaveLength(2);
  });

  it('relieves a node above its high watermark, and keeps head-room on the way', () => {
    // Two full disks exchange with an empty one; at no step does a node hold more than its capacity.
    const capacity = { bytes: 1000 };
    const disks = ['a', 'b', 'c'].map((id) => ({ ...nodeOf(id), entry: { ...nodeOf(id).entry, capacity } }));
    const held = Array.from({ length: 12 }, (_, p) => newRecord(p, [p < 6 ? 'a' : 'b']));
    const plan = planOf({
      keyspaces: [{ ...keyspaceOf(specOf(12, 1), held), bytesOf: () => 160 }],
      nodes: disks,
      limits: { perNodeIn: 9, perNodeOut: 9, cluster: 9 },
    });
    const used = new Map([
      ['a', 960],
      ['b', 960],
      ['c', 0],
    ]);
    for (const step of new Set(plan.moves.map((m) => m.step))) {
      const moves = plan.moves.filter((m) => m.step === step);
      for (const m of moves) used.set(m.to, used.get(m.to)! + m.bytes);
      for (const bytes of used.values()) expect(bytes).toBeLessThanOrEqual(1000);
      for (const m of moves) used.set(m.from, used.get(m.from)! - m.bytes);
    }
    expect([...used.values()]).toEqual([640, 640, 640]);
  });

  it('makes no plan for a gain below the threshold', () => {
    // One partition is larger than all others together: nothing can be gained.
    const held = [newRecord(0, ['a']), newRecord(1, ['b']), newRecord(2, ['b'])];
    const sizes = [100, 5, 5];
    expect(
      proposePlan({
        keyspaces: [{ ...keyspaceOf(specOf(3, 1), held), loadsOf: (p) => ({ heat: sizes[p]! }) }],
        nodes: [nodeOf('a'), nodeOf('b')],
        dimensions: ['heat'],
      }),
    ).toMatchObject({ kind: 'nothing', because: expect.stringContaining('loads stay as they are') });
  });

  it('refuses loads that are no amounts', () => {
    // NaN for one partition, a negative weight for one node.
    const bad = { ...keyspaceOf(spec, records), loadsOf: (p: number) => ({ heat: p === 7 ? NaN : 1 }) };
    expect(() => proposePlan({ keyspaces: [bad], nodes })).toThrow(/keyspaces\[orders\]\.partitions\[7\]\.heat/);
    expect(() =>
      proposePlan({ keyspaces: [keyspaceOf(spec, records)], nodes: [...nodes, nodeOf('x', {}, -1)] }),
    ).toThrow(/nodes\[x\]\.weight: -1/);
  });
});
