import { invalid } from '../errors.js';
import { spaceOf } from './hash-functions.js';
import type { RangeHash } from './scheme.js';
import { putWords } from './token.js';

/** Where the systems cut their token space when they make N shards. Undefined: equal ranges, which need no list. */
type Splits = readonly string[] | undefined;

const isPowerOfTwo = (n: number): boolean => (n & (n - 1)) === 0;

const INT32_MIN = -(2 ** 31);
const INT32_MAX = 2 ** 31 - 1;

/** Steps of floor(2^32 / N), what is left over goes to the last shard (Citus, CreateHashDistributedTableShards). */
export const citusSplits = (shards: number): Splits => {
  if (isPowerOfTwo(shards)) return undefined;
  const step = Math.floor(2 ** 32 / shards);
  return Array.from({ length: shards - 1 }, (_, i) => `${INT32_MIN + (i + 1) * step}`);
};

/**
 * Shard i begins at floor(i * 256 / N) in the first byte of the keyspace id, in the first two bytes above 256 shards
 * (Vitess, key.GenerateShardRanges, which stops at 65,536).
 */
export const vitessSplits = (hash: RangeHash, shards: number): Splits => {
  if (isPowerOfTwo(shards) || shards > 65536) return undefined;
  const bytes = shards <= 256 ? 1 : 2;
  const shift = BigInt(32 * spaceOf(hash).words - 8 * bytes);
  return Array.from({ length: shards - 1 }, (_, i) =>
    (BigInt(Math.floor(((i + 1) * 256 ** bytes) / shards)) << shift).toString(),
  );
};

/**
 * Split points of Vitess shard names in order, such as `-40`, `40-80`, `80-`: each begins where the one before ends.
 * @throws CadastreError INVALID_ARGUMENT naming the shard that does not fit
 */
export const shardSplits = (hash: RangeHash, shards: readonly string[]): string[] => {
  const bits = 32 * spaceOf(hash).words;
  const valueOf = (hex: string): string => (BigInt(`0x${hex}`) << BigInt(bits - 4 * hex.length)).toString();
  let end = '';
  const starts = shards.map((name, i) => {
    const field = `shards[${i}]`;
    const match = /^((?:[0-9a-f]{2})*)-((?:[0-9a-f]{2})*)$/i.exec(name);
    if (!match || Math.max(match[1]!.length, match[2]!.length) * 4 > bits)
      throw invalid(
        field,
        `"${name}" is no range of keyspace ids`,
        'give START-END in hexadecimal, such as 40-80',
        `${bits / 8} bytes`,
      );
    if (match[1]!.toLowerCase() !== end)
      throw invalid(field, `"${name}" does not begin where the shard before ends`, `begin it with "${end}"`);
    end = match[2]!.toLowerCase();
    if (end === '' && i < shards.length - 1)
      throw invalid(field, `"${name}" reaches to the end, and more follow`, 'give shards in order, each range once');
    return match[1]!;
  });
  if (shards.length === 0 || end !== '')
    throw invalid('shards', 'do not reach to the end of the keyspace', 'let the last shard end with "-"');
  return starts.slice(1).map(valueOf);
};

/** The name of a Vitess shard from its first token and the first one after it. */
export const shardName = (hash: RangeHash, start: bigint | undefined, end: bigint | undefined): string =>
  `${boundaryHex(hash, start)}-${boundaryHex(hash, end)}`;

const boundaryHex = (hash: RangeHash, token: bigint | undefined): string => {
  if (token === undefined) return '';
  const words = new Uint32Array(spaceOf(hash).words);
  putWords(spaceOf(hash), token, words);
  const hex = [...words].map((word) => word.toString(16).padStart(8, '0')).join('');
  return hex.replace(/(00)+$/, '');
};

/** Chunks of 2 * floor((2^63 - 1) / N), laid symmetrically around 0 (MongoDB, calculateHashedSplitPoints). */
export const mongodbSplits = (chunks: number): Splits => {
  const interval = ((2n ** 63n - 1n) / BigInt(chunks)) * 2n;
  const isEven = chunks % 2 === 0;
  const first = isEven ? interval : interval / 2n;
  const above = Array.from({ length: Math.floor((chunks - 1) / 2) }, (_, i) => first + interval * BigInt(i));
  const all = [...above.map((token) => -token).reverse(), ...(isEven ? [0n] : []), ...above];
  return all.map(String);
};

/**
 * Equal ranges of int32 whose ends are rounded to the nearest 16-bit boundary while there are fewer than some 4,000 shards, so that a
 * tenant's hash is not cut (Solr, CompositeIdRouter.partitionRange).
 */
export const solrSplits = (shards: number): Splits => {
  const step = Math.max(1, Math.floor((INT32_MAX - INT32_MIN) / shards));
  const isRounded = step >= 2 ** 16 * 16;
  const splits: string[] = [];
  let start = INT32_MIN;
  let aim = INT32_MIN;
  while (splits.length < shards - 1) {
    const target = aim + step;
    const end = isRounded ? roundedEnd(target, start) : target;
    start = end + 1;
    aim = target + 1;
    splits.push(`${start}`);
  }
  return splits;
};

const roundedEnd = (target: number, start: number): number => {
  const low = ((target % 65536) + 65536) % 65536;
  if (low === 65535) return target;
  const full = target - low + 65535;
  const down = full - 65536;
  return target - down < 65536 - (target - full) && down > start ? down : full + 65536;
};

/** number_of_routing_shards unless given: shards doubled at least once, up to 1024 (Elasticsearch 7 and later). */
export const routingSlotsOf = (shards: number): number => {
  const doublings = Math.max(1, 10 - Math.ceil(Math.log2(shards)));
  return shards * 2 ** doublings;
};

/** Split points of N equal ranges of byte strings: whole bytes up to 256, then two, then three. */
export const evenBytes = (partitions: number): Uint8Array[] => {
  const width = partitions <= 256 ? 1 : partitions <= 65536 ? 2 : 3;
  return Array.from({ length: partitions - 1 }, (_, i) => {
    const value = Math.floor(((i + 1) * 256 ** width) / partitions);
    return Uint8Array.from({ length: width }, (_byte, at) => Math.floor(value / 256 ** (width - 1 - at)) % 256);
  });
};
