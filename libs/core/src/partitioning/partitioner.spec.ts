import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { compareBytes } from '../bytes.js';
import { crc16, murmur3 } from './hashes/index.js';
import { createPartitioner } from './partitioner.js';

const bytes = (text: string) => new TextEncoder().encode(text);

describe('hashes', () => {
  // Plan: the check value of CRC16/XMODEM (Rocksoft catalogue) and slots that the Redis Cluster specification and redis-server give.
  it.each([
    ['123456789', 0x31c3],
    ['', 0],
  ])('crc16 of %j', (text, expected) => expect(crc16(bytes(text))).toBe(expected));

  // Plan: published values of MurmurHash3_x86_32 with seed 0.
  it.each([
    ['', 0],
    ['hello', 0x248bfa47],
    ['hello, world', 0x149bbb7f],
    ['The quick brown fox jumps over the lazy dog', 0x2e4ff723],
    ['a', 0x3c2569b2],
    ['abc', 0xb3dd93fa],
  ])('murmur3 of %j', (text, expected) => expect(murmur3(bytes(text))).toBe(expected));
});

describe('hash-slots', () => {
  const redis = createPartitioner({ kind: 'hash-slots', slots: 16384, hash: 'crc16', hashTags: true });

  // Plan: CLUSTER KEYSLOT of redis-server 7.0 for keys with and without tags.
  it.each([
    ['foo', 12182],
    ['{user1000}.following', 3443],
    ['{user1000}.followers', 3443],
    ['foo{}{bar}', 8363],
    ['foo{{bar}}zap', 4015],
    ['foo{bar}{zap}', 5061],
  ])('places %j in slot %i', (key, slot) => expect(redis.partitionOf(bytes(key))).toBe(slot));

  // Plan: any bytes at all give a slot in range.
  it('takes any bytes as a key', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 70 }), (key) => {
        const slot = redis.partitionOf(key);
        expect(slot).toBeGreaterThanOrEqual(0);
        expect(slot).toBeLessThan(16384);
      }),
    );
  });
});

describe('range', () => {
  const ranges = createPartitioner({ kind: 'range', splitPoints: ['g', 'n', 't'].map(bytes) });

  // Plan: a split point belongs to the partition that it begins.
  it.each([
    ['a', 0],
    ['fzz', 0],
    ['g', 1],
    ['m', 1],
    ['n', 2],
    ['t', 3],
    ['zz', 3],
  ])('places %j in partition %i', (key, partition) => expect(ranges.partitionOf(bytes(key))).toBe(partition));

  // Plan: a range is asked of exactly the partitions that it touches; its end is exclusive.
  it.each([
    ['a', 'g', [0]],
    ['a', 'ga', [0, 1]],
    ['h', undefined, [1, 2, 3]],
    ['g', 'n', [1]],
    ['m', 'u', [1, 2, 3]],
  ] as const)('asks %j to %j of %j', (start, end, expected) =>
    expect(ranges.partitionsFor(bytes(start), end === undefined ? undefined : bytes(end))).toEqual(expected),
  );

  // Plan: for random split points and keys, binary search agrees with counting.
  it('agrees with counting the split points that are not above the key', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.uint8Array({ minLength: 1, maxLength: 4 }), { selector: (b) => b.join() }),
        fc.uint8Array({ maxLength: 4 }),
        (points, key) => {
          const splitPoints = [...points].sort(compareBytes);
          const expected = splitPoints.filter((p) => compareBytes(p, key) <= 0).length;
          expect(createPartitioner({ kind: 'range', splitPoints }).partitionOf(key)).toBe(expected);
        },
      ),
    );
  });
});

describe('a scheme that is wrong', () => {
  // Plan: each wrong field is refused by name, with a remedy.
  it.each([
    [{ kind: 'hash-slots', slots: 0, hash: 'murmur3', hashTags: false }, 'scheme.slots'],
    [{ kind: 'hash-slots', slots: 1.5, hash: 'murmur3', hashTags: false }, 'scheme.slots'],
    [{ kind: 'hash-slots', slots: 2_000_000, hash: 'murmur3', hashTags: false }, 'scheme.slots'],
    [{ kind: 'hash-slots', slots: 8, hash: 'md4', hashTags: false }, 'scheme.hash'],
    [{ kind: 'range', splitPoints: [bytes('b'), bytes('a')] }, 'scheme.splitPoints[1]'],
    [{ kind: 'range', splitPoints: [bytes('a'), bytes('a')] }, 'scheme.splitPoints[1]'],
    [{ kind: 'range', splitPoints: [bytes('')] }, 'scheme.splitPoints[0]'],
    [{ kind: 'mod-n' }, 'scheme.kind'],
  ])('refuses %j', (scheme, field) => {
    expect(() => createPartitioner(scheme as never)).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', field, remedy: expect.any(String) }),
    );
  });
});
