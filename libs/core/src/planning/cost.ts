import type { Group } from '../placement/domains.js';
import type { Balanced } from './balance.js';
import type { ClusterModel } from './model.js';
import { DEFAULT_BYTES_PER_SECOND } from './plan.js';
import type { PlanCost, PlanLimits, PlanOptions, PlanScore } from './plan.js';
import type { Ordered } from './order.js';
import { bytesOfMove } from './moves.js';
import { scoresOf } from './scores.js';
import type { Solution } from './solve.js';

export const costOf = (
  model: ClusterModel,
  solutions: readonly Solution[],
  { bound: loads, dimensions }: Pick<Balanced, 'bound' | 'dimensions'>,
  moves: readonly Ordered[],
  limits: PlanLimits,
  options: PlanOptions,
): PlanCost => {
  const built = moves.filter((m) => m.change.to >= 0 && m.change.kind !== 'leader');
  const replicaMoves = built.length;
  const lowerBoundMoves = solutions.reduce((sum, s) => sum + s.bound.moves, 0) + loads.moves;
  const bytes = built.reduce((sum, m) => sum + bytesOfMove(solutions, m), 0);
  const scores = scoresOf(model, solutions);
  const names = dimensions.length > 0 ? dimensions : ['replicas'];
  const balanced = (pick: (score: PlanScore) => number): number =>
    scores.reduce((most, s) => (names.includes(s.name) ? Math.max(most, pick(s)) : most), 0);
  return {
    replicaMoves,
    leaderTransfers: transfersOf(solutions, moves),
    bytes,
    lowerBoundMoves,
    boundBecause: boundReason(replicaMoves, lowerBoundMoves, solutions),
    lowerBoundBytes: solutions.reduce((sum, s) => sum + s.bound.bytes, 0) + loads.bytes,
    because: [...becauseOf(model, solutions), ...loads.because],
    ratio: lowerBoundMoves > 0 ? replicaMoves / lowerBoundMoves : 1,
    imbalanceBefore: balanced((s) => s.before),
    imbalanceAfter: balanced((s) => s.after),
    violationsBefore: solutions.reduce((sum, s) => sum + s.violationsBefore, 0),
    violationsAfter: solutions.reduce((sum, s) => sum + s.violationsAfter, 0),
    scores,
    ...estimateOf(model, solutions, moves, limits, options),
  };
};

const transfersOf = (solutions: readonly Solution[], moves: readonly Ordered[]): number => {
  const changed = new Set<number>();
  for (const { keyspace, change } of moves)
    if (change.leaderAfter !== solutions[keyspace]!.leaderBefore[change.part])
      changed.add(keyspace * 2 ** 32 + change.part);
  return changed.size;
};

const boundReason = (moves: number, bound: number, solutions: readonly Solution[]): string => {
  if (moves <= bound && solutions.some((s) => s.bound.isExact))
    return `no placement with balanced counts is reached with fewer than ${bound} copies built: no cycle of exchanges saves one, so the plan is minimal`;
  const base = `nodes below their share lack ${bound} replicas, and each replica that a node gains is one move`;
  if (moves <= bound) return `${base}: the plan is minimal`;
  return `${base}; ${moves - bound} more, where constraints or one move a partition stand in the way`;
};

/** Lines of the argument that are shown; the rest is summed up. */
const LINES = 12;

const becauseOf = (model: ClusterModel, solutions: readonly Solution[]): string[] => {
  const { ids } = model.nodes;
  return solutions.flatMap((solution) => {
    const { columns, bound, board } = solution;
    const lines: string[] = [];
    if (bound.forced > 0)
      lines.push(`${columns.name}: ${bound.forced} copies are missing or have to leave, and each is built once`);
    const widest = board.classes[0]?.domains.constraints.reduce<
      { label: string; of: Int32Array; names: readonly string[] } | undefined
    >((a, b) => (a && a.names.length <= b.names.length ? a : b), undefined);
    const say = (amounts: Int32Array, verb: string): void => {
      const nodes = [...amounts.keys()]
        .filter((n) => amounts[n]! > 0)
        .sort((a, b) => amounts[b]! - amounts[a]! || a - b);
      if (widest) {
        const sums = new Int32Array(widest.names.length);
        for (const n of nodes) sums[widest.of[n]!]! += amounts[n]!;
        sums.forEach((sum, d) => {
          if (sum > 0 && lines.length < LINES)
            lines.push(`${columns.name}: nodes of ${widest.label} ${widest.names[d]} have to ${verb} ${sum}`);
        });
      }
      for (const n of nodes.slice(0, LINES / 3)) lines.push(`${columns.name}: ${ids[n]} has to ${verb} ${amounts[n]}`);
      if (nodes.length > LINES / 3)
        lines.push(`${columns.name}: ${nodes.length - LINES / 3} more nodes have to ${verb}`);
    };
    lines.push(...cappedOf(solution));
    say(bound.gains, 'gain');
    say(bound.sheds, 'shed');
    return lines;
  });
};

/** Domains that hold less or more than their weight asks for, since the spread says so. */
const cappedOf = ({ columns, board, replicaAims, bound }: Solution): string[] => {
  const [found, another] = board.classes;
  if (!found || another || bound.byLoad) return [];
  const { root, constraints } = found.domains;
  const shareOf = (group: Group): number =>
    group.node >= 0 ? replicaAims.share[group.node]! : group.children.reduce((sum, c) => sum + shareOf(c), 0);
  const total = shareOf(root);
  return root.children.flatMap((group) => {
    const constraint = constraints[group.constraint];
    const fair = (total * group.weight) / root.weight;
    const share = shareOf(group);
    if (!constraint || Math.abs(share - fair) < 1) return [];
    const most = `at most ${group.slots} of the copies of each partition fit in ${constraint.label} ${constraint.names[group.domain]}`;
    return share < fair
      ? [`${columns.name}: ${most}, so its nodes share ${Math.round(share)} and not ${Math.round(fair)} copies`]
      : [];
  });
};

type Estimate = Pick<PlanCost, 'estimateLowMs' | 'estimateMs' | 'estimateHighMs'>;

/** A handover, a cutover and the agents' word that they have seen it take about so long, whatever the size. */
const PER_MOVE_MS = 500;

/** Low: every node busy all the time. High: each step waits for its longest move, at half the rate. */
const estimateOf = (
  model: ClusterModel,
  solutions: readonly Solution[],
  moves: readonly Ordered[],
  limits: PlanLimits,
  { bytesPerSecond = DEFAULT_BYTES_PER_SECOND }: PlanOptions,
): Estimate => {
  const msOf = (m: Ordered): number => PER_MOVE_MS + (bytesOfMove(solutions, m) * 1000) / bytesPerSecond;
  const into = new Float64Array(model.nodes.ids.length);
  let total = 0;
  const longest = new Map<number, number>();
  for (const m of moves) {
    const ms = msOf(m);
    total += ms;
    if (m.change.to >= 0) into[m.change.to]! += ms;
    longest.set(m.step, Math.max(longest.get(m.step) ?? 0, ms));
  }
  const busiest = into.reduce((a, b) => Math.max(a, b), 0);
  const low = Math.max(total / Math.max(1, limits.cluster), busiest / Math.max(1, limits.perNodeIn));
  const steps = [...longest.values()].reduce((a, b) => a + b, 0);
  return {
    estimateLowMs: Math.round(low),
    estimateMs: Math.round(Math.max(low, steps)),
    estimateHighMs: Math.round(Math.max(low, steps) * 2),
  };
};
