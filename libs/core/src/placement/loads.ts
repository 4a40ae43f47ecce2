import type { Board } from './board.js';

/** One keyspace's part in the loads: a column of sizes for each dimension, by partition. */
export interface Loaded {
  readonly board: Board;
  readonly sizes: readonly (Float64Array | undefined)[];
  /** What moving a copy of a partition costs. */
  readonly cost: Float64Array | undefined;
}

/** What each node should hold of each dimension: row by dimension, column by node. */
export interface Bands {
  readonly lo: readonly Float64Array[];
  readonly hi: readonly Float64Array[];
  /** The share itself, which deviations are measured by. */
  readonly share: readonly Float64Array[];
}

/** Nodes that are looked at as the other end of a move; for swaps fewer, since each of their copies is tried. */
const PARTNERS = 24;
const DONORS = 6;
const SWAP_PARTNERS = 4;
/** Changes by one node before the others have their turn. */
const TURN = 8;
const ROUNDS = 60;
/** So many nodes are mended with one view of who is full and who is empty; each looks at a part of it of its own. */
const BATCH = 32;
const TINY = 1e-12;

/** A copy, and where it is. */
interface Item {
  readonly loaded: Loaded;
  readonly p: number;
  readonly slot: number;
  readonly node: number;
}

/** The best change that was found: what goes where, and what comes back in a swap. */
interface Best {
  gain: number;
  cost: number;
  out: Item | undefined;
  to: number;
  back: Item | undefined;
}

/**
 * Brings every node into its band on every dimension with little moved: a local search over single moves and swaps that lowers the
 * squared deviations beyond the bands, the best gain for its cost first. Depends on nothing but the state that it starts from.
 */
export class LoadBalancer {
  /** By dimension, by node. */
  readonly held: readonly Float64Array[];
  private readonly dimensions: number;

  constructor(
    private readonly all: readonly Loaded[],
    private readonly bands: Bands,
    /** Nodes that may hold something. */
    private readonly open: readonly number[],
    nodes: number,
  ) {
    this.dimensions = bands.lo.length;
    this.held = bands.lo.map(() => new Float64Array(nodes));
    for (const loaded of all) {
      const { board } = loaded;
      for (let p = 0; p < board.partitions; p += 1)
        for (let k = 0; k < board.size[p]!; k += 1) this.hold(loaded, p, board.now[p * board.stride + k]!, 1);
    }
  }

  /** What is out of its band, squared and summed over all nodes and dimensions. */
  badness(): number {
    return this.open.reduce((sum, n) => sum + this.badnessOf(n), 0);
  }

  /** The largest share by which a node is out of its band. */
  worst(): number {
    let worst = 0;
    for (const n of this.open)
      for (let d = 0; d < this.dimensions; d += 1) worst = Math.max(worst, Math.abs(this.excess(d, n, 0)));
    return worst;
  }

  run(): void {
    let swaps = false;
    for (let round = 0; round < ROUNDS; round += 1) {
      const changed = this.round(swaps);
      if (changed < 0 || (changed === 0 && swaps)) return;
      // Swaps look at far more: only when moves alone help no further.
      swaps = changed === 0;
    }
  }

  /** Number of changes; -1 when every node is in its bands. */
  private round(swaps: boolean): number {
    const bad = this.open.filter((n) => this.badnessOf(n) > TINY);
    if (bad.length === 0) return -1;
    // Those that hold too much first: what they shed fills those that hold too little.
    const badness = new Map(bad.map((n) => [n, this.badnessOf(n) + (this.isOver(n) ? 1e9 : 0)]));
    bad.sort((a, b) => badness.get(b)! - badness.get(a)! || a - b);
    let changed = 0;
    let byFill = this.byFill();
    for (const [i, node] of bad.entries()) {
      if (i > 0 && i % BATCH === 0) byFill = this.byFill();
      changed += this.mend(node, byFill, i % BATCH, swaps);
    }
    return changed;
  }

  /** Takes back every move that the bands do not need. */
  trim(isForced: (loaded: Loaded, cell: number) => boolean): void {
    for (const loaded of this.all) {
      const { board } = loaded;
      for (let p = 0; p < board.partitions; p += 1) {
        if (!board.changed(p)) continue;
        for (let slot = 0; slot < board.size[p]!; slot += 1) {
          const cell = p * board.stride + slot;
          const was = board.was[cell]!;
          const now = board.now[cell]!;
          if (was < 0 || was === now || isForced(loaded, cell) || !board.canHold(p, was, slot)) continue;
          if (this.gainOf(loaded, p, now, was) >= -TINY) this.move(loaded, p, slot, was);
        }
      }
    }
  }

  move(loaded: Loaded, p: number, slot: number, to: number): void {
    this.hold(loaded, p, loaded.board.now[p * loaded.board.stride + slot]!, -1);
    loaded.board.move(p, slot, to);
    this.hold(loaded, p, to, 1);
  }

  private hold({ sizes }: Loaded, p: number, node: number, sign: 1 | -1): void {
    for (let d = 0; d < this.dimensions; d += 1) this.held[d]![node]! += sign * (sizes[d]?.[p] ?? 0);
  }

  /** Beyond the band, as a fraction of the share; negative where too little is held. */
  private excess(d: number, node: number, more: number): number {
    const { lo, hi, share } = this.bands;
    const held = this.held[d]![node]! + more;
    const scale = Math.max(share[d]![node]!, 1e-9);
    if (held > hi[d]![node]!) return (held - hi[d]![node]!) / scale;
    return held < lo[d]![node]! ? (held - lo[d]![node]!) / scale : 0;
  }

  private badnessOf(node: number): number {
    let sum = 0;
    for (let d = 0; d < this.dimensions; d += 1) {
      const excess = this.excess(d, node, 0);
      sum += excess * excess;
    }
    return sum;
  }

  /** As `badnessOf`, with a copy more (`sign` 1) or less, and another one the other way round. */
  private badnessWith(node: number, { sizes }: Loaded, p: number, sign: 1 | -1, other?: Loaded, q = 0): number {
    let sum = 0;
    for (let d = 0; d < this.dimensions; d += 1) {
      const column = sizes[d];
      let more = column === undefined ? 0 : column[p]!;
      if (other !== undefined) more -= other.sizes[d]?.[q] ?? 0;
      const excess = this.excess(d, node, sign * more);
      sum += excess * excess;
    }
    return sum;
  }

  /** How much less is out of band when a copy goes to `to`. */
  private gainOf(loaded: Loaded, p: number, node: number, to: number): number {
    return (
      this.badnessOf(node) +
      this.badnessOf(to) -
      this.badnessWith(node, loaded, p, -1) -
      this.badnessWith(to, loaded, p, 1)
    );
  }

  private costOf({ board, cost }: Loaded, p: number, cell: number): number {
    // What moves anyway costs nothing more; a little, so that gains decide.
    return board.was[cell] !== board.now[cell] ? 1e-6 : 1e-6 + (cost === undefined ? 1 : cost[p]!);
  }

  /** The fullest dimension of each node decides its place: the emptiest first. */
  private byFill(): Int32Array {
    const fill = (n: number): number => {
      let most = -Infinity;
      for (let d = 0; d < this.dimensions; d += 1)
        most = Math.max(most, this.held[d]![n]! / Math.max(this.bands.share[d]![n]!, 1e-9));
      return most;
    };
    const fills = new Float64Array(this.held[0]?.length ?? 0);
    for (const n of this.open) fills[n] = fill(n);
    return Int32Array.from([...this.open].sort((a, b) => fills[a]! - fills[b]! || a - b));
  }

  /** Number of changes made. `nth` of those that share this view of who is empty. */
  private mend(node: number, byFill: Int32Array, nth: number, swaps: boolean): number {
    let made = 0;
    while (made < TURN && this.badnessOf(node) > TINY) {
      const isOver = this.isOver(node);
      const best: Best = { gain: 0, cost: 1, out: undefined, to: -1, back: undefined };
      if (isOver) this.push(node, partOf(byFill, nth, PARTNERS), best);
      else this.pull(node, partOf(byFill.slice().reverse(), nth, DONORS), best);
      if (!best.out && swaps) this.swap(node, isOver ? byFill : byFill.slice().reverse(), best);
      const { out, to, back } = best;
      if (!out) break;
      this.move(out.loaded, out.p, out.slot, to);
      if (back) this.move(back.loaded, back.p, back.slot, node);
      made += 1;
    }
    return made;
  }

  private isOver(node: number): boolean {
    for (let d = 0; d < this.dimensions; d += 1) if (this.excess(d, node, 0) > 0) return true;
    return false;
  }

  private isFixed({ board }: Loaded, p: number, node: number): boolean {
    return board.still[p] === 1 || board.isPinned(p, node);
  }

  /** A copy of the node for one of the emptiest others. */
  private push(node: number, byFill: Int32Array, best: Best): void {
    const count = byFill.length;
    const bad = this.badnessOf(node);
    const others = new Float64Array(count);
    let most = 0;
    for (let i = 0; i < count; i += 1) {
      others[i] = this.badnessOf(byFill[i]!);
      most = Math.max(most, others[i]!);
    }
    for (const loaded of this.all) {
      const { board } = loaded;
      const { stride } = board;
      for (let cell = board.head[node]!; cell >= 0; cell = board.next[cell]!) {
        const p = (cell / stride) | 0;
        if (this.isFixed(loaded, p, node)) continue;
        const own = bad - this.badnessWith(node, loaded, p, -1);
        const cost = this.costOf(loaded, p, cell);
        if (own + most <= TINY || (own + most) * best.cost <= best.gain * cost) continue;
        for (let i = 0; i < count; i += 1) {
          const to = byFill[i]!;
          if (to === node || (own + others[i]!) * best.cost <= best.gain * cost) continue;
          const gain = own + others[i]! - this.badnessWith(to, loaded, p, 1);
          if (gain <= TINY || gain * best.cost <= best.gain * cost) continue;
          const slot = cell - p * stride;
          if (board.canHold(p, to, slot)) this.keep(best, gain, cost, { loaded, p, slot, node }, to);
        }
      }
    }
  }

  /** A copy of one of the fullest others for the node. */
  private pull(node: number, donors: Int32Array, best: Best): void {
    const count = donors.length;
    const bad = this.badnessOf(node);
    for (let i = 0; i < count; i += 1) {
      const donor = donors[i]!;
      if (donor === node) continue;
      const donorBad = this.badnessOf(donor);
      for (const loaded of this.all) {
        const { board } = loaded;
        const { stride } = board;
        for (let cell = board.head[donor]!; cell >= 0; cell = board.next[cell]!) {
          const p = (cell / stride) | 0;
          if (this.isFixed(loaded, p, donor)) continue;
          const own = bad - this.badnessWith(node, loaded, p, 1);
          const cost = this.costOf(loaded, p, cell);
          if (own + donorBad <= TINY || (own + donorBad) * best.cost <= best.gain * cost) continue;
          const gain = own + donorBad - this.badnessWith(donor, loaded, p, -1);
          if (gain <= TINY || gain * best.cost <= best.gain * cost) continue;
          const slot = cell - p * stride;
          if (board.canHold(p, node, slot)) this.keep(best, gain, cost, { loaded, p, slot, node: donor }, node);
        }
      }
    }
  }

  /** Copies of the node for copies of others; both nodes' constraints must allow it without the copy that goes. */
  private swap(node: number, partners: Int32Array, best: Best): void {
    const count = Math.min(SWAP_PARTNERS, partners.length);
    const bad = this.badnessOf(node);
    const outs = this.itemsOn(node);
    for (let i = 0; i < count; i += 1) {
      const other = partners[i]!;
      if (other === node) continue;
      const most = bad + this.badnessOf(other);
      const backs = this.itemsOn(other);
      for (const out of outs) {
        const outCost = this.costOf(out.loaded, out.p, out.p * out.loaded.board.stride + out.slot);
        if (most * best.cost <= best.gain * outCost) continue;
        for (const back of backs) {
          if (out.p === back.p && out.loaded === back.loaded) continue;
          const left = this.badnessWith(node, out.loaded, out.p, -1, back.loaded, back.p);
          if (most - left <= TINY) continue;
          const gain = most - left - this.badnessWith(other, out.loaded, out.p, 1, back.loaded, back.p);
          if (gain <= TINY) continue;
          const cost = outCost + this.costOf(back.loaded, back.p, back.p * back.loaded.board.stride + back.slot);
          if (gain * best.cost <= best.gain * cost) continue;
          if (this.canSwap(out, back)) this.keep(best, gain, cost, out, other, back);
        }
      }
    }
  }

  private keep(best: Best, gain: number, cost: number, out: Item, to: number, back?: Item): void {
    best.gain = gain;
    best.cost = cost;
    best.out = out;
    best.to = to;
    best.back = back;
  }

  private canSwap(out: Item, back: Item): boolean {
    return (
      out.loaded.board.canHold(out.p, back.node, out.slot) && back.loaded.board.canHold(back.p, out.node, back.slot)
    );
  }

  /** Copies of a node that may move. */
  private itemsOn(node: number): Item[] {
    const items: Item[] = [];
    for (const loaded of this.all) {
      const { board } = loaded;
      for (let cell = board.head[node]!; cell >= 0; cell = board.next[cell]!) {
        const p = Math.floor(cell / board.stride);
        if (!this.isFixed(loaded, p, node)) items.push({ loaded, p, slot: cell - p * board.stride, node });
      }
    }
    return items;
  }
}

/** A window of the first half, another one for each of those that share the view; the whole of a small list. */
const partOf = (order: Int32Array, nth: number, size: number): Int32Array => {
  const half = Math.max(size, order.length >> 1);
  const from = half <= size ? 0 : (nth * size) % (half - size);
  return order.subarray(from, Math.min(order.length, from + size));
};
