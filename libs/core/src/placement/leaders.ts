import { NOWHERE } from './board.js';
import type { Domains, Group } from './domains.js';
import { eachMixed, mix } from './mix.js';
import type { Movers } from './paths.js';
import { even } from './paths.js';
import type { Aims } from './shares.js';
import { fairShares, wholeAims } from './shares.js';

/** Leaderships of partitions: the candidates of `p` stand in cells p x stride up to the first NOWHERE; `leader[p]` leads, or NOWHERE. */
export interface Leaderships {
  readonly partitions: number;
  readonly stride: number;
  readonly candidates: Int32Array;
  readonly leader: Int32Array;
}

/** The same leaves without domains: leadership spreads by weight alone, bounded by what a node holds. */
const flat = (nodes: number, weight: Float64Array): Domains => {
  const children = Array.from({ length: nodes }, (_, node): Group => ({
    id: node,
    node,
    constraint: -1,
    domain: -1,
    children: [],
    weight: weight[node]!,
    slots: 1,
    least: 0,
  }));
  const root: Group = {
    id: nodes,
    node: -1,
    constraint: -1,
    domain: -1,
    children,
    weight: weight.reduce((a, b) => a + b, 0),
    slots: Infinity,
    least: 0,
  };
  return { size: nodes, constraints: [], root, groups: nodes + 1, pathOf: children.map((leaf) => [root, leaf]) };
};

/** Chooses a leader where there is none and evens the counts out with few transfers. Changes `leader` in place. */
export const balanceLeaders = (nodes: number, weight: Float64Array, leads: Leaderships, seed: number): Aims => {
  const { partitions, stride, candidates, leader } = leads;
  const list = new LeaderLists(nodes, leads);
  const held = new Int32Array(nodes);
  let total = 0;
  for (let p = 0; p < partitions; p += 1) {
    if (candidates[p * stride]! >= 0) total += 1;
    for (let k = p * stride; k < (p + 1) * stride && candidates[k]! >= 0; k += 1) held[candidates[k]!]! += 1;
  }
  const aims = leaderAims(flat(nodes, weight), total, held, list.count, seed);
  const { want } = aims;
  const start = want.map((w, node) => Math.max(1, w - list.count[node]!));
  eachMixed(partitions, (p) => {
    if (leader[p]! >= 0 || candidates[p * stride]! < 0) return;
    let best = NOWHERE;
    let most = -Infinity;
    for (let k = p * stride; k < (p + 1) * stride && candidates[k]! >= 0; k += 1) {
      const node = candidates[k]!;
      const score = (want[node]! - list.count[node]! - mix(seed, p, node)) / start[node]!;
      if (score > most) {
        most = score;
        best = node;
      }
    }
    list.lead(p, best);
  });
  transferDirectly(list, aims);
  even(moversOf(list), aims);
  return aims;
};

const leaderAims = (domains: Domains, total: number, held: Int32Array, have: Int32Array, seed: number): Aims => {
  const capOf = (group: Group): number => (group.node < 0 ? Infinity : held[group.node]!);
  return wholeAims(domains, fairShares(domains, total, { capOf }), total, have, { capOf }, (node) =>
    mix(seed, node, 3),
  );
};

/** Partitions by their leader: a doubly linked list through the partitions. */
class LeaderLists {
  readonly count: Int32Array;
  readonly head: Int32Array;
  readonly next: Int32Array;
  private readonly prev: Int32Array;

  constructor(
    readonly nodes: number,
    readonly leads: Leaderships,
  ) {
    const { partitions, leader } = leads;
    this.count = new Int32Array(nodes);
    this.head = new Int32Array(nodes).fill(NOWHERE);
    this.next = new Int32Array(partitions).fill(NOWHERE);
    this.prev = new Int32Array(partitions).fill(NOWHERE);
    eachMixed(partitions, (p) => {
      if (leader[p]! >= 0) this.link(p, leader[p]!);
    });
  }

  lead(p: number, node: number): void {
    const { leader } = this.leads;
    if (leader[p]! >= 0) this.unlink(p, leader[p]!);
    leader[p] = node;
    this.link(p, node);
  }

  private link(p: number, node: number): void {
    const first = this.head[node]!;
    this.next[p] = first;
    this.prev[p] = NOWHERE;
    if (first >= 0) this.prev[first] = p;
    this.head[node] = p;
    this.count[node]! += 1;
  }

  private unlink(p: number, node: number): void {
    const next = this.next[p]!;
    const prev = this.prev[p]!;
    if (prev >= 0) this.next[prev] = next;
    else this.head[node] = next;
    if (next >= 0) this.prev[next] = prev;
    this.count[node]! -= 1;
  }
}

/** From nodes above their aim to holders below theirs, as far as one transfer each does it. */
const transferDirectly = (list: LeaderLists, { lo, hi, want }: Aims): void => {
  const { candidates, stride } = list.leads;
  for (let node = 0; node < list.nodes; node += 1) {
    for (let p = list.head[node]!; p >= 0 && list.count[node]! > want[node]!;) {
      const following = list.next[p]!;
      let best = NOWHERE;
      let most = 0;
      for (let k = p * stride; k < (p + 1) * stride && candidates[k]! >= 0; k += 1) {
        const to = candidates[k]!;
        const lacks = want[to]! - list.count[to]!;
        if (lacks > most && (list.count[node]! > hi[node]! || list.count[to]! < lo[to]!)) {
          most = lacks;
          best = to;
        }
      }
      if (best >= 0) list.lead(p, best);
      p = following;
    }
  }
};

const moversOf = (list: LeaderLists): Movers => ({
  size: list.nodes,
  count: list.count,
  apply: (hop) => list.lead(hop.item, hop.to),
  expand: (node, cost, unseen, _sinks, visit) => {
    if (cost === 0) return;
    const { candidates, stride } = list.leads;
    for (let p = list.head[node]!; p >= 0; p = list.next[p]!)
      for (let k = p * stride; k < (p + 1) * stride && candidates[k]! >= 0; k += 1) {
        const to = candidates[k]!;
        if (unseen.has(to) && visit(to, p, NOWHERE)) return;
      }
  },
});
