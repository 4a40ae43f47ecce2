import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import type { ScenarioResult, SimulationResult } from '@cadastre/core';
import { simulate } from '@cadastre/core';

/** Answers that are known without a planner, through the simulator's format: `planning/known-answers.json`. */
interface Expected {
  readonly moves?: number;
  /** Lower bound on moves. */
  readonly bound?: number;
  readonly leaderTransfers?: number;
  /** Replicas by node afterwards; nodes that are not named hold none. */
  readonly counts?: Readonly<Record<string, number>>;
  /** All moves go to these, or come from these. */
  readonly movesTo?: readonly string[];
  readonly movesFrom?: readonly string[];
  /** Most replicas of a node less the fewest. */
  readonly spread?: number;
  readonly violations?: number;
  /** Partitions that are, at any moment, without being lost by the rehearsal. */
  readonly unavailable?: number;
  readonly dataLoss?: number;
}
interface Vector {
  readonly story: string;
  readonly input: { readonly nodeSets?: readonly (readonly Node[])[]; readonly nodes?: readonly Node[] } & object;
  readonly expect: readonly Expected[];
  readonly never?: 'all in one rack';
}
interface Node {
  readonly id: string;
  readonly labels?: { readonly rack?: string };
}

const KNOWN = new Set(['moves', 'bound', 'leaderTransfers', 'counts', 'movesTo', 'movesFrom', 'spread', 'violations', 'unavailable', 'dataLoss']);

const vectors = JSON.parse(
  readFileSync(new URL('planning/known-answers.json', import.meta.url), 'utf8'),
) as readonly Vector[];

const run = (input: unknown): readonly SimulationResult[] => {
  const found = simulate(input, {
    digestOf: (bytes) => createHash('sha256').update(bytes).digest('hex'),
    nowMs: () => 0,
  });
  return 'results' in found ? (found as ScenarioResult).results : [found];
};

const countsOf = (result: SimulationResult): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const { replicas } of result.assignment.flatMap((k) => k.partitions))
    for (const node of replicas) counts[node] = (counts[node] ?? 0) + 1;
  return counts;
};

const factsOf = (result: SimulationResult, wanted: Expected): Expected => {
  const copies = result.steps.flat().filter((m) => m.kind !== 'leader');
  const moments = [result.rehearsal.before, ...result.rehearsal.during];
  const counts = countsOf(result);
  const numbers = Object.values(counts);
  const facts: Required<Expected> = {
    moves: result.moves,
    bound: result.lowerBound.moves,
    leaderTransfers: result.leaderTransfers,
    counts,
    movesTo: [...new Set(copies.map((m) => m.to))].sort(),
    movesFrom: [...new Set(copies.map((m) => m.from))].sort(),
    spread: Math.max(...numbers) - Math.min(...numbers),
    violations: result.violationsAfter,
    unavailable: Math.max(...moments.map((m) => m.already.unavailable)),
    dataLoss: Math.max(...moments.map((m) => m.already.dataLoss)),
  };
  return Object.fromEntries(Object.entries(facts).filter(([name]) => name in wanted));
};

/** After every prefix of the plan, in the order of its moves. */
const racksOnTheWay = (vector: Vector, before: SimulationResult | undefined, result: SimulationResult): number[] => {
  const nodes = vector.input.nodeSets?.flat() ?? vector.input.nodes ?? [];
  const rackOf = new Map(nodes.map((n) => [n.id, n.labels?.rack]));
  const start = (before ?? result).assignment[0]!.partitions;
  const rows = new Map(start.map((p) => [p.id, new Set(p.replicas)]));
  const seen: number[] = [];
  for (const move of result.steps.flat()) {
    const row = rows.get(move.partition)!;
    if (move.kind !== 'leader') {
      if (move.to !== '') row.add(move.to);
      row.delete(move.from);
    }
    seen.push(new Set([...row].map((node) => rackOf.get(node))).size);
  }
  return seen;
};

describe('known answers', () => {
  it.each(vectors.map((v) => [v.story, v] as const))('%s', (_, vector) => {
    // Each plan of the vector beside what is expected of it; unknown expectations are refused, so that vectors cannot rot.
    const results = run(vector.input);
    expect(vector.expect.flatMap((e) => Object.keys(e)).filter((key) => !KNOWN.has(key))).toEqual([]);
    expect(results.map((result, i) => factsOf(result, vector.expect[i]!))).toEqual(vector.expect);
    if (vector.never !== undefined)
      results.forEach((result, i) => {
        const racks = i === 0 ? [] : racksOnTheWay(vector, results[i - 1], result);
        expect(racks.filter((count) => count < 2)).toEqual([]);
      });
  });

  it('says the same of the same cluster in any order', () => {
    // Nodes, partitions and followers reversed: the same digest and the same moves.
    const node = (id: string, zone: string) => ({ id, labels: { zone } });
    const nodes = ['a', 'b', 'c', 'd', 'e', 'f'].map((id, i) => node(id, `z${i % 3}`));
    const partitions = Array.from({ length: 20 }, (__, id) => ({ id, bytes: id, replicas: ['a', 'b', 'c'] }));
    const keyspace = { name: 'k', replicationFactor: 3, maxPerDomain: { zone: 1 }, partitions };
    const other = { ...keyspace, name: 'l', partitions: 9 };
    const [one] = run({ nodes, keyspaces: [keyspace, other] });
    const turned = {
      ...keyspace,
      partitions: partitions.map((p) => ({ ...p, replicas: ['a', 'c', 'b'] })).reverse(),
    };
    const [two] = run({ nodes: [...nodes].reverse(), keyspaces: [other, turned] });
    expect(one!.moves).toBeGreaterThan(0);
    expect(two!.digest).toBe(one!.digest);
    expect(two!.steps).toEqual(one!.steps);
  });
});
