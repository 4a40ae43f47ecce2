import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { compareBytes } from '../bytes.js';
import { segmentsOf } from './partition-table.js';
import type { Partitioner } from './partitioner.js';
import { createPartitioner } from './partitioner.js';
import {
  anyBytes,
  anyFlat,
  anyHashRange,
  anyKey,
  anyRange,
  anyRing,
  anySlots,
  gapIn,
  inOrder,
  utf8,
} from '../testing/scheme-fixtures.js';
import type { DirectoryEntry, DirectoryScheme, Scheme } from './scheme.js';
import type { Token } from './token.js';

const holds = (partitioner: Partitioner, partition: number, token: Token): boolean =>
  partitioner
    .rangesOf(partition)
    .some(
      ({ start, end }) => (start === undefined || !inOrder(token, start)) && (end === undefined || inOrder(token, end)),
    );

const flat = [
  ['hash-slots', anySlots],
  ['hash-range', anyHashRange],
  ['range', anyRange],
  ['ring', anyRing],
] as [string, fc.Arbitrary<Scheme>][];

describe.each(flat)('%s', (_kind, anyScheme) => {
  // Plan: the fast search of a key's partition agrees with the readable token and the ranges that the partition says it holds.
  it('finds the partition whose ranges hold the token', () => {
    fc.assert(
      fc.property(anyScheme, fc.array(fc.oneof(anyKey, anyBytes), { minLength: 1, maxLength: 20 }), (scheme, keys) => {
        const partitioner = createPartitioner(scheme);
        for (const key of keys) {
          const partition = partitioner.partitionOf(key);
          const isThere = partition < partitioner.partitions && holds(partitioner, partition, partitioner.token(key));
          if (!isThere) expect([partition, key]).toBe('where its token lies');
        }
      }),
      { numRuns: 300 },
    );
  });

  // Plan: ranges in token order begin at the first token, end at the last, and each begins where the one before ends.
  it('covers the token space exactly once', () => {
    fc.assert(
      fc.property(anyScheme, (scheme) => {
        const segments = segmentsOf(scheme);
        expect(segments[0]!.start === undefined || segments[0]!.start === 0n).toBe(true);
        expect(gapIn(segments)).toBe(-1);
        const last = segments.at(-1)!.end;
        if (scheme.kind !== 'hash-slots') expect(last).toBeUndefined();
      }),
    );
  });
});

describe('partitionsFor', () => {
  // Plan: random keys inside a random range must lie in partitions that are asked; outside hashed schemes none is asked in vain.
  it('asks every partition that a key of the range can be in', () => {
    fc.assert(
      fc.property(
        anyFlat,
        anyKey,
        fc.option(anyKey, { nil: undefined }),
        fc.array(anyKey),
        (scheme, start, end, keys) => {
          const partitioner = createPartitioner(scheme);
          const asked = partitioner.partitionsFor(start, end);
          expect(new Set(asked).size).toBe(asked.length);
          const isEmpty = end !== undefined && compareBytes(start, end) >= 0;
          if (isEmpty) return expect(asked).toEqual([]);
          for (const key of [start, ...keys])
            if (compareBytes(key, start) >= 0 && (!end || compareBytes(key, end) < 0))
              expect(asked).toContain(partitioner.partitionOf(key));
          return undefined;
        },
      ),
      { numRuns: 1000 },
    );
  });

  // Plan: in an ordered scheme the partitions asked are exactly those whose range meets the range of keys, in order.
  it('asks exactly the ranges that are met where order is kept', () => {
    fc.assert(
      fc.property(anyRange, anyKey, anyKey, (scheme, start, end) => {
        if (compareBytes(start, end) >= 0) return;
        const partitioner = createPartitioner(scheme);
        const met = Array.from({ length: partitioner.partitions }, (_, p) => p).filter((p) => {
          const [range] = partitioner.rangesOf(p);
          const from = (range!.start ?? new Uint8Array()) as Uint8Array;
          const to = range!.end as Uint8Array | undefined;
          return compareBytes(from, end) < 0 && (!to || compareBytes(to, start) > 0);
        });
        expect(partitioner.partitionsFor(start, end)).toEqual(met);
      }),
    );
  });

  const compound = createPartitioner({
    kind: 'hash-range',
    hash: 'md5',
    partitions: 50,
    compound: { separator: utf8('#') },
  });
  const redis = createPartitioner({ kind: 'hash-slots', slots: 16384, hash: 'crc16', hashTags: true });
  const prefixed = createPartitioner({
    kind: 'hash-slots',
    slots: 64,
    hash: 'murmur3',
    hashTags: false,
    compound: { lengthPrefixBytes: 2 },
  });

  // Plan: one partition where the hashed part is fixed, all where a key of the range may hash otherwise.
  it.each<[string, Partitioner, string, string | undefined, number]>([
    ['rows of one partition key', compound, 'user1#2020', 'user1#2021', 1],
    ['all rows of one partition key', compound, 'user1#', 'user1$', 1],
    ['rows of two partition keys', compound, 'user1#', 'user2#', 50],
    ['one partition key without its end', compound, 'user1', 'user1$', 50],
    ['from one key to the end', compound, 'user1#', undefined, 50],
    ['a single key', compound, 'a', 'a\u0000', 1],
    ['one hash tag', redis, '{user1}:a', '{user1}:b', 1],
    ['an empty hash tag', redis, '{}a', '{}b', 16384],
    ['an open hash tag', redis, '{user', '{usez', 16384],
    ['one component after its length', prefixed, '\u0000\u0002abx', '\u0000\u0002aby', 1],
    ['components of one length', prefixed, '\u0000\u0002aa', '\u0000\u0002zz', 64],
    ['nothing', redis, 'b', 'a', 0],
  ])('%s', (_what, partitioner, start, end, count) => {
    const asked = partitioner.partitionsFor(utf8(start), end === undefined ? undefined : utf8(end));
    expect(asked).toHaveLength(count);
    if (count === 1) expect(asked).toEqual([partitioner.partitionOf(utf8(start))]);
  });

  // Plan: a tenant of SolrCloud is asked in the partitions of its top bits, and all its documents lie there.
  it('asks the partitions of a Solr tenant alone', () => {
    const solr = createPartitioner({ kind: 'hash-range', hash: 'solr-composite', partitions: 1024 });
    const asked = solr.partitionsFor(utf8('tenant!'), utf8('tenant"'));
    expect(asked).toHaveLength(4);
    const fewer = solr.partitionsFor(utf8('tenant/2!'), utf8('tenant/2"'));
    expect(fewer).toHaveLength(256);
    for (let i = 0; i < 500; i += 1) {
      expect(asked).toContain(solr.partitionOf(utf8(`tenant!doc${i}`)));
      expect(asked).toContain(solr.partitionOf(utf8(`tenant!user${i}!doc`)));
      expect(fewer).toContain(solr.partitionOf(utf8(`tenant/2!doc${i}`)));
      expect(fewer).toContain(solr.partitionOf(utf8(`tenant/2!user${i}!doc`)));
    }
  });

  // Plan: with routing_partition_size 3, rows of one routing value lie in no more than 3 routing slots, and just these are asked.
  it('asks the slots of one Elasticsearch routing value', () => {
    const es = createPartitioner({
      kind: 'hash-slots',
      slots: 5,
      routingSlots: 640,
      routingPartitionSize: 300,
      hash: 'elasticsearch',
      hashTags: false,
      compound: { separator: utf8('|') },
    });
    const asked = es.partitionsFor(utf8('r|'), utf8('r}'));
    const met = new Set(Array.from({ length: 2000 }, (_, i) => es.partitionOf(utf8(`r|id${i}`))));
    expect([...met].sort()).toEqual(asked);
  });
});

describe('directory', () => {
  const entry: fc.Arbitrary<DirectoryEntry> = fc.oneof(
    fc.record({ match: fc.constant('key' as const), key: anyKey.filter((k) => k.length > 0), partition: fc.nat(29) }),
    fc.record({
      match: fc.constant('prefix' as const),
      prefix: anyKey.filter((k) => k.length > 0),
      partition: fc.nat(20),
      spread: fc.integer({ min: 1, max: 9 }),
    }),
    fc.record({
      match: fc.constant('geography' as const),
      label: fc.constantFrom('a', 'b', 'ab'),
      partition: fc.nat(29),
    }),
  );
  const claim = (e: DirectoryEntry): string =>
    e.match === 'key'
      ? `k${e.key.join()}`
      : e.match === 'prefix'
        ? `p${e.prefix.join()}`
        : `p${utf8(`${e.label}/`).join()}`;
  const anyDirectory: fc.Arbitrary<DirectoryScheme> = fc.record({
    kind: fc.constant('directory' as const),
    entries: fc.uniqueArray(entry, { selector: claim, maxLength: 10 }),
    partitions: fc.constant(30),
    fallback: fc.oneof(anyRange, fc.constant({ kind: 'hash-range' as const, hash: 'murmur3' as const, partitions: 7 })),
  });

  const longest = (scheme: DirectoryScheme, key: Uint8Array): DirectoryEntry | undefined => {
    const begins = (prefix: Uint8Array): boolean => prefix.every((b, i) => key[i] === b);
    const lengthOf = (e: DirectoryEntry): number => {
      if (e.match === 'key') return compareBytes(e.key, key) === 0 ? 10_000 : -1;
      const prefix = e.match === 'prefix' ? e.prefix : utf8(`${e.label}/`);
      return begins(prefix) ? prefix.length : -1;
    };
    return scheme.entries.filter((e) => lengthOf(e) >= 0).sort((a, b) => lengthOf(b) - lengthOf(a))[0];
  };

  // Plan: the one search in the table agrees with trying every entry, longest first, and then the fallback.
  it('takes the longest match, then the fallback', () => {
    fc.assert(
      fc.property(anyDirectory, fc.array(anyKey, { minLength: 5 }), (scheme, keys) => {
        const partitioner = createPartitioner(scheme);
        const fallback = createPartitioner(scheme.fallback);
        for (const key of keys) {
          const found = longest(scheme, key);
          const partition = partitioner.partitionOf(key);
          if (!found) expect(partition).toBe(fallback.partitionOf(key));
          else if (found.match === 'prefix')
            expect(Math.floor(partition - found.partition) < (found.spread ?? 1)).toBe(true);
          else expect(partition).toBe(found.partition);
        }
      }),
      { numRuns: 500 },
    );
  });

  // Plan: random ranges; every key inside lies in a partition that is asked.
  it('asks every partition that a key of the range can be in', () => {
    fc.assert(
      fc.property(anyDirectory, anyKey, anyKey, fc.array(anyKey, { minLength: 5 }), (scheme, start, end, keys) => {
        const partitioner = createPartitioner(scheme);
        const asked = partitioner.partitionsFor(start, end);
        for (const key of keys)
          if (compareBytes(key, start) >= 0 && compareBytes(key, end) < 0)
            expect(asked).toContain(partitioner.partitionOf(key));
      }),
      { numRuns: 500 },
    );
  });

  // Plan: a range inside a tenant asks the tenant's partitions and not the fallback.
  it('does not ask the fallback inside a prefix', () => {
    const partitioner = createPartitioner({
      kind: 'directory',
      partitions: 10,
      fallback: { kind: 'hash-slots', slots: 4, hash: 'murmur3', hashTags: false },
      entries: [
        { match: 'prefix', prefix: utf8('acme/'), partition: 5, spread: 2 },
        { match: 'key', key: utf8('acme/big'), partition: 9 },
        { match: 'geography', label: 'eu', partition: 8 },
      ],
    });
    expect(partitioner.partitionsFor(utf8('acme/'), utf8('acme0'))).toEqual([5, 6, 9]);
    expect(partitioner.partitionsFor(utf8('acme/c'), utf8('acme/d'))).toEqual([5, 6]);
    expect(partitioner.partitionsFor(utf8('eu/'), utf8('eu0'))).toEqual([8]);
    expect(partitioner.partitionsFor(utf8('acme'), utf8('acme/b')).sort()).toEqual([0, 1, 2, 3, 5, 6]);
    expect(partitioner.partitionOf(utf8('acme/big'))).toBe(9);
    expect(partitioner.partitionOf(utf8('eu/paris'))).toBe(8);
  });
});
