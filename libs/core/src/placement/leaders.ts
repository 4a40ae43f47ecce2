import { NOWHERE } from './board.js';
import type { Domains, Group } from './domains.js';
import { eachMixed, mix } from './mix.js';
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
  evenLeaders(list, aims);
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

/**
 * Brings every count into [lo, hi] along shortest chains of transfers, as `even` does for copies. Sources are taken one by one, first
 * those that one transfer helps, then two: distances to a sink only grow, so that no source is looked at twice for the same length.
 */
const evenLeaders = (list: LeaderLists, { lo, hi }: Aims): void => {
  const { count } = list;
  const search = new ChainSearch(list);
  search.run(
    (n) => count[n]! > hi[n]!,
    (n) => count[n]! < lo[n]!,
  );
  search.run(
    (n) => count[n]! > hi[n]!,
    (n) => count[n]! < hi[n]!,
  );
  search.run(
    (n) => count[n]! > lo[n]!,
    (n) => count[n]! < lo[n]!,
  );
};

type Test = (node: number) => boolean;

class ChainSearch {
  private readonly queue: Int32Array;
  private readonly stamp: Int32Array;
  private readonly from: Int32Array;
  private readonly item: Int32Array;
  private round = 0;
  /** Whether the last search ended at its depth and not for want of nodes. */
  private cut = false;

  constructor(private readonly list: LeaderLists) {
    const { nodes } = list;
    this.queue = new Int32Array(nodes);
    this.stamp = new Int32Array(nodes);
    this.from = new Int32Array(nodes);
    this.item = new Int32Array(nodes);
  }

  run(isSource: Test, isSink: Test): void {
    const { nodes } = this.list;
    const all = Array.from({ length: nodes }, (_, n) => n);
    let sources = all.filter((n) => isSource(n) && !isSink(n));
    for (let depth = 1; sources.length > 0 && all.some(isSink); depth += 1) {
      const next: number[] = [];
      for (const source of sources) {
        let sink = 0;
        while (sink >= 0 && isSource(source)) {
          sink = this.search(source, depth, isSink);
          if (sink >= 0) this.apply(source, sink);
        }
        if (isSource(source) && this.cut) next.push(source);
      }
      sources = next;
    }
  }

  private search(source: number, depth: number, isSink: Test): number {
    const { list, queue, stamp } = this;
    const { candidates, stride } = list.leads;
    this.round += 1;
    stamp[source] = this.round;
    queue[0] = source;
    let end = 1;
    let at = 0;
    for (let level = 0; level < depth; level += 1) {
      const last = end;
      for (; at < last; at += 1) {
        const node = queue[at]!;
        for (let p = list.head[node]!; p >= 0; p = list.next[p]!)
          for (let k = p * stride; k < (p + 1) * stride && candidates[k]! >= 0; k += 1) {
            const to = candidates[k]!;
            if (stamp[to] === this.round) continue;
            stamp[to] = this.round;
            this.from[to] = node;
            this.item[to] = p;
            if (isSink(to)) return to;
            queue[end++] = to;
          }
      }
      if (at === end) {
        this.cut = false;
        return NOWHERE;
      }
    }
    this.cut = true;
    return NOWHERE;
  }

  private apply(source: number, sink: number): void {
    for (let node = sink; node !== source; node = this.from[node]!) this.list.lead(this.item[node]!, node);
  }
}
