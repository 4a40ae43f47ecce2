import type { Board } from './board.js';
import { NOWHERE } from './board.js';
import type { Group } from './domains.js';
import { Dice } from './mix.js';

/** Places looked at before one is chosen: two choices already even out the partners (Azar et al., Balanced Allocations, 1994). */
const CHOICES = 4;
const TRIES = 16;

/**
 * What each node still lacks, as a bag that holds a node once for each copy that it lacks. Drawing from it chooses in proportion
 * to the need at no cost for its size; of a few draws the one wins that shares least with the holders of the other copies.
 */
export class Needs {
  private readonly need: Int32Array;
  private readonly bag: Int32Array;
  private left: number;
  /** Nodes that lack a copy. */
  openCount: number;
  /** Copies that were placed without being drawn: that many entries of the node are void. */
  private readonly void: Int32Array;
  private readonly dice: Dice;
  private readonly tight: readonly Tight[];
  /** Among many nodes a pair shares little anyway, and each look costs more. */
  private readonly choices: number;

  constructor(
    private readonly board: Board,
    private readonly want: Int32Array,
    seed: number,
    /** Partitions that are still to be placed from nothing; 0 otherwise. */
    fresh = 0,
  ) {
    this.need = Int32Array.from(want, (w, n) => Math.max(0, w - board.count[n]!));
    this.left = this.need.reduce((a, b) => a + b, 0);
    this.openCount = this.need.reduce((open, need) => open + Number(need > 0), 0);
    this.bag = new Int32Array(this.left);
    let at = 0;
    this.need.forEach((need, node) => {
      this.bag.fill(node, at, at + need);
      at += need;
    });
    this.void = new Int32Array(want.length);
    this.dice = new Dice(seed);
    this.choices = board.nodes > 2048 ? 2 : CHOICES;
    this.tight = fresh > 0 ? tightOf(board, this.need, fresh) : [];
  }

  get isEmpty(): boolean {
    return this.left === 0;
  }

  /** To be told of each copy on its way. */
  taken(node: number): void {
    if (this.need[node]! <= 0) return;
    this.need[node]! -= 1;
    if (this.need[node] === 0) this.openCount -= 1;
    this.void[node]! += 1;
    for (const t of this.tight) if (t.group[node] === 1) t.need -= 1;
  }

  /**
   * A place for a copy of `p`, for a new one or for the one that leaves `slot`. With `rest` (partitions that are still to be placed
   * from nothing, this one included) a domain that needs every one of them comes first, or it could not be filled any more.
   */
  choose(p: number, slot = NOWHERE, rest = Infinity, most = Infinity, tries = TRIES): number {
    for (const t of this.tight)
      if (t.need >= t.slots * rest) {
        const node = this.scan(p, slot, most, t.group);
        if (node >= 0) return node;
      }
    let best = NOWHERE;
    let least = Infinity;
    let found = 0;
    for (let i = 0; i < tries && found < this.choices && this.left > 0; i += 1) {
      const node = this.draw();
      if (node < 0 || !this.board.canHold(p, node, slot)) continue;
      const score = this.score(p, node, slot);
      if (score > most) continue;
      if (least === Infinity || score < least) {
        least = score;
        best = node;
      }
      if (score === 0) return node;
      found += 1;
    }
    return best;
  }

  /** As `choose`, but looks at every node. */
  scan(p: number, slot = NOWHERE, most = Infinity, among?: Uint8Array): number {
    let best = NOWHERE;
    let least = Infinity;
    for (let node = 0; node < this.need.length; node += 1) {
      if (this.need[node]! <= 0 || (among && among[node] === 0) || !this.board.canHold(p, node, slot)) continue;
      const score = this.score(p, node, slot) - this.need[node]! / (this.want[node]! + 1);
      if (score <= most && score < least) {
        least = score;
        best = node;
      }
    }
    return best;
  }

  private score(p: number, node: number, slot: number): number {
    const { board } = this;
    const found = board.classFor(p);
    const shared = board.pairs.shared(board.now, p * board.stride, board.size[p]!, slot, node);
    // More weight, more partners: what counts is how much is shared for what the node will hold.
    const score = shared / (this.want[node]! + 1);
    const broken = found.soft.length > 0 ? board.softly(p, node, slot) : 0;
    return broken * 1000 + (found.few ? -score : score);
  }

  /** A node in proportion to what it lacks; void entries that come up leave the bag. */
  private draw(): number {
    while (this.left > 0) {
      const at = this.dice.below(this.left);
      const node = this.bag[at]!;
      if (this.void[node] === 0) return node;
      this.void[node]! -= 1;
      this.left -= 1;
      this.bag[at] = this.bag[this.left]!;
    }
    return NOWHERE;
  }
}

interface Tight {
  readonly group: Uint8Array;
  readonly slots: number;
  need: number;
}

/** Domains that need nearly every partition there is. */
const tightOf = (board: Board, need: Int32Array, fresh: number): Tight[] => {
  const tight: Tight[] = [];
  const walk = (group: Group): number => {
    if (group.node >= 0) {
      if (need[group.node]! >= fresh * 0.8) tight.push(tightly([group.node], 1, need[group.node]!));
      return need[group.node]!;
    }
    const sum = group.children.reduce((total, child) => total + walk(child), 0);
    if (group.constraint >= 0 && sum >= group.slots * fresh * 0.8)
      tight.push(tightly(nodesOf(group), group.slots, sum));
    return sum;
  };
  const tightly = (nodes: readonly number[], slots: number, sum: number): Tight => {
    const members = new Uint8Array(need.length);
    for (const node of nodes) members[node] = 1;
    return { group: members, slots, need: sum };
  };
  if (board.classes.length === 1) walk(board.classes[0]!.domains.root);
  return tight;
};

const nodesOf = (group: Group): number[] => (group.node >= 0 ? [group.node] : group.children.flatMap(nodesOf));
