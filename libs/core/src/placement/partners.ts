import type { PlacementClass } from './classes.js';
import { Pairs } from './pairs.js';

/**
 * Recovery fan-out: the busiest partner's share of a node's partitions over the mean of its eligible partners, averaged over nodes.
 * 1 is perfect; n means that a dead node is repaired as if from 1/n of those that could help. 0 where it is not counted.
 */
export const partnerSpread = (pairs: Pairs, found: PlacementClass): number => {
  if (!pairs.counted) return 0;
  const { nodes } = pairs;
  const apart = found.domains.constraints.filter((c) => c.max === 1);
  const open: number[] = [];
  for (let n = 0; n < nodes; n += 1) if (found.allowed[n] === 1) open.push(n);
  const most = new Int32Array(nodes);
  const total = new Float64Array(nodes);
  const eligible = new Int32Array(nodes);
  for (let i = 0; i < open.length; i += 1)
    for (let j = i + 1; j < open.length; j += 1) {
      const a = open[i]!;
      const b = open[j]!;
      if (isApart(apart, a, b)) continue;
      const shared = pairs.of(a, b);
      eligible[a]! += 1;
      eligible[b]! += 1;
      total[a]! += shared;
      total[b]! += shared;
      if (shared > most[a]!) most[a] = shared;
      if (shared > most[b]!) most[b] = shared;
    }
  const counted = open.filter((n) => total[n]! > 0);
  return counted.length > 0
    ? counted.reduce((sum, n) => sum + (most[n]! * eligible[n]!) / total[n]!, 0) / counted.length
    : 0;
};

/** Pairs of a map that is given as cells: partitions x stride, -1 for none. */
export const pairsOf = (nodes: number, cells: Int32Array, stride: number): Pairs => {
  const pairs = new Pairs(nodes);
  for (let base = 0; base < cells.length; base += stride)
    for (let slot = 1; slot < stride && cells[base + slot]! >= 0; slot += 1)
      pairs.add(cells, base, slot, cells[base + slot]!);
  return pairs;
};

const isApart = (apart: readonly { of: Int32Array }[], a: number, b: number): boolean => {
  for (let i = 0; i < apart.length; i += 1) if (apart[i]!.of[a] === apart[i]!.of[b]) return true;
  return false;
};
