import { wordAt } from './words.js';

const M = 0x5bd1e995;

const mix = (k: number): number => {
  const mixed = Math.imul(k, M);
  return Math.imul(mixed ^ (mixed >>> 24), M);
};

/**
 * MurmurHash2, 32 bits, with Kafka's seed, as a signed word: a small integer, never boxed.
 * Source: `Utils.murmur2` in kafka/clients/src/main/java/org/apache/kafka/common/utils/Utils.java.
 */
export const murmur2Int = (key: Uint8Array, from = 0, to = key.length): number => {
  const length = to - from;
  let hash = 0x9747b28c ^ length;
  const end = from + (length & ~3);
  for (let i = from; i < end; i += 4) hash = Math.imul(hash, M) ^ mix(wordAt(key, i));
  let tail = 0;
  for (let i = to - 1; i >= end; i -= 1) tail = (tail << 8) | key[i]!;
  if (length & 3) hash = Math.imul(hash ^ tail, M);
  hash = Math.imul(hash ^ (hash >>> 13), M);
  return hash ^ (hash >>> 15);
};

/** The same, unsigned. */
export const murmur2 = (key: Uint8Array, from = 0, to = key.length): number => murmur2Int(key, from, to) >>> 0;

/**
 * The number that Kafka's default partitioner takes modulo the partitions: murmur2 without its sign bit, 0 to 2^31 - 1.
 * Source: `BuiltInPartitioner.partitionForKey`, `Utils.toPositive`.
 */
export const kafkaHash = (key: Uint8Array, from = 0, to = key.length): number => murmur2Int(key, from, to) & 0x7fffffff;
