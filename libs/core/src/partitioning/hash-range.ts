import type { Hash32, HashFunction, HashWide } from './hash-functions.js';
import { hashFunction } from './hash-functions.js';
import { hashWords, unsignedOfWords } from './hashes/index.js';
import type { OnPart } from './key-part.js';
import { isEmptyRange, isOneHash, isOneKey, keyPartOf } from './key-part.js';
import type { Partitioner } from './partitioner.js';
import type { HashRangeScheme } from './scheme.js';
import { solrTokens } from './solr-range.js';
import type { TokenSpace } from './token.js';
import { putWords, sizeOf } from './token.js';
import { even32, even64, evenWide, table32, table64, tableWide } from './token-table.js';

const SIGN = 0x80000000;

export const compileHashRange = (scheme: HashRangeScheme): Partitioner => {
  const { partitions } = scheme;
  const fn = hashFunction(scheme.hash);
  const part = keyPartOf(scheme);
  const bounds = scheme.splitPoints?.map(BigInt);
  const locate = bounds ? search(fn, bounds) : spread(fn, partitions);
  const partitionOf = part.on(locate);
  const boundary = (i: number): bigint => bounds?.[i - 1] ?? evenBoundary(fn.space, partitions, i);
  const partitionsFor = (start: Uint8Array, end: Uint8Array | undefined): number[] => {
    if (isEmptyRange(start, end)) return [];
    if (isOneKey(start, end) || isOneHash(part, start, end)) return [partitionOf(start)];
    const tokens = scheme.hash === 'solr-composite' ? solrTokens(start, end) : undefined;
    const [first, last] = tokens ? tokens.map((t) => countUpTo(t, boundary, partitions)) : [0, partitions - 1];
    return Array.from({ length: last! - first! + 1 }, (_, i) => first! + i);
  };
  return {
    scheme,
    partitions,
    token: part.on(tokenOf(fn)),
    partitionOf,
    partitionsFor,
    ordered: false,
    rangesOf: (p) => [
      { start: p === 0 ? undefined : boundary(p), end: p === partitions - 1 ? undefined : boundary(p + 1) },
    ],
    ownerOf: () => undefined,
  };
};

/** Where partition `i` of `partitions` equal ranges begins. */
export const evenBoundary = (space: TokenSpace, partitions: number, i: number): bigint =>
  space.min + (BigInt(i) * sizeOf(space)) / BigInt(partitions);

/** The partition of a token, by its boundaries: slow, for ranges that are asked by hand. */
const countUpTo = (token: bigint, boundary: (i: number) => bigint, partitions: number): number => {
  let low = 0;
  let high = partitions - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (boundary(middle) <= token) low = middle;
    else high = middle - 1;
  }
  return low;
};

export const tokenOf = (fn: HashFunction): OnPart<bigint> => {
  const { min, words } = fn.space;
  const bits = 32 * words;
  const signed = (token: bigint): bigint => (min < 0n ? BigInt.asIntN(bits, token) : token);
  if (fn.width === 'narrow') return (key, from, to) => signed(BigInt(fn.hash(key, from, to) >>> 0));
  return (key, from, to) => {
    fn.hash(key, from, to);
    return signed(unsignedOfWords(words));
  };
};

export const packed = (space: TokenSpace, tokens: readonly bigint[]): Uint32Array => {
  const out = new Uint32Array(tokens.length * space.words);
  tokens.forEach((token, i) => putWords(space, token, out, i * space.words));
  return out;
};

/** How many of the sorted boundaries are not above the key's token. */
export const search = (fn: HashFunction, bounds: readonly bigint[]): OnPart<number> => {
  const { space } = fn;
  const all = packed(space, bounds);
  if (fn.width === 'narrow') return narrow(fn.hash, space, table32(all));
  if (space.words === 2) {
    const half = (word: number): Uint32Array => Uint32Array.from(bounds, (_, i) => all[2 * i + word]!);
    return double(fn.hash, space, table64(half(0), half(1)));
  }
  return many(fn.hash, tableWide(all, space.words));
};

const spread = (fn: HashFunction, partitions: number): OnPart<number> => {
  if (fn.width === 'narrow') return narrow(fn.hash, fn.space, even32(partitions));
  if (fn.space.words === 2) return double(fn.hash, fn.space, even64(partitions));
  if (sizeOf(fn.space) === 2n ** BigInt(32 * fn.space.words))
    return many(fn.hash, evenWide(partitions, fn.space.words));
  return search(
    fn,
    Array.from({ length: partitions - 1 }, (_, i) => evenBoundary(fn.space, partitions, i + 1)),
  );
};

const narrow = (hash: Hash32, { min }: TokenSpace, find: (token: number) => number): OnPart<number> =>
  min < 0n ? (key, from, to) => find(hash(key, from, to) ^ SIGN) : (key, from, to) => find(hash(key, from, to));

const double = (hash: HashWide, { min }: TokenSpace, find: (high: number, low: number) => number): OnPart<number> =>
  min < 0n
    ? (key, from, to) => {
        hash(key, from, to);
        return find(hashWords[0]! ^ SIGN, hashWords[1]! | 0);
      }
    : (key, from, to) => {
        hash(key, from, to);
        return find(hashWords[0]! | 0, hashWords[1]! | 0);
      };

/** Spaces of more than 64 bits are all unsigned. */
const many =
  (hash: HashWide, find: (token: Uint32Array) => number): OnPart<number> =>
  (key, from, to) => {
    hash(key, from, to);
    return find(hashWords);
  };
