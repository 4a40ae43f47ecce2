import { NOWHERE } from './board.js';
import type { Domains, Group } from './domains.js';
import { mix } from './mix.js';
import type { Movers } from './paths.js';
import { even } from './paths.js';
import type { Aims } from './shares.js';
import { fairShares, wholeAims } from './shares.js';

/** Leaderships of partitions: `candidates[p]` may lead (none: the partition is left out), `leader[p]` does, or NOWHERE. */
export interface Leaderships {
  readonly candidates: readonly (readonly number[])[];
  readonly leader: Int32Array;
}

/** The same leaves without domains: leadership spreads by weight alone, bounded by what a node holds. */
const flat = (domains: Domains): Domains => {
  const leaves = domains.pathOf.map((path) => path.at(-1)!);
  const root: Group = { ...domains.root, children: leaves };
  return { ...domains, constraints: [], root, pathOf: leaves.map((leaf) => [root, leaf]) };
};

/** Chooses a leader where there is none and evens the counts out with few transfers. Changes `leader` in place. */
export const balanceLeaders = (
  domains: Domains,
  { candidates, leader }: Leaderships,
  order: Int32Array,
  seed: number,
): Aims => {
  const held = new Int32Array(domains.size);
  const count = new Int32Array(domains.size);
  const led: number[][] = Array.from({ length: domains.size }, () => []);
  let total = 0;
  for (const p of order) {
    if (candidates[p]!.length > 0) total += 1;
    for (const node of candidates[p]!) held[node]! += 1;
    if (leader[p]! >= 0) {
      count[leader[p]!]! += 1;
      led[leader[p]!]!.push(p);
    }
  }
  const aims = leaderAims(flat(domains), total, held, count, seed);
  const lead = (p: number, node: number): void => {
    if (leader[p]! >= 0) count[leader[p]!]! -= 1;
    leader[p] = node;
    count[node]! += 1;
    led[node]!.push(p);
  };
  const start = aims.want.map((want, node) => Math.max(1, want - count[node]!));
  const score = (p: number, node: number): number =>
    (aims.want[node]! - count[node]! - mix(seed, p, node)) / start[node]!;
  for (const p of order) {
    if (leader[p]! >= 0 || candidates[p]!.length === 0) continue;
    lead(
      p,
      candidates[p]!.reduce((a, b) => (score(p, b) > score(p, a) ? b : a)),
    );
  }
  even(moversOf(candidates, leader, count, led, lead), aims);
  return aims;
};

const leaderAims = (domains: Domains, total: number, held: Int32Array, have: Int32Array, seed: number): Aims => {
  const capOf = (group: Group): number => (group.node < 0 ? Infinity : held[group.node]!);
  return wholeAims(domains, fairShares(domains, total, capOf), total, have, capOf, (node) => mix(seed, node, 3));
};

const moversOf = (
  candidates: Leaderships['candidates'],
  leader: Int32Array,
  count: Int32Array,
  led: readonly number[][],
  lead: (p: number, node: number) => void,
): Movers => ({
  size: count.length,
  count,
  apply: (hop) => lead(hop.item, hop.to),
  expand: (node, cost, seen, visit) => {
    if (cost === 0) return;
    for (const p of led[node]!) {
      if (leader[p] !== node) continue;
      for (const to of candidates[p]!) if (seen[to] === 0 && visit(to, p, NOWHERE)) return;
    }
  },
});
