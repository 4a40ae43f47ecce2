const mixBlock = (block: number): number => {
  const k = Math.imul(block, 0xcc9e2d51);
  return Math.imul((k << 15) | (k >>> 17), 0x1b873593);
};

/**
 * MurmurHash3_x86_32 with seed 0, as a signed word: a small integer, never boxed.
 * Source: smhasher/src/MurmurHash3.cpp (Austin Appleby, public domain).
 */
export const murmur3Int = (key: Uint8Array, from = 0, to = key.length): number => {
  let hash = 0;
  const length = to - from;
  const blocksEnd = from + (length & ~3);
  for (let i = from; i < blocksEnd; i += 4) {
    hash ^= mixBlock(key[i]! | (key[i + 1]! << 8) | (key[i + 2]! << 16) | (key[i + 3]! << 24));
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
  }
  let tail = 0;
  for (let i = to - 1; i >= blocksEnd; i -= 1) tail = (tail << 8) | key[i]!;
  if (length & 3) hash ^= mixBlock(tail);
  hash ^= length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
};

/** The same, unsigned. */
export const murmur3 = (key: Uint8Array, from = 0, to = key.length): number => murmur3Int(key, from, to) >>> 0;
