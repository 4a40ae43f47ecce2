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

/** Brings every count into [lo, hi] along shortest chains of transfers, as `even` does for copies. */
const evenLeaders = (list: LeaderLists, { lo, hi }: Aims): void => {
  const { count } = list;
  const chains = new Chains(list);
  chains.run(
    (n) => count[n]! > hi[n]!,
    (n) => count[n]! < lo[n]!,
  );
  chains.run(
    (n) => count[n]! > hi[n]!,
    (n) => count[n]! < hi[n]!,
  );
  chains.run(
    (n) => count[n]! > lo[n]!,
    (n) => count[n]! < lo[n]!,
  );
};

type Test = (node: number) => boolean;

/**
 * Transfers are a flow: a node may pass on each partition that it leads to any of that partition's other candidates. In phases (Dinic,
 * 1970): one search from all sources at once finds how far the nearest sink is, then chains of just that length are taken until none is
 * left; each phase is longer than the one before, so no partition is looked at more than twice in it.
 */
class Chains {
  private readonly queue: Int32Array;
  private readonly level: Int32Array;
  /** The next partition to try at each node of a phase; NOWHERE at its end. */
  private readonly at: Int32Array;
  /** The chain at hand: its nodes, and the partitions that go from each to the next. */
  private readonly nodes: Int32Array;
  private readonly items: Int32Array;

  constructor(private readonly list: LeaderLists) {
    const { nodes } = list;
    this.queue = new Int32Array(nodes);
    this.level = new Int32Array(nodes);
    this.at = new Int32Array(nodes);
    this.nodes = new Int32Array(nodes + 1);
    this.items = new Int32Array(nodes + 1);
  }

  run(isSource: Test, isSink: Test): void {
    for (;;) {
      const sources: number[] = [];
      for (let n = 0; n < this.list.nodes; n += 1) if (isSource(n) && !isSink(n)) sources.push(n);
      const length = this.measure(sources, isSink);
      if (length < 0) return;
      this.at.set(this.list.head);
      for (const source of sources) while (isSource(source) && this.follow(source, length, isSink));
    }
  }

  /** Levels from the sources on, as far as the nearest sink. @returns its level, or -1 */
  private measure(sources: readonly number[], isSink: Test): number {
    const { list, queue, level } = this;
    const { candidates, stride } = list.leads;
    level.fill(NOWHERE);
    let end = 0;
    for (const source of sources) {
      level[source] = 0;
      queue[end++] = source;
    }
    let found = Infinity;
    for (let at = 0; at < end; at += 1) {
      const node = queue[at]!;
      const next = level[node]! + 1;
      if (next > found) break;
      for (let p = list.head[node]!; p >= 0; p = list.next[p]!)
        for (let k = p * stride; k < (p + 1) * stride && candidates[k]! >= 0; k += 1) {
          const to = candidates[k]!;
          if (level[to]! >= 0) continue;
          level[to] = next;
          queue[end++] = to;
          if (isSink(to)) found = next;
        }
    }
    return found === Infinity ? -1 : found;
  }

  /** Takes one chain of `length` transfers from `source` to a sink. @returns false when there is none left */
  private follow(source: number, length: number, isSink: Test): boolean {
    const { nodes, items, at } = this;
    let depth = 0;
    nodes[0] = source;
    while (depth >= 0) {
      if (depth === length) return this.take(length);
      const to = this.step(nodes[depth]!, depth + 1, length, isSink);
      // Nothing leads on from here in this phase: back, and another way from there.
      if (to < 0) depth -= 1;
      else {
        items[depth] = at[nodes[depth]!]!;
        depth += 1;
        nodes[depth] = to;
      }
    }
    return false;
  }

  private take(length: number): true {
    const { nodes, items, at, list } = this;
    for (let i = length - 1; i >= 0; i -= 1) {
      at[nodes[i]!] = list.next[items[i]!]!;
      list.lead(items[i]!, nodes[i + 1]!);
    }
    return true;
  }

  /** A node of the next level that is no dead end; `at[node]` then names the partition that would go there. */
  private step(node: number, level: number, length: number, isSink: Test): number {
    const { list, at } = this;
    const { candidates, stride } = list.leads;
    for (let p = at[node]!; p >= 0; p = list.next[p]!)
      for (let k = p * stride; k < (p + 1) * stride && candidates[k]! >= 0; k += 1) {
        const to = candidates[k]!;
        if (this.level[to] !== level || (level === length ? !isSink(to) : at[to] === NOWHERE)) continue;
        at[node] = p;
        return to;
      }
    at[node] = NOWHERE;
    return NOWHERE;
  }
}
