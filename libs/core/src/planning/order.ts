import { compareStrings } from '../bytes.js';
import { domainOf } from '../placement/domains.js';
import type { ClusterModel } from './model.js';
import { DOWN } from './model.js';
import type { PlanLimits } from './plan.js';
import type { Change } from './sequence.js';
import { MOVE_CAUSES } from './sequence.js';
import type { Solution } from './solve.js';
import { sizesOf } from './prepare.js';
import type { DomainLimits, Room, Scheduled } from './steps.js';
import { assignSteps, assignStepsWithin } from './steps.js';

/** A change of a keyspace (by position) with its step. */
export interface Ordered {
  readonly keyspace: number;
  readonly change: Change;
  readonly step: number;
}

/** Partitions with a cause up to this one have lost a copy. */
const LAST_URGENT = MOVE_CAUSES.indexOf('short');

interface Draft {
  readonly keyspace: number;
  readonly change: Change;
}

/** Moves of all keyspaces, the most urgent first, each in the first step that has room; `left` are those that never fit. */
export const orderMoves = (
  model: ClusterModel,
  solutions: readonly Solution[],
  changes: readonly (readonly Change[])[],
  limits: PlanLimits,
): { ordered: Ordered[]; left: number } => {
  const drafts = changes.flatMap((list, keyspace) => list.map((change): Draft => ({ keyspace, change })));
  const rank = (d: Draft): number => MOVE_CAUSES.indexOf(d.change.cause);
  const keyOf = (d: Draft): number => d.keyspace * 2 ** 32 + d.change.part;
  // Later moves of a partition wait for the earlier ones, so its rank is that of its most urgent move.
  const urgency = new Map<number, number>();
  for (const d of drafts) urgency.set(keyOf(d), Math.min(urgency.get(keyOf(d)) ?? Infinity, rank(d)));
  const order = [...drafts].sort((a, b) => urgency.get(keyOf(a))! - urgency.get(keyOf(b))!);
  const mends = (d: Draft): boolean => urgency.get(keyOf(d))! <= LAST_URGENT;
  const copies = order.filter((d) => d.change.kind !== 'leader');
  const transfers = order.filter((d) => d.change.kind === 'leader');
  const domains = domainsOf(model);
  const names = limitedOf(solutions);
  const scheduled = (d: Draft): Scheduled => scheduledOf(model, solutions[d.keyspace]!, d, keyOf(d), names, mends(d));
  const plain = copies.map(scheduled);
  const steps =
    names.length > 0
      ? assignStepsWithin(plain, limits, domains, 1, roomOf(model, solutions, names))
      : assignSteps(plain, limits, domains, 1);
  const last = steps.reduce((max, s) => Math.max(max, s), 0);
  const after = assignSteps(transfers.map(scheduled), limits, domains, last + 1);
  const placed = [
    ...copies.map(({ keyspace, change }, i) => ({ keyspace, change, step: steps[i]! })),
    ...transfers.map(({ keyspace, change }, i) => ({ keyspace, change, step: after[i]! })),
  ];
  const ordered = placed.filter((d) => d.step > 0).sort((a, b) => a.step - b.step);
  return { ordered, left: placed.length - ordered.length };
};

const scheduledOf = (
  model: ClusterModel,
  solution: Solution,
  { change }: Draft,
  partition: number,
  names: readonly string[],
  mends: boolean,
): Scheduled => {
  const { from, to, part, kind } = change;
  const leader = solution.leaderBefore[part]!;
  const sends = from >= 0 && model.nodes.state[from] !== DOWN;
  const sender = kind === 'remove' ? -1 : sends ? from : leader;
  const copies = kind !== 'leader';
  const sizes = copies ? names.map((name) => sizesOf(solution.columns, name)?.[part] ?? 0) : [];
  const lost = from >= 0 && !sends ? from : -1;
  return { to: kind === 'remove' ? -1 : to, sender, partition, from: copies ? from : -1, sizes, mends, lost };
};

const domainsOf = ({ nodes }: ClusterModel): DomainLimits => {
  const over = (label: string): Int32Array => {
    const names = nodes.labels.map((labels) => domainOf({ labels }, label));
    const index = new Map([...new Set(names)].sort(compareStrings).map((name, i) => [name, i]));
    return Int32Array.from(names, (name, n) => (nodes.labels[n]![label] === undefined ? -1 : index.get(name)!));
  };
  return { rack: over('rack'), zone: over('zone') };
};

/** Dimensions in which some node has a capacity, and whose sizes are known. */
const limitedOf = (solutions: readonly Solution[]): string[] =>
  [...new Set(solutions.flatMap((s) => s.limited))].sort(compareStrings);

const roomOf = (model: ClusterModel, solutions: readonly Solution[], names: readonly string[]): Room => ({
  used: names.map((name) => {
    const used = new Float64Array(model.nodes.ids.length);
    for (const { columns } of solutions) {
      const sizes = sizesOf(columns, name);
      if (!sizes) continue;
      columns.replicas.forEach((node, cell) => {
        if (node >= 0) used[node]! += sizes[Math.floor(cell / columns.stride)]!;
      });
    }
    return used;
  }),
  most: names.map((name) =>
    Float64Array.from(model.nodes.ids, (_, n) => {
      const most = model.nodes.capacity[n]?.[name] ?? 0;
      return most > 0 ? most : Infinity;
    }),
  ),
});
