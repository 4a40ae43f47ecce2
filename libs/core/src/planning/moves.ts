import { compareStrings } from '../bytes.js';
import type { ClusterModel } from './model.js';
import type { Ordered } from './order.js';
import type { NodeChange, PlanMove } from './plan.js';
import { sizesOf } from './prepare.js';
import { reasonOf } from './reasons.js';
import type { Solution } from './solve.js';

/** Bytes that a move copies. */
export const bytesOfMove = (solutions: readonly Solution[], { keyspace, change }: Ordered): number =>
  change.kind === 'leader' || change.kind === 'remove'
    ? 0
    : Math.round(sizesOf(solutions[keyspace]!.columns, 'bytes')?.[change.part] ?? 0);

export const moveOf = (
  model: ClusterModel,
  solutions: readonly Solution[],
  ordered: Ordered,
  index: number,
): PlanMove => {
  const { keyspace, change, step } = ordered;
  const solution = solutions[keyspace]!;
  const { columns } = solution;
  const idOf = (node: number): string => model.nodes.ids[node] ?? '';
  return {
    index,
    step,
    keyspace: columns.name,
    partition: columns.ids[change.part]!,
    kind: change.kind,
    from: idOf(change.from),
    to: idOf(change.to),
    leaderAfter: idOf(change.leaderAfter),
    baseEpoch: columns.epochs[change.part]!,
    reason: reasonOf(model, solution, change),
    bytes: bytesOfMove(solutions, ordered),
  };
};

/** Every node's replicas and leaders, before and after. */
export const nodeChanges = (
  model: ClusterModel,
  solutions: readonly Solution[],
  moves: readonly Ordered[],
): NodeChange[] => {
  const { ids } = model.nodes;
  const [replicas, after, leaders, leadersAfter] = [0, 1, 2, 3].map(() => new Int32Array(ids.length)) as [
    Int32Array,
    Int32Array,
    Int32Array,
    Int32Array,
  ];
  solutions.forEach((s) => {
    s.replicasBefore.forEach((count, n) => (replicas[n]! += count));
    s.leadersBefore.forEach((count, n) => (leaders[n]! += count));
  });
  after.set(replicas);
  leadersAfter.set(leaders);
  const led = new Map<number, { before: number; after: number }>();
  for (const { keyspace, change } of moves) {
    const key = keyspace * 2 ** 32 + change.part;
    led.set(key, { before: solutions[keyspace]!.leaderBefore[change.part]!, after: change.leaderAfter });
    if (change.kind === 'leader') continue;
    if (change.to >= 0) after[change.to]! += 1;
    if (change.from >= 0) after[change.from]! -= 1;
  }
  for (const { before, after: now } of led.values()) {
    if (now < 0) continue;
    if (before >= 0) leadersAfter[before]! -= 1;
    leadersAfter[now]! += 1;
  }
  return ids
    .map((node, n) => ({
      node,
      replicasBefore: replicas[n]!,
      replicasAfter: after[n]!,
      leadersBefore: leaders[n]!,
      leadersAfter: leadersAfter[n]!,
    }))
    .sort((a, b) => compareStrings(a.node, b.node));
};
