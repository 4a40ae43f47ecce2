import type { Domains, Group } from './domains.js';
import type { Hop, Movers } from './paths.js';
import { mix } from './mix.js';

/** No node: a copy that has no place yet, or had none before. */
export const NOWHERE = -1;

/**
 * Copies of a keyspace's partitions on nodes, by index. Each copy is a slot: `was` is where it stood before planning (NOWHERE for
 * one to be built), `now` where it will stand. Every change keeps the hard constraints among the copies of the partition.
 */
export class Board {
  readonly was: number[][];
  readonly now: number[][];
  readonly count: Int32Array;
  /** Partitions by node, in a mixed order; may name ones that have left since. */
  private readonly held: number[][];
  /** Slots of a partition that change. */
  private readonly changes: Uint8Array;

  constructor(
    readonly domains: Domains,
    kept: readonly (readonly number[])[],
    order: Int32Array,
  ) {
    this.was = kept.map((nodes) => [...nodes]);
    this.now = kept.map((nodes) => [...nodes]);
    this.count = new Int32Array(domains.size);
    this.changes = new Uint8Array(kept.length);
    this.held = Array.from({ length: domains.size }, () => []);
    for (const p of order) {
      for (const node of this.now[p]!) {
        this.held[node]!.push(p);
        this.count[node]! += 1;
      }
    }
  }

  get partitions(): number {
    return this.now.length;
  }

  /** Whether the hard constraints allow a copy on `node`, with the copy in `slot` left out. */
  canHold(p: number, node: number, slot = NOWHERE): boolean {
    const nodes = this.now[p]!;
    for (let k = 0; k < nodes.length; k += 1) if (k !== slot && nodes[k] === node) return false;
    for (const { of, max } of this.domains.constraints) {
      let same = 0;
      for (let k = 0; k < nodes.length; k += 1) if (k !== slot && of[nodes[k]!] === of[node]) same += 1;
      if (same >= max) return false;
    }
    return true;
  }

  add(p: number, node: number): void {
    this.was[p]!.push(NOWHERE);
    this.now[p]!.push(node);
    this.changes[p]! += 1;
    this.arrive(p, node);
  }

  move(p: number, slot: number, to: number): void {
    const nodes = this.now[p]!;
    this.count[nodes[slot]!]! -= 1;
    this.changes[p]! += this.differs(p, slot, to) - this.differs(p, slot, nodes[slot]!);
    nodes[slot] = to;
    this.arrive(p, to);
  }

  changed(p: number): boolean {
    return this.changes[p]! > 0;
  }

  /** Partitions on the node now, in a mixed order. */
  on(node: number): number[] {
    return this.held[node]!.filter((p) => this.now[p]!.includes(node));
  }

  /** How copies may move; with `again`, also a second copy of a partition that changes already. */
  movers(again: boolean): Movers {
    return {
      size: this.domains.size,
      count: this.count,
      apply: (hop: Hop) => (hop.from < 0 ? this.add(hop.item, hop.to) : this.move(hop.item, hop.slot, hop.to)),
      expand: (node, cost, seen, visit) => {
        for (const p of this.held[node]!) {
          const slot = this.now[p]!.indexOf(node);
          if (slot < 0 || this.costOf(p, slot, again) !== cost) continue;
          for (let to = 0; to < seen.length; to += 1)
            if (seen[to] === 0 && this.canHold(p, to, slot) && visit(to, p, slot)) return;
        }
      },
    };
  }

  private costOf(p: number, slot: number, again: boolean): number {
    if (this.differs(p, slot, this.now[p]![slot]!) === 1) return 0;
    return again || this.changes[p] === 0 ? 1 : Infinity;
  }

  private differs(p: number, slot: number, node: number): 0 | 1 {
    return this.was[p]![slot] === node ? 0 : 1;
  }

  private arrive(p: number, node: number): void {
    this.held[node]!.push(p);
    this.count[node]! += 1;
  }
}

/** What each node and group still lacks, and the choice of the next place in proportion to it. */
export class Needs {
  private readonly need: Float64Array;
  private readonly start: Float64Array;

  constructor(
    private readonly board: Board,
    private readonly want: Int32Array,
    private readonly seed: number,
  ) {
    this.need = new Float64Array(board.domains.groups);
    board.domains.pathOf.forEach((path, node) => {
      for (const group of path) this.need[group.id]! += Math.max(0, want[node]! - board.count[node]!);
    });
    this.start = this.need.slice();
  }

  /** To be told of each copy before it is placed. */
  taken(node: number): void {
    if (this.board.count[node]! >= this.want[node]!) return;
    for (const group of this.board.domains.pathOf[node]!) this.need[group.id]! -= 1;
  }

  /**
   * The place for another copy of `p` among nodes below their aim: down the hierarchy, by the share of the need that is left,
   * mixed so that partners vary. With `rest` (partitions still to be placed, this one included), a domain that needs every
   * one of them comes first, or it could not be filled any more.
   */
  choose(p: number, rest = Infinity): number {
    return this.descend(this.board.domains.root.children, p, rest);
  }

  /** The best place for a copy that leaves `slot`: nodes below their aim, by the share of the need that is left. */
  chooseFor(p: number, slot: number, candidates: readonly number[]): number {
    let best = NOWHERE;
    let most = -Infinity;
    for (const node of candidates) {
      const id = this.board.domains.pathOf[node]!.at(-1)!.id;
      if (this.need[id]! <= 0 || !this.board.canHold(p, node, slot)) continue;
      const score = this.score(id, p);
      if (score > most) {
        most = score;
        best = node;
      }
    }
    return best;
  }

  private descend(children: readonly Group[], p: number, rest: number): number {
    const open = children.filter((g) => this.need[g.id]! > 0 && (g.node < 0 || this.board.canHold(p, g.node)));
    const scores = new Map(open.map((g) => [g, this.need[g.id]! >= g.slots * rest ? Infinity : this.score(g.id, p)]));
    while (scores.size > 0) {
      let best = open[0]!;
      let most = -Infinity;
      for (const [g, score] of scores)
        if (score > most) {
          most = score;
          best = g;
        }
      scores.delete(best);
      const node = best.node >= 0 ? best.node : this.descend(best.children, p, rest);
      if (node >= 0) return node;
    }
    return NOWHERE;
  }

  private score(id: number, p: number): number {
    return (this.need[id]! - mix(this.seed, p, id)) / this.start[id]!;
  }
}
