import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import * as core from '@cadastre/core';

type Key = string | Readonly<Record<string, string>>;
interface Case {
  readonly key: Key;
  readonly token: string;
  readonly partition?: number;
  readonly node?: string;
}
interface Vectors {
  readonly preset: string;
  readonly oracle: { readonly name: string; readonly version: string };
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly cases: readonly Case[];
}
interface Found {
  readonly token: bigint | string;
  readonly partition?: number;
  readonly node?: string;
}
/** What a preset's file may hold beyond `key` and `token`, and how its cases are computed. */
interface Preset {
  readonly parameters?: readonly string[];
  readonly answers?: readonly ('partition' | 'node')[];
  /** Fields of a key that is no plain hexadecimal string; one of `oneOf`, or all of `allOf`. */
  readonly oneOf?: readonly string[];
  readonly allOf?: readonly string[];
  readonly find: (key: Key, parameters: Readonly<Record<string, any>>) => Found;
}

const bytes = (key: Key | undefined): Uint8Array => Uint8Array.from(Buffer.from(key as string, 'hex'));
const field = (key: Key, name: string): string => (key as Readonly<Record<string, string>>)[name]!;
const ofBytes = (hash: (key: Uint8Array) => bigint | number): Preset => ({
  find: (key) => ({ token: BigInt(hash(bytes(key))) }),
});
const ofWords = (count: 1 | 2 | 4 | 5, hash: (key: Uint8Array) => void): Preset =>
  ofBytes((key) => {
    hash(key);
    return core.unsignedOfWords(count);
  });

const ringOwner = (token: number, nodes: readonly string[], vnodes: number): string => {
  const position = (name: string) => core.md5First32(new TextEncoder().encode(name));
  const ring = nodes.flatMap((node) => Array.from({ length: vnodes }, (_, i) => ({ node, at: position(`${node}:vnode${i}`) })));
  ring.sort((a, b) => a.at - b.at);
  return (ring.find(({ at }) => at >= token) ?? ring[0]!).node;
};

const MONGODB: Record<string, (text: string) => void> = {
  int32: (text) => core.mongodbHashDouble(Number(text)),
  int64: (text) => core.mongodbHashInt64(Number(BigInt.asUintN(32, BigInt(text) >> 32n)), Number(BigInt.asUintN(32, BigInt(text)))),
  double: (text) => core.mongodbHashDouble(Number(text)),
  string: (text) => core.mongodbHashString(bytes(text)),
  objectId: (text) => core.mongodbHashObjectId(bytes(text)),
  uuid: (text) => core.mongodbHashBinary(4, bytes(text.replaceAll('-', ''))),
  binary: (text) => core.mongodbHashBinary(0, bytes(text)),
};

const elasticsearch = (token: number, { shards, routingShards }: Readonly<Record<string, any>>): Found => ({
  token: BigInt(token),
  partition: core.elasticsearchShard(token, routingShards, shards),
});

const PRESETS: Record<string, Preset> = {
  'redis-cluster': {
    parameters: ['slots'],
    answers: ['partition'],
    find: (key) => ({ token: BigInt(core.redisSlot(bytes(key))), partition: core.redisSlot(bytes(key)) }),
  },
  kafka: {
    parameters: ['partitions'],
    answers: ['partition'],
    find: (key, { partitions }) => {
      const token = core.kafkaHash(bytes(key));
      return { token: BigInt(token), partition: token % partitions };
    },
  },
  'cassandra-murmur3': ofBytes(core.cassandraMurmur3BigInt),
  'cassandra-random': ofBytes(core.cassandraRandomBigInt),
  'cassandra-byte-ordered': { parameters: ['ordered'], find: (key) => ({ token: Buffer.from(bytes(key)).toString('hex') }) },
  'citus-text': ofBytes(core.postgresHashBytes),
  'citus-int4': { oneOf: ['int4'], find: (key) => ({ token: BigInt(core.postgresHashInt4(Number(field(key, 'int4')))) }) },
  'citus-int8': { oneOf: ['int8'], find: (key) => ({ token: BigInt(core.postgresHashInt8BigInt(BigInt(field(key, 'int8')))) }) },
  'citus-uuid': {
    oneOf: ['uuid'],
    find: (key) => ({ token: BigInt(core.postgresHashUuid(bytes(field(key, 'uuid').replaceAll('-', '')))) }),
  },
  elasticsearch: {
    parameters: ['shards', 'routingShards'],
    answers: ['partition'],
    find: (key, parameters) => elasticsearch(core.elasticsearchHash(bytes(key)), parameters),
  },
  'elasticsearch-partitioned': {
    parameters: ['shards', 'routingShards', 'routingPartitionSize'],
    answers: ['partition'],
    allOf: ['routing', 'id'],
    find: (key, parameters) => {
      const routing = core.elasticsearchHash(bytes(field(key, 'routing')));
      const id = core.elasticsearchHash(bytes(field(key, 'id')));
      return elasticsearch(core.elasticsearchPartitionedHash(routing, id, parameters['routingPartitionSize']), parameters);
    },
  },
  couchbase: {
    parameters: ['vBuckets'],
    answers: ['partition'],
    find: (key, { vBuckets }) => {
      const token = core.couchbaseHash(bytes(key));
      return { token: BigInt(token), partition: token % vBuckets };
    },
  },
  'vitess-xxhash': ofBytes(core.vitessXxhashBigInt),
  'vitess-unicode-loose-xxhash': ofWords(2, core.vitessUnicodeLooseXxhash),
  'vitess-hash': { oneOf: ['int8'], find: (key) => ({ token: core.vitessHashBigInt(BigInt(field(key, 'int8'))) }) },
  'vitess-binary-md5': ofWords(4, core.vitessBinaryMd5),
  'mongodb-hashed': {
    oneOf: Object.keys(MONGODB),
    find: (key) => {
      const [[type, text]] = Object.entries(key) as [[string, string]];
      MONGODB[type]!(text);
      return { token: core.mongodbHashed() };
    },
  },
  riak: {
    parameters: ['ringSize'],
    answers: ['partition'],
    allOf: ['type', 'bucket', 'key'],
    find: (key, { ringSize }) => {
      const type = field(key, 'type') === '' ? undefined : bytes(field(key, 'type'));
      const token = core.riakHashBigInt(bytes(field(key, 'bucket')), bytes(field(key, 'key')), type);
      return { token, partition: core.riakPartition(ringSize) };
    },
  },
  'solr-composite': ofBytes(core.solrHash),
  'md5-ring': {
    parameters: ['nodes', 'vnodes'],
    answers: ['node'],
    find: (key, { nodes, vnodes }) => {
      const token = core.md5First32(bytes(key));
      return { token: BigInt(token), node: ringOwner(token, nodes, vnodes) };
    },
  },
  'dynamodb-style': ofBytes(core.md5BigInt),
  xxhash64: ofBytes(core.xxhash64BigInt),
  murmur3: ofBytes(core.murmur3),
  'murmur3-x64-128': ofWords(4, core.murmur3x64),
  crc32: ofBytes(core.crc32),
  sha1: ofBytes(core.sha1BigInt),
};

const folder = path.join(import.meta.dirname, 'partitioning');
const files = readdirSync(folder).filter((file) => file.endsWith('.json'));
const read = (file: string): Vectors => JSON.parse(readFileSync(path.join(folder, file), 'utf8'));

/** The first thing in a file that the runner does not know, so that no vector rots unread. */
const unknownIn = (vectors: Vectors, preset: Preset): string | undefined => {
  const strange = (value: object, known: readonly string[], exact = true): boolean =>
    Object.keys(value).some((name) => !known.includes(name)) || (exact && known.some((name) => !(name in value)));
  if (strange(vectors, ['preset', 'oracle', 'parameters', 'cases'])) return 'file';
  if (strange(vectors.oracle, ['name', 'version'])) return 'oracle';
  if (strange(vectors.parameters, preset.parameters ?? [])) return 'parameters';
  return vectors.cases.map((one, i) => (isKnown(one, preset) ? undefined : `cases[${i}]`)).find((place) => place !== undefined);
};

const isKnown = (one: Case, preset: Preset): boolean => {
  const answers = Object.keys(one).sort().join();
  if (answers !== ['key', 'token', ...(preset.answers ?? [])].sort().join()) return false;
  if (typeof one.key === 'string') return !preset.oneOf && !preset.allOf && /^([0-9a-f]{2})*$/.test(one.key);
  const fields = Object.keys(one.key);
  if (preset.allOf) return fields.join() === preset.allOf.join();
  return fields.length === 1 && (preset.oneOf ?? []).includes(fields[0]!);
};

describe('partitioning vectors', () => {
  // Plan: every preset has its file, and every file its preset.
  it('covers every preset', () => {
    expect(files.map((file) => file.replace('.json', '')).sort()).toEqual(Object.keys(PRESETS).sort());
  });

  // Plan: a field that the runner does not know is refused, at every depth, so that no vector rots unread.
  it.each([
    ['file', (v: any) => ({ ...v, note: 'x' })],
    ['oracle', (v: any) => ({ ...v, oracle: { ...v.oracle, url: 'x' } })],
    ['parameters', (v: any) => ({ ...v, parameters: { ...v.parameters, seed: 1 } })],
    ['cases[0]', (v: any) => ({ ...v, cases: [{ ...v.cases[0], slot: 1 }] })],
    ['cases[0]', (v: any) => ({ ...v, cases: [{ ...v.cases[0], key: { int4: '1' } }] })],
    ['cases[0]', (v: any) => ({ ...v, cases: [{ ...v.cases[0], partition: undefined, key: 'xyz' }] })],
  ])('refuses what is unknown in %s', (place, spoil) => {
    expect(unknownIn(spoil(read('kafka.json')), PRESETS['kafka']!)).toBe(place);
  });

  describe.each(files)('%s', (file) => {
    const vectors = read(file);
    const preset = PRESETS[vectors.preset]!;

    // Plan: the file says its preset and oracle, holds nothing unknown, and at least 400 different keys.
    it('is whole', () => {
      expect(`${vectors.preset}.json`).toBe(file);
      expect(unknownIn(vectors, preset)).toBeUndefined();
      expect(vectors.oracle.version).toMatch(/\d/);
      expect(new Set(vectors.cases.map(({ key }) => JSON.stringify(key))).size).toBe(vectors.cases.length);
      expect(vectors.cases.length).toBeGreaterThanOrEqual(400);
    });

    // Plan: every key gets the oracle's token, and its partition or node where the file has one.
    it('agrees with its oracle', () => {
      const found = vectors.cases.map(({ key }) => {
        const { token, ...rest } = preset.find(key, vectors.parameters);
        return { key, token: String(token), ...rest };
      });
      const wrong = found.filter((one, i) => JSON.stringify(one) !== JSON.stringify(vectors.cases[i]));
      expect(wrong.slice(0, 5)).toEqual([]);
    });
  });

  // Plan: the byte-ordered tokens of the driver rise as our comparison of keys does.
  it('orders bytes as cassandra-driver does', () => {
    const keys = read('cassandra-byte-ordered.json').cases.map(({ key }) => bytes(key));
    expect(keys.slice(1).every((key, i) => core.compareBytes(keys[i]!, key) < 0)).toBe(true);
  });
});
