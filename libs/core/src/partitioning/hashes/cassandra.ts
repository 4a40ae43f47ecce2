import { md5 } from './md5.js';
import { murmur3x64Signed } from './murmur3-128.js';
import { hashWords, signedOfWords, unsignedOfWords } from './hash-words.js';

const MIN_HIGH = 0x80000000;

/**
 * Token of Cassandra's Murmur3Partitioner, -2^63 to 2^63 - 1, in two's complement in the first 2 of `hashWords`: the first long of the
 * signed-byte murmur3. The smallest number stands for "before all", so a key that hashes to it gets the largest, and the empty key
 * (which Cassandra refuses in a partition key of one column) gets it. Source: `Murmur3Partitioner.getToken`.
 */
export const cassandraMurmur3 = (key: Uint8Array, from = 0, to = key.length): void => {
  if (to === from) {
    hashWords[0] = MIN_HIGH;
    hashWords[1] = 0;
    return;
  }
  murmur3x64Signed(key, from, to);
  if (hashWords[0] === MIN_HIGH && hashWords[1] === 0) {
    hashWords[0] = 0x7fffffff;
    hashWords[1] = 0xffffffff;
  }
};

export const cassandraMurmur3BigInt = (key: Uint8Array, from = 0, to = key.length): bigint => {
  cassandraMurmur3(key, from, to);
  return signedOfWords(2);
};

/**
 * Token of Cassandra's RandomPartitioner, 0 to 2^127, in the first 4 of `hashWords`: the absolute value of MD5 read as a signed number.
 * Source: `GuidGenerator`/`FBUtilities.hashToBigInteger` as used by RandomPartitioner. Its token of the empty key, -1, is not made:
 * Cassandra refuses that key.
 */
export const cassandraRandom = (key: Uint8Array, from = 0, to = key.length): void => {
  md5(key, from, to);
  if (hashWords[0]! < MIN_HIGH) return;
  let carry = 1;
  for (let i = 3; i >= 0; i -= 1) {
    const word = (~hashWords[i]! >>> 0) + carry;
    hashWords[i] = word;
    carry = word > 0xffffffff ? 1 : 0;
  }
};

export const cassandraRandomBigInt = (key: Uint8Array, from = 0, to = key.length): bigint => {
  cassandraRandom(key, from, to);
  return unsignedOfWords(4);
};
