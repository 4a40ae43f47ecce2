import type { Board } from './board.js';

/**
 * Recovery fan-out: the busiest partner's share of a node's partitions over the mean of its eligible partners, averaged over nodes.
 * 1 is perfect; n means that a dead node is repaired as if from 1/n of those that could help. 0 where it is not counted.
 */
export const partnerSpread = (board: Board): number => {
  const { pairs, nodes, count, classes } = board;
  const found = classes[0];
  if (!pairs.counted || !found) return 0;
  const apart = found.domains.constraints.filter((c) => c.max === 1);
  let sum = 0;
  let counted = 0;
  const open: number[] = [];
  for (let n = 0; n < nodes; n += 1) if (found.allowed[n] === 1) open.push(n);
  for (const a of open) {
    if (count[a] === 0) continue;
    let most = 0;
    let total = 0;
    let eligible = 0;
    for (const b of open) {
      if (a === b || isApart(apart, a, b)) continue;
      eligible += 1;
      const shared = pairs.of(a, b);
      total += shared;
      if (shared > most) most = shared;
    }
    if (total === 0) continue;
    sum += (most * eligible) / total;
    counted += 1;
  }
  return counted > 0 ? sum / counted : 0;
};

const isApart = (apart: readonly { of: Int32Array }[], a: number, b: number): boolean => {
  for (let i = 0; i < apart.length; i += 1) if (apart[i]!.of[a] === apart[i]!.of[b]) return true;
  return false;
};
