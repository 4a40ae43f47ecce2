import { crc32 } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import { CadastreError } from '@cadastre/core';
import type { Pair } from '@cadastre/engine';
import { crc32c } from './crc32c.js';
import { checkFrame, frameCrc, packPairs } from './frames.codec.js';

// Plan: the checksum against published values, then a good frame spoilt in each way that must be refused.
const pairs: Pair[] = [
  [Buffer.from('a'), Buffer.from('1')],
  [Buffer.from('b'), Buffer.from('')],
];
const frame = (change: object = {}, of = pairs) => ({
  seq: 4,
  totalBytes: 9,
  index: 2,
  last: false,
  epochAtSeq: '1',
  packed: Buffer.alloc(0),
  packedCrc32: 0,
  records: 0,
  digest: '',
  entries: of.map(([key, value]) => ({ key: Buffer.from(key), value: Buffer.from(value) })),
  crc32c: frameCrc(of),
  ...change,
});

describe('snapshot frames', () => {
  it('has the CRC-32C of RFC 3720 B.4', () => {
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
    expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa);
    expect(crc32c(Buffer.alloc(32, 0xff))).toBe(0x62a8ab43);
    expect(crc32c(Buffer.from('56789'), crc32c(Buffer.from('1234')))).toBe(0xe3069283);
  });

  it('gives the pairs of a good frame', () => {
    expect(checkFrame(frame(), 2, Buffer.from('A')).map(([key]) => Buffer.from(key).toString())).toEqual(['a', 'b']);
  });

  it('tells where a key ends and its value begins', () => {
    expect(frameCrc([[Buffer.from('ab'), Buffer.from('c')]])).not.toBe(
      frameCrc([[Buffer.from('a'), Buffer.from('bc')]]),
    );
  });

  const packed = (bytes = packPairs(pairs)) => frame({ entries: [], packed: bytes, packedCrc32: crc32(bytes) });

  it('gives the pairs of a packed frame', () => {
    const read = checkFrame(packed(), 2, undefined).map((pair) => pair.map((part) => Buffer.from(part).toString()));
    expect(read).toEqual([
      ['a', '1'],
      ['b', ''],
    ]);
  });

  it.each([
    ['packed and cut short', packed(packPairs(pairs).subarray(0, 7)), 2, undefined],
    ['packed with a flipped bit', { ...packed(), packedCrc32: crc32(packPairs(pairs)) ^ 1 }, 2, undefined],
    ['with its pairs twice', frame({ packed: packPairs(pairs) }), 2, undefined],
    ['out of its place', frame(), 3, undefined],
    ['with a flipped bit', frame({ crc32c: frameCrc(pairs) ^ 1 }), 2, undefined],
    ['with keys out of order', frame({}, [...pairs].reverse()), 2, undefined],
    ['with a key that came before', frame(), 2, Buffer.from('a')],
  ])('refuses a frame %s', (_what, spoilt, index, after) => {
    expect(() => checkFrame(spoilt, index, after)).toThrow(CadastreError);
  });
});
