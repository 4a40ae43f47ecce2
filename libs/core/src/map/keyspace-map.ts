import { compareStrings } from '../bytes.js';
import { CadastreError } from '../errors.js';
import type { Partitioner } from '../partitioning/partitioner.js';
import { createPartitioner } from '../partitioning/partitioner.js';
import { checkRecord } from './changes.js';
import type { Generation } from './generation.js';
import { compareGenerations, formatGeneration } from './generation.js';
import type { KeyspaceSpec, NodeEntry, PartitionRecord, Replica } from './records.js';
import { REPLICA_ROLES, REPLICA_STATES } from './records.js';

/** Places in a table of nodes, -1 for none: half as wide while the table is below 32,768 nodes, so that more of it stays in the cache. */
export type NodeColumn = Int16Array | Int32Array;

export const nodeColumn = (length: number, nodes: number): NodeColumn =>
  (nodes < 0x8000 ? new Int16Array(length) : new Int32Array(length)).fill(-1);

/** The map of one keyspace as columns: how it travels, and how it lies in memory on client and server alike. */
export interface MapColumns {
  readonly spec: KeyspaceSpec;
  readonly generation: Generation;
  readonly nodes: readonly NodeEntry[];
  readonly partitions: number;
  /** Places for replicas a partition. */
  readonly stride: number;
  readonly epochs: Float64Array;
  /** partitions x stride; an index into `nodes`, -1 for none; the leader first where there is one. */
  readonly replicaNodes: NodeColumn;
  /** partitions x stride; role | state << 2 | inSync << 4. */
  readonly replicaFlags: Uint8Array;
}

export interface MapDelta {
  readonly keyspace: string;
  /** Equal to `to` when only nodes changed (an address, a label), which raises no generation. */
  readonly from: Generation;
  readonly to: Generation;
  readonly records: readonly PartitionRecord[];
  readonly nodes: readonly NodeEntry[];
}

/** A delta that says nothing new to who holds `generation`. One that begins and ends at it is new: it tells of nodes alone. */
export const isKnown = (delta: MapDelta, generation: Generation): boolean => {
  const ahead = compareGenerations(delta.to, generation);
  return ahead < 0 || (ahead === 0 && compareGenerations(delta.from, generation) !== 0);
};

const LEADER = 0;
const LEARNER = 2;
export const IN_SYNC = 16;
/** Beside 1 for "allowed". */
const KIND_IN_SYNC = 2;
const KIND_LEADER = 4;

const flagsOf = (replica: Replica): number =>
  REPLICA_ROLES.indexOf(replica.role) | (REPLICA_STATES.indexOf(replica.state) << 2) | (replica.inSync ? IN_SYNC : 0);

/** One immutable value with a version: replaced whole by each delta, so that a reader never sees half a change. */
export class KeyspaceMap implements MapColumns {
  private constructor(
    readonly spec: KeyspaceSpec,
    readonly generation: Generation,
    readonly nodes: readonly NodeEntry[],
    private readonly nodeIndex: ReadonlyMap<string, number>,
    readonly partitions: number,
    readonly stride: number,
    readonly epochs: Float64Array,
    readonly replicaNodes: NodeColumn,
    readonly replicaFlags: Uint8Array,
    private readonly partitioner: Partitioner,
    /** The leader's place in `nodes`: beside the replicas, so that finding it is one read and most of the column stays cached. */
    private readonly leaders: NodeColumn,
  ) {}

  /** Records may come one by one, so that a million of them need not exist at once. */
  static fromRecords(
    spec: KeyspaceSpec,
    generation: Generation,
    records: Iterable<PartitionRecord>,
    nodes: readonly NodeEntry[],
  ): KeyspaceMap {
    const partitioner = createPartitioner(spec.scheme);
    const stride = spec.replicationFactor;
    const sorted = [...nodes].sort((a, b) => compareStrings(a.id, b.id));
    const size = partitioner.partitions;
    let map = new KeyspaceMap(
      spec,
      generation,
      sorted,
      indexById(sorted),
      size,
      stride,
      new Float64Array(size),
      nodeColumn(size * stride, sorted.length),
      new Uint8Array(size * stride),
      partitioner,
      nodeColumn(size, sorted.length),
    );
    for (const record of records) {
      if (record.replicas.length > map.stride) map = map.withStride(record.replicas.length);
      map.write(record);
    }
    return map;
  }

  /** @throws CadastreError DATA_LOSS when the columns do not fit together or a record breaks an invariant */
  static fromColumns(columns: MapColumns): KeyspaceMap {
    const { spec, generation, nodes, partitions, stride, epochs, replicaNodes, replicaFlags } = columns;
    const partitioner = createPartitioner(spec.scheme);
    const cells = partitions * stride;
    if (
      partitioner.partitions !== partitions ||
      epochs.length !== partitions ||
      replicaNodes.length !== cells ||
      replicaFlags.length !== cells
    ) {
      throw new CadastreError(
        'DATA_LOSS',
        `snapshot of ${spec.name}: columns of ${epochs.length}, ${replicaNodes.length} and ${replicaFlags.length} cells for ${partitions} partitions x ${stride}`,
        {
          remedy: 'watch again without a known generation to be given a new snapshot',
        },
      );
    }
    const map = new KeyspaceMap(
      spec,
      generation,
      nodes,
      indexById(nodes),
      partitions,
      stride,
      epochs,
      resized(replicaNodes, nodes.length),
      replicaFlags,
      partitioner,
      nodeColumn(partitions, nodes.length),
    );
    map.check();
    return map;
  }

  partitionOf(key: Uint8Array): number {
    return this.partitioner.partitionOf(key);
  }

  partitionsFor(start: Uint8Array, end: Uint8Array | undefined): number[] {
    return this.partitioner.partitionsFor(start, end);
  }

  get ordered(): boolean {
    return this.partitioner.ordered;
  }

  epochOf(partition: number): number {
    return this.epochs[partition]!;
  }

  /** The leader's place in `nodes`, -1 when there is none. */
  leaderIndex(partition: number): number {
    return this.leaders[partition]!;
  }

  leader(partition: number): NodeEntry | undefined {
    const index = this.leaderIndex(partition);
    return index < 0 ? undefined : this.nodes[index];
  }

  node(id: string): NodeEntry | undefined {
    const index = this.nodeIndex.get(id);
    return index === undefined ? undefined : this.nodes[index];
  }

  record(partition: number): PartitionRecord {
    const replicas: Replica[] = [];
    for (let cell = partition * this.stride, end = cell + this.stride; cell < end; cell += 1) {
      const node = this.replicaNodes[cell]!;
      if (node < 0) break;
      const flags = this.replicaFlags[cell]!;
      replicas.push({
        node: this.nodes[node]!.id,
        role: REPLICA_ROLES[flags & 3]!,
        state: REPLICA_STATES[(flags >> 2) & 3]!,
        inSync: (flags & IN_SYNC) !== 0,
      });
    }
    return { partition, epoch: this.epochs[partition]!, replicas };
  }

  records(): PartitionRecord[] {
    return Array.from({ length: this.partitions }, (_, p) => this.record(p));
  }

  /**
   * The map after `delta`. A record that is older than the one held (because an owner healed it meanwhile) is passed over (INV-2).
   * @throws CadastreError FAILED_PRECONDITION when the delta does not begin at this generation
   */
  withDelta(delta: MapDelta): KeyspaceMap {
    if (compareGenerations(delta.from, this.generation) !== 0) {
      throw new CadastreError(
        'FAILED_PRECONDITION',
        `delta of ${delta.keyspace} begins at ${formatGeneration(delta.from)}, the map is at ${formatGeneration(this.generation)}`,
        {
          field: 'from',
          remedy: 'watch again from the generation that the map has',
        },
      );
    }
    const next = this.copy(delta.to, delta.records, delta.nodes);
    // Asked this way round, so that a partition that is not there is written, and refused by that.
    for (const record of delta.records) if (!(record.epoch < next.epochs[record.partition]!)) next.write(record);
    return next;
  }

  /** The map healed by what an owner said: only ever towards a higher epoch. */
  healed(record: PartitionRecord, nodes: readonly NodeEntry[]): KeyspaceMap {
    if (record.partition >= this.partitions || record.epoch <= this.epochs[record.partition]!) return this;
    const next = this.copy(this.generation, [record], nodes);
    next.write(record);
    return next;
  }

  /** The same map under another policy; the scheme is the same. */
  withSpec(spec: KeyspaceSpec): KeyspaceMap {
    return new KeyspaceMap(
      spec,
      this.generation,
      this.nodes,
      this.nodeIndex,
      this.partitions,
      this.stride,
      this.epochs,
      this.replicaNodes,
      this.replicaFlags,
      this.partitioner,
      this.leaders,
    );
  }

  private copy(
    generation: Generation,
    records: readonly PartitionRecord[],
    changed: readonly NodeEntry[],
  ): KeyspaceMap {
    const nodes = mergeNodes(this.nodes, this.nodeIndex, changed);
    const stride = records.reduce((widest, r) => Math.max(widest, r.replicas.length), this.stride);
    const [replicaNodes, replicaFlags] =
      stride === this.stride ? [this.replicaNodes, this.replicaFlags.slice()] : this.widened(stride);
    const index = nodes === this.nodes ? this.nodeIndex : indexById(nodes);
    return new KeyspaceMap(
      this.spec,
      generation,
      nodes,
      index,
      this.partitions,
      stride,
      this.epochs.slice(),
      resized(replicaNodes, nodes.length, true),
      replicaFlags,
      this.partitioner,
      resized(this.leaders, nodes.length, true),
    );
  }

  private withStride(stride: number): KeyspaceMap {
    const [replicaNodes, replicaFlags] = this.widened(stride);
    return new KeyspaceMap(
      this.spec,
      this.generation,
      this.nodes,
      this.nodeIndex,
      this.partitions,
      stride,
      this.epochs,
      replicaNodes,
      replicaFlags,
      this.partitioner,
      this.leaders,
    );
  }

  private widened(stride: number): [NodeColumn, Uint8Array] {
    const nodes = nodeColumn(this.partitions * stride, this.nodes.length);
    const flags = new Uint8Array(this.partitions * stride);
    for (let p = 0; p < this.partitions; p += 1) {
      nodes.set(this.replicaNodes.subarray(p * this.stride, (p + 1) * this.stride), p * stride);
      flags.set(this.replicaFlags.subarray(p * this.stride, (p + 1) * this.stride), p * stride);
    }
    return [nodes, flags];
  }

  /** Only for a value that nobody else has seen yet. */
  private write(record: PartitionRecord): void {
    if (record.partition < 0 || record.partition >= this.partitions)
      throw this.damaged(record, 'a partition that the scheme does not have');
    const wrong = checkRecord(record);
    if (wrong) throw this.damaged(record, wrong);
    const cell = record.partition * this.stride;
    this.epochs[record.partition] = record.epoch;
    for (let i = 0; i < this.stride; i += 1) {
      const replica = record.replicas[i];
      const index = replica ? this.nodeIndex.get(replica.node) : -1;
      if (index === undefined) throw this.damaged(record, `node ${replica!.node}, which the map does not name`);
      this.replicaNodes[cell + i] = index;
      this.replicaFlags[cell + i] = replica ? flagsOf(replica) : 0;
    }
    this.leaders[record.partition] = this.leadingNode(record.partition);
  }

  private leadingNode(partition: number): number {
    const cell = partition * this.stride;
    return (this.replicaFlags[cell]! & 3) === LEADER ? this.replicaNodes[cell]! : -1;
  }

  /** What `checkRecord` asks of a record, asked of the columns: a million rows are looked through without making a million records. */
  private check(): void {
    const { partitions, stride, epochs, replicaNodes, replicaFlags, leaders } = this;
    const nodes = this.nodes.length;
    for (let p = 0, cell = 0; p < partitions; p += 1, cell += stride) {
      const sound = isSoundEpoch(epochs[p]!) && isSoundRow(replicaNodes, replicaFlags, cell, cell + stride, nodes);
      if (!sound) throw this.unsound(p);
      leaders[p] = stride > 0 && (replicaFlags[cell]! & 3) === LEADER ? replicaNodes[cell]! : -1;
    }
  }

  private unsound(partition: number): CadastreError {
    const first = partition * this.stride;
    const nodes = this.replicaNodes.subarray(first, first + this.stride);
    const flags = this.replicaFlags.subarray(first, first + this.stride);
    const strange =
      nodes.some((node) => node < -1 || node >= this.nodes.length) ||
      flags.some((each) => (each & 3) === 3 || ((each >> 2) & 3) === 3);
    if (!strange) {
      const record = this.record(partition);
      const wrong = checkRecord(record);
      if (wrong) return this.damaged(record, wrong);
      const late = record.replicas.findIndex((r) => r.role === 'leader') > 0;
      return this.damaged(record, late ? 'a leader that does not stand first' : 'a gap among its replicas');
    }
    return new CadastreError(
      'DATA_LOSS',
      `snapshot of ${this.spec.name}: partition ${partition} names nodes ${nodes.join(', ')} of ${this.nodes.length} with flags ${flags.join(', ')}`,
      { remedy: 'watch again without a known generation to be given a new snapshot' },
    );
  }

  private damaged(record: PartitionRecord, why: string): CadastreError {
    return new CadastreError(
      'DATA_LOSS',
      `record of ${this.spec.name}/${record.partition} at epoch ${record.epoch} has ${why}`,
      {
        remedy: 'the record is refused and the last good map kept; watch again to resynchronise',
      },
    );
  }
}

/** What each value of a flag column says: 0 = nothing that is allowed. */
const KINDS = Uint8Array.from({ length: 256 }, (_, flags) => {
  const role = flags & 3;
  const inSync = (flags & IN_SYNC) !== 0;
  const allowed =
    role !== 3 && ((flags >> 2) & 3) !== 3 && (role !== LEADER || inSync) && (role !== LEARNER || !inSync);
  return allowed ? 1 + Number(inSync) * KIND_IN_SYNC + Number(role === LEADER) * KIND_LEADER : 0;
});

const isSoundEpoch = (epoch: number): boolean => epoch >= 1 && Number.isSafeInteger(epoch);

/** The replicas of one partition are in the cells from `first` up to `end`. */
const isSoundRow = (
  replicaNodes: NodeColumn,
  replicaFlags: Uint8Array,
  first: number,
  end: number,
  nodes: number,
): boolean => {
  let cell = first;
  let seen = 0;
  let before = -1;
  for (; cell < end; cell += 1) {
    const node = replicaNodes[cell]!;
    if (node === -1) break;
    const kind = KINDS[replicaFlags[cell]!]!;
    if (node < 0 || node >= nodes || kind === 0 || (cell > first && kind >= KIND_LEADER)) return false;
    if (node === before) return false;
    // Neighbours are told apart on the way: only from three replicas on there are others.
    for (let other = first; other < cell - 1; other += 1) if (replicaNodes[other] === node) return false;
    before = node;
    seen |= kind;
  }
  if (cell > first && (seen & KIND_IN_SYNC) === 0) return false;
  for (; cell < end; cell += 1) if (replicaNodes[cell] !== -1) return false;
  return true;
};

/** The same places in a column that is wide enough for `nodes`; itself when it is and need not be a copy. */
const resized = (column: NodeColumn, nodes: number, copied = false): NodeColumn => {
  const fits = nodes < 0x8000 === column instanceof Int16Array;
  if (fits) return copied ? column.slice() : column;
  const other = nodeColumn(column.length, nodes);
  for (let cell = 0; cell < column.length; cell += 1) {
    const node = column[cell]!;
    other[cell] = node >= nodes || node < -1 ? NO_PLACE : node;
  }
  return other;
};

/** Stands for a number that is no node's: cut to 16 bits it might become one. It is refused with its record. */
export const NO_PLACE = -2;

const indexById = (nodes: readonly NodeEntry[]): Map<string, number> => new Map(nodes.map((n, i) => [n.id, i]));

/** Known nodes keep their place, so that columns stay valid; new ones are appended. */
const mergeNodes = (
  nodes: readonly NodeEntry[],
  index: ReadonlyMap<string, number>,
  changed: readonly NodeEntry[],
): readonly NodeEntry[] => {
  if (changed.length === 0) return nodes;
  const merged = [...nodes];
  for (const node of changed) {
    const at = index.get(node.id);
    if (at === undefined) merged.push(node);
    else merged[at] = node;
  }
  return merged;
};
