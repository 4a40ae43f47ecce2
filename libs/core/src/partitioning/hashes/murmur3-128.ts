import { murmur3x64Words } from './murmur3-128-words.js';
import { INPUT_MAX, putInput, wideHashes } from './wide-hashes.js';

const longest = wideHashes ? INPUT_MAX : -1;
const compute = wideHashes?.murmur3x64 ?? (() => undefined);

/** MurmurHash3_x64_128 with seed 0, in the first 4 of `hashWords`. Source: smhasher/src/MurmurHash3.cpp. */
export const murmur3x64 = (key: Uint8Array, from = 0, to = key.length): void => {
  if (to - from <= longest) compute(putInput(key, from, to), 0);
  else murmur3x64Words(key, from, to, false);
};

/**
 * Cassandra's variant, whose last bytes (those beyond a multiple of 16) are taken as signed, so that one from 0x80 on changes all the
 * bits above it too. Source: `MurmurHash.hash3_x64_128` in cassandra/src/java/org/apache/cassandra/utils/MurmurHash.java.
 */
export const murmur3x64Signed = (key: Uint8Array, from = 0, to = key.length): void => {
  if (to - from <= longest) compute(putInput(key, from, to), 1);
  else murmur3x64Words(key, from, to, true);
};
