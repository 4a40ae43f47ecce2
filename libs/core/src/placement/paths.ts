import type { Aims } from './shares.js';

/** One change on a path: `item` goes from node `from` to node `to`. `slot` is the mover's own note. */
export interface Hop {
  readonly from: number;
  readonly to: number;
  readonly item: number;
  readonly slot: number;
}

/** Nodes that a search has not reached, by domain of the widest constraint, so that a domain that is closed is skipped whole. */
export interface Unseen {
  readonly groups: number[][];
  readonly labels: Int32Array | undefined;
  has(node: number): boolean;
}

/** What can go where: replicas between nodes, or leaderships between the holders of a partition. */
export interface Movers {
  readonly size: number;
  readonly count: Int32Array;
  /** Calls `visit` for every item that may go from `node` to an unseen node, at this cost; sinks first; stops when it returns true. */
  readonly expand: (
    node: number,
    cost: 0 | 1,
    unseen: Unseen,
    sinks: readonly number[],
    visit: (to: number, item: number, slot: number) => boolean,
  ) => void;
  readonly apply: (hop: Hop) => void;
}

/** What a search begins with, apart from its sources. */
export interface Start {
  /** Hops to begin with, for an item that is nowhere yet. */
  readonly first?: readonly Hop[];
  /** Only chains that cost nothing count. */
  readonly free?: boolean;
  /** Domain of each node under the widest constraint. */
  readonly labels?: Int32Array | undefined;
}

/**
 * Cheapest chain of changes from one of `starts` to a sink (0-1 breadth first: items that change anyway cost nothing). No item
 * occurs twice in a chain, so that its changes stay valid together.
 */
export const findPath = (
  movers: Movers,
  starts: readonly number[],
  isSink: (node: number) => boolean,
  { first = [], free = false, labels }: Start = {},
): Hop[] | undefined => {
  const search = new Search(movers, isSink, labels);
  for (const node of starts) search.seen[node] = 1;
  for (const hop of first) search.reach(hop);
  let level = [...starts, ...first.map((hop) => hop.to)];
  while (level.length > 0) {
    if (search.spread(level, 0, level)) return search.trace();
    if (free) return undefined;
    const next: number[] = [];
    if (search.spread(level, 1, next)) return search.trace();
    level = next;
  }
  return undefined;
};

class Search implements Unseen {
  readonly seen: Uint8Array;
  readonly groups: number[][] = [];
  private readonly parent: (Hop | undefined)[];
  private readonly sinks: number[] = [];
  private found = -1;

  constructor(
    private readonly movers: Movers,
    private readonly isSink: (node: number) => boolean,
    readonly labels: Int32Array | undefined,
  ) {
    this.seen = new Uint8Array(movers.size);
    this.parent = new Array<Hop | undefined>(movers.size);
    for (let node = movers.size - 1; node >= 0; node -= 1) {
      (this.groups[labels?.[node] ?? 0] ??= []).push(node);
      if (isSink(node)) this.sinks.push(node);
    }
  }

  has(node: number): boolean {
    return this.seen[node] === 0;
  }

  reach(hop: Hop): void {
    this.seen[hop.to] = 1;
    this.parent[hop.to] = hop;
  }

  /** True when a sink was reached. */
  spread(from: number[], cost: 0 | 1, reached: number[]): boolean {
    for (let i = 0; i < from.length && this.found < 0; i += 1) {
      const node = from[i]!;
      this.movers.expand(node, cost, this, this.sinks, (to, item, slot) => {
        if (this.occurs(node, item)) return false;
        this.reach({ from: node, to, item, slot });
        reached.push(to);
        if (this.isSink(to)) this.found = to;
        return this.found >= 0;
      });
    }
    return this.found >= 0;
  }

  private occurs(node: number, item: number): boolean {
    for (let hop = this.parent[node]; hop; hop = hop.from < 0 ? undefined : this.parent[hop.from])
      if (hop.item === item) return true;
    return false;
  }

  /** From the sink back to where it began: applied in this order each hop makes room for the next. */
  trace(): Hop[] {
    const path: Hop[] = [];
    for (let hop = this.parent[this.found]; hop; hop = hop.from < 0 ? undefined : this.parent[hop.from]) path.push(hop);
    return path;
  }
}

/**
 * Brings every count into [lo, hi] along cheapest chains. A chain is taken only when one of its ends is out of balance, so a
 * balanced map is left alone; chains that mend both ends come first, since each of them saves one.
 */
export const even = (movers: Movers, aims: Aims, labels?: Int32Array): void => {
  const { count, size } = movers;
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
      const starts: number[] = [];
      let sinks = 0;
      for (let node = 0; node < size; node += 1) {
        if (isSink(node)) sinks += 1;
        else if (isSource(node)) starts.push(node);
      }
      const path = sinks > 0 && starts.length > 0 ? findPath(movers, starts, isSink, { labels }) : undefined;
      if (!path) break;
      path.forEach(movers.apply);
    }
  }
};
