import type { Board } from '../placement/board.js';
import { exchange } from '../placement/exchanges.js';
import { isNested } from '../placement/most-copies.js';
import type { Aims } from '../placement/shares.js';
import type { Bound } from './bound.js';
import type { Prepared } from './prepare.js';

/**
 * Where more is built than the bound asks for, or a count is out of balance: exchanges copies until no exchange is worth it. A copy that
 * was to leave for the spread may stay in place of the one that was kept. Small clusters only, see `exchange`.
 * @returns the bound, which is the number of moves itself where the search shows that fewer would not do
 */
export const tighten = (prepared: Prepared, aims: Aims, bound: Bound): Bound => {
  const { board } = prepared;
  const others = new Map<number, number[]>();
  for (let p = 0; p < board.partitions; p += 1) {
    if (prepared.leavers.count(p) === 0 || !isOpen(prepared, p)) continue;
    const spread = spreadOf(prepared, p);
    if (spread.length === 0) continue;
    // One that was to leave may have been let back where another one made room.
    rebase(prepared, p, spread);
    others.set(p, spreadOf(prepared, p));
  }
  if (isBalanced(board, aims) && built(board) <= bound.moves) return bound;
  const open = Uint8Array.from({ length: board.partitions }, (_, p) => Number(isOpen(prepared, p)));
  const { changed, isCheapest } = exchange(board, aims, { isOpen: (each) => open[each] === 1, others });
  for (const p of changed) rebase(prepared, p, others.get(p) ?? []);
  const isProof = isCheapest && isBalanced(board, aims) && isFlow(prepared, open);
  return isProof ? { ...bound, moves: Math.max(bound.moves, built(board)), isExact: true } : bound;
};

/** Whether placements are a flow: labels nest, and nothing but them and the counts says where copies may be. */
const isFlow = ({ board, leavers }: Prepared, open: Uint8Array): boolean => {
  if (board.weighings.length > 0 || board.classes.some((c) => c.owes || !isNested(c.domains))) return false;
  for (let p = 0; p < board.partitions; p += 1)
    if (
      board.absent[p] === 0 &&
      (open[p] === 0 ||
        board.still[p] === 1 ||
        board.size[p]! < board.classFor(p).copies ||
        leavers.of(p).some((l) => l.cause === 'excess'))
    )
      return false;
  return true;
};

const spreadOf = ({ leavers }: Prepared, p: number): number[] =>
  leavers.of(p).flatMap((l) => (l.cause === 'spread' ? [l.node] : []));

const isBalanced = ({ count }: Board, { lo, hi }: Aims): boolean => count.every((c, n) => c <= hi[n]! && c >= lo[n]!);

/** Copies on nodes that had none; two copies of a partition may have changed places. */
const built = (board: Board): number => {
  const { now, was, stride } = board;
  let sum = 0;
  for (let p = 0; p < board.partitions; p += 1) {
    const base = p * stride;
    for (let k = base; k < base + board.size[p]!; k += 1) {
      if (now[k] === was[k]) continue;
      let isThere = false;
      for (let j = base; j < base + board.size[p]!; j += 1) isThere ||= was[j] === now[k];
      sum += Number(!isThere);
    }
  }
  return sum;
};

/** Which copy of a partition stays is open only among copies that are all in sync; what is pinned or asked for stays as it is. */
const isOpen = ({ board, columns }: Prepared, p: number): boolean => {
  if (board.absent[p] === 1 || board.pinned.has(p)) return false;
  for (let k = p * columns.stride; k < (p + 1) * columns.stride; k += 1)
    if (columns.replicas[k]! >= 0 && columns.inSync[k] === 0) return false;
  return true;
};

/** Writes down afresh which copies stayed, which moved and which leave for the spread. */
const rebase = ({ board, inSync, leavers }: Prepared, p: number, spread: readonly number[]): void => {
  const base = p * board.stride;
  const cells = Array.from({ length: board.size[p]! }, (_, k) => base + k);
  const kept = cells.flatMap((k) => (board.was[k]! >= 0 ? [board.was[k]!] : []));
  const now = new Set(cells.map((k) => board.now[k]!));
  const gone = [...spread, ...kept].filter((node) => !now.has(node));
  leavers.replace(p, 'spread', gone.slice(0, spread.length));
  const moved = gone.slice(spread.length);
  const held = new Set([...spread, ...kept]);
  board.rebase(
    p,
    cells.map((k) => (held.has(board.now[k]!) ? board.now[k]! : (moved.shift() ?? -1))),
  );
  for (const k of cells) inSync[k] = 1;
};
