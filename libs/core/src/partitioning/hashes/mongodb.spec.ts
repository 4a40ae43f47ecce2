import { describe, expect, it } from '@jest/globals';
import {
  mongodbHashBinary,
  mongodbHashDouble,
  mongodbHashed,
  mongodbHashInt64,
  mongodbHashObjectId,
  mongodbHashString,
} from './index.js';

const bytes = (text: string) => new TextEncoder().encode(text);
const hex = (text: string) => Uint8Array.from(Buffer.from(text, 'hex'));

describe('MongoDB', () => {
  // Plan: the test vectors for hashed indexes in hasher_test.cpp, which were determined on a server.
  it.each([
    ['int 42', () => mongodbHashInt64(0, 42), -944302157085130861n],
    ['double 42.123', () => mongodbHashDouble(42.123), -944302157085130861n],
    ['int 0', () => mongodbHashInt64(0, 0), 4854801880128277513n],
    ['not a number', () => mongodbHashDouble(Number.NaN), 4854801880128277513n],
    ['int -1', () => mongodbHashInt64(-1, -1), 1140205862565771219n],
    ['double -1.789', () => mongodbHashDouble(-1.789), 1140205862565771219n],
    ['int -2^31', () => mongodbHashDouble(-(2 ** 31)), 6165898260261354870n],
    ['int 2^31 - 1', () => mongodbHashInt64(0, 0x7fffffff), 1143184177162245883n],
    ['the largest double', () => mongodbHashDouble(Number.MAX_VALUE), 921523596458303250n],
    ['int 2^63 - 1', () => mongodbHashInt64(0x7fffffff, 0xffffffff), 921523596458303250n],
    ['the smallest double', () => mongodbHashDouble(-Number.MAX_VALUE), 4532067210535695462n],
    ['double 2^63, as it always was', () => mongodbHashDouble(2 ** 63), 4532067210535695462n],
    ['string abc', () => mongodbHashString(bytes('abc')), 8478485326885698097n],
    ['the empty string', () => mongodbHashString(bytes('')), 2049396243249673340n],
    ['binary', () => mongodbHashBinary(0, hex('000102030406')), 7252465090394235301n],
    ['UUID', () => mongodbHashBinary(4, hex('000102030405060708090a0b0c0d0e0f')), 6084661258071355978n],
    ['ObjectId', () => mongodbHashObjectId(hex('010203040506070809101112')), -5588663249627035708n],
  ])('%s', (_, hash, token) => {
    hash();
    expect(mongodbHashed()).toBe(token);
  });
});
