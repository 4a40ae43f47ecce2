import { boardAims } from '../placement/aims.js';
import type { Aims } from '../placement/shares.js';
import type { Prepared } from './prepare.js';
import { sizesOf } from './prepare.js';

/** No plan that ends in balance builds fewer copies, or moves fewer bytes. */
export interface Bound {
  /** Loads are balanced, and counts are free. */
  readonly byLoad: boolean;
  readonly moves: number;
  /** A search over all exchanges of copies found `moves` to be the least, which the counts by themselves do not show. */
  readonly isExact: boolean;
  readonly bytes: number;
  /** Copies that have to be built wherever they go: missing ones, and those that have to leave. */
  readonly forced: number;
  /** By node: copies that it has to gain, up to the nearest balanced counts. */
  readonly gains: Int32Array;
  /** By node: copies that it has to shed at least. */
  readonly sheds: Int32Array;
}

/**
 * Each replica that a node gains is one move, so the gains up to the nearest balanced counts are a lower bound, and so are the
 * copies that are missing. Copies that break the spread count as held: which of them leaves is free. Called before anything moves.
 */
export const boundOf = (prepared: Prepared, aims: Aims, seed: number, byLoad: boolean): Bound => {
  const { board, leavers, columns } = prepared;
  const have = board.count.slice();
  const bytes = sizesOf(columns, 'bytes');
  let forced = 0;
  let forcedBytes = 0;
  let spreadLeavers = 0;
  for (let p = 0; p < board.partitions; p += 1) {
    if (board.absent[p] === 1) continue;
    const missing = Math.max(0, board.classFor(p).copies - board.size[p]!);
    forced += missing;
    forcedBytes += missing * (bytes?.[p] ?? 0);
    if (leavers.count(p) === 0) continue;
    for (const { node, cause } of leavers.of(p))
      if (cause === 'spread') {
        have[node]! += 1;
        spreadLeavers += 1;
      }
  }
  const none = new Int32Array(board.nodes);
  // Counts are free where loads are balanced; what loads ask for is a bound of its own.
  if (byLoad) return { byLoad, isExact: false, moves: forced, bytes: forcedBytes, forced, gains: none, sheds: none };
  const { want } = spreadLeavers > 0 ? boardAims(board, have, seed) : aims;
  const gains = want.map((aim, n) => Math.max(0, aim - have[n]!));
  // With copies too many, a node may come down to its aim for nothing.
  const excess = excessOf(prepared);
  const sheds = board.count.map((count, n) => Math.max(0, count - aims.hi[n]! - excess[n]!));
  return {
    byLoad,
    isExact: false,
    moves: Math.max(
      forced,
      gains.reduce((a, b) => a + b, 0),
    ),
    bytes: forcedBytes + (bytes ? leastBytes(prepared, sheds, bytes) : 0),
    forced,
    gains,
    sheds,
  };
};

/** By node: copies that belong to partitions with copies too many. */
const excessOf = ({ board }: Prepared): Int32Array => {
  const excess = new Int32Array(board.nodes);
  for (let p = 0; p < board.partitions; p += 1) {
    if (board.absent[p] === 1 || board.size[p]! <= board.classFor(p).copies) continue;
    for (let k = 0; k < board.size[p]!; k += 1) excess[board.now[p * board.stride + k]!]! += 1;
  }
  return excess;
};

/** The smallest copies of each node that has to shed some. */
const leastBytes = ({ board }: Prepared, sheds: Int32Array, bytes: Float64Array): number => {
  let sum = 0;
  sheds.forEach((count, node) => {
    if (count === 0) return;
    const sizes: number[] = [];
    for (let cell = board.head[node]!; cell >= 0; cell = board.next[cell]!)
      sizes.push(bytes[Math.floor(cell / board.stride)]!);
    sizes.sort((a, b) => a - b);
    for (let i = 0; i < count; i += 1) sum += sizes[i]!;
  });
  return sum;
};
