import { boardAims } from '../placement/aims.js';
import type { Board } from '../placement/board.js';
import { NOWHERE } from '../placement/board.js';
import { balanceLeaders } from '../placement/leaders.js';
import { eachMixed, seedOf } from '../placement/mix.js';
import { rebalance, settle } from '../placement/replicas.js';
import type { Aims } from '../placement/shares.js';
import type { Bound } from './bound.js';
import { boundOf } from './bound.js';
import { partnerSpread } from '../placement/partners.js';
import type { ClusterModel } from './model.js';
import { DOWN } from './model.js';
import type { PlanOptions } from './plan.js';
import type { Prepared } from './prepare.js';
import { LEAVE_CAUSES, prepareAll } from './prepare.js';

/** Where everything of a keyspace should stand, before it is put into moves. Arrays run by position of the partition. */
export interface Solution extends Prepared {
  /** Node, or -1 where planning leaves leadership alone. */
  readonly leader: Int32Array;
  readonly replicaAims: Aims;
  readonly leaderAims: Aims;
  /** By node, before: all copies that count, wherever they have to go. */
  readonly replicasBefore: Int32Array;
  readonly leadersBefore: Int32Array;
  readonly bound: Bound;
  /** Busiest partner over the mean, averaged over nodes. */
  readonly partnersBefore: number;
  readonly partnersAfter: number;
  /** Copies that stand where a hard constraint allows none. */
  readonly violationsBefore: number;
  readonly violationsAfter: number;
  /** Copies that found no place. */
  readonly unplaced: number;
  /** Dimensions in which nodes have capacities. */
  readonly limited: readonly string[];
}

/** Keyspaces in order of their names. */
export const solveCluster = (model: ClusterModel, options: PlanOptions): Solution[] => {
  const prepared = prepareAll(model, options);
  return prepared.map((p) => finish(model, placed(model, p, false), options));
};

/** The first and only keyspace, with `fresh` from nothing. */
export const solveOne = (model: ClusterModel, options: PlanOptions, fresh: boolean): Solution => {
  const [first] = prepareAll(model, options);
  return finish(model, placed(model, first!, fresh), options);
};

interface Placed {
  readonly prepared: Prepared;
  readonly replicaAims: Aims;
  readonly replicasBefore: Int32Array;
  readonly leadersBefore: Int32Array;
  readonly bound: Bound;
  readonly partnersBefore: number;
}

const placed = (model: ClusterModel, prepared: Prepared, fresh: boolean): Placed => {
  const { board, columns } = prepared;
  const seed = seedOf(columns.name);
  const replicasBefore = countBefore(prepared);
  const leadersBefore = countLeaders(prepared, model.nodes.ids.length);
  const aims = boardAims(board, board.count, seed);
  const bound = boundOf(prepared, aims, seed);
  const partnersBefore = partnerSpread(board);
  const missing = new Uint8Array(board.partitions);
  for (let p = 0; p < board.partitions; p += 1)
    if (board.absent[p] === 0) missing[p] = Math.max(0, board.classFor(p).copies - board.size[p]!);
  dropExcess(prepared, aims);
  settle(board, aims, missing, seed, fresh);
  rebalance(board, aims, seed, leadersFirst(model, prepared, leadersBefore));
  return { prepared, replicaAims: aims, replicasBefore, leadersBefore, bound, partnersBefore };
};

const finish = (model: ClusterModel, done: Placed, _options: PlanOptions): Solution => {
  const { prepared } = done;
  const { board, columns } = prepared;
  const { leader, candidates } = leadershipsOf(prepared, model);
  const leads = { partitions: board.partitions, stride: board.stride, candidates, leader };
  const leaderAims = balanceLeaders(board.nodes, model.nodes.weight, leads, seedOf(columns.name));
  return {
    ...done,
    ...prepared,
    leader,
    leaderAims,
    partnersAfter: partnerSpread(board),
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
const violationsOver = ({ board, leavers, leaverCauses, leaverCount }: Prepared) => {
  const causes = [LEAVE_CAUSES.indexOf('spread'), LEAVE_CAUSES.indexOf('rule')];
  let before = 0;
  let after = 0;
  for (let p = 0; p < board.partitions; p += 1) {
    const base = p * board.stride;
    let broken = 0;
    for (let k = base; k < base + leaverCount[p]!; k += 1)
      if (causes.includes(leaverCauses[k]!) && board.slotOf(p, leavers[k]!) < 0) broken += 1;
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
  const { board, leaderBefore, inSync, leavers, leaverCauses, leaverCount } = prepared;
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
      const cell = p * board.stride + leaverCount[p]!;
      leavers[cell] = board.now[p * board.stride + best]!;
      leaverCauses[cell] = LEAVE_CAUSES.indexOf('excess');
      leaverCount[p]! += 1;
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
  return (node: number, cells: readonly number[], surplus: number): readonly number[] => {
    const share = total > 0 ? (board.partitions * weight[node]!) / total : 0;
    const tooMany = Math.min(surplus, Math.max(0, leaders[node]! - Math.ceil(share)));
    const led: number[] = [];
    const others: number[] = [];
    for (const cell of cells) (leaderBefore[Math.floor(cell / board.stride)] === node ? led : others).push(cell);
    return [...led.slice(0, tooMany), ...others, ...led.slice(tooMany)];
  };
};

/** Who may lead: those in sync, and those that will be when their copy has been built; of them the most preferred. */
const leadershipsOf = (prepared: Prepared, model: ClusterModel): { leader: Int32Array; candidates: Int32Array } => {
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
    candidates.subarray(p * stride, at).sort();
    if (leader[p]! >= 0 && rank && rank[leader[p]!]! > best) leader[p] = NOWHERE;
  }
  return { leader, candidates };
};
