import { compareStrings } from '../bytes.js';
import type { Bands, Loaded } from '../placement/loads.js';
import { LoadBalancer } from '../placement/loads.js';
import type { Aims } from '../placement/shares.js';
import type { ClusterModel } from './model.js';
import { UP } from './model.js';
import type { PlanOptions } from './plan.js';
import { DEFAULT_MIN_GAIN, DEFAULT_TOLERANCE } from './plan.js';
import type { Prepared } from './prepare.js';
import { sizesOf } from './prepare.js';

/** A keyspace with its fair shares, before its loads are balanced. */
export interface Shared {
  readonly prepared: Prepared;
  readonly replicaAims: Aims;
}

/** What is balanced beyond counts: what the caller says, else what the policies of the keyspaces say. */
export const dimensionsOf = (all: readonly Prepared[], { dimensions }: PlanOptions): string[] => {
  const asked = dimensions ?? all.flatMap((p) => p.classes.flatMap((c) => c.policy.balance.dimensions ?? []));
  return [...new Set(asked)].filter((name) => all.some((p) => sizesOf(p.columns, name))).sort(compareStrings);
};

/** Whether a keyspace is balanced by its loads, and so not by counts. */
export const isLoaded = (prepared: Prepared, dimensions: readonly string[]): boolean =>
  dimensions.some((name) => sizesOf(prepared.columns, name) !== undefined);

/** What a dimension wants of each node, and how much has to leave and come at least. */
export interface LoadBound {
  readonly moves: number;
  readonly bytes: number;
  readonly because: readonly string[];
}

export interface Balanced {
  /** What is balanced beyond counts. */
  readonly dimensions: readonly string[];
  readonly bound: LoadBound;
  /** Why something stays out of its band. */
  readonly notes: readonly string[];
}

/** Balances what is balanced by load, and relieves nodes above their high watermark. Changes the boards. */
export const balanceLoads = (
  model: ClusterModel,
  shared: readonly Shared[],
  dimensions: readonly string[],
  options: PlanOptions,
): Balanced => {
  const prepared = shared.map((s) => s.prepared);
  const limited = [...new Set(prepared.flatMap((p) => p.limited))].sort(compareStrings);
  const names = [...new Set([...dimensions, ...limited])];
  const nothing: Balanced = { dimensions, bound: { moves: 0, bytes: 0, because: [] }, notes: [] };
  if (names.length === 0) return nothing;
  const loaded = prepared.map((p): Loaded => ({
    board: p.board,
    sizes: names.map((name) => sizesOf(p.columns, name)),
    cost: sizesOf(p.columns, 'bytes'),
  }));
  const tolerance = options.tolerance ?? toleranceOf(prepared);
  const bands = bandsOf(model, shared, names, dimensions, tolerance);
  const open = [...model.nodes.ids.keys()].filter((n) => model.nodes.state[n] === UP);
  const balancer = new LoadBalancer(loaded, bands, open, model.nodes.ids.length);
  const before = balancer.badness();
  if (before <= 1e-12) return nothing;
  const bound = loadBound(model, loaded, bands, names, open);
  const worst = balancer.worst();
  const forced = new Set<string>();
  const keyOf = (l: Loaded, cell: number): string => `${loaded.indexOf(l)}/${cell}`;
  for (const l of loaded)
    l.board.was.forEach((was, cell) => {
      if (was >= 0 && was !== l.board.now[cell]) forced.add(keyOf(l, cell));
    });
  for (const l of loaded) l.board.balancing = true;
  balancer.run();
  balancer.trim((l, cell) => forced.has(keyOf(l, cell)));
  const gained = worst - balancer.worst();
  const notes: string[] = [];
  if (gained < (options.minGain ?? DEFAULT_MIN_GAIN) && balancer.badness() > before * 0.9) {
    undo(balancer, loaded, (l, cell) => forced.has(keyOf(l, cell)));
    notes.push(
      `loads stay as they are: what can be moved gains ${percent(Math.max(0, gained))}, less than ${percent(options.minGain ?? DEFAULT_MIN_GAIN)}`,
    );
    for (const l of loaded) l.board.balancing = false;
    return { dimensions, bound: { moves: 0, bytes: 0, because: [] }, notes };
  }
  for (const l of loaded) l.board.balancing = false;
  notes.push(...unreached(model, balancer, bands, names, open));
  return { dimensions, bound, notes };
};

const percent = (fraction: number): string => `${Math.round(fraction * 1000) / 10} %`;

const toleranceOf = (prepared: readonly Prepared[]): number =>
  prepared.reduce(
    (least, p) => p.classes.reduce((x, c) => Math.min(x, c.policy.balance.tolerance ?? Infinity), least),
    Infinity,
  ) === Infinity
    ? DEFAULT_TOLERANCE
    : Math.min(...prepared.flatMap((p) => p.classes.map((c) => c.policy.balance.tolerance ?? DEFAULT_TOLERANCE)));

const undo = (
  balancer: LoadBalancer,
  all: readonly Loaded[],
  isForced: (loaded: Loaded, cell: number) => boolean,
): void => {
  for (const loaded of all) {
    const { board } = loaded;
    for (let cell = 0; cell < board.was.length; cell += 1) {
      const was = board.was[cell]!;
      const p = Math.floor(cell / board.stride);
      if (was >= 0 && was !== board.now[cell] && !isForced(loaded, cell))
        balancer.move(loaded, p, cell - p * board.stride, was);
    }
  }
};

/** Each keyspace's part of a dimension is shared as its copies are: by weight, as far as its domains allow. */
const bandsOf = (
  model: ClusterModel,
  shared: readonly Shared[],
  names: readonly string[],
  balanced: readonly string[],
  tolerance: number,
): Bands => {
  const nodes = model.nodes.ids.length;
  const share = names.map((name) => {
    const sum = new Float64Array(nodes);
    for (const { prepared, replicaAims } of shared) {
      const sizes = sizesOf(prepared.columns, name);
      if (!sizes) continue;
      const { board } = prepared;
      let total = 0;
      for (let p = 0; p < board.partitions; p += 1) total += sizes[p]! * board.size[p]!;
      const copies = replicaAims.share.reduce((a, b) => a + b, 0);
      if (copies > 0) replicaAims.share.forEach((x, n) => (sum[n]! += (total * x) / copies));
    }
    return sum;
  });
  const high = names.map((name) => {
    const budget = shared.flatMap((s) => s.prepared.board.weighings).find((w) => w.name === name)?.budget;
    return budget?.high ?? new Float64Array(nodes).fill(Infinity);
  });
  const isBalanced = names.map((name) => balanced.includes(name));
  return {
    share,
    lo: share.map((row, d) => row.map((x) => (isBalanced[d] ? x * (1 - tolerance) : 0))),
    hi: share.map((row, d) =>
      row.map((x, n) => Math.min(isBalanced[d] ? x * (1 + tolerance) : Infinity, high[d]![n]!)),
    ),
  };
};

/** Lines of the argument that are shown. */
const LINES = 8;

/**
 * What a node has too much of has to leave in whole copies: no fewer than its largest ones make up, and no fewer bytes than those
 * with least bytes for what they take. Each copy leaves one node, so the sum over nodes is a bound; so is what has to come.
 */
const loadBound = (
  model: ClusterModel,
  all: readonly Loaded[],
  bands: Bands,
  names: readonly string[],
  open: readonly number[],
): LoadBound => {
  let out = 0;
  let bytes = 0;
  const lines: { amount: number; line: string }[] = [];
  const largest = names.map((_, d) => all.reduce((most, l) => Math.max(most, largestOf(l.sizes[d])), 0));
  let into = 0;
  const kept = keptOf(all, names.length, model.nodes.ids.length);
  const isBuilding = all.some(({ board }) => board.was.some((was, cell) => was < 0 && board.now[cell]! >= 0));
  for (const n of open) {
    let fewest = 0;
    let least = 0;
    let needs = 0;
    names.forEach((name, d) => {
      const excess = kept[d]![n]! - bands.hi[d]![n]!;
      const lack = bands.lo[d]![n]! - kept[d]![n]!;
      if (!isBuilding && lack > 1e-9 && largest[d]! > 0) needs = Math.max(needs, Math.ceil(lack / largest[d]! - 1e-9));
      if (excess <= 1e-9) return;
      const items = itemsOn(all, n, d);
      fewest = Math.max(fewest, countFor(items, excess));
      least = Math.max(least, bytesFor(items, excess));
      const over = excess / Math.max(bands.share[d]![n]!, 1e-9);
      lines.push({
        amount: over,
        line: `${model.nodes.ids[n]} holds ${percent(over)} of its share of ${name} too much: at least ${countFor(items, excess)} copies leave`,
      });
    });
    out += fewest;
    bytes += least;
    into += needs;
  }
  lines.sort((a, b) => b.amount - a.amount || compareStrings(a.line, b.line));
  return { moves: Math.max(out, into), bytes: Math.floor(bytes), because: lines.slice(0, LINES).map((l) => l.line) };
};

const largestOf = (sizes: Float64Array | undefined): number => sizes?.reduce((most, x) => Math.max(most, x), 0) ?? 0;

interface Sized {
  readonly size: number;
  readonly cost: number;
}

/** By dimension and node: what is there before anything is built or moved. */
const keptOf = (all: readonly Loaded[], dimensions: number, nodes: number): Float64Array[] => {
  const kept = Array.from({ length: dimensions }, () => new Float64Array(nodes));
  for (const { board, sizes } of all)
    for (let cell = 0; cell < board.was.length; cell += 1) {
      const was = board.was[cell]!;
      if (was < 0) continue;
      const p = Math.floor(cell / board.stride);
      for (let d = 0; d < dimensions; d += 1) kept[d]![was]! += sizes[d]?.[p] ?? 0;
    }
  return kept;
};

const itemsOn = (all: readonly Loaded[], node: number, d: number): Sized[] =>
  all.flatMap(({ board, sizes, cost }) => {
    const items: Sized[] = [];
    for (let cell = board.head[node]!; cell >= 0; cell = board.next[cell]!) {
      const p = Math.floor(cell / board.stride);
      const size = sizes[d]?.[p] ?? 0;
      if (size > 0 && board.was[cell] === node) items.push({ size, cost: cost?.[p] ?? 0 });
    }
    return items;
  });

const countFor = (items: readonly Sized[], excess: number): number => {
  const sizes = items.map((i) => i.size).sort((a, b) => b - a);
  let count = 0;
  for (let rest = excess; rest > 1e-9 && count < sizes.length; count += 1) rest -= sizes[count]!;
  return count;
};

const bytesFor = (items: readonly Sized[], excess: number): number => {
  const cheap = [...items].sort((a, b) => a.cost / a.size - b.cost / b.size);
  let bytes = 0;
  let rest = excess;
  for (const { size, cost } of cheap) {
    if (rest <= 1e-9) break;
    bytes += cost * Math.min(1, rest / size);
    rest -= size;
  }
  return bytes;
};

/** Nodes that stay out of their bands, named. */
const unreached = (
  model: ClusterModel,
  balancer: LoadBalancer,
  bands: Bands,
  names: readonly string[],
  open: readonly number[],
): string[] => {
  const left: string[] = [];
  for (const n of open)
    names.forEach((name, d) => {
      const held = balancer.held[d]![n]!;
      const share = Math.max(bands.share[d]![n]!, 1e-9);
      if (held > bands.hi[d]![n]! + 1e-9 || held < bands.lo[d]![n]! - 1e-9)
        left.push(`${model.nodes.ids[n]} holds ${percent(held / share)} of its share of ${name}`);
    });
  if (left.length === 0) return [];
  const more = left.length > LINES ? `, and ${left.length - LINES} more` : '';
  return [
    `out of tolerance where no move or swap helps: ${left.slice(0, LINES).join(', ')}${more}; smaller partitions or another constraint would`,
  ];
};
