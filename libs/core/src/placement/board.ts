import type { PlacementClass } from './classes.js';
import type { Hop, Movers } from './paths.js';
import { Pairs } from './pairs.js';
import { eachMixed } from './mix.js';

/** No node: a copy that has no place yet, or had none before. */
export const NOWHERE = -1;

/** How much of a limited thing each node may hold, over all keyspaces; shared by the boards of one plan. */
export interface Budget {
  readonly used: Float64Array;
  /** Above this nothing comes for balance. */
  readonly low: Float64Array;
  /** Above this nothing comes at all. */
  readonly high: Float64Array;
}

/** What a partition takes of a budget. */
export interface Weighing {
  readonly name: string;
  readonly budget: Budget;
  readonly sizes: Float64Array;
}

/**
 * Copies of a keyspace's partitions on nodes, by index, in columns. Each copy is a cell (partition x stride + slot): `was` is where
 * it stood before planning (NOWHERE for one to be built), `now` where it will stand. Every change keeps the hard constraints.
 */
export class Board {
  readonly was: Int32Array;
  readonly now: Int32Array;
  /** Copies of each partition. */
  readonly size: Uint8Array;
  readonly count: Int32Array;
  readonly pairs: Pairs;
  /** Cells by node, in a mixed order: a doubly linked list through the cells. */
  readonly head: Int32Array;
  readonly next: Int32Array;
  private readonly prev: Int32Array;
  private readonly changes: Uint8Array;
  /** Nodes that must hold a copy of a partition. */
  readonly pinned = new Map<number, readonly number[]>();
  /** 1 where planning for balance leaves a partition alone. */
  readonly still: Uint8Array;
  /** Copies move for balance now, so that nodes above their low watermark take none. */
  balancing = false;
  /** 1 where planning can do nothing at all. */
  readonly absent: Uint8Array;

  /** @param kept partitions x stride, all NOWHERE */
  constructor(
    readonly nodes: number,
    readonly partitions: number,
    readonly stride: number,
    readonly classes: readonly PlacementClass[],
    readonly classOf: Uint8Array,
    kept: Int32Array,
    readonly weighings: readonly Weighing[] = [],
  ) {
    this.was = kept;
    this.now = kept.slice();
    this.size = new Uint8Array(partitions);
    this.count = new Int32Array(nodes);
    this.pairs = new Pairs(nodes);
    this.head = new Int32Array(nodes).fill(NOWHERE);
    this.next = new Int32Array(kept.length).fill(NOWHERE);
    this.prev = new Int32Array(kept.length).fill(NOWHERE);
    this.changes = new Uint8Array(partitions);
    this.still = new Uint8Array(partitions);
    this.absent = new Uint8Array(partitions);
  }

  /** Whether a copy that is on `node` already may stay beside those that were kept before it. */
  mayKeep(p: number, node: number): boolean {
    const { constraints } = this.classFor(p).domains;
    const base = p * this.stride;
    for (let i = 0; i < constraints.length; i += 1) {
      const { of, max } = constraints[i]!;
      let same = 0;
      for (let k = base; k < base + this.size[p]!; k += 1) if (of[this.now[k]!] === of[node]) same += 1;
      if (same >= max) return false;
    }
    return this.keepsOwed(p, node, NOWHERE, this.classFor(p));
  }

  /** No copy stays, as yet; only before `begin`. */
  release(p: number): void {
    const base = p * this.stride;
    for (let k = base; k < base + this.size[p]!; k += 1) {
      this.was[k] = NOWHERE;
      this.now[k] = NOWHERE;
    }
    this.size[p] = 0;
  }

  /** A copy that stays; only before `begin`. */
  keep(p: number, node: number): void {
    const cell = p * this.stride + this.size[p]!;
    this.was[cell] = node;
    this.now[cell] = node;
    this.size[p]! += 1;
  }

  /** After all copies that stay are known. */
  begin(): void {
    eachMixed(this.partitions, (p) => {
      for (let slot = 0; slot < this.size[p]!; slot += 1) {
        const node = this.now[p * this.stride + slot]!;
        this.pairs.add(this.now, p * this.stride, slot, node);
        this.weigh(p, node, 1);
        this.arrive(p, p * this.stride + slot, node);
      }
    });
  }

  classFor(p: number): PlacementClass {
    return this.classes[this.classOf[p]!]!;
  }

  slotOf(p: number, node: number): number {
    const base = p * this.stride;
    for (let k = 0; k < this.size[p]!; k += 1) if (this.now[base + k] === node) return k;
    return NOWHERE;
  }

  /** Whether the hard constraints allow a copy on `node`, with the copy in `slot` left out. */
  canHold(p: number, node: number, slot = NOWHERE): boolean {
    const found = this.classes[this.classOf[p]!]!;
    if (found.allowed[node] === 0) return false;
    const { now } = this;
    const base = p * this.stride;
    const end = base + this.size[p]!;
    const left = slot < 0 ? NOWHERE : base + slot;
    for (let k = base; k < end; k += 1) if (k !== left && now[k] === node) return false;
    const { constraints } = found.domains;
    for (let i = 0; i < constraints.length; i += 1) {
      const { of, max } = constraints[i]!;
      const domain = of[node];
      let same = 0;
      for (let k = base; k < end; k += 1) if (k !== left && of[now[k]!] === domain) same += 1;
      if (same >= max) return false;
    }
    return (this.weighings.length === 0 || this.hasRoom(p, node)) && this.keepsOwed(p, node, slot, found);
  }

  /** Places are left for all copies that named domains and pins still ask for. */
  private keepsOwed(p: number, node: number, slot: number, found: PlacementClass): boolean {
    if (this.pinned.size === 0 && !found.owes) return true;
    const after = this.owed(p, node, slot);
    if (after === 0) return true;
    const before = this.owed(p, NOWHERE, NOWHERE);
    if (slot >= 0) return after <= Math.max(found.copies - this.size[p]!, before);
    return after <= Math.max(found.copies - this.size[p]! - 1, before - 1);
  }

  /** Copies that domains and pins still ask for, with the copy in `slot` on `node` instead. */
  private owed(p: number, node: number, slot: number): number {
    const { constraints } = this.classFor(p).domains;
    let owed = 0;
    for (let i = 0; i < constraints.length; i += 1) {
      const { least, of } = constraints[i]!;
      if (!least) continue;
      for (let d = 0; d < least.length; d += 1) {
        if (least[d] === 0) continue;
        let have = node >= 0 && of[node] === d ? 1 : 0;
        const base = p * this.stride;
        for (let k = 0; k < this.size[p]!; k += 1) if (k !== slot && of[this.now[base + k]!] === d) have += 1;
        owed += Math.max(0, least[d]! - have);
      }
    }
    const pins = this.pinned.size > 0 ? this.pinned.get(p) : undefined;
    if (pins)
      for (const pin of pins) if (pin !== node && (this.slotOf(p, pin) < 0 || this.slotOf(p, pin) === slot)) owed += 1;
    return owed;
  }

  private hasRoom(p: number, node: number): boolean {
    for (const { budget, sizes } of this.weighings)
      if (budget.used[node]! + sizes[p]! > (this.balancing ? budget.low : budget.high)[node]!) return false;
    return true;
  }

  /** Copies of a partition that stand where a hard constraint allows none. */
  brokenBy(p: number): number {
    const { domains, allowed } = this.classFor(p);
    const base = p * this.stride;
    const end = base + this.size[p]!;
    let broken = 0;
    for (let k = base; k < end; k += 1) if (allowed[this.now[k]!] === 0) broken += 1;
    for (let i = 0; i < domains.constraints.length; i += 1) {
      const { of, max } = domains.constraints[i]!;
      for (let k = base + 1; k < end; k += 1) {
        let same = 0;
        for (let j = base; j < k; j += 1) if (of[this.now[j]!] === of[this.now[k]!]) same += 1;
        if (same >= max) broken += 1;
      }
    }
    return broken;
  }

  /** How many soft constraints a copy on `node` would break. */
  softly(p: number, node: number, slot = NOWHERE): number {
    const { soft } = this.classFor(p);
    let broken = 0;
    for (const { of, max } of soft) {
      let same = 0;
      const base = p * this.stride;
      for (let k = 0; k < this.size[p]!; k += 1) if (k !== slot && of[this.now[base + k]!] === of[node]) same += 1;
      if (same >= max) broken += 1;
    }
    return broken;
  }

  add(p: number, node: number): void {
    const slot = this.size[p]!;
    const cell = p * this.stride + slot;
    this.was[cell] = NOWHERE;
    this.now[cell] = node;
    this.size[p]! += 1;
    this.changes[p]! += 1;
    this.pairs.add(this.now, p * this.stride, slot, node);
    this.weigh(p, node, 1);
    this.arrive(p, cell, node);
  }

  move(p: number, slot: number, to: number): void {
    const cell = p * this.stride + slot;
    const from = this.now[cell]!;
    this.unlink(cell, from);
    this.weigh(p, from, -1);
    this.pairs.move(this.now, p * this.stride, this.size[p]!, slot, to);
    this.changes[p]! += Number(this.was[cell] !== to) - Number(this.was[cell] !== from);
    this.now[cell] = to;
    this.weigh(p, to, 1);
    this.arrive(p, cell, to);
  }

  /** Where the copies of a partition stood, slot by slot, when it turns out that others stayed. */
  rebase(p: number, was: readonly number[]): void {
    const base = p * this.stride;
    this.changes[p] = 0;
    was.forEach((node, slot) => {
      this.was[base + slot] = node;
      this.changes[p]! += Number(node !== this.now[base + slot]);
    });
  }

  /** Lets go of a copy too many; the last slot takes its place. */
  drop(p: number, slot: number): void {
    const base = p * this.stride;
    const last = this.size[p]! - 1;
    const gone = this.now[base + slot]!;
    this.pairs.remove(this.now, base, this.size[p]!, slot);
    this.unlink(base + slot, gone);
    this.weigh(p, gone, -1);
    if (slot !== last) {
      const node = this.now[base + last]!;
      this.unlink(base + last, node);
      this.now[base + slot] = node;
      this.was[base + slot] = this.was[base + last]!;
      this.arrive(p, base + slot, node);
    }
    this.now[base + last] = NOWHERE;
    this.was[base + last] = NOWHERE;
    this.size[p] = last;
  }

  private weigh(p: number, node: number, sign: 1 | -1): void {
    for (const { budget, sizes } of this.weighings) budget.used[node]! += sign * sizes[p]!;
  }

  changed(p: number): boolean {
    return this.changes[p]! > 0;
  }

  /** Whether the domains and pins that ask for copies can spare this one. */
  canDrop(p: number, slot: number): boolean {
    const found = this.classFor(p);
    if (this.isPinned(p, this.now[p * this.stride + slot]!)) return false;
    return !found.owes || this.owed(p, NOWHERE, slot) <= Math.max(0, found.copies - this.size[p]! + 1);
  }

  isPinned(p: number, node: number): boolean {
    return this.pinned.size > 0 && (this.pinned.get(p)?.includes(node) ?? false);
  }

  /** How copies may move; with `again`, also a second copy of a partition that changes already. */
  movers(again: boolean): Movers {
    const { stride } = this;
    return {
      size: this.nodes,
      count: this.count,
      apply: (hop: Hop) =>
        hop.from < 0 ? this.add(hop.item, hop.to) : this.move(hop.item, this.slotOf(hop.item, hop.from), hop.to),
      expand: (node, cost, unseen, sinks, visit) => {
        for (let cell = this.head[node]!; cell >= 0; cell = this.next[cell]!) {
          const p = Math.floor(cell / stride);
          if (this.costOf(p, cell, again) !== cost) continue;
          const slot = cell - p * stride;
          for (const to of sinks) if (unseen.has(to) && this.canHold(p, to, slot) && visit(to, p, slot)) return;
          for (const group of unseen.groups) {
            if (group.length === 0 || this.isClosed(p, slot, unseen.labels, group[0]!)) continue;
            for (let i = group.length - 1; i >= 0; i -= 1) {
              const to = group[i]!;
              if (!unseen.has(to)) {
                group[i] = group[group.length - 1]!;
                group.pop();
              } else if (this.canHold(p, to, slot) && visit(to, p, slot)) return;
            }
          }
        }
      },
    };
  }

  /** A whole domain that takes no copy of the partition, seen by one of its nodes. */
  private isClosed(p: number, slot: number, labels: Int32Array | undefined, node: number): boolean {
    const widest = labels && this.classFor(p).domains.constraints.find((c) => c.of === labels);
    if (!widest) return false;
    const base = p * this.stride;
    let same = 0;
    for (let k = 0; k < this.size[p]!; k += 1)
      if (k !== slot && widest.of[this.now[base + k]!] === widest.of[node]) same += 1;
    return same >= widest.max;
  }

  private costOf(p: number, cell: number, again: boolean): number {
    if (this.isPinned(p, this.now[cell]!)) return Infinity;
    if (this.was[cell] !== this.now[cell]) return 0;
    return this.still[p] === 0 && (again || this.changes[p] === 0) ? 1 : Infinity;
  }

  private arrive(p: number, cell: number, node: number): void {
    const first = this.head[node]!;
    this.next[cell] = first;
    this.prev[cell] = NOWHERE;
    if (first >= 0) this.prev[first] = cell;
    this.head[node] = cell;
    this.count[node]! += 1;
  }

  private unlink(cell: number, node: number): void {
    const next = this.next[cell]!;
    const prev = this.prev[cell]!;
    if (prev >= 0) this.next[prev] = next;
    else this.head[node] = next;
    if (next >= 0) this.prev[next] = prev;
    this.count[node]! -= 1;
  }
}
