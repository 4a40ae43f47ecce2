import { wideHashes } from './wide-hashes.js';

/**
 * Where hashes of more than 53 bits leave their result: unsigned 32-bit words, the most significant first. A hash of 64 bits fills
 * the first 2, of 128 bits 4, of 160 bits 5. It is overwritten by the next such hash, so read it at once; in return nothing is
 * allocated per call, which a bigint would be.
 */
export const hashWords = new Uint32Array(wideHashes?.memory.buffer ?? new ArrayBuffer(20), 0, 5);

/** The first `count` words of `hashWords` as an unsigned number. Allocates. */
export const unsignedOfWords = (count: 1 | 2 | 4 | 5): bigint => {
  let value = 0n;
  for (let i = 0; i < count; i += 1) value = (value << 32n) | BigInt(hashWords[i]!);
  return value;
};

/** The same, as a number in two's complement: the systems whose tokens are a Java `long` (Cassandra, MongoDB). Allocates. */
export const signedOfWords = (count: 2 | 4): bigint => BigInt.asIntN(32 * count, unsignedOfWords(count));
