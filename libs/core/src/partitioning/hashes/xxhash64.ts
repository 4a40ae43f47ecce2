import { INPUT_MAX, putInput, wideHashes } from './wide-hashes.js';
import { unsignedOfWords } from './hash-words.js';
import { xxhash64Words } from './xxhash64-words.js';

const longest = wideHashes ? INPUT_MAX : -1;
const compute = wideHashes?.xxhash64 ?? (() => undefined);

/** XXH64 with seed 0, in the first 2 of `hashWords`. Source: xxHash/doc/xxhash_spec.md, "XXH64 algorithm description". */
export const xxhash64 = (key: Uint8Array, from = 0, to = key.length): void => {
  if (to - from <= longest) compute(putInput(key, from, to));
  else xxhash64Words(key, from, to);
};

/** XXH64 with seed 0 as an unsigned number. */
export const xxhash64BigInt = (key: Uint8Array, from = 0, to = key.length): bigint => {
  xxhash64(key, from, to);
  return unsignedOfWords(2);
};
