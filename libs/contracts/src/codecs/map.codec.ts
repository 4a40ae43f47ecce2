import { createHash, type Hash } from 'node:crypto';
import type { Generation, KeyspaceGeneration, MapColumns, MapDelta, NodeColumn } from '@cadastre/core';
import {
  CadastreError,
  compareGenerations,
  KeyspaceMap,
  LIMITS,
  NO_PLACE,
  nodeColumn,
  partitionCount,
} from '@cadastre/core';
import type * as Wire from '../generated/index.js';
import { messageCodec } from '../proto.js';
import { packSteps, unpack } from './packed.codec.js';
import {
  decodeNode,
  decodeRecord,
  decodeSpec,
  encodeNode,
  encodeRecord,
  encodeSpec,
  requireGeneration,
} from './records.codec.js';

/** Below gRPC's 4 MiB default and small enough that one write does not hold the event loop. */
const CHUNK_BYTES = 512 * 1024;
/** Far above the largest map that the limits allow; a sender that claims more is not believed. */
const SNAPSHOT_BYTES_MAX = 256 * 1024 * 1024;
/** Replicas of a partition: the most copies that a keyspace may have, and as many on their way. */
const STRIDE_MAX = 2 * LIMITS.replicationFactorMax;

/** How the columns of a snapshot are written. Every reader knows `plain`; one that knows `packed` says so (Subscribe.forms). */
export const SNAPSHOT_FORMS = ['plain', 'packed'] as const;
export type SnapshotForm = (typeof SNAPSHOT_FORMS)[number];
const PACKED_FORM = 1;

/** What a reader of this version says in Subscribe.forms. */
export const KNOWN_FORMS: readonly number[] = [PACKED_FORM];

export const bestForm = (forms: readonly number[]): SnapshotForm => (forms.includes(PACKED_FORM) ? 'packed' : 'plain');

const columnsCodec = messageCodec<Wire.MapColumns, Wire.MapColumns__Output>('MapColumns');
const eventCodec = messageCodec<Wire.MapEvent, Wire.MapEvent__Output>('MapEvent');

/** Bytes of one event, ready to be written to any number of WatchMap streams. */
export type EncodedMapEvent = Buffer;

const bytesOf = (array: Float64Array | Int32Array | Uint8Array): Buffer =>
  Buffer.from(array.buffer, array.byteOffset, array.byteLength);

/** Copies, because a typed array needs an aligned buffer of its own. All machines that Node runs on here are little-endian. */
const aligned = (bytes: Uint8Array): ArrayBuffer => new Uint8Array(bytes).buffer;

/** All of a map except its columns. */
const encodeFrame = (map: MapColumns): Wire.MapColumns => ({
  keyspace: encodeSpec(map.spec),
  generation: map.generation,
  nodes: map.nodes.map(encodeNode),
  partitions: map.partitions,
  stride: map.stride,
});

export const encodeColumns = (map: MapColumns): Buffer =>
  columnsCodec.encode({
    ...encodeFrame(map),
    epochs: bytesOf(map.epochs),
    replicaNodes: bytesOf(Int32Array.from(map.replicaNodes)),
    replicaFlags: bytesOf(map.replicaFlags),
  });

function* packedColumnsSteps(map: MapColumns): Generator<undefined, Buffer> {
  const { partitions, stride } = map;
  const epochs = yield* packSteps(map.epochs, partitions);
  const replicaNodes: Buffer[] = [];
  for (let place = 0; place < stride; place += 1)
    replicaNodes.push(yield* packSteps(map.replicaNodes, partitions, stride, place, 1));
  const { rows, flagRows } = yield* flagRowsSteps(map);
  const replicaFlags = yield* packSteps(rows, partitions);
  return columnsCodec.encode({ ...encodeFrame(map), packed: { epochs, replicaNodes, replicaFlags, flagRows } });
}

/** Nearly every partition has its leader first and all in sync: a handful of rows say it for all of them. */
function* flagRowsSteps({
  partitions,
  stride,
  replicaFlags,
}: MapColumns): Generator<undefined, { rows: Uint32Array; flagRows: Buffer }> {
  const known = new Map<string, number>();
  const flagRows: Buffer[] = [];
  const rows = new Uint32Array(partitions);
  let last = -1;
  for (let p = 0; p < partitions; p += 1) {
    if (p % 65_536 === 65_535) yield undefined;
    if (last >= 0 && sameFlags(replicaFlags, p * stride, flagRows[last]!)) {
      rows[p] = last;
      continue;
    }
    const row = Buffer.from(replicaFlags.subarray(p * stride, (p + 1) * stride));
    const key = row.toString('latin1');
    last = known.get(key) ?? flagRows.push(row) - 1;
    known.set(key, last);
    rows[p] = last;
  }
  return { rows, flagRows: Buffer.concat(flagRows) };
}

const sameFlags = (flags: Uint8Array, from: number, row: Uint8Array): boolean => {
  for (let i = 0; i < row.length; i += 1) if (flags[from + i] !== row[i]) return false;
  return true;
};

const refuse = (what: string): CadastreError =>
  new CadastreError('DATA_LOSS', `snapshot: ${what}`, {
    field: 'columns',
    remedy: 'watch again without a known generation',
  });

/** @throws CadastreError DATA_LOSS when the bytes are no map, INVALID_ARGUMENT when its scheme is none */
export const decodeColumns = (bytes: Uint8Array): KeyspaceMap => {
  const wire = decodeMessage(bytes);
  const spec = decodeSpec(wire.keyspace);
  const { partitions, stride } = wire;
  // Before any column is made: a few bytes can claim billions of rows.
  if (partitions !== partitionCount(spec.scheme) || partitions > LIMITS.partitionsMax || stride > STRIDE_MAX)
    throw refuse(`${partitions} partitions x ${stride} do not fit its scheme and the limits`);
  return KeyspaceMap.fromColumns({
    spec,
    generation: requireGeneration(wire.generation),
    nodes: wire.nodes.map(decodeNode),
    partitions,
    stride,
    ...(wire.packed ? unpackColumns(wire.packed, partitions, stride, wire.nodes.length) : plainColumns(wire)),
  });
};

const decodeMessage = (bytes: Uint8Array): Wire.MapColumns__Output => {
  try {
    return columnsCodec.decode(bytes);
  } catch (error) {
    throw refuse(`the bytes are no map: ${(error as Error).message}`);
  }
};

type Columns = Pick<MapColumns, 'epochs' | 'replicaNodes' | 'replicaFlags'>;

const plainColumns = (wire: Wire.MapColumns__Output): Columns => {
  if (wire.epochs.length % 8 !== 0 || wire.replicaNodes.length % 4 !== 0)
    throw refuse('a column ends in the middle of a number');
  return {
    epochs: new Float64Array(aligned(wire.epochs)),
    replicaNodes: new Int32Array(aligned(wire.replicaNodes)),
    replicaFlags: new Uint8Array(aligned(wire.replicaFlags)),
  };
};

/** Straight into the columns that the map keeps: of a million rows every pass more is felt. */
const unpackColumns = (
  packed: Wire.PackedColumns__Output,
  partitions: number,
  stride: number,
  nodes: number,
): Columns => {
  if (packed.replicaNodes.length !== stride)
    throw refuse(`${packed.replicaNodes.length} columns of nodes for ${stride}`);
  const epochs = new Float64Array(partitions);
  unpack(packed.epochs, partitions, (values, n, from) =>
    epochs.set(n === values.length ? values : values.subarray(0, n), from),
  );
  const replicaNodes = nodeColumn(partitions * stride, nodes);
  packed.replicaNodes.forEach((column, place) => unpackNodes(column, partitions, replicaNodes, nodes, stride, place));
  return { epochs, replicaNodes, replicaFlags: unpackFlags(packed, partitions, stride) };
};

const unpackNodes = (
  column: Uint8Array,
  partitions: number,
  into: NodeColumn,
  nodes: number,
  stride: number,
  place: number,
): void =>
  unpack(column, partitions, (values, n, from) => {
    for (let i = 0, cell = from * stride + place; i < n; i += 1, cell += stride) {
      const node = values[i]! - 1;
      into[cell] = node < nodes ? node : NO_PLACE;
    }
  });

const unpackFlags = (
  { replicaFlags, flagRows }: Wire.PackedColumns__Output,
  partitions: number,
  stride: number,
): Uint8Array => {
  const count = stride === 0 ? 0 : flagRows.length / stride;
  const flags = new Uint8Array(partitions * stride);
  unpack(replicaFlags, partitions, (rows, n, from) => {
    for (let i = 0, cell = from * stride; i < n; i += 1) {
      const row = rows[i]!;
      if (!(row < count)) throw refuse(`partition ${from + i} has row ${row} of ${count} rows of flags`);
      for (let flag = row * stride, end = flag + stride; flag < end; flag += 1, cell += 1)
        flags[cell] = flagRows[flag]!;
    }
  });
  return flags;
};

export const encodeSnapshot = (map: MapColumns, form: SnapshotForm = 'plain'): EncodedMapEvent[] => {
  const steps = snapshotSteps(map, form);
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
};

/** The same in slices of some milliseconds: a map of a million partitions is encoded without holding the event loop. */
export function* snapshotSteps(map: MapColumns, form: SnapshotForm): Generator<undefined, EncodedMapEvent[]> {
  const bytes = form === 'packed' ? yield* packedColumnsSteps(map) : encodeColumns(map);
  yield undefined;
  const hash = createHash('sha256');
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
    hash.update(bytes.subarray(at, at + CHUNK_BYTES));
    if (at % (4 * CHUNK_BYTES) === 0) yield undefined;
  }
  const checksum = hash.digest('hex');
  const chunks = Math.max(1, Math.ceil(bytes.length / CHUNK_BYTES));
  const events: EncodedMapEvent[] = [];
  for (let index = 0; index < chunks; index += 1) {
    const data = bytes.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES);
    const { generation } = map;
    events.push(
      eventCodec.encode({ snapshot: { keyspace: map.spec.name, generation, index, chunks, data, checksum } }),
    );
    if (index % 4 === 3) yield undefined;
  }
  return events;
}

export const encodeDelta = (delta: MapDelta): EncodedMapEvent =>
  eventCodec.encode({
    delta: {
      keyspace: delta.keyspace,
      from: delta.from,
      to: delta.to,
      records: delta.records.map(encodeRecord),
      nodes: delta.nodes.map(encodeNode),
    },
  });

export const encodeDropped = (keyspace: string): EncodedMapEvent => eventCodec.encode({ dropped: { keyspace } });

/** @param spreadMs over how long a watcher that loses its stream is to spread its return */
export const encodeProgress = (
  clusterId: string,
  current: readonly KeyspaceGeneration[],
  spreadMs = 0,
): EncodedMapEvent =>
  eventCodec.encode({
    progress: {
      clusterId,
      current: current.map((c) => ({ keyspace: c.keyspace, generation: c.generation })),
      spreadMs,
    },
  });

export const decodeDelta = (wire: Wire.MapDelta__Output): MapDelta => ({
  keyspace: wire.keyspace,
  from: requireGeneration(wire.from),
  to: requireGeneration(wire.to),
  records: wire.records.map(decodeRecord),
  nodes: wire.nodes.map(decodeNode),
});

export const encodeKnown = (known: readonly KeyspaceGeneration[]): Wire.KnownGeneration[] =>
  known.map((k) => ({ keyspace: k.keyspace, generation: k.generation }));

export const decodeKnown = (wire: readonly Wire.KnownGeneration__Output[]): KeyspaceGeneration[] =>
  wire.map((k) => ({ keyspace: k.keyspace, generation: requireGeneration(k.generation) }));

interface Part {
  readonly generation: Generation;
  readonly data: Buffer[];
  readonly hash: Hash;
  readonly chunks: number;
  readonly checksum: string;
  bytes: number;
}

/** Puts the chunks of a snapshot together; refuses a wrong order, a mixture or a wrong checksum. */
export class SnapshotAssembler {
  private readonly parts = new Map<string, Part>();

  /** @returns the map when this was the last chunk. @throws CadastreError DATA_LOSS */
  add(chunk: Wire.SnapshotChunk__Output): KeyspaceMap | undefined {
    const generation = requireGeneration(chunk.generation);
    if (chunk.index === 0)
      this.parts.set(chunk.keyspace, {
        generation,
        data: [],
        hash: createHash('sha256'),
        chunks: chunk.chunks,
        checksum: chunk.checksum,
        bytes: 0,
      });
    const part = this.parts.get(chunk.keyspace);
    if (
      !part ||
      part.data.length !== chunk.index ||
      part.chunks !== chunk.chunks ||
      part.checksum !== chunk.checksum ||
      compareGenerations(part.generation, generation) !== 0
    ) {
      throw this.damaged(chunk.keyspace, `chunk ${chunk.index} of ${chunk.chunks} does not continue what came before`);
    }
    part.bytes += chunk.data.length;
    if (part.bytes > SNAPSHOT_BYTES_MAX)
      throw this.damaged(chunk.keyspace, `is larger than ${SNAPSHOT_BYTES_MAX} bytes`);
    part.data.push(chunk.data);
    part.hash.update(chunk.data); // while the next chunk is on its way
    if (part.data.length < part.chunks) return undefined;
    this.parts.delete(chunk.keyspace);
    if (part.hash.digest('hex') !== part.checksum) throw this.damaged(chunk.keyspace, 'checksum does not match');
    return decodeColumns(Buffer.concat(part.data));
  }

  private damaged(keyspace: string, what: string): CadastreError {
    this.parts.clear();
    return new CadastreError('DATA_LOSS', `snapshot of ${keyspace}: ${what}`, {
      field: 'snapshot',
      remedy: 'watch again without a known generation',
    });
  }
}

/** Equal for two copies of a map exactly when they say the same, however their node tables are ordered. */
export const mapDigest = (map: KeyspaceMap): string => {
  const hash = createHash('sha256').update(`${map.spec.name} ${map.generation.incarnation}.${map.generation.number}\n`);
  for (let p = 0; p < map.partitions; p += 1) {
    const { epoch, replicas } = map.record(p);
    hash.update(
      `${p} ${epoch} ${replicas.map((r) => `${r.node}:${r.role}:${r.state}:${Number(r.inSync)}`).join(',')}\n`,
    );
  }
  return hash.digest('hex');
};
