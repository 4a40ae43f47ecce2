import type { Domains } from './domains.js';

/** Exact for nested labels, where the hierarchy counts; for labels that cut across each other, what a greedy choice reaches. */
export const mostCopies = (domains: Domains): number =>
  isNested(domains) ? domains.root.slots : Math.min(domains.root.slots, greedyCopies(domains));

/** No label cuts across another. */
export const isNested = (domains: Domains): boolean => {
  const any = domains.pathOf.find((path) => path.length > 0);
  return !any || domains.constraints.every((_, i) => any.some((g) => g.constraint === i));
};

/** Nodes that may hold copies. */
export const membersOf = (domains: Domains): number[] =>
  domains.pathOf.flatMap((path, node) => (path.length > 0 ? [node] : []));

/** Takes the node next whose domains have most places left, so that scarce domains are used last. */
const greedyCopies = (domains: Domains): number => {
  const used = domains.constraints.map((c) => new Int32Array(c.names.length));
  const free = new Set(membersOf(domains));
  const fits = (node: number): boolean => domains.constraints.every((c, i) => used[i]![c.of[node]!]! < c.max);
  const ruledOut = (node: number): number => {
    let count = 0;
    for (const other of free)
      if (domains.constraints.some((c, i) => c.of[other] === c.of[node] && used[i]![c.of[node]!]! + 1 >= c.max))
        count += 1;
    return count;
  };
  for (let copies = 0; ; copies += 1) {
    let best = -1;
    let least = Infinity;
    for (const node of free) {
      if (!fits(node)) {
        free.delete(node);
        continue;
      }
      const out = ruledOut(node);
      if (out < least) {
        least = out;
        best = node;
      }
    }
    if (best < 0) return copies;
    free.delete(best);
    domains.constraints.forEach((c, i) => {
      used[i]![c.of[best]!]! += 1;
    });
  }
};
