import { md5 } from './md5.js';
import { hashWords, signedOfWords } from './hash-words.js';
import { putBytes, putLittleEndian, scratch, swapBytes } from './words.js';

/** Canonical type numbers: kinds that compare as equal share one. Source: `canonicalizeBSONType` in mongo/src/mongo/bson/bsontypes.h. */
const NUMBER = 10;
const STRING = 15;
const BINARY = 30;
const OBJECT_ID = 35;

/** Begins a message: the seed, 0, and the canonical type. Returns where the value goes. */
export const beginHashedElement = (out: Uint8Array, canonicalType: number): number =>
  putLittleEndian(out, putLittleEndian(out, 0, 0), canonicalType);

/** MD5 of the message, its first 8 bytes as a little-endian number in the first 2 of `hashWords`. */
export const finishHashedElement = (message: Uint8Array, length: number): void => {
  md5(message, 0, length);
  const lo = swapBytes(hashWords[0]!);
  hashWords[0] = swapBytes(hashWords[1]!);
  hashWords[1] = lo;
};

/**
 * MongoDB's hashed index and hashed shard key of a string (its UTF-8): int64 in two's complement in the first 2 of `hashWords`.
 * The hash of every kind of value: the first 8 bytes, little-endian, of MD5 over seed 0, canonical type, and the BSON value's bytes.
 * Source: `BSONElementHasher::hash64` in mongo/src/mongo/db/hasher.cpp; what mongosh's `convertShardKeyToHashed` shows.
 */
export const mongodbHashString = (key: Uint8Array, from = 0, to = key.length): void => {
  const out = scratch(13 + to - from);
  let at = beginHashedElement(out, STRING);
  at = putLittleEndian(out, at, to - from + 1);
  at = putBytes(out, at, key, from, to);
  out[at] = 0;
  finishHashedElement(out, at + 1);
};

/** Of an integer, from the two words of its 64 bits: int32, int64, double and so on that are equal have one hash. */
export const mongodbHashInt64 = (hi: number, lo: number): void => {
  const out = scratch(16);
  const at = beginHashedElement(out, NUMBER);
  finishHashedElement(out, putLittleEndian(out, putLittleEndian(out, at, lo), hi));
};

/**
 * Of a double: cut to its whole part; not a number is 0, too large is 2^63 - 1, too small -2^63; and 2^63 itself is -2^63, as it always
 * was. Source: `BSONElement::safeNumberLongForHash` in mongo/src/mongo/bson/bsonelement.h.
 */
export const mongodbHashDouble = (value: number): void => {
  if (value === 2 ** 63 || value < -(2 ** 63)) return mongodbHashInt64(0x80000000, 0);
  if (value > 2 ** 63) return mongodbHashInt64(0x7fffffff, 0xffffffff);
  const whole = Number.isNaN(value) ? 0 : Math.trunc(value);
  const hi = Math.floor(whole / 2 ** 32);
  return mongodbHashInt64(hi, whole - hi * 2 ** 32);
};

/** Of an ObjectId, 12 bytes. */
export const mongodbHashObjectId = (key: Uint8Array, from = 0, to = key.length): void => {
  const out = scratch(8 + to - from);
  finishHashedElement(out, putBytes(out, beginHashedElement(out, OBJECT_ID), key, from, to));
};

/** Of binary data; subtype 4 is a UUID. */
export const mongodbHashBinary = (subtype: number, key: Uint8Array, from = 0, to = key.length): void => {
  const out = scratch(13 + to - from);
  const at = putLittleEndian(out, beginHashedElement(out, BINARY), to - from);
  out[at] = subtype;
  finishHashedElement(out, putBytes(out, at + 1, key, from, to));
};

/** The result of the last of these as a signed number. */
export const mongodbHashed = (): bigint => signedOfWords(2);
