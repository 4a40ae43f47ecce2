import { desNullKey } from './des.js';
import { md5 } from './md5.js';
import { hashWords, unsignedOfWords } from './hash-words.js';
import { swapBytes } from './words.js';
import { xxhash64 } from './xxhash64.js';

/**
 * Vitess' `hash` vindex, for numbers (given as the two words of a 64-bit one): the keyspace id is the number big-endian, encrypted with
 * DES under a key of zeros. The id's bytes are in the first 2 of `hashWords`. Its own inverse.
 * Source: vitess/go/vt/vtgate/vindexes/hash.go.
 */
export const vitessHash = desNullKey;

/** `vitessHash` of a number (negative ones as in Vitess, in two's complement) as an unsigned number. */
export const vitessHashBigInt = (value: bigint): bigint => {
  desNullKey(Number(BigInt.asUintN(32, value >> 32n)), Number(BigInt.asUintN(32, value)));
  return unsignedOfWords(2);
};

/**
 * Vitess' `xxhash` vindex: the keyspace id is XXH64 of the value's text, written little-endian, so that the words are XXH64's with their
 * bytes turned around. The id's bytes are in the first 2 of `hashWords`. Numbers are hashed as their decimal text.
 * Source: vitess/go/vt/vtgate/vindexes/xxhash.go.
 */
export const vitessXxhash = (key: Uint8Array, from = 0, to = key.length): void => {
  xxhash64(key, from, to);
  const hi = hashWords[0]!;
  hashWords[0] = swapBytes(hashWords[1]!);
  hashWords[1] = swapBytes(hi);
};

export const vitessXxhashBigInt = (key: Uint8Array, from = 0, to = key.length): bigint => {
  vitessXxhash(key, from, to);
  return unsignedOfWords(2);
};

/** Vitess' `binary_md5` vindex: the keyspace id is the 16 bytes of MD5. Source: vitess/go/vt/vtgate/vindexes/binarymd5.go. */
export const vitessBinaryMd5 = md5;
