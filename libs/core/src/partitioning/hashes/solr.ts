import { murmur3Int } from './murmur3.js';

const SEPARATOR = 0x21;
const BITS = 0x2f;

/** Starts and ends of the up to three parts. */
const starts = new Int32Array(3);
const ends = new Int32Array(3);
const bits = new Int32Array(2);

const find = (key: Uint8Array, byte: number, from: number, to: number): number => {
  for (let i = from; i < to; i += 1) if (key[i] === byte) return i;
  return -1;
};

const part = (index: number, start: number, end: number): number => {
  starts[index] = start;
  ends[index] = end;
  return index + 1;
};

/** Splits at the first two separators; those at the very end begin no part of their own. Returns the count of parts. */
const split = (key: Uint8Array, from: number, first: number, to: number): number => {
  part(0, from, first);
  const last = to - 1;
  if (first === last) return 1;
  const second = find(key, SEPARATOR, first + 1, to);
  if (second < 0) return part(1, first + 1, to);
  if (second === last) return first < second - 1 ? part(1, first + 1, second) : 1;
  part(1, first + 1, second);
  return part(2, second + 1, to);
};

/** The number after the slash, in Java's 32 bits; -1 when it is none or above 32, which Solr then shifts by all the same. */
const bitsAfter = (key: Uint8Array, from: number, to: number): number => {
  let value = 0;
  for (let i = from; i < to; i += 1) {
    const digit = key[i]! - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = (Math.imul(value, 10) + digit) | 0;
  }
  return value > 32 ? -1 : value;
};

const readBits = (key: Uint8Array, index: number): void => {
  const slash = find(key, BITS, starts[index]!, ends[index]!);
  if (slash <= starts[index]!) return;
  bits[index] = bitsAfter(key, slash + 1, ends[index]!);
  ends[index] = slash;
};

const upper = (count: number): number => (count === 0 ? 0 : -1 << (32 - count));

const combineTwo = (key: Uint8Array, given: number): number => {
  const count = bits[0]!;
  const first = murmur3Int(key, starts[0]!, ends[0]!) & upper(count);
  const second = given > 1 ? murmur3Int(key, starts[1]!, ends[1]!) : 0;
  return first | (second & (count === 32 ? 0 : -1 >>> count));
};

const combineThree = (key: Uint8Array, given: number): number => {
  const both = bits[0]! + bits[1]!;
  const firstMask = upper(bits[0]!);
  const secondMask = firstMask ^ upper(both);
  const thirdMask = both === 32 ? 0 : ~(firstMask | secondMask);
  const third = given > 2 ? murmur3Int(key, starts[2]!, ends[2]!) : 0;
  const first = murmur3Int(key, starts[0]!, ends[0]!) & firstMask;
  return first | (murmur3Int(key, starts[1]!, ends[1]!) & secondMask) | (third & thirdMask);
};

/**
 * Hash of SolrCloud's compositeId router, signed 32 bits: murmur3_x86_32 of the id's UTF-8; in `tenant!doc` the upper 16 bits come from
 * the tenant, in `tenant/bits!doc` so many as are said, in `app!user!doc` 8 and 8 (`app/2!user/4!doc` as said).
 * Source: `CompositeIdRouter.KeyParser` in solr/solrj, org.apache.solr.common.cloud.
 */
export const solrHash = (key: Uint8Array, from = 0, to = key.length): number => {
  const separator = find(key, SEPARATOR, from, to);
  if (separator < 0) return murmur3Int(key, from, to);
  const given = split(key, from, separator, to);
  // An id that ends in the separator has an empty last part, whose hash is 0.
  const pieces = key[to - 1] === SEPARATOR && given < 3 ? given + 1 : given;
  bits[0] = pieces === 3 ? 8 : 16;
  bits[1] = 8;
  for (let i = 0; i < pieces - 1; i += 1) readBits(key, i);
  return pieces === 3 ? combineThree(key, given) : combineTwo(key, given);
};
