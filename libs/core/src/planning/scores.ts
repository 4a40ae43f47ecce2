import { compareStrings } from '../bytes.js';
import { pairsOf, partnerSpread } from '../placement/partners.js';
import type { ClusterModel } from './model.js';
import type { PlanScore } from './plan.js';
import { sizesOf } from './prepare.js';
import type { Solution } from './solve.js';

/** How much the fullest node holds over its share, for counts, leaders and each dimension; partners and missing copies as they are. */
export const scoresOf = (model: ClusterModel, solutions: readonly Solution[]): PlanScore[] => {
  const scores: PlanScore[] = [];
  const most = (name: string, before: (s: Solution) => number, after: (s: Solution) => number): void =>
    void scores.push({
      name,
      before: solutions.reduce((m, s) => Math.max(m, before(s)), 0),
      after: solutions.reduce((m, s) => Math.max(m, after(s)), 0),
    });
  const share = (s: Solution): Float64Array => s.replicaAims.share;
  most(
    'replicas',
    (s) => overShare(s.replicasBefore, share(s)),
    (s) => overShare(s.board.count, share(s)),
  );
  most(
    'leaders',
    (s) => overShare(s.leadersBefore, s.leaderAims.share),
    (s) => overShare(leadersAfter(s), s.leaderAims.share),
  );
  for (const name of dimensionsOf(solutions)) scores.push(dimensionScore(model, solutions, name));
  most(
    'partners',
    (s) => partnerSpread(pairsOf(s.board.nodes, s.columns.replicas, s.columns.stride), s.board.classes[0]!),
    (s) => partnerSpread(s.board.pairs, s.board.classes[0]!),
  );
  scores.push({
    name: 'missing',
    before: solutions.reduce((sum, s) => sum + s.bound.forced, 0),
    after: solutions.reduce((sum, s) => sum + s.unplaced, 0),
  });
  return scores;
};

const overShare = (count: ArrayLike<number>, share: Float64Array): number => {
  let most = 0;
  for (let n = 0; n < share.length; n += 1)
    if (share[n]! > 1e-9) most = Math.max(most, (count[n]! - share[n]!) / Math.max(1, share[n]!));
  return most;
};

const leadersAfter = ({ board, leader, leaderBefore }: Solution): Int32Array => {
  const count = new Int32Array(board.nodes);
  for (let p = 0; p < board.partitions; p += 1) {
    const node = leader[p]! >= 0 ? leader[p]! : leaderBefore[p]!;
    if (node >= 0) count[node]! += 1;
  }
  return count;
};

const dimensionsOf = (solutions: readonly Solution[]): string[] => {
  const names = new Set<string>();
  for (const { columns } of solutions) {
    if (columns.bytes) names.add('bytes');
    for (const name of Object.keys(columns.loads ?? {})) names.add(name);
  }
  return [...names].sort(compareStrings);
};

/** Over all keyspaces: the fullest node's deviation from its share by weight. */
const dimensionScore = (model: ClusterModel, solutions: readonly Solution[], name: string): PlanScore => {
  const before = new Float64Array(model.nodes.ids.length);
  const after = new Float64Array(model.nodes.ids.length);
  for (const { columns, board } of solutions) {
    const sizes = sizesOf(columns, name);
    if (!sizes) continue;
    const add = (cells: Int32Array, stride: number, sum: Float64Array): void =>
      cells.forEach((node, cell) => {
        if (node >= 0) sum[node]! += sizes[Math.floor(cell / stride)]!;
      });
    add(columns.replicas, columns.stride, before);
    add(board.now, board.stride, after);
  }
  return { name, before: peak(model, before), after: peak(model, after) };
};

const peak = ({ nodes }: ClusterModel, sums: Float64Array): number => {
  const weight = nodes.weight.reduce((sum, w, n) => sum + (nodes.state[n] === 0 ? w : 0), 0);
  const total = sums.reduce((a, b) => a + b, 0);
  if (weight === 0 || total === 0) return 0;
  return sums.reduce((most, sum, n) => {
    const share = nodes.state[n] === 0 ? (total * nodes.weight[n]!) / weight : 0;
    return share > 0 ? Math.max(most, sum / share - 1) : most;
  }, 0);
};
