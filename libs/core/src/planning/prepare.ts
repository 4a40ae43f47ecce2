import type { Budget, Weighing } from '../placement/board.js';
import { Board } from '../placement/board.js';
import type { PlacementClass } from '../placement/classes.js';
import { classOver } from '../placement/classes.js';
import type { Placeable } from '../placement/domains.js';
import type { EffectivePolicy, Watermarks } from '../policy/policy.js';
import { DEFAULT_WATERMARKS } from '../policy/policy.js';
import { effectivePolicies } from '../policy/effective.js';
import type { ClusterModel, KeyspaceColumns, NodeColumns } from './model.js';
import { DOWN, DRAINING, UP } from './model.js';
import type { PlanOptions } from './plan.js';
import type { LeaveCause } from './leavers.js';
import { LEAVE_CAUSES, Leavers } from './leavers.js';
import { Tenancy } from './tenancy.js';

/** A keyspace as planning sees it: what may stay is on the board, what has to leave is beside it. By position of the partition. */
export interface Prepared {
  readonly columns: KeyspaceColumns;
  readonly classes: readonly PlacementClass[];
  readonly board: Board;
  readonly leavers: Leavers;
  /** Node, or -1. */
  readonly leaderBefore: Int32Array;
  /** Partitions without an in-sync copy on a node that runs: there is nothing to copy from. */
  readonly dead: number;
  /** By cell of the columns: 1 where an in-sync copy may lead. */
  readonly inSync: Uint8Array;
  /** Dimensions in which nodes have capacities. */
  readonly limited: readonly string[];
}

export const placeablesOf = (nodes: NodeColumns): Placeable[] =>
  nodes.labels.map((labels, i) => ({ labels, weight: nodes.weight[i]! }));

/** Budgets of capacity that all keyspaces share, by dimension. */
export type Budgets = ReadonlyMap<string, Budget>;

export const prepareAll = (model: ClusterModel, options: PlanOptions): Prepared[] => {
  const placeables = placeablesOf(model.nodes);
  const policies = model.keyspaces.map((k) => effectivePolicies(k.source, spanOf(k), options.clusterPolicy));
  const tenancy = new Tenancy(model, policies);
  const budgets = budgetsOf(
    model,
    policies.flatMap((list) => list.map((i) => i.policy)),
  );
  return model.keyspaces.map((k, i) => prepare(model, placeables, k, policies[i]!, tenancy, budgets, options));
};

/** Partition numbers reach so far. */
export const spanOf = (columns: KeyspaceColumns): number => (columns.ids.at(-1) ?? -1) + 1;

const budgetsOf = (model: ClusterModel, policies: readonly EffectivePolicy[]): Budgets => {
  const { capacity, ids } = model.nodes;
  const names = new Set(capacity.flatMap((c) => Object.entries(c ?? {}).flatMap(([name, x]) => (x > 0 ? [name] : []))));
  const budgets = new Map<string, Budget>();
  for (const name of names) {
    if (!model.keyspaces.some((k) => sizesOf(k, name))) continue;
    const marks = policies.reduce<Watermarks>((least, p) => tighter(least, p.watermarks[name]), DEFAULT_WATERMARKS);
    const limit = (mark: number): Float64Array =>
      Float64Array.from(ids, (_, n) => {
        const most = capacity[n]?.[name] ?? 0;
        return most > 0 ? most * mark : Infinity;
      });
    budgets.set(name, { used: new Float64Array(ids.length), low: limit(marks.low), high: limit(marks.high) });
  }
  return budgets;
};

const tighter = (a: Watermarks, b: Watermarks | undefined): Watermarks =>
  b === undefined ? a : a === DEFAULT_WATERMARKS ? b : { low: Math.min(a.low, b.low), high: Math.min(a.high, b.high) };

/** What partitions of a keyspace take of a dimension; undefined where that is not known. */
export const sizesOf = (columns: KeyspaceColumns, dimension: string): Float64Array | undefined =>
  columns.loads?.[dimension] ?? (dimension === 'bytes' ? columns.bytes : undefined);

type Interval = ReturnType<typeof effectivePolicies>[number];

const prepare = (
  model: ClusterModel,
  placeables: readonly Placeable[],
  columns: KeyspaceColumns,
  policies: readonly Interval[],
  tenancy: Tenancy,
  budgets: Budgets,
  options: PlanOptions,
): Prepared => {
  const { classes, classOf } = classify(model, placeables, columns, policies, tenancy);
  const { partitions } = columns;
  const stride = classes.reduce((most, c) => Math.max(most, c.policy.replicationFactor), columns.stride);
  const kept = new Int32Array(partitions * stride).fill(-1);
  const leavers = new Leavers(partitions);
  const weighings = [...budgets].flatMap(([name, budget]): Weighing[] => {
    const sizes = sizesOf(columns, name);
    return sizes ? [{ name, budget, sizes }] : [];
  });
  const pins = pinsOf(columns, policies, model.nodes, options.now ?? 0);
  const board = new Board(model.nodes.ids.length, partitions, stride, classes, classOf, kept, weighings);
  for (const [p, nodes] of pins) board.pinned.set(p, nodes);
  const leaderBefore = new Int32Array(partitions).fill(-1);
  const inSync = new Uint8Array(partitions * stride);
  const keeper = new Keeper(model.nodes, columns, board);
  let dead = 0;
  for (let p = 0; p < partitions; p += 1) {
    const at = p * columns.stride;
    if (columns.led[p] === 1) leaderBefore[p] = columns.replicas[at]!;
    if (!keeper.hasSource(p)) {
      board.absent[p] = 1;
      dead += columns.epochs[p] === 0 ? 0 : 1;
    } else keeper.sort(p, (node, cause) => leavers.add(p, node, cause));
    if (columns.epochs[p] === 0) board.absent[p] = 0;
  }
  board.begin();
  for (let p = 0; p < partitions; p += 1)
    for (let k = 0; k < board.size[p]!; k += 1) inSync[p * stride + k] = keeper.isInSync(p, board.now[p * stride + k]!);
  markStill(board, columns, options);
  return {
    columns,
    classes,
    board,
    leavers,
    leaderBefore,
    dead,
    inSync,
    limited: [...budgets.keys()],
  };
};

const markStill = (board: Board, { movedMs, partitions }: KeyspaceColumns, { now, coolDownMs }: PlanOptions): void => {
  if (!movedMs || now === undefined || coolDownMs === undefined) return;
  for (let p = 0; p < partitions; p += 1) if (movedMs[p]! > 0 && now - movedMs[p]! < coolDownMs) board.still[p] = 1;
};

const classify = (
  model: ClusterModel,
  placeables: readonly Placeable[],
  columns: KeyspaceColumns,
  policies: readonly Interval[],
  tenancy: Tenancy,
): { classes: PlacementClass[]; classOf: Uint8Array } => {
  const classes = new Map<string, { index: number; made: PlacementClass }>();
  const classOf = new Uint8Array(columns.partitions);
  let position = 0;
  for (const { last, policy } of policies) {
    if (position >= columns.partitions || columns.ids[position]! > last) continue;
    const key = JSON.stringify({ ...policy, pins: [] });
    let found = classes.get(key);
    if (!found) {
      const barred = tenancy.barred(policy);
      const open = Uint8Array.from(model.nodes.state, (s, n) => Number(s === UP && !barred?.[n]));
      found = { index: classes.size, made: classOver(policy, placeables, open) };
      classes.set(key, found);
    }
    while (position < columns.partitions && columns.ids[position]! <= last) classOf[position++] = found.index;
  }
  const made = [...classes.values()].map((c) => c.made);
  if (made.length > 255)
    throw new RangeError(`${columns.name}: ${made.length} different policies; 255 are planned for`);
  const [first] = policies;
  if (made.length === 0 && first)
    made.push(
      classOver(
        first.policy,
        placeables,
        Uint8Array.from(model.nodes.state, (s) => Number(s === UP)),
      ),
    );
  return { classes: made, classOf };
};

/** Pins that hold now, on nodes that are up. */
const pinsOf = (
  columns: KeyspaceColumns,
  policies: readonly Interval[],
  nodes: NodeColumns,
  now: number,
): Map<number, number[]> => {
  const found = new Map<number, number[]>();
  const pins = policies.flatMap((i) => i.policy.pins);
  if (pins.length === 0) return found;
  const position = new Map(Array.from(columns.ids, (id, p) => [id, p]));
  for (const pin of pins) {
    const p = position.get(pin.partition);
    const node = nodes.ids.indexOf(pin.node);
    if (p === undefined || node < 0 || nodes.state[node] !== UP || (pin.expiresMs > 0 && pin.expiresMs <= now))
      continue;
    found.set(p, [...(found.get(p) ?? []), node]);
  }
  return found;
};

/**
 * Decides which copies may stay: pinned ones first, then those in sync, of them the ones on the emptier nodes and, for the difference
 * of one copy, the leader's. So where a move was cut short and both its copies are there, the copy that was built is kept.
 */
class Keeper {
  private readonly rank: Float64Array;
  private readonly held: Int32Array;
  private readonly order: number[] = [];

  constructor(
    private readonly nodes: NodeColumns,
    private readonly columns: KeyspaceColumns,
    private readonly board: Board,
  ) {
    this.rank = new Float64Array(columns.stride);
    this.held = new Int32Array(nodes.ids.length);
    for (const node of columns.replicas) if (node >= 0) this.held[node]! += 1;
  }

  hasSource(p: number): boolean {
    const { stride, replicas, inSync } = this.columns;
    for (let k = p * stride; k < (p + 1) * stride; k += 1)
      if (replicas[k]! >= 0 && inSync[k] === 1 && this.nodes.state[replicas[k]!] !== DOWN) return true;
    return false;
  }

  isInSync(p: number, node: number): 0 | 1 {
    const { stride, replicas, inSync } = this.columns;
    for (let k = p * stride; k < (p + 1) * stride; k += 1) if (replicas[k] === node) return inSync[k] === 1 ? 1 : 0;
    return 0;
  }

  sort(p: number, leave: (node: number, cause: LeaveCause) => void): void {
    const { stride, replicas } = this.columns;
    const base = p * stride;
    if (this.keepAll(p, base)) return;
    const { rank, order } = this;
    order.length = 0;
    for (let k = 0; k < stride; k += 1) {
      if (replicas[base + k]! < 0) continue;
      rank[k] = this.rankOf(p, k);
      order.push(k);
    }
    // Few, and mostly in order: insertion.
    for (let i = 1; i < order.length; i += 1)
      for (let j = i; j > 0 && this.isBefore(base, order[j]!, order[j - 1]!); j -= 1) {
        const swap = order[j]!;
        order[j] = order[j - 1]!;
        order[j - 1] = swap;
      }
    let late = this.keepInOrder(p, base, order);
    if (late.some(([, cause]) => cause === 'spread') && this.board.classFor(p).domains.constraints.length > 1)
      late = this.keepMost(p, base, late);
    if (late.length === 0) return;
    late.sort((a, b) => LEAVE_CAUSES.indexOf(a[1]) - LEAVE_CAUSES.indexOf(b[1]));
    for (const [node, cause] of late) {
      this.held[node]! -= 1;
      leave(node, cause);
    }
  }

  /** What nearly every partition is: where all copies may stay, it does not matter which is asked first. Ascending by node. */
  private keepAll(p: number, base: number): boolean {
    const { stride, replicas } = this.columns;
    this.board.release(p);
    let last = -1;
    for (;;) {
      let next = Infinity;
      for (let k = base; k < base + stride; k += 1) if (replicas[k]! > last && replicas[k]! < next) next = replicas[k]!;
      if (next === Infinity) return true;
      if (this.causeOf(p, next) !== undefined) return false;
      this.board.keep(p, next);
      last = next;
    }
  }

  /** Those that may stay beside the ones before them; returns the others. */
  private keepInOrder(p: number, base: number, order: readonly number[]): [number, LeaveCause][] {
    const late: [number, LeaveCause][] = [];
    this.board.release(p);
    for (const k of order) {
      const node = this.columns.replicas[base + k]!;
      const cause = this.causeOf(p, node);
      if (cause === undefined) this.board.keep(p, node);
      else late.push([node, cause]);
    }
    return late;
  }

  /** Labels that cut across each other: whoever goes first may keep out two, so that other orders are tried. */
  private keepMost(p: number, base: number, first: [number, LeaveCause][]): [number, LeaveCause][] {
    let best = [...this.order];
    let fewest = first.length;
    for (const front of this.order)
      for (const second of this.order) {
        const order = [...new Set([front, second, ...this.order])];
        const late = this.keepInOrder(p, base, order).length;
        if (late >= fewest) continue;
        fewest = late;
        best = order;
      }
    return this.keepInOrder(p, base, best);
  }

  private rankOf(p: number, k: number): number {
    const { stride, replicas, inSync, led } = this.columns;
    const node = replicas[p * stride + k]!;
    if (this.board.isPinned(p, node)) return -1;
    const leads = k === 0 && led[p] === 1;
    const fill = Math.max(0, this.held[node]! - (leads ? 1 : 0)) / Math.max(this.nodes.weight[node]!, 1e-9);
    // Between 0 and 1 for those in sync, between 1 and 2 for the others.
    return fill / (fill + 1) + (inSync[p * stride + k] === 1 ? 0 : 1);
  }

  private isBefore(base: number, a: number, b: number): boolean {
    const { rank } = this;
    if (rank[a] !== rank[b]) return rank[a]! < rank[b]!;
    return this.columns.replicas[base + a]! < this.columns.replicas[base + b]!;
  }

  /** Undefined where the copy may stay. */
  private causeOf(p: number, node: number): LeaveCause | undefined {
    const state = this.nodes.state[node];
    if (state === DOWN) return 'down';
    if (state === DRAINING) return 'draining';
    if (this.board.classFor(p).allowed[node] === 0) return 'rule';
    return this.board.mayKeep(p, node) ? undefined : 'spread';
  }
}
