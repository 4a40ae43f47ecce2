import { invalid } from '../errors.js';
import { LIMITS } from '../limits.js';
import { checkScheme, checkWhole } from './check-scheme.js';
import {
  citusSplits,
  evenBytes,
  mongodbSplits,
  routingSlotsOf,
  shardSplits,
  solrSplits,
  vitessSplits,
} from './preset-splits.js';
import { md5RingTokens, seededTokens } from './ring-tokens.js';
import type {
  Compound,
  HashRangeScheme,
  HashSlotsScheme,
  RangeHash,
  RingHash,
  RingNode,
  Scheme,
  SlotHash,
} from './scheme.js';

export const PRESET_NAMES = [
  'redis-cluster',
  'kafka',
  'cassandra-murmur3',
  'cassandra-random',
  'cassandra-byte-ordered',
  'citus',
  'elasticsearch',
  'couchbase',
  'vitess-xxhash',
  'vitess-hash',
  'vitess-binary-md5',
  'vitess-unicode-loose-xxhash',
  'mongodb-hashed',
  'mongodb-ranged',
  'riak',
  'solr-composite',
  'md5-ring',
  'dynamodb-style',
  'xxhash64',
  'murmur3',
] as const;
export type PresetName = (typeof PRESET_NAMES)[number];

export interface PresetParams {
  /** Slots, ranges or shards; where the system fixes no number, 16 unless given. */
  readonly partitions?: number;
  /** Of a ring: names of the nodes. */
  readonly nodes?: readonly string[];
  /** Of a ring: tokens a node, 16 (256 on the MD5 ring) unless given. */
  readonly vnodes?: number;
  /** Of a ring: which random tokens. */
  readonly seed?: string;
  /** Of a Cassandra ring: the tokens that the cluster already has, in place of nodes and vnodes. */
  readonly tokens?: readonly RingNode[];
  /** Type of the keys: citus text, int4, int8, uuid; mongodb-hashed string, int32, int64, objectid. */
  readonly type?: string;
  /** Of mongodb-ranged and cassandra-byte-ordered: where partitions begin. */
  readonly splitPoints?: readonly Uint8Array[];
  /** Of vitess: keyspace-id ranges such as `-80`, `80-`. */
  readonly shards?: readonly string[];
  /** Of elasticsearch: number_of_routing_shards, as Elasticsearch computes it unless given. */
  readonly routingShards?: number;
  /** Of elasticsearch, with a compound key `routing, id`: routing_partition_size. */
  readonly routingPartitionSize?: number;
  /** Of riak: the bucket of the keys, `default` unless given. */
  readonly bucket?: string;
  /** Of riak: the bucket's type, where it is not the default one. */
  readonly bucketType?: string;
  /** Only the first component of a key is hashed. */
  readonly compound?: Compound;
}

export interface Preset {
  readonly name: PresetName;
  readonly kind: Scheme['kind'];
  /** What is hashed and how it is cut. */
  readonly summary: string;
  /** Where the rule is written down. */
  readonly source: string;
  /** Parameters that it takes. */
  readonly params: readonly (keyof PresetParams)[];
  /** Partitions when none are asked for. */
  readonly partitions: number;
}

interface Recipe extends Omit<Preset, 'name'> {
  readonly make: (params: PresetParams, partitions: number) => Scheme;
}

const DEFAULT_PARTITIONS = 16;

const slots = (
  hash: SlotHash,
  summary: string,
  source: string,
  { partitions = DEFAULT_PARTITIONS, hashTags = false }: { partitions?: number; hashTags?: boolean } = {},
): Recipe => ({
  kind: 'hash-slots',
  summary,
  source,
  params: hashTags ? ['partitions'] : ['partitions', 'compound'],
  partitions,
  make: ({ compound }, count) => slotScheme(hash, count, hashTags, compound),
});

const slotScheme = (hash: SlotHash, count: number, hashTags: boolean, compound?: Compound): HashSlotsScheme => ({
  kind: 'hash-slots',
  slots: count,
  hash,
  hashTags,
  ...(compound && { compound }),
});

const rangeScheme = (
  hash: RangeHash,
  partitions: number,
  { compound }: PresetParams,
  splitPoints?: readonly string[],
): HashRangeScheme => ({
  kind: 'hash-range',
  hash,
  partitions,
  ...(splitPoints && { splitPoints }),
  ...(compound && { compound }),
});

/** A ring where nodes or tokens are given; equal ranges of the same tokens where only their number matters. */
const cassandra = (hash: Exclude<RingHash, 'bytes'>, summary: string, source: string): Recipe => ({
  kind: 'ring',
  summary,
  source,
  params: ['nodes', 'vnodes', 'seed', 'tokens', 'partitions', 'compound'],
  partitions: DEFAULT_PARTITIONS,
  make: (params, partitions) =>
    params.nodes || params.tokens ? ringScheme(hash, params) : rangeScheme(hash, partitions, params),
});

const ringScheme = (hash: RingHash, { nodes = [], vnodes = 16, seed, tokens, compound }: PresetParams): Scheme => ({
  kind: 'ring',
  hash,
  nodes: tokens ?? seededTokens(hash, nodes, vnodes, seed),
  ...(compound && { compound }),
});

const vitess = (hash: RangeHash, summary: string, source: string): Recipe => ({
  kind: 'hash-range',
  summary,
  source,
  params: ['partitions', 'shards', 'compound'],
  partitions: DEFAULT_PARTITIONS,
  make: (params, partitions) => {
    if (!params.shards) return rangeScheme(hash, partitions, params, vitessSplits(hash, partitions));
    const splits = shardSplits(hash, params.shards);
    return rangeScheme(hash, splits.length + 1, params, splits);
  },
});

const CITUS_TYPES = { text: 'citus-text', int4: 'citus-int4', int8: 'citus-int8', uuid: 'citus-uuid' } as const;
const MONGODB_TYPES = {
  string: 'mongodb-string',
  int32: 'mongodb-int32',
  int64: 'mongodb-int64',
  objectid: 'mongodb-objectid',
} as const;

const typed = <T extends string>(types: Readonly<Record<string, T>>, type: string): T => {
  const hash = Object.hasOwn(types, type) ? types[type] : undefined;
  if (hash === undefined) throw invalid('type', `"${type}" is unknown`, `use one of ${Object.keys(types).join(', ')}`);
  return hash;
};

const RECIPES: Record<PresetName, Recipe> = {
  'redis-cluster': {
    ...slots(
      'crc16',
      'CRC16/XMODEM of the key or its {hash tag}, mod 16384',
      'Redis Cluster specification, key distribution model',
      {
        partitions: 16384,
        hashTags: true,
      },
    ),
    make: (_, count) => {
      if (count !== 16384)
        throw invalid('partitions', `${count}: Redis Cluster has 16384 slots`, 'leave it out', '16384');
      return slotScheme('crc16', count, true);
    },
  },
  kafka: slots(
    'murmur2',
    'murmur2 of the key, sign bit cleared, mod partitions',
    'Apache Kafka, Utils.murmur2 and BuiltInPartitioner.partitionForKey',
  ),
  'cassandra-murmur3': cassandra(
    'cassandra-murmur3',
    'MurmurHash3 x64 128 with signed bytes, its first half as a signed 64-bit token',
    'Apache Cassandra, Murmur3Partitioner and MurmurHash.hash3_x64_128',
  ),
  'cassandra-random': cassandra(
    'cassandra-random',
    'absolute value of the MD5 as a signed 128-bit number',
    'Apache Cassandra, RandomPartitioner and GuidGenerator',
  ),
  'cassandra-byte-ordered': {
    kind: 'ring',
    summary: 'the bytes of the key, in order',
    source: 'Apache Cassandra, ByteOrderedPartitioner',
    params: ['nodes', 'vnodes', 'seed', 'tokens', 'partitions', 'splitPoints'],
    partitions: DEFAULT_PARTITIONS,
    make: (params, partitions) =>
      params.nodes || params.tokens
        ? ringScheme('bytes', params)
        : { kind: 'range', splitPoints: params.splitPoints ?? evenBytes(partitions) },
  },
  citus: {
    kind: 'hash-range',
    summary: "PostgreSQL's hash of the value as int32, cut into equal steps",
    source: 'citusdata/citus, create_shards.c (HASH_TOKEN_COUNT / shardCount); PostgreSQL, hashfunc.c',
    params: ['partitions', 'type', 'compound'],
    partitions: 32,
    make: (params, partitions) =>
      rangeScheme(typed(CITUS_TYPES, params.type ?? 'text'), partitions, params, citusSplits(partitions)),
  },
  elasticsearch: {
    kind: 'hash-slots',
    summary: 'murmur3 of the routing value as UTF-16LE, floorMod routing shards, divided by their number a shard',
    source: 'Elasticsearch, Murmur3HashFunction, IndexRouting, MetadataCreateIndexService.calculateNumRoutingShards',
    params: ['partitions', 'routingShards', 'routingPartitionSize', 'compound'],
    partitions: DEFAULT_PARTITIONS,
    make: ({ compound, routingShards, routingPartitionSize }, count) => ({
      ...slotScheme('elasticsearch', count, false, compound),
      routingSlots: routingShards ?? routingSlotsOf(count),
      ...(routingPartitionSize !== undefined && { routingPartitionSize }),
    }),
  },
  couchbase: slots(
    'couchbase',
    'upper 15 bits of CRC-32 but for the sign, mod vBuckets',
    'couchbase/libcouchbase, vbucket: hash_crc32',
    {
      partitions: 1024,
    },
  ),
  'vitess-xxhash': vitess(
    'vitess-xxhash',
    'xxHash64 as a keyspace id of 8 bytes',
    'vitessio/vitess, vindexes/xxhash.go',
  ),
  'vitess-hash': vitess(
    'vitess-hash',
    'DES of the 64-bit number with a null key, a keyspace id of 8 bytes',
    'vitessio/vitess, vindexes/hash.go',
  ),
  'vitess-binary-md5': vitess(
    'vitess-binary-md5',
    'MD5 as a keyspace id of 16 bytes',
    'vitessio/vitess, vindexes/binarymd5.go',
  ),
  'vitess-unicode-loose-xxhash': vitess(
    'vitess-unicode-loose-xxhash',
    'xxHash64 of the collation key of ASCII text, without case and trailing spaces, as a keyspace id of 8 bytes',
    'vitessio/vitess, vindexes/unicodeloosexxhash.go',
  ),
  'mongodb-hashed': {
    kind: 'hash-range',
    summary: 'first 8 bytes of the MD5 of seed and BSON element, as int64; chunks symmetric around 0',
    source: 'mongodb/mongo, BSONElementHasher::hash64 and InitialSplitPolicy::calculateHashedSplitPoints',
    params: ['partitions', 'type', 'compound'],
    partitions: DEFAULT_PARTITIONS,
    make: (params, partitions) =>
      rangeScheme(typed(MONGODB_TYPES, params.type ?? 'string'), partitions, params, mongodbSplits(partitions)),
  },
  'mongodb-ranged': {
    kind: 'range',
    summary: 'ranges of the shard key; a compound key is its components one after another',
    source: 'MongoDB manual, ranged sharding',
    params: ['partitions', 'splitPoints'],
    partitions: DEFAULT_PARTITIONS,
    make: ({ splitPoints }, partitions) => ({ kind: 'range', splitPoints: splitPoints ?? evenBytes(partitions) }),
  },
  riak: {
    kind: 'hash-slots',
    summary: 'SHA-1 of the Erlang term {Bucket, Key}; the next of the equal segments of 2^160, clockwise',
    source: 'basho/riak_core, chash.erl and riak_core_util:chash_std_keyfun',
    params: ['partitions', 'bucket', 'bucketType'],
    partitions: 64,
    make: ({ bucket, bucketType }, count) => ({
      ...slotScheme('riak', count, false),
      ...(bucket !== undefined && { bucket }),
      ...(bucketType !== undefined && { bucketType }),
    }),
  },
  'solr-composite': {
    kind: 'hash-range',
    summary: 'murmur3 as int32: upper bits of the tenant, the others of the document (tenant!doc, tenant/bits!doc)',
    source: 'apache/solr, CompositeIdRouter and Hash.murmurhash3_x86_32',
    params: ['partitions'],
    partitions: DEFAULT_PARTITIONS,
    make: (params, partitions) => rangeScheme('solr-composite', partitions, params, solrSplits(partitions)),
  },
  'md5-ring': {
    kind: 'ring',
    summary: 'first 32 bits of MD5; the first position NODE:vnodeI clockwise',
    source: 'Karger et al., Consistent hashing and random trees, 1997; positions as in the common MD5 rings',
    params: ['nodes', 'vnodes', 'compound'],
    partitions: 256,
    make: ({ nodes, vnodes = 256, compound }) => {
      if (!nodes) throw invalid('nodes', 'is missing', 'name the nodes of the ring', 'at least 1');
      return { kind: 'ring', hash: 'md5-32', nodes: md5RingTokens(nodes, vnodes), ...(compound && { compound }) };
    },
  },
  'dynamodb-style': {
    kind: 'hash-range',
    summary: 'MD5 of the partition key as an unsigned 128-bit number, equal ranges, split and merged later',
    source: 'DeCandia et al., Dynamo, 2007, section 4.2; DynamoDB developer guide, partitions and data distribution',
    params: ['partitions', 'compound'],
    partitions: DEFAULT_PARTITIONS,
    make: (params, partitions) => rangeScheme('md5', partitions, params),
  },
  xxhash64: slots('xxhash64', 'xxHash64 with seed 0, mod slots', 'Yann Collet, xxHash specification (XXH64)'),
  murmur3: slots('murmur3', 'MurmurHash3 x86 32 with seed 0, mod slots', 'Austin Appleby, SMHasher, MurmurHash3.cpp'),
};

/** Every named scheme of the field, for lists and help. */
export const PRESETS: readonly Preset[] = PRESET_NAMES.map((name) => {
  const { make: _, ...rest } = RECIPES[name];
  return { name, ...rest };
});

/**
 * The scheme that places keys exactly where the named system does.
 * @throws CadastreError INVALID_ARGUMENT naming the parameter that is wrong, missing or not of this preset
 */
export const presetScheme = (name: PresetName, params: PresetParams = {}): Scheme => {
  if (!PRESET_NAMES.includes(name))
    throw invalid('preset', `"${String(name)}" is unknown`, `use one of ${PRESET_NAMES.join(', ')}`);
  const recipe = RECIPES[name];
  for (const [param, value] of Object.entries(params))
    if (value !== undefined && !recipe.params.includes(param as keyof PresetParams))
      throw invalid(param, `does not belong to ${name}`, `use only ${recipe.params.join(', ')}`);
  const { partitions = recipe.partitions } = params;
  checkWhole(
    'partitions',
    partitions,
    1,
    LIMITS.partitionsMax,
    'give a whole number; 16 to 100 partitions a node is usual',
  );
  return checkScheme(recipe.make(params, partitions));
};
