import { sha1 } from './sha1.js';
import { hashWords, unsignedOfWords } from './hash-words.js';
import { putBigEndian, putBytes, scratch } from './words.js';

const VERSION = 131;
const SMALL_TUPLE = 104;
const BINARY = 109;

const putBinary = (out: Uint8Array, at: number, bytes: Uint8Array, from: number, to: number): number => {
  out[at] = BINARY;
  return putBytes(out, putBigEndian(out, at + 1, to - from), bytes, from, to);
};

const putPairTag = (out: Uint8Array, at: number): number => {
  out[at] = SMALL_TUPLE;
  out[at + 1] = 2;
  return at + 2;
};

/**
 * Place on Riak's ring, 160 bits in the 5 `hashWords`: SHA-1 of Erlang's external form of {Bucket, Key}, or of {{Type, Bucket}, Key}
 * for a bucket type other than the default. Source: `chash:key_of` in riak_core/src/chash.erl; the form: Erlang's "External Term Format".
 */
export const riakHash = (bucket: Uint8Array, key: Uint8Array, from = 0, to = key.length, type?: Uint8Array): void => {
  const term = scratch(32 + bucket.length + to - from + (type?.length ?? 0));
  term[0] = VERSION;
  let at = putPairTag(term, 1);
  if (type) at = putBinary(term, putPairTag(term, at), type, 0, type.length);
  at = putBinary(term, at, bucket, 0, bucket.length);
  sha1(term, 0, putBinary(term, at, key, from, to));
};

export const riakHashBigInt = (bucket: Uint8Array, key: Uint8Array, type?: Uint8Array): bigint => {
  riakHash(bucket, key, 0, key.length, type);
  return unsignedOfWords(5);
};

/**
 * Which of the ring's partitions (a power of two; 64 by default) comes first in the preference list of the hash in `hashWords`: the one
 * after that in which the hash lies. Partition p begins at p * 2^160 / partitions. Source: `ordered_from` in chash.erl.
 */
export const riakPartition = (partitions: number): number =>
  (Math.floor(hashWords[0]! / (2 ** 32 / partitions)) + 1) % partitions;
