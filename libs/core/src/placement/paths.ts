import type { Aims } from './shares.js';

/** One change on a path: `item` goes from node `from` to node `to`. `slot` is the mover's own note. */
export interface Hop {
  readonly from: number;
  readonly to: number;
  readonly item: number;
  readonly slot: number;
}

/** What can go where: replicas between nodes, or leaderships between the holders of a partition. */
export interface Movers {
  readonly size: number;
  readonly count: Int32Array;
  /** Calls `visit` for every item that may go from `node` to a node not yet `seen`, at this cost; stops when it returns true. */
  readonly expand: (
    node: number,
    cost: 0 | 1,
    seen: Uint8Array,
    visit: (to: number, item: number, slot: number) => boolean,
  ) => void;
  readonly apply: (hop: Hop) => void;
}

/**
 * Cheapest chain of changes from one of `starts` to a sink (0-1 breadth first: items that change anyway cost nothing). No item
 * occurs twice in a chain, so that its changes stay valid together. `first` are hops to begin with, for an item that is nowhere
 * yet; with `free`, only chains that cost nothing count.
 */
export const findPath = (
  movers: Movers,
  starts: readonly number[],
  isSink: (node: number) => boolean,
  first?: readonly Hop[],
  free = false,
): Hop[] | undefined => {
  const seen = new Uint8Array(movers.size);
  const parent = new Array<Hop | undefined>(movers.size);
  for (const node of starts) seen[node] = 1;
  for (const hop of first ?? []) {
    seen[hop.to] = 1;
    parent[hop.to] = hop;
  }
  let level = [...starts, ...(first ?? []).map((hop) => hop.to)];
  while (level.length > 0) {
    const zero = spread(movers, level, 0, seen, parent, isSink, level);
    if (zero !== undefined) return trace(parent, zero);
    if (free) return undefined;
    const next: number[] = [];
    const one = spread(movers, level, 1, seen, parent, isSink, next);
    if (one !== undefined) return trace(parent, one);
    level = next;
  }
  return undefined;
};

const spread = (
  movers: Movers,
  from: number[],
  cost: 0 | 1,
  seen: Uint8Array,
  parent: (Hop | undefined)[],
  isSink: (node: number) => boolean,
  found: number[],
): number | undefined => {
  let sink: number | undefined;
  for (let i = 0; i < from.length && sink === undefined; i += 1) {
    const node = from[i]!;
    movers.expand(node, cost, seen, (to, item, slot) => {
      if (occurs(parent, node, item)) return false;
      seen[to] = 1;
      parent[to] = { from: node, to, item, slot };
      found.push(to);
      if (isSink(to)) sink = to;
      return sink !== undefined;
    });
  }
  return sink;
};

const occurs = (parent: (Hop | undefined)[], node: number, item: number): boolean => {
  for (let hop = parent[node]; hop; hop = hop.from < 0 ? undefined : parent[hop.from])
    if (hop.item === item) return true;
  return false;
};

const trace = (parent: (Hop | undefined)[], sink: number): Hop[] => {
  const path: Hop[] = [];
  for (let hop = parent[sink]; hop; hop = hop.from < 0 ? undefined : parent[hop.from]) path.push(hop);
  return path;
};

/**
 * Brings every count into [lo, hi] along cheapest chains. A chain is taken only when one of its ends is out of balance, so a
 * balanced map is left alone; chains that mend both ends come first, since each of them saves one.
 */
export const even = (movers: Movers, aims: Aims): void => {
  const { count } = movers;
  const { lo, hi } = aims;
  const over =
    (limit: Int32Array) =>
    (node: number): boolean =>
      count[node]! > limit[node]!;
  const under =
    (limit: Int32Array) =>
    (node: number): boolean =>
      count[node]! < limit[node]!;
  const rounds = [
    [over(hi), under(lo)],
    [over(hi), under(hi)],
    [over(lo), under(lo)],
  ] as const;
  for (const [isSource, isSink] of rounds) {
    for (;;) {
      const nodes = [...count.keys()];
      if (!nodes.some(isSink)) break;
      const starts = nodes.filter((n) => isSource(n) && !isSink(n));
      const path = starts.length > 0 ? findPath(movers, starts, isSink) : undefined;
      if (!path) break;
      path.forEach(movers.apply);
    }
  }
};
