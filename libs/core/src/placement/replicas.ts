import type { Board } from './board.js';
import { NOWHERE } from './board.js';
import { eachMixed } from './mix.js';
import { Needs } from './needs.js';
import type { Hop } from './paths.js';
import { even, findPath } from './paths.js';
import type { Aims } from './shares.js';

export { replicaAims } from './aims.js';

/** Domains of the widest constraint that all classes share. */
const labelsOf = (board: Board): Int32Array | undefined => {
  const [first, ...others] = board.classes;
  const widest = first?.domains.constraints.reduce<(typeof first.domains.constraints)[number] | undefined>(
    (a, b) => (a && a.names.length <= b.names.length ? a : b),
    undefined,
  );
  return others.length === 0 ? widest?.of : undefined;
};

/** Places the copies that have none: `missing[p]` of them for each partition. Returns how many found no allowed place. */
export const settle = (board: Board, aims: Aims, missing: Uint8Array, seed: number, fresh: boolean): number => {
  const needs = new Needs(board, aims.want, seed, fresh ? board.partitions : 0);
  const stuck: number[] = [];
  eachMixed(board.partitions, (p, nth) => {
    const rest = fresh ? board.partitions - nth : Infinity;
    for (let k = 0; k < missing[p]!; k += 1) {
      let node = needs.choose(p, NOWHERE, rest);
      if (node === NOWHERE && !needs.isEmpty) node = needs.scan(p);
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
  const places: number[] = [];
  for (let node = 0; node < board.nodes; node += 1) if (board.canHold(p, node)) places.push(node);
  if (places.length === 0) return false;
  const first: Hop[] = places.map((to) => ({ from: NOWHERE, to, item: p, slot: NOWHERE }));
  const { count } = board;
  const movers = board.movers(false);
  const labels = labelsOf(board);
  const below =
    (limit: Int32Array) =>
    (node: number): boolean =>
      count[node]! < limit[node]!;
  const open = first.find((hop) => below(aims.hi)(hop.to));
  const wanted = first.find((hop) => below(aims.want)(hop.to));
  const path = (wanted && [wanted]) ??
    findPath(movers, [], below(aims.want), { first, free: true, labels }) ??
    (open && [open]) ??
    findPath(movers, [], below(aims.hi), { first, labels }) ?? [leastLoaded(board, aims, first)];
  path.forEach(movers.apply);
  return true;
};

const leastLoaded = (board: Board, aims: Aims, hops: readonly Hop[]): Hop =>
  hops.reduce((a, b) => (load(board, aims, b.to) < load(board, aims, a.to) ? b : a));

const load = (board: Board, aims: Aims, node: number): number =>
  (board.count[node]! + 1) / Math.max(aims.share[node]!, 1e-9);

/** Who leads, and how many of the partitions that it leads a node should shed first, of `surplus` that leave it. */
export interface Handover {
  readonly leader: Int32Array;
  readonly tooMany: (node: number, surplus: number) => number;
}

/** A pair of nodes shares at most so many partitions more than its mean while there is a choice. */
const PAIR_SLACK = 1.1;

/** Moves copies from nodes above their aim to nodes below it, one copy of a partition at most; what is stuck goes along chains. */
export const rebalance = (board: Board, aims: Aims, seed: number, handover: Handover): void => {
  const labels = labelsOf(board);
  shed(board, aims, seed, handover);
  even(board.movers(false), aims, labels);
  even(board.movers(true), aims, labels);
};

const shed = (board: Board, aims: Aims, seed: number, handover: Handover): void => {
  const { count, nodes } = board;
  const { hi, lo, want } = aims;
  const sources: number[] = [];
  for (let n = 0; n < nodes; n += 1) if (count[n]! > want[n]!) sources.push(n);
  if (sources.length === 0) return;
  const needs = new Needs(board, want, seed + 1);
  sources.sort((a, b) => Number(count[b]! > hi[b]!) - Number(count[a]! > hi[a]!) || a - b);
  const mean = meanPairs(board);
  const offer = (node: number, cell: number, most: number): void => {
    const p = Math.floor(cell / board.stride);
    const slot = cell - p * board.stride;
    if (board.changed(p) || board.still[p] === 1 || board.isPinned(p, node)) return;
    const limit = most === Infinity ? Infinity : most + 1 / (want[node]! + 1);
    const to = needs.openCount <= 12 ? needs.scan(p, slot, limit) : needs.choose(p, slot, Infinity, limit, 8);
    if (to === NOWHERE || (count[node]! <= hi[node]! && count[to]! >= lo[to]!)) return;
    needs.taken(to);
    board.move(p, slot, to);
  };
  const walk = (node: number, most: number, least: number, takes: (p: number) => boolean): void => {
    for (let cell = board.head[node]!; cell >= 0 && count[node]! > least && !needs.isEmpty;) {
      const next = board.next[cell]!;
      if (takes(Math.floor(cell / board.stride))) offer(node, cell, most);
      cell = next;
    }
  };
  for (const most of [mean * PAIR_SLACK, Infinity])
    for (const node of sources) {
      const surplus = count[node]! - want[node]!;
      if (surplus <= 0) continue;
      const { leader, tooMany } = handover;
      const led = tooMany(node, surplus);
      if (led > 0) walk(node, most, count[node]! - led, (p) => leader[p] === node);
      walk(node, most, want[node]!, (p) => leader[p] !== node);
      if (most === Infinity) walk(node, most, want[node]!, (p) => leader[p] === node);
    }
};

/** What a node shares with each one that it may share with, for each copy that it holds. */
const meanPairs = (board: Board): number => {
  const { domains, copies } = board.classes[0]!;
  const apart = domains.constraints
    .filter((c) => c.max === 1)
    .reduce((least, c) => Math.min(least, c.names.length), Infinity);
  return (copies - 1) / Math.max(1, board.nodes * (1 - 1 / apart));
};
