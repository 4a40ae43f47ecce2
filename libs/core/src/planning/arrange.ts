/** A copy that leaves for one that arrives; -1 for a copy without a source. */
export interface Pair {
  readonly from: number;
  readonly to: number;
}

/**
 * Pairs those that leave with those that arrive, and orders the pairs, so that the count of violations never rises; copies
 * without a source come last, when room has been made. A pairing exists for nested labels (exchange property of matroids); the
 * search is bounded by the replication factor, and falls back to plain order for labels that cut across each other.
 */
export const arrange = (
  voters: readonly number[],
  out: readonly number[],
  into: readonly number[],
  broken: (nodes: readonly number[]) => number,
): Pair[] => {
  if (into.length === 1 && out.length <= 1) return [{ from: out[0] ?? -1, to: into[0]! }];
  const pairs: Pair[] = [];
  let budget = 20_000;
  const search = (now: readonly number[], leave: readonly number[], arrive: readonly number[]): boolean => {
    if (arrive.length === 0) return true;
    const before = broken(now);
    for (const from of leave.length > 0 ? leave : [-1]) {
      for (const to of arrive) {
        if ((budget -= 1) < 0) return false;
        const next = [...now.filter((n) => n !== from), to];
        if (broken(next) > before) continue;
        pairs.push({ from, to });
        if (
          search(
            next,
            leave.filter((n) => n !== from),
            arrive.filter((n) => n !== to),
          )
        )
          return true;
        pairs.pop();
      }
    }
    return false;
  };
  if (search(voters, out, into)) return pairs;
  return into.map((to, i) => ({ from: out[i] ?? -1, to }));
};
