import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { unsignedOfWords, xxhash64, xxhash64BigInt } from './index.js';
import { wideHashes } from './wide-hashes.js';
import { xxhash64Words } from './xxhash64-words.js';

const bytes = (text: string) => new TextEncoder().encode(text);
const inWords = (key: Uint8Array, from = 0): bigint => {
  xxhash64Words(key, from, key.length);
  return unsignedOfWords(2);
};

describe('xxhash64', () => {
  // Plan: published values with seed 0, with and without WebAssembly.
  it.each([
    ['', 0xef46db3751d8e999n],
    ['a', 0xd24ec4f1a98c6e5bn],
    ['abc', 0x44bc2cf5ad770999n],
    ['1', 0xb7b41276360564d4n],
  ])('of %j', (text, expected) => {
    expect(xxhash64BigInt(bytes(text))).toBe(expected);
    expect(inWords(bytes(text))).toBe(expected);
  });

  // Plan: here WebAssembly is to be had, so the two ways are really two; they are one function for any part of any bytes.
  it('is the same with and without WebAssembly', () => {
    expect(wideHashes).toBeDefined();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), fc.nat(3), (key, skip) => {
        const from = Math.min(skip, key.length);
        xxhash64(key, from);
        expect(unsignedOfWords(2)).toBe(inWords(key, from));
      }),
    );
  });

  // Plan: keys at and beyond what the module's memory holds.
  it.each([65471, 65472, 65473, 100_000])('takes %i bytes', (length) => {
    const key = Uint8Array.from({ length }, (_, i) => i * 7);
    expect(xxhash64BigInt(key)).toBe(inWords(key));
  });
});
