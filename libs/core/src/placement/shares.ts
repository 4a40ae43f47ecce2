import type { Domains, Group } from './domains.js';

/** Whole-number aims for each node: anything from `lo` to `hi` is balanced, `want` is reached with the fewest moves. */
export interface Aims {
  readonly share: Float64Array;
  readonly lo: Int32Array;
  readonly hi: Int32Array;
  readonly want: Int32Array;
}

/** How much a group may hold, and has to. */
export interface Bounds {
  readonly capOf: (group: Group) => number;
  readonly leastOf?: (group: Group) => number;
  /** What each node holds already of other things that count towards its share. */
  readonly base?: Float64Array;
}

/** Shares are sums of products of up to 2^24; below this they are taken for whole numbers. */
const EPSILON = 1e-6;

/**
 * Fair share of each node by weight, by water-filling: where a domain can hold less than its weight asks for, its nodes share
 * what it can hold, and the others share the rest; where one has to hold more, the others share what is left.
 */
export const fairShares = (domains: Domains, total: number, bounds: Bounds): Float64Array => {
  const share = new Float64Array(domains.size);
  fill(domains.root, total, bounds, share);
  return share;
};

/** By weight alone. */
export const plainShares = (domains: Domains, total: number): Float64Array =>
  Float64Array.from(domains.pathOf, (path) => {
    const leaf = path.at(-1);
    return leaf && domains.root.weight > 0 ? (total * leaf.weight) / domains.root.weight : 0;
  });

/** Whether every node can be at the floor or at the ceiling of its share within the bounds; exact for nested domains. */
export const admits = (domains: Domains, share: Float64Array, total: number, bounds: Bounds): boolean => {
  const range = (group: Group): [number, number] => {
    let [low, high] = [0, 0];
    if (group.node >= 0) {
      low = Math.floor(share[group.node]! + EPSILON);
      high = Math.ceil(share[group.node]! - EPSILON);
    } else
      for (const child of group.children) {
        const [from, to] = range(child);
        low += from;
        high += to;
      }
    if (group === domains.root) return [low, high];
    low = Math.max(low, bounds.leastOf?.(group) ?? 0);
    high = Math.min(high, bounds.capOf(group));
    // An empty range anywhere leaves none above.
    return low > high ? [Infinity, -Infinity] : [low, high];
  };
  const [low, high] = range(domains.root);
  return low <= total && total <= high;
};

/** What a group takes at a level of water, within its bounds. */
const demand = (group: Group, level: number, bounds: Bounds): number => {
  const cap = bounds.capOf(group);
  const least = bounds.leastOf?.(group) ?? 0;
  const asked =
    group.node >= 0
      ? Math.max(0, level * group.weight - (bounds.base?.[group.node] ?? 0))
      : below(group, level, bounds);
  return asked > cap + EPSILON ? cap : asked < least - EPSILON ? least : asked;
};

const below = (group: Group, level: number, bounds: Bounds): number => {
  let sum = 0;
  for (const child of group.children) sum += demand(child, level, bounds);
  return sum;
};

const fill = (top: Group, total: number, bounds: Bounds, share: Float64Array): void => {
  const level = exact(top, total, levelOf(top, total, bounds), bounds);
  const assign = (group: Group): void => {
    const asked =
      group.node >= 0
        ? Math.max(0, level * group.weight - (bounds.base?.[group.node] ?? 0))
        : below(group, level, bounds);
    const taken = demand(group, level, bounds);
    if (group.node >= 0) share[group.node] = taken;
    else if (Math.abs(taken - asked) > EPSILON) fill(group, taken, bounds, share);
    else group.children.forEach(assign);
  };
  top.children.forEach(assign);
};

/** By bisection: what a group takes never falls as the level rises. */
const levelOf = (top: Group, total: number, bounds: Bounds): number => {
  const plain = top.weight > 0 ? total / top.weight : 0;
  if (!bounds.base && Math.abs(below(top, plain, bounds) - total) <= EPSILON) return plain;
  let high = Math.max(plain, 1e-9);
  for (let i = 0; i < 120 && below(top, high, bounds) < total - EPSILON; i += 1) high *= 2;
  let low = 0;
  for (let i = 0; i < 100; i += 1) {
    const middle = (low + high) / 2;
    if (below(top, middle, bounds) < total) low = middle;
    else high = middle;
  }
  return high;
};

/** The level once more from what is at no bound, free of the bisection's rounding. */
const exact = (top: Group, total: number, level: number, bounds: Bounds): number => {
  let rest = total;
  let weight = 0;
  const walk = (group: Group): void => {
    const asked =
      group.node >= 0 ? level * group.weight - (bounds.base?.[group.node] ?? 0) : below(group, level, bounds);
    const taken = demand(group, level, bounds);
    if (Math.abs(taken - asked) > EPSILON) rest -= taken;
    else if (group.node < 0) group.children.forEach(walk);
    else {
      weight += group.weight;
      rest += bounds.base?.[group.node] ?? 0;
    }
  };
  top.children.forEach(walk);
  const found = weight > 0 ? rest / weight : level;
  return Number.isFinite(found) && found >= 0 && Math.abs(below(top, found, bounds) - total) <= 1e-3 ? found : level;
};

/**
 * Rounds shares to whole numbers of the given total. A node that has more than the floor keeps its extra one first, since each
 * such choice saves a move; rooms of domains bound the choice, and greedy is exact because nested rooms form a matroid.
 */
export const wholeAims = (
  domains: Domains,
  share: Float64Array,
  total: number,
  have: Int32Array,
  bounds: Bounds,
  tie: (node: number) => number,
  epsilon = EPSILON,
): Aims => {
  const lo = Int32Array.from(share, (s) => Math.floor(s + epsilon));
  const hi = Int32Array.from(share, (s) => Math.ceil(s - epsilon));
  const want = Int32Array.from(lo);
  let left = total - lo.reduce((sum, x) => sum + x, 0);
  const room = roomsOf(domains, lo, bounds.capOf);
  const owed = bounds.leastOf ? owedOf(domains, lo, bounds.leastOf) : undefined;
  const order = [...lo.keys()]
    .filter((i) => hi[i]! > lo[i]!)
    .sort((a, b) => preference(a, b, have, lo, share) || tie(a) - tie(b) || a - b);
  const take = (isDue: (path: readonly Group[]) => boolean): void => {
    for (const node of order) {
      if (left === 0) break;
      const path = domains.pathOf[node]!;
      if (want[node]! >= hi[node]! || path.some((g) => room[g.id]! < 1) || !isDue(path)) continue;
      for (const g of path) {
        room[g.id]! -= 1;
        if (owed) owed[g.id]! -= 1;
      }
      want[node]! += 1;
      left -= 1;
    }
  };
  // Domains that have to hold a number of copies come first.
  if (owed) take((path) => path.some((g) => owed[g.id]! > 0));
  take(() => true);
  return { share, lo, hi, want };
};

const preference = (a: number, b: number, have: Int32Array, lo: Int32Array, share: Float64Array): number => {
  const gain = Number(have[b]! > lo[b]!) - Number(have[a]! > lo[a]!);
  if (gain !== 0) return gain;
  const fraction = share[b]! - lo[b]! - (share[a]! - lo[a]!);
  return Math.abs(fraction) < EPSILON ? 0 : fraction;
};

const roomsOf = (domains: Domains, lo: Int32Array, capOf: (group: Group) => number): Float64Array => {
  const room = new Float64Array(domains.groups);
  const walk = (group: Group): number => {
    const used = group.node >= 0 ? lo[group.node]! : group.children.reduce((sum, c) => sum + walk(c), 0);
    room[group.id] = group === domains.root ? Infinity : capOf(group) - used;
    return used;
  };
  walk(domains.root);
  return room;
};

const owedOf = (domains: Domains, lo: Int32Array, leastOf: (group: Group) => number): Float64Array => {
  const owed = new Float64Array(domains.groups);
  const walk = (group: Group): number => {
    const used = group.node >= 0 ? lo[group.node]! : group.children.reduce((sum, c) => sum + walk(c), 0);
    owed[group.id] = group === domains.root ? 0 : leastOf(group) - used;
    return used;
  };
  walk(domains.root);
  return owed;
};
