import type { Node, Partition } from '../model/api.types.js';
import { byNumber } from '../model/format.js';

/** What a node holds of a partition. A higher one wins where many cells share a pixel. */
export const CELL = { none: 0, follower: 1, leader: 2, behind: 3, leaving: 4, arriving: 5 } as const;
export type Cell = (typeof CELL)[keyof typeof CELL];

/** Bits of what is wrong with a partition, or going on. */
export const FLAG = { underReplicated: 1, moving: 2, withoutLeader: 4, hot: 8 } as const;

/** The partitions of a keyspace as numbers, so that drawing reads no objects. Cells lie node by node. */
export interface GridModel {
  readonly partitions: number;
  readonly nodes: readonly string[];
  readonly zones: readonly string[];
  /** cells[row * partitions + partition] */
  readonly cells: Uint8Array;
  readonly flags: Uint8Array;
}

export const emptyGrid: GridModel = {
  partitions: 0,
  nodes: [],
  zones: [],
  cells: new Uint8Array(),
  flags: new Uint8Array(),
};

const cellOf = ({ role, state, inSync }: Partition['replicas'][number]): Cell => {
  if (state === 'leaving') return CELL.leaving;
  if (state === 'initializing' || role === 'learner') return CELL.arriving;
  if (role === 'leader') return CELL.leader;
  return inSync ? CELL.follower : CELL.behind;
};

const flagsOf = ({ replicas }: Partition, replicationFactor: number): number => {
  const inSync = replicas.filter((r) => r.inSync && r.role !== 'learner').length;
  const moving =
    replicas.some((r) => r.role === 'learner' || r.state !== 'available') || replicas.length > replicationFactor;
  return (
    (inSync < replicationFactor ? FLAG.underReplicated : 0) |
    (moving ? FLAG.moving : 0) |
    (replicas.some((r) => r.role === 'leader') ? 0 : FLAG.withoutLeader)
  );
};

const zoneOf = (node: Node): string => node.labels['zone'] ?? '';

/** Nodes by zone, then by name; nodes that hold copies but are not listed come last. */
const rowsOf = (partitions: readonly Partition[], nodes: readonly Node[]): { ids: string[]; zones: string[] } => {
  const sorted = [...nodes].sort((a, b) => byNumber(zoneOf(a), zoneOf(b)) || byNumber(a.id, b.id));
  const known = new Set(sorted.map((n) => n.id));
  const unknown = new Set<string>();
  for (const { replicas } of partitions) for (const { node } of replicas) if (!known.has(node)) unknown.add(node);
  const others = [...unknown].sort(byNumber);
  return { ids: [...sorted.map((n) => n.id), ...others], zones: [...sorted.map(zoneOf), ...others.map(() => '')] };
};

export const buildGrid = (
  partitions: readonly Partition[],
  nodes: readonly Node[],
  replicationFactor: number,
): GridModel => {
  const { ids, zones } = rowsOf(partitions, nodes);
  const row = new Map(ids.map((id, i) => [id, i]));
  const cells = new Uint8Array(ids.length * partitions.length);
  const flags = new Uint8Array(partitions.length);
  for (const partition of partitions) {
    flags[partition.partition] = flagsOf(partition, replicationFactor);
    for (const replica of partition.replicas)
      cells[row.get(replica.node)! * partitions.length + partition.partition] = cellOf(replica);
  }
  return { partitions: partitions.length, nodes: ids, zones, cells, flags };
};

/** With those marked that are hot. */
export const markHot = (grid: GridModel, hot: ReadonlySet<number>): GridModel => ({
  ...grid,
  flags: grid.flags.map((flags, partition) => (hot.has(partition) ? flags | FLAG.hot : flags)),
});

export interface GridFilter {
  readonly node: string;
  readonly zone: string;
  /** Bits of FLAG; a partition with any of them is shown. 0 shows all. */
  readonly flags: number;
}

/** Which rows and which partitions are left: of a node or zone, those that it holds. */
export interface GridView {
  readonly rows: Uint32Array;
  readonly columns: Uint32Array;
}

export const filterGrid = (grid: GridModel, filter: GridFilter): GridView => {
  const all = grid.nodes.map((_, i) => i);
  const chosen = all.filter(
    (i) =>
      (filter.node === '' || grid.nodes[i] === filter.node) && (filter.zone === '' || grid.zones[i] === filter.zone),
  );
  const isNarrowed = filter.node !== '' || filter.zone !== '';
  const columns = new Uint32Array(grid.partitions);
  let count = 0;
  for (let p = 0; p < grid.partitions; p += 1) {
    if (filter.flags !== 0 && (grid.flags[p]! & filter.flags) === 0) continue;
    if (isNarrowed && !chosen.some((row) => grid.cells[row * grid.partitions + p] !== CELL.none)) continue;
    columns[count] = p;
    count += 1;
  }
  // A node's partitions are shown with all their copies: where the others lie is what one wants to see.
  return { rows: Uint32Array.from(filter.zone === '' ? all : chosen), columns: columns.slice(0, count) };
};
