import { invalid } from '../errors.js';
import { LIMITS } from '../limits.js';
import { checkWhole } from './check-scheme.js';
import { murmur3 } from './hashes/index.js';

/**
 * Spreading a hot key: a salted key is the key, a 0 byte, and its bucket as 2 bytes big-endian. Three bytes at the end, so that
 * salting keeps prefixes and the inverse needs no knowledge of the number of buckets.
 */
const SUFFIX = 3;
const BUCKETS_MAX = 65_536;

const checkBuckets = (buckets: number): number =>
  checkWhole('buckets', buckets, 1, BUCKETS_MAX, 'give how many keys one is spread over; bucketsFor computes it');

const withBucket = (key: Uint8Array, bucket: number): Uint8Array => {
  if (key.length + SUFFIX > LIMITS.keyBytesMax)
    throw invalid(
      'key',
      `has ${key.length} bytes`,
      'shorten the key',
      `${LIMITS.keyBytesMax - SUFFIX} bytes before salting`,
    );
  const salted = new Uint8Array(key.length + SUFFIX);
  salted.set(key);
  salted[key.length + 1] = bucket >>> 8;
  salted[key.length + 2] = bucket & 255;
  return salted;
};

/**
 * The key with a random bucket: writes spread evenly, and a reader has to `gather` all buckets.
 * @param random a number from 0 to below 1; seeded in tests
 */
export const salt = (key: Uint8Array, buckets: number, random: () => number): Uint8Array =>
  withBucket(key, Math.min(checkBuckets(buckets) - 1, Math.floor(random() * buckets)));

/**
 * The key with a bucket calculated from `item`, something that the reader knows too (an order number, a user): one item is read from one
 * bucket, all of them with `gather`.
 */
export const saltBy = (key: Uint8Array, buckets: number, item: Uint8Array): Uint8Array =>
  withBucket(key, murmur3(item, 0, item.length) % checkBuckets(buckets));

export interface Salted {
  readonly key: Uint8Array;
  readonly bucket: number;
}

/** The inverse of `salt` and `saltBy`. @throws CadastreError INVALID_ARGUMENT when the key is not salted */
export const unsalt = (salted: Uint8Array): Salted => {
  const end = salted.length - SUFFIX;
  if (end < 0 || salted[end] !== 0)
    throw invalid(
      'key',
      'is not salted',
      'give a key that salt or saltBy made',
      'a 0 byte, then 2 bytes of bucket, at its end',
    );
  return { key: salted.slice(0, end), bucket: (salted[end + 1]! << 8) | salted[end + 2]! };
};

/** All keys that `salt` may have made of `key`, by bucket: what a reader asks for. */
export const gather = (key: Uint8Array, buckets: number): Uint8Array[] =>
  Array.from({ length: checkBuckets(buckets) }, (_, bucket) => withBucket(key, bucket));

/** What one partition serves in a second (DynamoDB developer guide: partitions, and capacity units). */
export const PARTITION_CAPACITY = {
  /** Of 1 KiB; larger items take several. */
  writeUnits: 1000,
  writeUnitBytes: 1024,
  /** Of 4 KiB, strongly consistent. */
  readUnits: 3000,
  readUnitBytes: 4096,
} as const;

export interface Throughput {
  readonly writesPerSecond: number;
  readonly readsPerSecond: number;
  readonly itemBytes: number;
  /** Reads that may be stale cost half a unit. */
  readonly eventuallyConsistent?: boolean;
}

/**
 * How many buckets a key needs so that none goes over what a partition serves. Writes and reads are metered alike as shares of one
 * partition's capacity.
 */
export const bucketsFor = ({
  writesPerSecond,
  readsPerSecond,
  itemBytes,
  eventuallyConsistent = false,
}: Throughput): number => {
  const amount = (field: string, value: number): number => {
    if (Number.isFinite(value) && value >= 0) return value;
    throw invalid(field, `${value} is no amount`, 'give a number', 'at least 0');
  };
  amount('itemBytes', itemBytes);
  const { writeUnits, writeUnitBytes, readUnits, readUnitBytes } = PARTITION_CAPACITY;
  const writes = amount('writesPerSecond', writesPerSecond) * Math.max(1, Math.ceil(itemBytes / writeUnitBytes));
  const reads = amount('readsPerSecond', readsPerSecond) * Math.max(1, Math.ceil(itemBytes / readUnitBytes));
  const readCost = eventuallyConsistent ? reads / 2 : reads;
  return checkBuckets(Math.max(1, Math.ceil((writes * readUnits + readCost * writeUnits) / (writeUnits * readUnits))));
};
