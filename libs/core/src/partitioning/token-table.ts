import { compareBytes } from '../bytes.js';

/**
 * Sorted boundaries, searched without allocating: each answers how many boundaries are not above a token, which is the number
 * of its partition. Numbers are searched through an index on their top bits, so that evenly spread boundaries cost one or two
 * cache misses at a million partitions; skewed ones fall back to a binary search inside their bucket. Words come as 32-bit integers
 * of either sign: an unsigned one above 2^31 would be allocated whenever the call is not inlined.
 */
const LINEAR = 6;

/** For each value of the top bits, the first boundary that has it or more; one more entry ends the last. */
const topBitsIndex = (top: Uint32Array): { index: Uint32Array; shift: number } => {
  const bits = Math.min(18, Math.max(1, Math.ceil(Math.log2(top.length + 1)) - 2));
  const shift = 32 - bits;
  const index = new Uint32Array(2 ** bits + 1);
  let at = 0;
  for (let bucket = 0; bucket <= 2 ** bits; bucket += 1) {
    while (at < top.length && top[at]! >>> shift < bucket) at += 1;
    index[bucket] = at;
  }
  return { index, shift };
};

/** Boundaries of 32 bits. */
export const table32 = (bounds: Uint32Array): ((token: number) => number) => {
  const { index, shift } = topBitsIndex(bounds);
  return (word) => {
    const token = word >>> 0;
    const bucket = token >>> shift;
    let low = index[bucket]!;
    let high = index[bucket + 1]!;
    while (high - low > LINEAR) {
      const middle = (low + high) >>> 1;
      if (bounds[middle]! <= token) low = middle + 1;
      else high = middle;
    }
    while (low < high && bounds[low]! <= token) low += 1;
    return low;
  };
};

/** Boundaries of 64 bits: the high words alone decide but for ties. */
export const table64 = (highs: Uint32Array, lows: Uint32Array): ((high: number, low: number) => number) => {
  const { index, shift } = topBitsIndex(highs);
  return (highWord, lowWord) => {
    const high = highWord >>> 0;
    const low = lowWord >>> 0;
    const bucket = high >>> shift;
    let from = index[bucket]!;
    let to = index[bucket + 1]!;
    while (to - from > LINEAR) {
      const middle = (from + to) >>> 1;
      const bound = highs[middle]!;
      if (bound < high || (bound === high && lows[middle]! <= low)) from = middle + 1;
      else to = middle;
    }
    while (from < to && (highs[from]! < high || (highs[from] === high && lows[from]! <= low))) from += 1;
    return from;
  };
};

/** Boundaries of `words` 32-bit words each, one after another in `bounds`. */
export const tableWide = (bounds: Uint32Array, words: number): ((token: Uint32Array) => number) => {
  const top = Uint32Array.from({ length: bounds.length / words }, (_, i) => bounds[i * words]!);
  const { index, shift } = topBitsIndex(top);
  const isAtMost = (i: number, token: Uint32Array): boolean => {
    for (let word = 0, at = i * words; word < words; word += 1, at += 1)
      if (bounds[at] !== token[word]) return bounds[at]! < token[word]!;
    return true;
  };
  return (token) => {
    const bucket = token[0]! >>> shift;
    let low = index[bucket]!;
    let high = index[bucket + 1]!;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (isAtMost(middle, token)) low = middle + 1;
      else high = middle;
    }
    return low;
  };
};

/** 4 bytes from `at` on as a number, zeros after the end: orders as the bytes do, but for ties. */
const wordAt = (bytes: Uint8Array, at: number): number =>
  (((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0)) >>> 0;

const commonLength = (a: Uint8Array, b: Uint8Array): number => {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i += 1) if (a[i] !== b[i]) return i;
  return length;
};

/**
 * Boundaries that are bytes. What all have in common is compared once; then the next 4 bytes are searched as numbers, and
 * only boundaries with the same 4 bytes as the token are compared whole.
 */
export const tableBytes = (bounds: readonly Uint8Array[]): ((token: Uint8Array) => number) => {
  const first = bounds[0];
  if (first === undefined) return () => 0;
  const shared = commonLength(first, bounds.at(-1)!);
  const words = Uint32Array.from(bounds, (bound) => wordAt(bound, shared));
  const below = (word: number): number => {
    let low = 0;
    let high = words.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (words[middle]! < word) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  const upTo = (low: number, high: number, token: Uint8Array): number => {
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareBytes(bounds[middle]!, token) <= 0) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  return (token) => {
    for (let i = 0; i < shared; i += 1) {
      const byte = token[i];
      if (byte === undefined || byte < first[i]!) return 0;
      if (byte > first[i]!) return bounds.length;
    }
    const word = wordAt(token, shared);
    const low = below(word);
    return words[low] === word ? upTo(low, word === 0xffffffff ? words.length : below(word + 1), token) : low;
  };
};

/**
 * `parts` equal ranges need no table: the part of a token t of `size` is floor(((t + 1) * parts - 1) / size), whose parts begin
 * at floor(i * size / parts). Exact, because parts stay below 2^21.
 */
export const even32 =
  (parts: number) =>
  (token: number): number =>
    Math.floor((((token >>> 0) + 1) * parts - 1) / 4294967296) | 0;

export const even64 =
  (parts: number) =>
  (high: number, low: number): number =>
    Math.floor(((high >>> 0) * parts + Math.floor((((low >>> 0) + 1) * parts - 1) / 4294967296)) / 4294967296) | 0;

export const evenWide =
  (parts: number, words: number) =>
  (token: Uint32Array): number => {
    let carry = parts - 1;
    for (let i = words - 1; i >= 0; i -= 1) carry = Math.floor((token[i]! * parts + carry) / 4294967296);
    return carry;
  };
