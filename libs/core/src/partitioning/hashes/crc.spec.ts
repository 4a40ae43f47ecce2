import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { couchbaseHash, crc16, crc32, redisSlot } from './index.js';

const bytes = (text: string) => new TextEncoder().encode(text);

describe('crc16', () => {
  // Plan: the check value of CRC16/XMODEM in the catalogue of CRCs, and the empty message.
  it.each([
    ['123456789', 0x31c3],
    ['', 0],
  ])('of %j', (text, expected) => expect(crc16(bytes(text))).toBe(expected));

  // Plan: four bytes at a time give what one at a time gives, by the polynomial, for any bytes and any part of them.
  it('agrees with division by the polynomial', () => {
    const slow = (key: Uint8Array) => {
      let crc = 0;
      for (const byte of key) {
        crc ^= byte << 8;
        for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : crc << 1;
      }
      return crc;
    };
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(5), (key, from) => {
        expect(crc16(key, Math.min(from, key.length))).toBe(slow(key.subarray(from)));
      }),
    );
  });
});

describe('redisSlot', () => {
  // Plan: the examples of the Redis Cluster specification, with and without tags, and keys inside a larger buffer.
  it.each([
    ['foo', 12182],
    ['{user1000}.following', 3443],
    ['{user1000}.followers', 3443],
    ['foo{}{bar}', 8363],
    ['foo{{bar}}zap', 4015],
    ['foo{bar}{zap}', 5061],
    ['', 0],
  ])('of %j', (text, slot) => {
    expect(redisSlot(bytes(text))).toBe(slot);
    expect(redisSlot(bytes(`{x}${text}}`), 3, 3 + text.length)).toBe(slot);
  });
});

describe('crc32', () => {
  // Plan: the check value of ITU-T V.42, and what Couchbase's clients make of it.
  it('of the check message', () => {
    expect(crc32(bytes('123456789'))).toBe(0xcbf43926);
    expect(couchbaseHash(bytes('123456789'))).toBe(0x4bf4);
    expect(crc32(bytes(''))).toBe(0);
  });
});
