import { boardAims } from '../placement/aims.js';
import type { Board } from '../placement/board.js';
import { NOWHERE } from '../placement/board.js';
import { balanceLeaders } from '../placement/leaders.js';
import { eachMixed, seedOf } from '../placement/mix.js';
import { rebalance, settle } from '../placement/replicas.js';
import type { Aims } from '../placement/shares.js';
import type { Balanced } from './balance.js';
import { balanceLoads, dimensionsOf, isLoaded } from './balance.js';
import type { Bound } from './bound.js';
import { boundOf } from './bound.js';
import type { ClusterModel } from './model.js';
import { DOWN } from './model.js';
import { applyManual } from './manual.js';
import type { ManualMove, PlanOptions } from './plan.js';
import type { Prepared } from './prepare.js';
import { prepareAll } from './prepare.js';
import { tighten } from './tighten.js';

/** Where everything of a keyspace should stand, before it is put into moves. Arrays run by position of the partition. */
export interface Solution extends Prepared {
  /** Node, or -1 where planning leaves leadership alone. */
  readonly leader: Int32Array;
  /** By position: copies that move because an operator asked for it. */
  readonly manual: ReadonlyMap<number, ManualMove>;
  readonly replicaAims: Aims;
  readonly leaderAims: Aims;
  /** By node, before: all copies that count, wherever they have to go. */
  readonly replicasBefore: Int32Array;
  readonly leadersBefore: Int32Array;
  readonly bound: Bound;
  /** Copies that stand where a hard constraint allows none. */
  readonly violationsBefore: number;
  readonly violationsAfter: number;
  /** Copies that found no place. */
  readonly unplaced: number;
  /** Dimensions in which nodes have capacities. */
  readonly limited: readonly string[];
}

/** All keyspaces together: their loads meet on the same nodes. */
export interface ClusterSolution {
  /** In order of their names. */
  readonly solutions: readonly Solution[];
  readonly loads: Balanced;
  /** Requests of operators that are refused. */
  readonly refused: readonly string[];
}

export const solveCluster = (model: ClusterModel, options: PlanOptions, fresh = false): ClusterSolution => {
  const prepared = prepareAll(model, options);
  const dimensions = dimensionsOf(prepared, options);
  const manual = applyManual(model, prepared, options);
  const settled = prepared.map((p) => placed(model, p, fresh, isLoaded(p, dimensions)));
  const loads = balanceLoads(model, settled, dimensions, options);
  const solutions = settled.map((p, k) => finish(model, p, manual.leaders[k]!, manual.replicas[k]!));
  return { solutions, loads, refused: manual.notes };
};

interface Placed {
  readonly prepared: Prepared;
  readonly replicaAims: Aims;
  readonly replicasBefore: Int32Array;
  readonly leadersBefore: Int32Array;
  readonly bound: Bound;
}

const placed = (model: ClusterModel, prepared: Prepared, fresh: boolean, byLoad: boolean): Placed => {
  const { board, columns } = prepared;
  const seed = seedOf(columns.name);
  const replicasBefore = countBefore(prepared);
  const leadersBefore = countLeaders(prepared, model.nodes.ids.length);
  const aims = boardAims(board, board.count, seed);
  let bound = boundOf(prepared, aims, seed, byLoad);
  const missing = new Uint8Array(board.partitions);
  for (let p = 0; p < board.partitions; p += 1)
    if (board.absent[p] === 0) missing[p] = Math.max(0, board.classFor(p).copies - board.size[p]!);
  dropExcess(prepared, aims);
  settle(board, aims, missing, seed, fresh);
  // What is balanced by load is not by counts: a node with one large partition should have few.
  board.balancing = true;
  if (!byLoad) {
    rebalance(board, aims, seed, leadersFirst(model, prepared, leadersBefore));
    if (!fresh) bound = tighten(prepared, aims, bound);
  }
  board.balancing = false;
  return { prepared, replicaAims: aims, replicasBefore, leadersBefore, bound };
};

const finish = (
  model: ClusterModel,
  done: Placed,
  wanted: ReadonlyMap<number, number>,
  manual: ReadonlyMap<number, ManualMove>,
): Solution => {
  const { prepared } = done;
  const { board, columns } = prepared;
  const { leader, candidates } = leadershipsOf(prepared, model, wanted);
  const leads = { partitions: board.partitions, stride: board.stride, candidates, leader };
  const leaderAims = balanceLeaders(board.nodes, model.nodes.weight, leads, seedOf(columns.name));
  return {
    ...done,
    ...prepared,
    manual,
    leader,
    leaderAims,
    ...violationsOver(prepared),
    unplaced: unplacedOf(board),
  };
};

const unplacedOf = (board: Board): number => {
  let unplaced = 0;
  for (let p = 0; p < board.partitions; p += 1)
    unplaced += Math.max(0, board.classFor(p).policy.replicationFactor - board.size[p]!);
  return unplaced;
};

/** Before: what had to leave for a constraint. After: counted afresh, copy by copy, with those that could not leave. */
const violationsOver = ({ board, leavers }: Prepared) => {
  let before = 0;
  let after = 0;
  for (let p = 0; p < board.partitions; p += 1) {
    const broken =
      leavers.count(p) === 0
        ? 0
        : leavers.of(p).filter((l) => (l.cause === 'spread' || l.cause === 'rule') && board.slotOf(p, l.node) < 0)
            .length;
    before += broken;
    if (board.absent[p] === 1) continue;
    if (board.size[p]! < board.classFor(p).policy.replicationFactor) after += broken;
    after += board.brokenBy(p);
  }
  return { violationsBefore: before, violationsAfter: after };
};

const countBefore = ({ board, columns }: Prepared): Int32Array => {
  const count = new Int32Array(board.nodes);
  for (const node of columns.replicas) if (node >= 0) count[node]! += 1;
  return count;
};

const countLeaders = ({ leaderBefore }: Prepared, nodes: number): Int32Array => {
  const count = new Int32Array(nodes);
  for (const node of leaderBefore) if (node >= 0) count[node]! += 1;
  return count;
};

/** Copies too many leave where most are over their aim; the leader's only when nothing else can, those out of sync first. */
const dropExcess = (prepared: Prepared, aims: Aims): void => {
  const { board, leaderBefore, inSync, leavers } = prepared;
  const { want } = aims;
  eachMixed(board.partitions, (p) => {
    while (board.absent[p] === 0 && board.size[p]! > board.classFor(p).copies) {
      let best = NOWHERE;
      let most = -Infinity;
      for (let slot = 0; slot < board.size[p]!; slot += 1) {
        const node = board.now[p * board.stride + slot]!;
        if (!board.canDrop(p, slot)) continue;
        const score =
          board.count[node]! -
          want[node]! -
          (node === leaderBefore[p] ? 0.5 : 0) +
          (inSync[p * board.stride + slot] === 0 ? 1e9 : 0);
        if (score > most) {
          most = score;
          best = slot;
        }
      }
      if (best < 0) return;
      leavers.add(p, board.now[p * board.stride + best]!, 'excess');
      const last = p * board.stride + board.size[p]! - 1;
      inSync[p * board.stride + best] = inSync[last]!;
      inSync[last] = 0;
      board.drop(p, best);
    }
  });
};

/** A node sheds as many partitions that it leads as it leads too many, so that evening out the leaders costs nothing more. */
const leadersFirst = (model: ClusterModel, { board, leaderBefore }: Prepared, leaders: Int32Array) => {
  const { weight, state } = model.nodes;
  const total = weight.reduce((sum, w, n) => sum + (state[n] === 0 ? w : 0), 0);
  return {
    leader: leaderBefore,
    tooMany: (node: number, surplus: number): number => {
      const share = total > 0 ? (board.partitions * weight[node]!) / total : 0;
      return Math.min(surplus, Math.max(0, leaders[node]! - Math.ceil(share)));
    },
  };
};

/** Who may lead: those in sync, and those that will be when their copy has been built; of them the most preferred. */
const leadershipsOf = (
  prepared: Prepared,
  model: ClusterModel,
  wanted: ReadonlyMap<number, number>,
): { leader: Int32Array; candidates: Int32Array } => {
  const { board, leaderBefore, inSync } = prepared;
  const { stride } = board;
  const candidates = new Int32Array(board.partitions * stride).fill(NOWHERE);
  const leader = new Int32Array(board.partitions).fill(NOWHERE);
  for (let p = 0; p < board.partitions; p += 1) {
    const before = leaderBefore[p]!;
    if (before >= 0 && board.slotOf(p, before) >= 0) leader[p] = before;
    if (board.absent[p] === 1) continue;
    // A dead leader is replaced by failover, without a plan; a first placement has none to replace.
    const hasLeader = before >= 0 && model.nodes.state[before] !== DOWN;
    if (!board.changed(p) && !hasLeader) continue;
    const asked = wanted.get(p);
    if (asked !== undefined && board.slotOf(p, asked) >= 0) {
      candidates[p * stride] = asked;
      leader[p] = asked;
      continue;
    }
    const rank = board.classFor(p).leaderRank;
    let best = 255;
    let at = p * stride;
    for (let k = p * stride; k < p * stride + board.size[p]!; k += 1) {
      const node = board.now[k]!;
      if (board.was[k] === node && inSync[k] === 0) continue;
      const mine = rank?.[node] ?? 0;
      if (mine > best) continue;
      if (mine < best) {
        candidates.fill(NOWHERE, p * stride, at);
        at = p * stride;
        best = mine;
      }
      candidates[at++] = node;
    }
    sortFew(candidates, p * stride, at);
    if (leader[p]! >= 0 && rank && rank[leader[p]!]! > best) leader[p] = NOWHERE;
  }
  return { leader, candidates };
};

/** Ascending, in place, without a view for each partition. */
const sortFew = (values: Int32Array, from: number, to: number): void => {
  for (let i = from + 1; i < to; i += 1)
    for (let j = i; j > from && values[j]! < values[j - 1]!; j -= 1) {
      const swap = values[j]!;
      values[j] = values[j - 1]!;
      values[j - 1] = swap;
    }
};
