import { describe, expect, it } from '@jest/globals';
import { CadastreError, KeyspaceMap, newRecord, type KeyspaceSpec } from '@cadastre/core';
import {
  decodeColumns,
  encodeColumns,
  encodeDelta,
  encodeSnapshot,
  mapDigest,
  SnapshotAssembler,
} from './codecs/map.codec.js';
import { decodeRecord, decodeSpec, encodeRecord, encodeSpec } from './codecs/records.codec.js';
import type * as Wire from './generated/index.js';
import { messageCodec } from './proto.js';
import { fromServiceError, toStatus } from './status.js';

const events = messageCodec<Wire.MapEvent, Wire.MapEvent__Output>('MapEvent');
const specs = messageCodec<Wire.KeyspaceSpec, Wire.KeyspaceSpec__Output>('KeyspaceSpec');
const wireRecords = messageCodec<Wire.PartitionRecord, Wire.PartitionRecord__Output>('PartitionRecord');

const slots = 60_000;
const spec: KeyspaceSpec = {
  name: 'k',
  scheme: { kind: 'hash-slots', slots, hash: 'crc16', hashTags: true },
  replicationFactor: 2,
  minInSync: 1,
  spread: [{ label: 'zone', maxPerDomain: 1, hard: true }],
};
const nodes = ['a', 'b'].map((id) => ({ id, address: `${id}:1`, labels: { zone: id }, weight: 1.5 }));
const map = KeyspaceMap.fromRecords(
  spec,
  { incarnation: 2, number: 7 },
  Array.from({ length: slots }, (_, p) => newRecord(p, p % 2 ? ['a', 'b'] : ['b', 'a'])),
  nodes,
);
const chunks = () => encodeSnapshot(map).map((bytes) => events.decode(bytes).snapshot!);
const damaged = expect.objectContaining({ code: 'DATA_LOSS', remedy: expect.any(String) });

describe('what goes over the wire', () => {
  // Plan: a keyspace of each scheme and a record survive the way there and back.
  it('keeps specs and records', () => {
    const range: KeyspaceSpec = {
      ...spec,
      scheme: { kind: 'range', splitPoints: [Buffer.from([0]), Buffer.from([255, 0])] },
    };
    for (const each of [spec, range]) expect(decodeSpec(specs.decode(specs.encode(encodeSpec(each))))).toEqual(each);
    const record = map.record(5);
    expect(decodeRecord(wireRecords.decode(wireRecords.encode(encodeRecord(record))))).toEqual(record);
  });

  // Plan: a role from the future and an epoch above 2^53 are refused by name, never guessed or rounded.
  it('refuses what it does not understand', () => {
    const wire = wireRecords.decode(wireRecords.encode(encodeRecord(map.record(0))));
    const future = { ...wire, replicas: [{ ...wire.replicas[0]!, role: 'WITNESS' as never }] };
    expect(() => decodeRecord(future)).toThrow(expect.objectContaining({ code: 'DATA_LOSS', field: 'replica.role' }));
    expect(() => decodeRecord({ ...wire, epoch: 2 ** 60 })).toThrow(expect.objectContaining({ field: 'record.epoch' }));
  });
});

describe('a snapshot', () => {
  // Plan: several chunks come together to a map that says the same.
  it('arrives whole', () => {
    const assembler = new SnapshotAssembler();
    const parts = chunks();
    expect(parts.length).toBeGreaterThan(1);
    const results = parts.map((chunk) => assembler.add(chunk));
    expect(results.slice(0, -1).every((r) => r === undefined)).toBe(true);
    expect(mapDigest(results.at(-1)!)).toBe(mapDigest(map));
  });

  // Plan: flip a bit, leave a chunk out, change the order, mix two generations: each is refused.
  it.each<[string, (parts: Wire.SnapshotChunk__Output[]) => Wire.SnapshotChunk__Output[]]>([
    [
      'a flipped bit',
      (parts) => {
        parts[0]!.data[1000]! ^= 1;
        return parts;
      },
    ],
    ['a chunk left out', (parts) => [parts[0]!, ...parts.slice(2)]],
    ['a wrong order', (parts) => [parts[1]!, parts[0]!]],
    [
      'another generation in it',
      (parts) => {
        parts[1]!.generation = { incarnation: 2, number: 8 };
        return parts;
      },
    ],
    [
      'a truncated chunk',
      (parts) => {
        parts[0]!.data = parts[0]!.data.subarray(10);
        return parts;
      },
    ],
  ])('with %s is refused', (_what, damage) => {
    const assembler = new SnapshotAssembler();
    expect(() => damage(chunks()).forEach((chunk) => assembler.add(chunk))).toThrow(damaged);
  });

  // Plan: columns whose lengths do not fit are refused even when their checksum is right.
  it('with columns that do not fit is refused', () => {
    expect(() =>
      decodeColumns(
        encodeColumns({
          ...map,
          spec: map.spec,
          generation: map.generation,
          nodes: map.nodes,
          partitions: slots,
          stride: map.stride + 1,
          epochs: map.epochs,
          replicaNodes: map.replicaNodes,
          replicaFlags: map.replicaFlags,
        }),
      ),
    ).toThrow(damaged);
  });

  // Plan: one changed record makes another digest.
  it('has a digest that tells maps apart', () => {
    const other = map.withDelta({
      keyspace: 'k',
      from: map.generation,
      to: map.generation,
      records: [newRecord(1, ['b', 'a'])],
      nodes: [],
    });
    expect(mapDigest(other)).not.toBe(mapDigest(map));
    expect(
      events.decode(encodeDelta({ keyspace: 'k', from: map.generation, to: map.generation, records: [], nodes: [] }))
        .event,
    ).toBe('delta');
  });
});

describe('errors', () => {
  const over = (error: unknown) => fromServiceError(toStatus(error) as never);

  // Plan: an error of a stale plan there and back keeps what has changed and what to propose; one without changes too.
  it.each([[['node n3 was up and is down']], [[]]])('carry what a stale plan needs: %j', (changes) => {
    const info = { changes, proposeAgain: { keyspaces: ['orders', 'users'], reason: 'n1 goes' } };
    expect(over(new CadastreError('PLAN_STALE', 'stale', { field: 'id', info }))).toMatchObject({
      code: 'PLAN_STALE',
      field: 'id',
      info,
    });
  });

  // Plan: code, field, limit, remedy and the healing record survive the way through a gRPC status.
  it('keep all that the caller needs', () => {
    const info = { keyspace: 'k', record: map.record(3), generation: map.generation, leaderAddress: 'a:1' };
    const error = new CadastreError('NOT_OWNER', 'moved', {
      field: 'epoch',
      limit: 'one hop',
      remedy: 'retry there',
      info,
    });
    expect(over(error)).toMatchObject({
      code: 'NOT_OWNER',
      message: 'moved',
      field: 'epoch',
      limit: 'one hop',
      remedy: 'retry there',
      info,
    });
    expect(over(new CadastreError('NOT_ACTIVE', 'no', { info: { activeAddress: 'x:1' } })).info).toEqual({
      activeAddress: 'x:1',
    });
  });

  // Plan: a bug becomes INTERNAL; a transport's own failure gets a code without ours.
  it('never let a stranger through', () => {
    expect(over(new TypeError('x is undefined')).code).toBe('INTERNAL');
    expect(fromServiceError({ code: 14, details: 'no connection', metadata: undefined } as never)).toMatchObject({
      code: 'UNAVAILABLE',
      remedy: expect.any(String),
    });
    expect(fromServiceError({ code: 4, details: 'late', metadata: undefined } as never).code).toBe('DEADLINE_EXCEEDED');
  });
});
