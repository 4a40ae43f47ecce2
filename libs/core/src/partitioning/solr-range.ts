import { compareBytes } from '../bytes.js';
import { hashFunction } from './hash-functions.js';
import type { Hash32 } from './hash-functions.js';
import { prefixEnd } from './key-part.js';

const SEPARATOR = 0x21;
const BITS = 0x2f;

/**
 * The tokens of all keys in [start, end) when it lies within one tenant (`tenant!`), as least and greatest; undefined when the keys
 * may lie anywhere. A tenant fixes the top 16 bits of `tenant!doc` but only 8 of `tenant!user!doc`, and both begin alike; so 8
 * are relied on. With its bits stated (`tenant/4!`) it fixes so many, in both (Solr Reference Guide, document routing).
 */
export const solrTokens = (start: Uint8Array, end: Uint8Array | undefined): readonly [bigint, bigint] | undefined => {
  const separator = start.indexOf(SEPARATOR);
  if (separator < 0) return undefined;
  const after = prefixEnd(start.subarray(0, separator + 1));
  if (after !== undefined && (end === undefined || compareBytes(end, after) > 0)) return undefined;
  const slash = start.subarray(0, separator).indexOf(BITS);
  const name = slash > 0 ? start.subarray(0, slash) : start.subarray(0, separator);
  const bits = slash > 0 ? statedBits(start.subarray(slash + 1, separator)) : 8;
  if (bits === undefined || bits === 0) return undefined;
  const free = bits === 32 ? 0 : 0xffffffff >>> bits;
  // A name without separators hashes as itself.
  const hash = (hashFunction('solr-composite').hash as Hash32)(name, 0, name.length);
  return [BigInt((hash & ~free) | 0), BigInt(hash | free)];
};

const statedBits = (digits: Uint8Array): number | undefined => {
  let bits = 0;
  for (const digit of digits) {
    if (digit < 0x30 || digit > 0x39) return undefined;
    bits = bits * 10 + digit - 0x30;
  }
  return bits <= 32 ? bits : undefined;
};
