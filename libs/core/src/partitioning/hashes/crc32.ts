import { wordAt } from './words.js';

/** Entry 256 k + b: the CRC of byte b with k bytes of zero after it, so that four bytes are taken at once (slicing). */
const table = (() => {
  const entries = new Int32Array(1024);
  for (let byte = 0; byte < 256; byte += 1) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
    entries[byte] = crc;
  }
  for (let i = 256; i < 1024; i += 1) entries[i] = (entries[i - 256]! >>> 8) ^ entries[entries[i - 256]! & 0xff]!;
  return entries;
})();

/** CRC-32 as in zlib, gzip and PNG (ITU-T V.42, reflected polynomial 0xEDB88320), as a signed word: a small integer, never boxed. */
export const crc32Int = (key: Uint8Array, from = 0, to = key.length): number => {
  let crc = -1;
  let i = from;
  for (; i + 4 <= to; i += 4) {
    crc ^= wordAt(key, i);
    crc =
      table[768 + (crc & 0xff)]! ^
      table[512 + ((crc >>> 8) & 0xff)]! ^
      table[256 + ((crc >>> 16) & 0xff)]! ^
      table[crc >>> 24]!;
  }
  for (; i < to; i += 1) crc = (crc >>> 8) ^ table[(crc ^ key[i]!) & 0xff]!;
  return ~crc;
};

/** The same, unsigned. */
export const crc32 = (key: Uint8Array, from = 0, to = key.length): number => crc32Int(key, from, to) >>> 0;

/**
 * What Couchbase's clients take modulo the vBuckets (1024; 64 on macOS): the upper 15 bits of CRC-32 but for the sign, 0 to 32767.
 * Source: `hash_crc32` and `map_key_to_vbucket_id` in couchbase-cxx-client; `hash_crc32` in libcouchbase's vbucket.
 */
export const couchbaseHash = (key: Uint8Array, from = 0, to = key.length): number =>
  (crc32Int(key, from, to) >>> 16) & 0x7fff;
