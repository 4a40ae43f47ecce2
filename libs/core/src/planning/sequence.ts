import type { PlacementClass } from '../placement/classes.js';
import { arrange } from './arrange.js';
import type { ClusterModel } from './model.js';
import type { MoveKind } from './plan.js';
import type { LeaveCause } from './leavers.js';
import type { Solution } from './solve.js';

/** Why a move is there; also the order in which moves begin. Copies too many go last, when all others are safe. */
export const MOVE_CAUSES = [
  'down',
  'short',
  'spread',
  'rule',
  'draining',
  'manual',
  'balance',
  'excess',
  'leaders',
] as const;
export type MoveCause = (typeof MOVE_CAUSES)[number];

/** A move without its place in the plan; nodes by index, -1 for none. `nth` counts those of a partition, which run one after the other. */
export interface Change {
  readonly kind: MoveKind;
  /** Position of the partition. */
  readonly part: number;
  readonly nth: number;
  readonly from: number;
  readonly to: number;
  readonly leaderAfter: number;
  readonly cause: MoveCause;
}

interface Leaving {
  readonly node: number;
  readonly cause: LeaveCause | 'balance' | 'manual';
}

interface Exchange {
  readonly kind: MoveKind;
  readonly from: number;
  readonly to: number;
  readonly cause: MoveCause;
}

/** Copies of one partition that stand where a hard constraint allows none; nodes that are not known count for nothing. */
export const violationsOf = (model: ClusterModel, found: PlacementClass, nodes: readonly number[]): number => {
  let broken = 0;
  for (const { of, max, least } of found.domains.constraints) {
    const seen = new Map<number, number>();
    for (const node of nodes) {
      if (model.nodes.known[node] === 0) continue;
      const count = (seen.get(of[node]!) ?? 0) + 1;
      seen.set(of[node]!, count);
      if (count > max) broken += 1;
    }
    least?.forEach((wanted, domain) => (broken += Math.max(0, wanted - (seen.get(domain) ?? 0))));
  }
  return broken;
};

/** All changes of a keyspace, by partition. */
export const changesOf = (model: ClusterModel, solution: Solution): Change[] => {
  const { board, leader, leaderBefore, leavers } = solution;
  const changes: Change[] = [];
  for (let p = 0; p < board.partitions; p += 1) {
    const transfer = leader[p]! >= 0 && leader[p] !== leaderBefore[p];
    if (board.absent[p] === 1 || (!board.changed(p) && leavers.count(p) === 0 && !transfer)) continue;
    changes.push(...changesOfPartition(model, solution, p));
  }
  return changes;
};

const changesOfPartition = (model: ClusterModel, solution: Solution, part: number): Change[] => {
  const { leader, leaderBefore } = solution;
  const led = leaderBefore[part]!;
  const final = leader[part]!;
  const exchanges = exchangesOf(model, solution, part);
  if (exchanges.length === 0)
    return final < 0 || final === led
      ? []
      : [{ kind: 'leader', part, nth: 0, from: led, to: final, leaderAfter: final, cause: 'leaders' }];
  const canLead = new Set(inSyncBefore(solution, part));
  let now = led;
  const changes = exchanges.map(({ kind, from, to, cause }, nth): Change => {
    if (to >= 0) canLead.add(to);
    canLead.delete(from);
    // A copy that only leaves hands over what it leads, and nothing else.
    if (kind !== 'remove' && nth === exchanges.length - 1 && final >= 0) now = final;
    else if (from >= 0 && from === now) now = canLead.has(final) ? final : to >= 0 ? to : ([...canLead][0] ?? -1);
    return { kind, part, nth, from, to, leaderAfter: now, cause };
  });
  if (final >= 0 && now >= 0 && now !== final)
    changes.push({
      kind: 'leader',
      part,
      nth: changes.length,
      from: now,
      to: final,
      leaderAfter: final,
      cause: 'leaders',
    });
  return changes;
};

const votersBefore = ({ columns }: Solution, part: number): number[] => {
  const voters: number[] = [];
  for (let k = part * columns.stride; k < (part + 1) * columns.stride; k += 1)
    if (columns.replicas[k]! >= 0) voters.push(columns.replicas[k]!);
  return voters;
};

const inSyncBefore = ({ columns }: Solution, part: number): number[] => {
  const nodes: number[] = [];
  for (let k = part * columns.stride; k < (part + 1) * columns.stride; k += 1)
    if (columns.replicas[k]! >= 0 && columns.inSync[k] === 1) nodes.push(columns.replicas[k]!);
  return nodes.sort((a, b) => a - b);
};

export const finalNodes = ({ board }: Pick<Solution, 'board'>, part: number): number[] => [
  ...board.now.subarray(part * board.stride, part * board.stride + board.size[part]!),
];

/** The changes of one partition in an order in which no hard constraint is newly broken on the way. */
const exchangesOf = (model: ClusterModel, solution: Solution, part: number): Exchange[] => {
  const { board, leavers } = solution;
  const voters = votersBefore(solution, part);
  const final = finalNodes(solution, part);
  const found = board.classFor(part);
  const broken = (nodes: readonly number[]): number => violationsOf(model, found, nodes);
  // A copy that had to leave may be let back when another one has made room: then it stays.
  const arriving = final.filter((node) => !voters.includes(node));
  const base = part * board.stride;
  const leaving: Leaving[] = [];
  for (let slot = 0; slot < board.size[part]!; slot += 1) {
    const was = board.was[base + slot]!;
    if (was >= 0 && was !== board.now[base + slot] && !final.includes(was))
      leaving.push({ node: was, cause: isAsked(model, solution, part, was) ? 'manual' : 'balance' });
  }
  const able = leavers.of(part).filter((l) => !final.includes(l.node));
  // With all its copies in their places a partition lets go of every other one; else each leaves for one that arrives.
  const full = board.size[part]! >= found.policy.replicationFactor;
  const replaced = arriving.length - leaving.length;
  const staying = full ? new Set<number>() : stayers(able, able.length - replaced, final, broken);
  const out = able.filter((l) => !staying.has(l.node));
  const order = [...out, ...leaving];
  // What leaves for balance leaves for one that arrives; of the others as many as arrive, and the rest is removed.
  const paired = new Set([...leaving, ...out].slice(0, arriving.length));
  const removed = order.filter((l) => !paired.has(l));
  const causes = new Map(order.map((l) => [l.node, l.cause]));
  const leaves = order.flatMap((l) => (paired.has(l) ? [l.node] : []));
  const pairs = arrange(voters, leaves, arriving, broken);
  return [
    ...pairs.map(({ from, to }): Exchange => ({
      kind: from < 0 ? 'add' : 'replica',
      from,
      to,
      cause: from < 0 ? 'short' : causes.get(from)!,
    })),
    ...removed.map(({ node, cause }): Exchange => ({ kind: 'remove', from: node, to: -1, cause })),
  ];
};

const isAsked = (model: ClusterModel, { manual }: Solution, part: number, from: number): boolean =>
  manual.get(part)?.from === model.nodes.ids[from];

/** Where not all can leave, those stay whose place no newcomer takes, the least urgent first. */
const stayers = (
  leavers: readonly Leaving[],
  count: number,
  final: readonly number[],
  broken: (nodes: readonly number[]) => number,
): Set<number> => {
  const stay = new Set<number>();
  const least = [...leavers].reverse();
  for (const { node } of least) {
    const set = [...final, ...stay];
    if (stay.size < count && broken([...set, node]) <= broken(set)) stay.add(node);
  }
  for (const { node } of least) if (stay.size < count) stay.add(node);
  return stay;
};
