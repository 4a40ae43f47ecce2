/** Test-only: the least moves by trying everything, with nothing of the planner's own code. For a handful of nodes and partitions. */
export interface BruteNode {
  readonly id: string;
  readonly weight: number;
  /** Domain by label, one value each. */
  readonly domains: Readonly<Record<string, string>>;
}

export interface BruteCase {
  /** Nodes that may hold copies. */
  readonly nodes: readonly BruteNode[];
  readonly copies: number;
  /** Hard: at most so many copies of a partition in one domain of the label. */
  readonly maxPerDomain: Readonly<Record<string, number>>;
  /** For each partition the nodes that have a live copy now, whether or not it may stay. */
  readonly held: readonly (readonly string[])[];
  /** Fair share by node; its floor and ceiling are balanced. */
  readonly share: readonly number[];
}

export interface BruteAnswer {
  /** Least sum of replicas over the ceiling or under the floor that any allowed placement reaches. */
  readonly excess: number;
  /** Fewest copies built that reach it. */
  readonly moves: number;
}

/** By weight alone, without looking at constraints. */
export const plainShares = (nodes: readonly BruteNode[], total: number): number[] => {
  const weight = nodes.reduce((sum, n) => sum + n.weight, 0);
  return nodes.map((n) => (total * n.weight) / weight);
};

/** @returns undefined where a partition has no allowed set of so many nodes */
export const bruteForce = (given: BruteCase): BruteAnswer | undefined => {
  const sets = allowedSets(given);
  if (sets.length === 0) return undefined;
  const index = new Map(given.nodes.map((n, i) => [n.id, i]));
  // Cheapest way to each vector of counts; the order of partitions does not matter for counts, so this visits few vectors.
  let reached = new Map<string, number>([[given.nodes.map(() => 0).join(), 0]]);
  for (const held of given.held) {
    const here = new Set(held.map((id) => index.get(id)));
    const next = new Map<string, number>();
    for (const [vector, moves] of reached) {
      const counts = vector.split(',').map(Number);
      for (const set of sets) {
        const after = counts.slice();
        for (const node of set) after[node]! += 1;
        const key = after.join();
        const cost = moves + set.filter((node) => !here.has(node)).length;
        if (cost < (next.get(key) ?? Infinity)) next.set(key, cost);
      }
    }
    reached = next;
  }
  let best: BruteAnswer | undefined;
  for (const [vector, moves] of reached) {
    const excess = excessOf(vector.split(',').map(Number), given.share);
    if (!best || excess < best.excess || (excess === best.excess && moves < best.moves)) best = { excess, moves };
  }
  return best;
};

const EPSILON = 1e-6;

/** Replicas over the ceiling or under the floor of each share. */
export const excessOf = (counts: readonly number[], share: readonly number[]): number =>
  counts.reduce(
    (sum, count, i) =>
      sum + Math.max(0, count - Math.ceil(share[i]! - EPSILON)) + Math.max(0, Math.floor(share[i]! + EPSILON) - count),
    0,
  );

/** Every set of `copies` nodes that breaks no hard constraint. */
export const allowedSets = ({ nodes, copies, maxPerDomain }: Omit<BruteCase, 'held' | 'share'>): number[][] => {
  const found: number[][] = [];
  const choose = (from: number, set: number[]): void => {
    if (set.length === copies) {
      found.push(set);
      return;
    }
    for (let i = from; i < nodes.length; i += 1) {
      const next = [...set, i];
      if (Object.entries(maxPerDomain).every(([label, max]) => crowd(nodes, next, label) <= max)) choose(i + 1, next);
    }
  };
  choose(0, []);
  return found;
};

const crowd = (nodes: readonly BruteNode[], set: readonly number[], label: string): number => {
  const counts = new Map<string, number>();
  for (const i of set) {
    const domain = nodes[i]!.domains[label] ?? '';
    counts.set(domain, (counts.get(domain) ?? 0) + 1);
  }
  return Math.max(0, ...counts.values());
};
