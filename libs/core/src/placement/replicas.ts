import type { Board } from './board.js';
import { Needs, NOWHERE } from './board.js';
import type { Domains, Group } from './domains.js';
import { mix } from './mix.js';
import type { Hop } from './paths.js';
import { even, findPath } from './paths.js';
import type { Aims } from './shares.js';
import { fairShares, wholeAims } from './shares.js';

/** @param copies of each partition, at most what the domains can hold */
export const replicaAims = (
  domains: Domains,
  partitions: number,
  copies: number,
  have: Int32Array,
  seed: number,
): Aims => {
  const capOf = (group: Group): number => group.slots * partitions;
  const share = fairShares(domains, partitions * copies, capOf);
  return wholeAims(domains, share, partitions * copies, have, capOf, (node) => mix(seed, node, 2));
};

/** Places the copies that have none: `missing[p]` of them for each partition. Returns how many found no allowed place. */
export const settle = (
  board: Board,
  aims: Aims,
  missing: Uint8Array,
  order: Int32Array,
  seed: number,
  fresh: boolean,
): number => {
  const needs = new Needs(board, aims.want, seed);
  const stuck: number[] = [];
  order.forEach((p, i) => {
    const rest = fresh ? order.length - i : Infinity;
    for (let k = 0; k < missing[p]!; k += 1) {
      const node = needs.choose(p, rest);
      if (node === NOWHERE) {
        stuck.push(p);
        continue;
      }
      needs.taken(node);
      board.add(p, node);
    }
  });
  return stuck.filter((p) => !squeeze(board, aims, p)).length;
};

/** Makes room by moving others along; as a last resort redundancy is worth more than balance. */
const squeeze = (board: Board, aims: Aims, p: number): boolean => {
  const places = [...aims.want.keys()].filter((node) => board.canHold(p, node));
  if (places.length === 0) return false;
  const first: Hop[] = places.map((to) => ({ from: NOWHERE, to, item: p, slot: NOWHERE }));
  const { count } = board;
  const movers = board.movers(false);
  const below =
    (limit: Int32Array) =>
    (node: number): boolean =>
      count[node]! < limit[node]!;
  const open = first.find((hop) => below(aims.hi)(hop.to));
  const path = findPath(movers, [], below(aims.want), first, true) ??
    (open && [open]) ??
    findPath(movers, [], below(aims.hi), first) ?? [leastLoaded(board, aims, first)];
  path.forEach(movers.apply);
  return true;
};

const leastLoaded = (board: Board, aims: Aims, hops: readonly Hop[]): Hop =>
  hops.reduce((a, b) => (load(board, aims, b.to) < load(board, aims, a.to) ? b : a));

const load = (board: Board, aims: Aims, node: number): number =>
  (board.count[node]! + 1) / Math.max(aims.share[node]!, 1e-9);

/** Order in which a node's copies are offered to others; leaders first as far as it leads too many. */
export type Offer = (node: number, partitions: readonly number[], surplus: number) => readonly number[];

/** Moves copies from nodes above their aim to nodes below it, one copy of a partition at most; what is stuck goes along chains. */
export const rebalance = (board: Board, aims: Aims, seed: number, offer: Offer): void => {
  const { count } = board;
  const { lo, hi, want } = aims;
  const needs = new Needs(board, want, seed + 1);
  const sources = [...count.keys()]
    .filter((n) => count[n]! > want[n]!)
    .sort((a, b) => Number(count[b]! > hi[b]!) - Number(count[a]! > hi[a]!) || a - b);
  for (const node of sources) {
    for (const p of offer(node, board.on(node), count[node]! - want[node]!)) {
      if (count[node]! <= want[node]!) break;
      if (board.changed(p)) continue;
      const sinks = [...count.keys()].filter(
        (n) => count[n]! < want[n]! && (count[node]! > hi[node]! || count[n]! < lo[n]!),
      );
      if (sinks.length === 0) break;
      const slot = board.now[p]!.indexOf(node);
      const to = needs.chooseFor(p, slot, sinks);
      if (to === NOWHERE) continue;
      needs.taken(to);
      board.move(p, slot, to);
    }
  }
  even(board.movers(false), aims);
  even(board.movers(true), aims);
};
