import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { hashWords, md5, md5BigInt, md5First32, sha1, sha1BigInt } from './index.js';

const bytes = (text: string) => new TextEncoder().encode(text);
const words = (count: number) =>
  Array.from(hashWords.subarray(0, count), (word) => word.toString(16).padStart(8, '0')).join('');

describe('md5', () => {
  // Plan: the test suite of RFC 1321.
  it.each([
    ['', 'd41d8cd98f00b204e9800998ecf8427e'],
    ['a', '0cc175b9c0f1b6a831c399e269772661'],
    ['abc', '900150983cd24fb0d6963f7d28e17f72'],
    ['message digest', 'f96b697d7cb7938d525a2f31aaf161d0'],
    ['abcdefghijklmnopqrstuvwxyz', 'c3fcd3d76192e4007dfb496cca67e13b'],
    ['1234567890'.repeat(8), '57edf4a22be3c955ac49da2e2107b67a'],
  ])('of %j', (text, expected) => {
    md5(bytes(text));
    expect(words(4)).toBe(expected);
    expect(md5BigInt(bytes(text))).toBe(BigInt(`0x${expected}`));
    expect(md5First32(bytes(text))).toBe(Number.parseInt(expected.slice(0, 8), 16));
  });
});

describe('sha1', () => {
  // Plan: the examples of FIPS 180.
  it.each([
    ['', 'da39a3ee5e6b4b0d3255bfef95601890afd80709'],
    ['abc', 'a9993e364706816aba3e25717850c26c9cd0d89d'],
    ['abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq', '84983e441c3bd26ebaae4aa1f95129e5e54670f1'],
  ])('of %j', (text, expected) => {
    sha1(bytes(text));
    expect(words(5)).toBe(expected);
    expect(sha1BigInt(bytes(text))).toBe(BigInt(`0x${expected}`));
  });
});

describe.each([
  ['md5', md5, 4],
  ['sha1', sha1, 5],
] as const)('%s', (name, hash, count) => {
  // Plan: any part of any bytes, over the lengths at which the padding takes another block, as node:crypto has it.
  it('agrees with node:crypto', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(3), (key, skip) => {
        hash(key, Math.min(skip, key.length));
        expect(words(count)).toBe(createHash(name).update(key.subarray(skip)).digest('hex'));
      }),
    );
  });
});
