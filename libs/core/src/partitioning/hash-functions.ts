import { invalid } from '../errors.js';
import {
  cassandraMurmur3,
  cassandraRandom,
  couchbaseHash,
  crc16,
  crc32Int,
  elasticsearchHash,
  hashWords,
  kafkaHash,
  md5,
  mongodbHashInt64,
  mongodbHashObjectId,
  mongodbHashString,
  murmur3Int,
  postgresHashBytes,
  postgresHashInt4,
  postgresHashInt8,
  postgresHashUuid,
  solrHash,
  vitessBinaryMd5,
  vitessHash,
  vitessUnicodeLooseXxhash,
  vitessXxhash,
  xxhash64,
} from './hashes/index.js';
import type { RangeHash, RingHash, SlotHash } from './scheme.js';
import type { TokenSpace } from './token.js';
import { INT32, INT64, UINT127, UINT128, UINT32, UINT64 } from './token.js';

/** A hash of 32 bits, of either sign (a sum above 2^31 would be allocated at each call); the caller makes of it the distance from the space's least token. */
export type Hash32 = (key: Uint8Array, from: number, to: number) => number;
/** Leaves its words in `hashWords`, the most significant first, in two's complement where the space is signed. */
export type HashWide = (key: Uint8Array, from: number, to: number) => void;

/** What the bytes of a key mean to a typed hash; integers big-endian, two's complement. */
export type KeyType = 'text' | 'int32' | 'int64' | 'uuid' | 'objectid';

export type HashFunction =
  | { readonly width: 'narrow'; readonly space: TokenSpace; readonly keyType: KeyType; readonly hash: Hash32 }
  | { readonly width: 'wide'; readonly space: TokenSpace; readonly keyType: KeyType; readonly hash: HashWide };

const narrow = (space: TokenSpace, hash: Hash32, keyType: KeyType = 'text'): HashFunction => ({
  width: 'narrow',
  space,
  keyType,
  hash,
});
const wide = (space: TokenSpace, hash: HashWide, keyType: KeyType = 'text'): HashFunction => ({
  width: 'wide',
  space,
  keyType,
  hash,
});

/** A typed hash of a key that is not of that type would place it somewhere, and wrongly. */
const checkLength = (from: number, to: number, bytes: number): void => {
  if (to - from !== bytes)
    throw invalid(
      'key',
      `${to - from} bytes where the hash takes ${bytes}`,
      'encode the value as the scheme says',
      `${bytes} bytes`,
    );
};

const wordAt = (key: Uint8Array, at: number): number =>
  (key[at]! << 24) | (key[at + 1]! << 16) | (key[at + 2]! << 8) | key[at + 3]!;

const of32 =
  <T>(compute: (value: number) => T) =>
  (key: Uint8Array, from: number, to: number): T => {
    checkLength(from, to, 4);
    return compute(wordAt(key, from));
  };

const of64 =
  <T>(compute: (high: number, low: number) => T) =>
  (key: Uint8Array, from: number, to: number): T => {
    checkLength(from, to, 8);
    return compute(wordAt(key, from), wordAt(key, from + 4));
  };

const ofBytes =
  <T>(bytes: number, compute: (key: Uint8Array, from: number, to: number) => T) =>
  (key: Uint8Array, from: number, to: number): T => {
    checkLength(from, to, bytes);
    return compute(key, from, to);
  };

/** `md5First32`, of either sign. */
const md5First: Hash32 = (key, from, to) => {
  md5(key, from, to);
  return hashWords[0]! | 0;
};

const FUNCTIONS: Record<RangeHash, HashFunction> = {
  murmur3: narrow(UINT32, murmur3Int),
  xxhash64: wide(UINT64, xxhash64),
  md5: wide(UINT128, md5),
  'md5-32': narrow(UINT32, md5First),
  'cassandra-murmur3': wide(INT64, cassandraMurmur3),
  'cassandra-random': wide(UINT127, cassandraRandom),
  'citus-text': narrow(INT32, postgresHashBytes),
  'citus-int4': narrow(INT32, of32(postgresHashInt4), 'int32'),
  'citus-int8': narrow(INT32, of64(postgresHashInt8), 'int64'),
  'citus-uuid': narrow(INT32, ofBytes(16, postgresHashUuid), 'uuid'),
  'vitess-hash': wide(UINT64, of64(vitessHash), 'int64'),
  'vitess-xxhash': wide(UINT64, vitessXxhash),
  'vitess-unicode-loose-xxhash': wide(UINT64, vitessUnicodeLooseXxhash),
  'vitess-binary-md5': wide(UINT128, vitessBinaryMd5),
  'mongodb-string': wide(INT64, mongodbHashString),
  'mongodb-int32': wide(
    INT64,
    of32((value) => mongodbHashInt64(value >> 31, value)),
    'int32',
  ),
  'mongodb-int64': wide(INT64, of64(mongodbHashInt64), 'int64'),
  'mongodb-objectid': wide(INT64, ofBytes(12, mongodbHashObjectId), 'objectid'),
  'solr-composite': narrow(INT32, solrHash),
};

export const hashFunction = (name: RangeHash): HashFunction => FUNCTIONS[name];

export const spaceOf = (name: Exclude<RingHash, 'bytes'>): TokenSpace => FUNCTIONS[name].space;

type NarrowSlotHash = Exclude<SlotHash, 'xxhash64' | 'riak'>;

/** How a 32-bit hash becomes a number that is taken modulo the slots. */
export const slotHash = (name: NarrowSlotHash): Hash32 => SLOTS[name];

const SLOTS: Record<NarrowSlotHash, Hash32> = {
  murmur3: murmur3Int,
  crc16,
  murmur2: kafkaHash,
  crc32: crc32Int,
  couchbase: couchbaseHash,
  elasticsearch: elasticsearchHash,
};
