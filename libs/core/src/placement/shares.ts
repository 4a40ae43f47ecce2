import type { Domains, Group } from './domains.js';

/** Whole-number aims for each node: anything from `lo` to `hi` is balanced, `want` is reached with the fewest moves. */
export interface Aims {
  readonly share: Float64Array;
  readonly lo: Int32Array;
  readonly hi: Int32Array;
  readonly want: Int32Array;
}

/** Shares are sums of products of up to 2^24; below this they are taken for whole numbers. */
const EPSILON = 1e-6;

/**
 * Fair share of each node by weight, by water-filling: where a domain can hold less than its weight asks for, its nodes share
 * what it can hold, and the others share the rest.
 */
export const fairShares = (domains: Domains, total: number, capOf: (group: Group) => number): Float64Array => {
  const share = new Float64Array(domains.size);
  fill(domains.root, total, capOf, share);
  return share;
};

const fill = (top: Group, total: number, capOf: (group: Group) => number, share: Float64Array): void => {
  const full = new Set<Group>();
  let level = levelOf(top, total, full, capOf);
  // Taking a full domain out only raises the level for the others, so what is full stays full.
  while (markFull(top, top, level, full, capOf) > 0) level = levelOf(top, total, full, capOf);
  const assign = (group: Group): void => {
    if (group.node >= 0) share[group.node] = full.has(group) ? capOf(group) : level * group.weight;
    else if (full.has(group)) fill(group, capOf(group), capOf, share);
    else group.children.forEach(assign);
  };
  top.children.forEach(assign);
};

const levelOf = (top: Group, total: number, full: ReadonlySet<Group>, capOf: (group: Group) => number): number => {
  let rest = total;
  let weight = 0;
  const walk = (group: Group): void => {
    if (full.has(group)) rest -= capOf(group);
    else if (group.node >= 0) weight += group.weight;
    else group.children.forEach(walk);
  };
  top.children.forEach(walk);
  return weight > 0 ? Math.max(0, rest) / weight : 0;
};

const markFull = (
  group: Group,
  top: Group,
  level: number,
  full: Set<Group>,
  capOf: (group: Group) => number,
): number => {
  let marked = 0;
  const demand = (g: Group): number => {
    if (full.has(g) && g !== top) return capOf(g);
    const asked = g.node >= 0 ? level * g.weight : g.children.reduce((sum, c) => sum + demand(c), 0);
    if (g === top || asked <= capOf(g) + EPSILON) return asked;
    full.add(g);
    marked += 1;
    return capOf(g);
  };
  demand(group);
  return marked;
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
  capOf: (group: Group) => number,
  tie: (node: number) => number,
): Aims => {
  const lo = Int32Array.from(share, (s) => Math.floor(s + EPSILON));
  const hi = Int32Array.from(share, (s) => Math.ceil(s - EPSILON));
  const want = Int32Array.from(lo);
  let left = total - lo.reduce((sum, x) => sum + x, 0);
  const room = roomsOf(domains, lo, capOf);
  const order = [...lo.keys()]
    .filter((i) => hi[i]! > lo[i]!)
    .sort((a, b) => preference(a, b, have, lo, share) || tie(a) - tie(b) || a - b);
  for (const node of order) {
    if (left === 0) break;
    const path = domains.pathOf[node]!;
    if (path.some((g) => room[g.id]! < 1)) continue;
    for (const g of path) room[g.id]! -= 1;
    want[node]! += 1;
    left -= 1;
  }
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
