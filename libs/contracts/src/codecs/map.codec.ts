import { createHash } from 'node:crypto';
import type { Generation, KeyspaceGeneration, MapColumns, MapDelta } from '@cadastre/core';
import { CadastreError, compareGenerations, KeyspaceMap } from '@cadastre/core';
import type * as Wire from '../generated/index.js';
import { messageCodec } from '../proto.js';
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

const columnsCodec = messageCodec<Wire.MapColumns, Wire.MapColumns__Output>('MapColumns');
const eventCodec = messageCodec<Wire.MapEvent, Wire.MapEvent__Output>('MapEvent');

/** Bytes of one event, ready to be written to any number of WatchMap streams. */
export type EncodedMapEvent = Buffer;

const bytesOf = (array: Float64Array | Int32Array | Uint8Array): Buffer =>
  Buffer.from(array.buffer, array.byteOffset, array.byteLength);

/** Copies, because a typed array needs an aligned buffer of its own. All machines that Node runs on here are little-endian. */
const aligned = (bytes: Uint8Array): ArrayBuffer => new Uint8Array(bytes).buffer;

export const encodeColumns = (map: MapColumns): Buffer =>
  columnsCodec.encode({
    keyspace: encodeSpec(map.spec),
    generation: map.generation,
    nodes: map.nodes.map(encodeNode),
    partitions: map.partitions,
    stride: map.stride,
    epochs: bytesOf(map.epochs),
    replicaNodes: bytesOf(map.replicaNodes),
    replicaFlags: bytesOf(map.replicaFlags),
  });

/** @throws CadastreError DATA_LOSS when the bytes are no map */
export const decodeColumns = (bytes: Uint8Array): KeyspaceMap => {
  const wire = columnsCodec.decode(bytes);
  if (wire.epochs.length % 8 !== 0 || wire.replicaNodes.length % 4 !== 0) {
    throw new CadastreError('DATA_LOSS', 'snapshot: a column ends in the middle of a number', {
      remedy: 'watch again without a known generation',
    });
  }
  return KeyspaceMap.fromColumns({
    spec: decodeSpec(wire.keyspace),
    generation: requireGeneration(wire.generation),
    nodes: wire.nodes.map(decodeNode),
    partitions: wire.partitions,
    stride: wire.stride,
    epochs: new Float64Array(aligned(wire.epochs)),
    replicaNodes: new Int32Array(aligned(wire.replicaNodes)),
    replicaFlags: new Uint8Array(aligned(wire.replicaFlags)),
  });
};

export const encodeSnapshot = (map: MapColumns): EncodedMapEvent[] => {
  const bytes = encodeColumns(map);
  const checksum = createHash('sha256').update(bytes).digest('hex');
  const chunks = Math.max(1, Math.ceil(bytes.length / CHUNK_BYTES));
  return Array.from({ length: chunks }, (_, index) =>
    eventCodec.encode({
      snapshot: {
        keyspace: map.spec.name,
        generation: map.generation,
        index,
        chunks,
        data: bytes.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES),
        checksum,
      },
    }),
  );
};

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

export const encodeProgress = (clusterId: string, current: readonly KeyspaceGeneration[]): EncodedMapEvent =>
  eventCodec.encode({
    progress: { clusterId, current: current.map((c) => ({ keyspace: c.keyspace, generation: c.generation })) },
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

/** Puts the chunks of a snapshot together; refuses a wrong order, a mixture or a wrong checksum. */
export class SnapshotAssembler {
  private readonly parts = new Map<
    string,
    { generation: Generation; data: Buffer[]; chunks: number; checksum: string }
  >();

  /** @returns the map when this was the last chunk. @throws CadastreError DATA_LOSS */
  add(chunk: Wire.SnapshotChunk__Output): KeyspaceMap | undefined {
    const generation = requireGeneration(chunk.generation);
    if (chunk.index === 0)
      this.parts.set(chunk.keyspace, { generation, data: [], chunks: chunk.chunks, checksum: chunk.checksum });
    const part = this.parts.get(chunk.keyspace);
    if (
      !part ||
      part.data.length !== chunk.index ||
      part.checksum !== chunk.checksum ||
      compareGenerations(part.generation, generation) !== 0
    ) {
      throw this.damaged(chunk.keyspace, `chunk ${chunk.index} of ${chunk.chunks} does not continue what came before`);
    }
    part.data.push(chunk.data);
    if (part.data.length < part.chunks) return undefined;
    this.parts.delete(chunk.keyspace);
    return this.finish(chunk.keyspace, part.data, part.checksum);
  }

  private finish(keyspace: string, data: Buffer[], checksum: string): KeyspaceMap {
    const bytes = Buffer.concat(data);
    if (createHash('sha256').update(bytes).digest('hex') !== checksum)
      throw this.damaged(keyspace, 'checksum does not match');
    return decodeColumns(bytes);
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
