/**
 * How a key becomes a token and a token a partition: a small readable value in the keyspace record, plain JSON but for the bytes
 * of `range` and `directory`. `createPartitioner` compiles it, `presetScheme` makes those of the field, `describeScheme` says it.
 */
export type Scheme = HashSlotsScheme | HashRangeScheme | RangeScheme | RingScheme | DirectoryScheme;

export const SCHEME_KINDS = ['hash-slots', 'hash-range', 'range', 'ring', 'directory'] as const;
export type SchemeKind = (typeof SCHEME_KINDS)[number];

/** Hashes that slots may be computed with. */
export const SLOT_HASHES = [
  'murmur3',
  'crc16',
  'murmur2',
  'crc32',
  'xxhash64',
  'couchbase',
  'elasticsearch',
  'riak',
] as const;
export type SlotHash = (typeof SLOT_HASHES)[number];

/** Hashes whose values have an order that ranges or a ring may be laid on. Keys of typed ones are binary: see `keyFromText`. */
export const RANGE_HASHES = [
  'murmur3',
  'xxhash64',
  'md5',
  'md5-32',
  'cassandra-murmur3',
  'cassandra-random',
  'citus-text',
  'citus-int4',
  'citus-int8',
  'citus-uuid',
  'vitess-hash',
  'vitess-xxhash',
  'vitess-unicode-loose-xxhash',
  'vitess-binary-md5',
  'mongodb-string',
  'mongodb-int32',
  'mongodb-int64',
  'mongodb-objectid',
  'solr-composite',
] as const;
export type RangeHash = (typeof RANGE_HASHES)[number];

/** `bytes`: the key is its own token (Cassandra's ByteOrderedPartitioner). */
export const RING_HASHES = [...RANGE_HASHES, 'bytes'] as const;
export type RingHash = (typeof RING_HASHES)[number];

/**
 * Of a key with several components only the first is hashed, so rows of one partition key lie together, in key order.
 * With a separator the first component ends before the first separator; a key without one is hashed whole.
 * With a length prefix the key begins with the first component's length, big-endian; a key that is shorter is hashed whole.
 */
export type Compound = { readonly separator: Uint8Array } | { readonly lengthPrefixBytes: 1 | 2 | 4 };

interface Versioned {
  /** Rises by one with each change of the partitioning; 1 where it is not given. */
  readonly version?: number;
}

/** Token = hash mod slots, or a stated variant; every slot is a partition. Slots are fixed: they move, and never split. */
export interface HashSlotsScheme extends Versioned {
  readonly kind: 'hash-slots';
  readonly slots: number;
  readonly hash: SlotHash;
  /** Hash only what stands between the first `{` and the next `}`, when that is not empty (Redis Cluster specification). */
  readonly hashTags: boolean;
  readonly compound?: Compound;
  /** Slots that the hash is taken modulo of, a multiple of `slots`: neighbours share a partition (Elasticsearch). Default `slots`. */
  readonly routingSlots?: number;
  /** With a compound key, rows of one routing value spread over so many routing slots (Elasticsearch's routing_partition_size). */
  readonly routingPartitionSize?: number;
  /** Riak hashes it with the key; `default` unless given. */
  readonly bucket?: string;
  /** Riak's bucket type, where it is not the default one. */
  readonly bucketType?: string;
}

/** Token = hash; partition i holds the tokens in [splitPoints[i-1], splitPoints[i]). */
export interface HashRangeScheme extends Versioned {
  readonly kind: 'hash-range';
  readonly hash: RangeHash;
  readonly partitions: number;
  /** Decimal tokens, ascending, one fewer than partitions. Without them partition i begins at min + floor(i * size / partitions). */
  readonly splitPoints?: readonly string[];
  readonly compound?: Compound;
}

/** Partition i holds the keys in [splitPoints[i-1], splitPoints[i]), bytes compared unsigned. */
export interface RangeScheme extends Versioned {
  readonly kind: 'range';
  readonly splitPoints: readonly Uint8Array[];
}

export interface RingNode {
  readonly node: string;
  /** Decimal tokens (hex of the bytes where the ring's hash is `bytes`): the node owns what lies between the ring's token before and each. */
  readonly tokens: readonly string[];
}

/** Partition i holds the tokens in (t[i-1], t[i]] of the ring's sorted tokens; the first one wraps around. */
export interface RingScheme extends Versioned {
  readonly kind: 'ring';
  readonly hash: RingHash;
  readonly nodes: readonly RingNode[];
  readonly compound?: Compound;
}

/**
 * One key, all keys with a prefix, or all keys of a geography: those whose first component (up to the scheme's separator) is
 * the label. The longest match wins. `spread` gives a prefix or geography a block of partitions, murmur3 mod spread.
 */
export type DirectoryEntry =
  | { readonly match: 'key'; readonly key: Uint8Array; readonly partition: number }
  | { readonly match: 'prefix'; readonly prefix: Uint8Array; readonly partition: number; readonly spread?: number }
  | { readonly match: 'geography'; readonly label: string; readonly partition: number; readonly spread?: number };

/** Explicit entries over a fallback, whose partitions come first; entries may name those or ones of their own. */
export interface DirectoryScheme extends Versioned {
  readonly kind: 'directory';
  readonly entries: readonly DirectoryEntry[];
  /** At least those of the fallback. */
  readonly partitions: number;
  /** Between a geography and the rest of the key, UTF-8; `/` by default. */
  readonly separator?: string;
  readonly fallback: Exclude<Scheme, DirectoryScheme>;
}
