import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import {
  cassandraMurmur3BigInt,
  cassandraRandomBigInt,
  hashWords,
  kafkaHash,
  murmur2Int,
  murmur3,
  murmur3x64,
  murmur3x64Signed,
} from './index.js';
import { murmur3x64Words } from './murmur3-128-words.js';

const bytes = (text: string) => new TextEncoder().encode(text);
const words = (count: number) =>
  Array.from(hashWords.subarray(0, count), (word) => word.toString(16).padStart(8, '0')).join('');

describe('murmur2', () => {
  // Plan: the values of UtilsTest.testMurmur2 in Kafka's clients.
  it.each([
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ])('of %j', (text, expected) => {
    expect(murmur2Int(bytes(text))).toBe(expected);
    expect(kafkaHash(bytes(text))).toBe(expected & 0x7fffffff);
  });
});

describe('murmur3', () => {
  // Plan: published values with seed 0 (also in Solr's TestHashPartitioner), and a key inside a larger buffer.
  it.each([
    ['', 0],
    ['hello', 0x248bfa47],
    ['The quick brown fox jumps over the lazy dog', 0x2e4ff723],
    ['a', 0x3c2569b2],
    ['abc', 0xb3dd93fa],
  ])('of %j', (text, expected) => {
    expect(murmur3(bytes(text))).toBe(expected);
    expect(murmur3(bytes(`xyz${text}!`), 3, 3 + text.length)).toBe(expected);
  });
});

describe('murmur3x64', () => {
  // Plan: published values of the 128-bit hash.
  it.each([
    ['', '0'.repeat(32)],
    ['The quick brown fox jumps over the lazy dog', 'e34bbc7bbc071b6c7a433ca9c49a9347'],
  ])('of %j', (text, expected) => {
    murmur3x64(bytes(text));
    expect(words(4)).toBe(expected);
  });

  // Plan: the module and the hash in 32-bit words are one function, signed or not, for any bytes and any part of them.
  it('is the same with and without WebAssembly', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70 }), fc.nat(3), (key, skip) => {
        const from = Math.min(skip, key.length);
        murmur3x64(key, from);
        const unsigned = words(4);
        murmur3x64Signed(key, from);
        const signed = words(4);
        murmur3x64Words(key, from, key.length, false);
        expect(words(4)).toBe(unsigned);
        murmur3x64Words(key, from, key.length, true);
        expect(words(4)).toBe(signed);
      }),
    );
  });
});

describe('cassandraMurmur3', () => {
  // Plan: the values that Cassandra's drivers publish in their tests; the empty key is the partitioner's minimum.
  it.each([
    [bytes('123'), -7468325962851647638n],
    [Uint8Array.from({ length: 50 }, (_, i) => [0x00, 0xff, 0x10, 0xfa, 0x99][i % 5]!), 5837342703291459765n],
    [new Uint8Array(8).fill(0xfe), -8927430733708461935n],
    [new Uint8Array(8).fill(0x10), 1446172840243228796n],
    [bytes('9223372036854775807'), 7162290910810015547n],
    [bytes(''), -(2n ** 63n)],
  ])('of %p', (key, token) => expect(cassandraMurmur3BigInt(key)).toBe(token));
});

describe('cassandraRandom', () => {
  // Plan: MD5 of `test` is positive and stays; that of `a` would be read as positive too, of `b` as negative, and is turned around.
  it('is the absolute value of MD5', () => {
    expect(cassandraRandomBigInt(bytes('test'))).toBe(12707736894140473154801792860916528374n);
    expect(cassandraRandomBigInt(bytes('b'))).toBe(2n ** 128n - 0x92eb5ffee6ae2fec3ad71c777531578fn);
  });
});
