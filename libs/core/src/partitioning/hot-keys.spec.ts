import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { bucketsFor, gather, salt, saltBy, unsalt } from './hot-keys.js';
import { seededRandom } from './seeded-random.js';
import { utf8 } from '../testing/scheme-fixtures.js';

describe('salted keys', () => {
  const seed = 'hot keys';
  const random = seededRandom(seed);

  // Plan: for any bytes and any number of buckets, both kinds of salt have an inverse and are among the keys to gather.
  it('come back, and are gathered', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 30 }),
        fc.integer({ min: 1, max: 300 }),
        fc.uint8Array(),
        (key, buckets, item) => {
          const gathered = gather(key, buckets);
          for (const salted of [salt(key, buckets, () => random.uint32() / 2 ** 32), saltBy(key, buckets, item)]) {
            const { key: original, bucket } = unsalt(salted);
            expect(original).toEqual(key);
            expect(gathered[bucket]).toEqual(salted);
          }
          expect(gathered).toHaveLength(buckets);
        },
      ),
    );
  });

  // Plan: 20,000 items over 10 buckets: each bucket within 10 % of its share, a calculated bucket always the same.
  it('spread evenly', () => {
    const counts = new Array<number>(10).fill(0);
    for (let i = 0; i < 20_000; i += 1) counts[unsalt(saltBy(utf8('hot'), 10, utf8(`order-${i}`))).bucket]! += 1;
    expect(Math.min(...counts)).toBeGreaterThan(1800);
    expect(Math.max(...counts)).toBeLessThan(2200);
    expect(saltBy(utf8('hot'), 10, utf8('o'))).toEqual(saltBy(utf8('hot'), 10, utf8('o')));
    expect(unsalt(salt(utf8('k'), 10, () => 0.999999999)).bucket).toBe(9);
  });

  // Plan: the arithmetic of capacity units: 1,000 writes of 1 KiB and 3,000 reads of 4 KiB a second a partition, larger items cost more.
  it.each([
    [{ writesPerSecond: 1000, readsPerSecond: 0, itemBytes: 1024 }, 1],
    [{ writesPerSecond: 1001, readsPerSecond: 0, itemBytes: 1024 }, 2],
    [{ writesPerSecond: 1000, readsPerSecond: 0, itemBytes: 1025 }, 2],
    [{ writesPerSecond: 0, readsPerSecond: 3000, itemBytes: 4096 }, 1],
    [{ writesPerSecond: 0, readsPerSecond: 3001, itemBytes: 100 }, 2],
    [{ writesPerSecond: 0, readsPerSecond: 3000, itemBytes: 4097 }, 2],
    [{ writesPerSecond: 0, readsPerSecond: 6000, itemBytes: 100, eventuallyConsistent: true }, 1],
    [{ writesPerSecond: 500, readsPerSecond: 1500, itemBytes: 1000 }, 1],
    [{ writesPerSecond: 5000, readsPerSecond: 9000, itemBytes: 1000 }, 8],
    [{ writesPerSecond: 0, readsPerSecond: 0, itemBytes: 0 }, 1],
  ])('needs for %j %i buckets', (load, buckets) => expect(bucketsFor(load)).toBe(buckets));

  // Plan: wrong counts, loads and keys are refused by name.
  it.each<[string, () => unknown, string]>([
    ['0 buckets', () => gather(utf8('k'), 0), 'buckets'],
    ['-1 buckets', () => salt(utf8('k'), -1, () => 0), 'buckets'],
    ['1.5 buckets', () => saltBy(utf8('k'), 1.5, utf8('i')), 'buckets'],
    ['too many buckets', () => gather(utf8('k'), 65_537), 'buckets'],
    [
      'a load that is no number',
      () => bucketsFor({ writesPerSecond: NaN, readsPerSecond: 0, itemBytes: 1 }),
      'writesPerSecond',
    ],
    ['a negative load', () => bucketsFor({ writesPerSecond: 0, readsPerSecond: -1, itemBytes: 1 }), 'readsPerSecond'],
    [
      'a load for too many buckets',
      () => bucketsFor({ writesPerSecond: 1e9, readsPerSecond: 0, itemBytes: 1 }),
      'buckets',
    ],
    ['a key that is not salted', () => unsalt(utf8('plain')), 'key'],
    ['a key without room for salt', () => salt(new Uint8Array(4095), 2, () => 0), 'key'],
  ])('refuses %s', (_what, act, field) =>
    expect(act).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT', field, remedy: expect.any(String) })),
  );
});
