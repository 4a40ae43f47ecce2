import * as fc from 'fast-check';
import { compareBytes } from '../bytes.js';
import { spaceOf } from '../partitioning/hash-functions.js';
import type { Segment } from '../partitioning/partition-table.js';
import { compareTokens } from '../partitioning/partition-table.js';
import type { HashRangeScheme, RangeHash, RangeScheme, RingScheme, Scheme } from '../partitioning/scheme.js';
import { RANGE_HASHES } from '../partitioning/scheme.js';
import type { Token } from '../partitioning/token.js';
import { hexOf, sizeOf } from '../partitioning/token.js';

/** Random schemes for tests: any bytes for keys, any token for a boundary, also right at the ends of the space. */
export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

const TYPED = [
  'citus-int4',
  'citus-int8',
  'citus-uuid',
  'vitess-hash',
  'mongodb-int32',
  'mongodb-int64',
  'mongodb-objectid',
  'vitess-unicode-loose-xxhash',
];

/** Hashes that take any bytes. */
export const anyHash = fc.constantFrom(...RANGE_HASHES.filter((hash) => !TYPED.includes(hash)));

/** Small alphabet and separators, so that ranges of keys and components meet. */
export const anyKey = fc
  .uint8Array({ maxLength: 6 })
  .map((bytes) => bytes.map((b) => [0, 0x21, 0x2f, 0x61, 0x62, 0x7b, 0x7d, 255][b % 8]!));

export const anyBytes = fc.uint8Array({ maxLength: 70 });

const tokensOf = (hash: RangeHash, least: number, most: number): fc.Arbitrary<bigint[]> => {
  const { min } = spaceOf(hash);
  const size = sizeOf(spaceOf(hash));
  const token = fc.oneof(
    fc.bigInt(0n, size - 1n),
    fc.bigInt(0n, 3n),
    fc.bigInt(size - 3n, size - 1n),
    fc.bigInt(0n, 40n).map((x) => size / 2n + x),
  );
  return fc
    .uniqueArray(token, { minLength: least, maxLength: most })
    .map((tokens) => tokens.map((t) => t + min).sort(compareTokens));
};

export const anyHashRange: fc.Arbitrary<HashRangeScheme> = anyHash.chain((hash) =>
  fc.oneof(
    fc.integer({ min: 1, max: 300 }).map((partitions): HashRangeScheme => ({ kind: 'hash-range', hash, partitions })),
    tokensOf(hash, 0, 40).map((tokens): HashRangeScheme => {
      const points = tokens.filter((t) => t > spaceOf(hash).min);
      return { kind: 'hash-range', hash, partitions: points.length + 1, splitPoints: points.map(String) };
    }),
  ),
);

export const anyRange: fc.Arbitrary<RangeScheme> = fc
  .uniqueArray(
    anyKey.filter((k) => k.length > 0),
    { selector: (b) => b.join(), maxLength: 12 },
  )
  .map((points) => ({ kind: 'range', splitPoints: points.sort(compareBytes) }));

const names = ['a', 'b', 'c', 'd'];

export const anyRing: fc.Arbitrary<RingScheme> = fc.oneof(
  anyHash.chain((hash) => tokensOf(hash, 1, 30).map((tokens): RingScheme => ringOf(hash, tokens.map(String)))),
  fc.uniqueArray(anyKey, { selector: (b) => b.join(), minLength: 1, maxLength: 12 }).map((keys): RingScheme =>
    ringOf(
      'bytes',
      keys.map((k) => hexOf(k)),
    ),
  ),
);

const ringOf = (hash: RingScheme['hash'], tokens: readonly string[]): RingScheme => ({
  kind: 'ring',
  hash,
  nodes: names
    .map((node, i) => ({ node, tokens: tokens.filter((_, j) => j % names.length === i) }))
    .filter((n) => n.tokens.length > 0),
});

export const anySlots: fc.Arbitrary<Scheme> = fc
  .record({
    slots: fc.constantFrom(1, 2, 3, 8, 100, 1024),
    hash: fc.constantFrom('murmur3', 'crc16', 'murmur2', 'crc32', 'xxhash64', 'couchbase', 'elasticsearch'),
    how: fc.constantFrom('plain', 'tags', 'separator', 'length'),
    factor: fc.constantFrom(1, 2, 8),
  })
  .map(({ slots, hash, how, factor }) => ({
    kind: 'hash-slots',
    slots,
    hash,
    hashTags: how === 'tags',
    ...(how === 'separator' && { compound: { separator: utf8('!') } }),
    ...(how === 'length' && { compound: { lengthPrefixBytes: 1 } }),
    ...(factor > 1 && { routingSlots: slots * factor }),
  })) as fc.Arbitrary<Scheme>;

export const anyFlat: fc.Arbitrary<Scheme> = fc.oneof(anySlots, anyHashRange, anyRange, anyRing);

export const inOrder = (a: Token, b: Token): boolean => compareTokens(a, b) < 0;

/** The first segment that does not begin where the one before ends, -1 when all do. */
export const gapIn = (segments: readonly Segment[]): number =>
  segments.findIndex(({ start }, i) => {
    const end = segments[i - 1]?.end;
    return i > 0 && (start === undefined || end === undefined || compareTokens(start, end) !== 0);
  });
