import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import type { PartitioningChange, PartitionTable } from './partition-table.js';
import { changeBetween, partitionTable, segmentsOf, shareOfRange } from './partition-table.js';
import {
  growDirectory,
  joinFixed,
  joinRing,
  joinRingAt,
  leaveFixed,
  leaveRing,
  mergeWithNext,
  movePartitions,
  putDirectoryEntry,
  removeDirectoryEntry,
  splitAt,
  splitAtMedian,
  splitInHalf,
} from './partitioning-changes.js';
import { createPartitioner } from './partitioner.js';
import { presetScheme } from './presets.js';
import { preSplitAt, preSplitFromSample } from './sample-splits.js';
import type { RingScheme, Scheme } from './scheme.js';
import { addShares, formatShare, NO_SHARE } from './share.js';
import { anyHashRange, anyKey, anyRange, anyRing, gapIn, utf8 } from '../testing/scheme-fixtures.js';

const refused = (code: string, field: string) => expect.objectContaining({ code, field, remedy: expect.any(String) });
const table = (scheme: Scheme, ...nodes: string[]): PartitionTable => {
  const { partitions } = createPartitioner(scheme);
  return partitionTable(
    scheme,
    Array.from({ length: partitions }, (_, p) => nodes[p % nodes.length]!),
  );
};
const slots = table({ kind: 'hash-slots', slots: 12, hash: 'murmur3', hashTags: false }, 'a', 'b', 'c');
const halves = table({ kind: 'hash-range', hash: 'murmur3', partitions: 2 }, 'a', 'b');

/** The parts of the space add up to all of it, and each begins where the one before ends. */
const expectWhole = ({ scheme }: PartitionTable): void => {
  const segments = segmentsOf(scheme);
  expect(gapIn(segments)).toBe(-1);
  expect(formatShare(segments.map((s) => shareOfRange(scheme, s)).reduce(addShares, NO_SHARE))).toBe('1/1');
};

/** Owners before and after, counted on keys, for a change whose share is also computed. */
const countMoved = (before: PartitionTable, after: PartitionTable, keys: readonly Uint8Array[]): number => {
  const [old, now] = [createPartitioner(before.scheme), createPartitioner(after.scheme)];
  return (
    keys.filter((k) => before.owners[old.partitionOf(k)] !== after.owners[now.partitionOf(k)]).length / keys.length
  );
};
const manyKeys = Array.from({ length: 20_000 }, (_, i) => utf8(`key:${i}`));

describe('fixed partitioning', () => {
  // Plan: the fourth of four nodes takes a quarter of the slots, only from others; when it leaves all comes back spread.
  it('moves partitions and never changes them', () => {
    const joined = joinFixed(slots, 'd');
    expect(formatShare(joined.moved)).toBe('1/4');
    expect(joined.table.scheme).toBe(slots.scheme);
    expect(joined.table.owners.filter((o) => o === 'd')).toHaveLength(3);
    expect(joined.table.owners.every((o, p) => o === 'd' || o === slots.owners[p])).toBe(true);
    const left = leaveFixed(joined.table, 'd');
    expect([...new Set(left.table.owners)].sort()).toEqual(['a', 'b', 'c']);
    expect(formatShare(left.moved)).toBe('1/4');
    expect(movePartitions(slots, [{ partition: 0, to: 'a' }]).moved.share).toBe(0);
  });

  // Plan: what cannot be moved is refused by name.
  it.each<[string, () => PartitioningChange, string]>([
    ['a partition that is not there', () => movePartitions(slots, [{ partition: 12, to: 'b' }]), 'partition'],
    ['a move to nobody', () => movePartitions(slots, [{ partition: 1, to: '' }]), 'moves[0].to'],
    [
      'a partition twice',
      () =>
        movePartitions(
          slots,
          [1, 1].map((partition) => ({ partition, to: 'b' })),
        ),
      'moves[1].partition',
    ],
    ['a node that is there', () => joinFixed(slots, 'a'), 'node'],
    ['a node that is not there', () => leaveFixed(slots, 'z'), 'node'],
    ['the last node', () => leaveFixed(table(slots.scheme, 'a'), 'a'), 'node'],
    ['a split of slots', () => splitInHalf(slots, 0), 'scheme.kind'],
    ['a merge of slots', () => mergeWithNext(slots, 0), 'scheme.kind'],
    [
      'slots of another count',
      () => changeBetween(slots, table({ kind: 'hash-slots', slots: 13, hash: 'murmur3', hashTags: false }, 'a')),
      'scheme',
    ],
    ['owners of other partitions', () => ({ table: partitionTable(slots.scheme, ['a']) }) as never, 'owners'],
  ])('refuses %s', (_what, change, field) => expect(change).toThrow(refused('INVALID_ARGUMENT', field)));
});

describe('dynamic partitioning', () => {
  // Plan: split in half, hand over the upper part, merge again: shares, owners, origins and version at each step.
  it('splits and merges', () => {
    const split = splitInHalf(halves, 0, 'c');
    expect(split.table).toEqual({
      scheme: {
        kind: 'hash-range',
        hash: 'murmur3',
        partitions: 3,
        splitPoints: ['1073741824', '2147483648'],
        version: 2,
      },
      owners: ['a', 'c', 'b'],
    });
    expect([formatShare(split.moved), split.origins]).toEqual(['1/4', [[0], [0], [1]]]);
    expect(splitInHalf(halves, 0).moved.share).toBe(0);
    const merged = mergeWithNext(split.table, 1);
    expect([formatShare(merged.moved), merged.origins]).toEqual(['1/2', [[0], [1, 2]]]);
    expect(merged.table.owners).toEqual(['a', 'c']);
    expect(formatShare(mergeWithNext(split.table, 1, 'b').moved)).toBe('1/4');
  });

  // Plan: a sample in which one key weighs most is cut beside that key; ranges are cut at keys.
  it('splits at the median of a sample', () => {
    const ranges = table({ kind: 'range', splitPoints: [utf8('m')] }, 'a', 'b');
    const sample = ['a', 'b', 'c', 'd', 'z'].map((k) => ({ key: utf8(k), weight: k === 'a' ? 100 : 1 }));
    const byLoad = splitAtMedian(ranges, 0, sample, 'c');
    expect(byLoad.table.scheme).toMatchObject({ splitPoints: [utf8('b'), utf8('m')] });
    const bySize = splitAtMedian(
      ranges,
      0,
      sample.map(({ key }) => ({ key })),
    );
    expect(bySize.table.scheme).toMatchObject({ splitPoints: [utf8('c'), utf8('m')] });
    const hashed = splitAtMedian(
      halves,
      1,
      manyKeys.map((key) => ({ key })),
      'c',
    );
    expect(hashed.moved.share).toBeGreaterThan(0.24);
    expect(hashed.moved.share).toBeLessThan(0.26);
  });

  const one = table({ kind: 'range', splitPoints: [utf8('m')] }, 'a');
  const thin = table(preSplitAt({ kind: 'hash-range', hash: 'murmur3', partitions: 1 }, [7n, 8n]), 'a');
  // Plan: what cannot be split or merged is refused, telling a wrong argument from a partition that is as small as can be.
  it.each<[string, () => PartitioningChange, string, string]>([
    ['at the beginning', () => splitAt(one, 1, utf8('m')), 'INVALID_ARGUMENT', 'at'],
    ['beyond the end', () => splitAt(one, 0, utf8('m')), 'INVALID_ARGUMENT', 'at'],
    ['at no key', () => splitAt(one, 0, new Uint8Array()), 'INVALID_ARGUMENT', 'at'],
    ['at a number', () => splitAt(one, 0, '5'), 'INVALID_ARGUMENT', 'at'],
    ['at a token outside', () => splitAt(halves, 1, '4294967296'), 'INVALID_ARGUMENT', 'at'],
    ['at the first token', () => splitAt(halves, 0, 0n), 'INVALID_ARGUMENT', 'at'],
    ['no partition', () => splitAt(halves, 2, '5'), 'INVALID_ARGUMENT', 'partition'],
    ['a single token', () => splitInHalf(thin, 1), 'FAILED_PRECONDITION', 'partition'],
    ['keys in half', () => splitInHalf(one, 0), 'FAILED_PRECONDITION', 'partition'],
    ['at the median of nothing', () => splitAtMedian(one, 0, []), 'FAILED_PRECONDITION', 'partition'],
    [
      'at the median of one key',
      () => splitAtMedian(one, 0, [{ key: utf8('a') }, { key: utf8('a') }]),
      'FAILED_PRECONDITION',
      'partition',
    ],
    [
      'by a negative load',
      () => splitAtMedian(one, 0, [{ key: utf8('a'), weight: -1 }]),
      'INVALID_ARGUMENT',
      'sample[0].weight',
    ],
    ['the last with the next', () => mergeWithNext(halves, 1), 'INVALID_ARGUMENT', 'partition'],
  ])('refuses to split or merge %s', (_what, change, code, field) => expect(change).toThrow(refused(code, field)));

  // Plan: pre-splitting by a sample gives parts of equal weight; points come sorted; equal points and empty samples are refused.
  it('pre-splits', () => {
    const sample = Array.from({ length: 1000 }, (_, i) => ({ key: utf8(`user${String(i).padStart(4, '0')}`) }));
    const scheme = preSplitFromSample({ kind: 'range', splitPoints: [] }, sample, 4);
    expect(scheme.splitPoints).toEqual(['user0250', 'user0500', 'user0750'].map(utf8));
    expect(preSplitFromSample({ kind: 'range', splitPoints: [] }, sample.slice(0, 2), 4).splitPoints).toHaveLength(1);
    expect(preSplitAt({ kind: 'range', splitPoints: [] }, [utf8('n'), utf8('g')]).splitPoints).toEqual([
      utf8('g'),
      utf8('n'),
    ]);
    expect(() => preSplitAt({ kind: 'hash-range', hash: 'md5', partitions: 1 }, [5n, 5n])).toThrow(
      refused('INVALID_ARGUMENT', 'scheme.splitPoints[1]'),
    );
    expect(() => preSplitAt({ kind: 'range', splitPoints: [] }, [5n])).toThrow(
      refused('INVALID_ARGUMENT', 'points[0]'),
    );
    expect(() => preSplitFromSample({ kind: 'range', splitPoints: [] }, [], 4)).toThrow(
      refused('INVALID_ARGUMENT', 'sample'),
    );
    expect(() => preSplitFromSample({ kind: 'range', splitPoints: [] }, sample, 0)).toThrow(
      refused('INVALID_ARGUMENT', 'partitions'),
    );
  });

  // Plan: any run of splits and merges of any scheme leaves the space covered once, and moves what the parts say.
  it('always covers the token space once', () => {
    fc.assert(
      fc.property(
        fc.oneof(anyHashRange, anyRange),
        fc.array(fc.tuple(fc.nat(), anyKey, fc.boolean())),
        (scheme, steps) => {
          let now = table(scheme, 'a', 'b');
          for (const [n, key, isMerge] of steps) {
            const partition = n % now.owners.length;
            const change = attempt(() =>
              isMerge
                ? mergeWithNext(now, partition, 'c')
                : splitAt(now, createPartitioner(now.scheme).partitionOf(key), tokenOf(now, key), 'd'),
            );
            if (!change) continue;
            expect(change.moved.share).toBeLessThanOrEqual(1);
            expect(change.origins.every((o) => o.length === 1 || (isMerge && o.length === 2))).toBe(true);
            now = change.table;
          }
          expect(createPartitioner(now.scheme).partitions).toBe(now.owners.length);
          expectWhole(now);
        },
      ),
      { numRuns: 150 },
    );
  });
  const tokenOf = (now: PartitionTable, key: Uint8Array) => createPartitioner(now.scheme).token(key);
  const attempt = (change: () => PartitioningChange): PartitioningChange | undefined => {
    try {
      return change();
    } catch (error) {
      expect(error).toEqual(expect.objectContaining({ field: expect.any(String) }));
      return undefined;
    }
  };
});

describe('proportional partitioning', () => {
  const ring = table(presetScheme('cassandra-murmur3', { nodes: ['a', 'b', 'c'], vnodes: 8 }));
  const even = partitionTable({
    kind: 'ring',
    hash: 'murmur3',
    nodes: ['a', 'b', 'c'].map((node, i) => ({ node, tokens: [`${Math.floor(((i + 1) * 2 ** 32) / 3) - 1}`] })),
  });

  // Plan: one of three equal ranges is halved: a sixth moves, which is 50 of 300 GB.
  it('halves ranges of others', () => {
    const { moved, table: after } = joinRing(even, 'd', 1, 'seed');
    expect(moved.share).toBeCloseTo(1 / 6, 8);
    expect(after.owners).toHaveLength(4);
    expect(joinRing(even, 'd', 1, 'seed')).toEqual(joinRing(even, 'd', 1, 'seed'));
    const shares = new Set(Array.from({ length: 20 }, (_, i) => String(joinRing(even, 'd', 1, `${i}`).table.owners)));
    expect(shares.size).toBe(3);
  });

  // Plan: joining takes only for the new node, and the share agrees with counting keys; leaving undoes it exactly.
  it('joins and leaves', () => {
    const joined = joinRing(ring, 'd', 8);
    expect(countMoved(ring, joined.table, manyKeys)).toBeCloseTo(joined.moved.share, 1);
    const left = leaveRing(joined.table, 'd');
    expect({ ...left.table.scheme, version: 1 }).toEqual({ ...ring.scheme, version: 1 });
    expect(left.moved).toEqual(joined.moved);
    const md5 = presetScheme('md5-ring', { nodes: ['a', 'b', 'c', 'd'], vnodes: 100 });
    const bigger = presetScheme('md5-ring', { nodes: ['a', 'b', 'c', 'd', 'e'], vnodes: 100 });
    const joining = (bigger as RingScheme).nodes.at(-1)!;
    const change = joinRingAt(partitionTable(md5), joining);
    expect(change.moved).toEqual(changeBetween(partitionTable(md5), partitionTable(bigger)).moved);
    expect(change.moved.share).toBeGreaterThan(0.15);
    expect(change.moved.share).toBeLessThan(0.25);
  });

  const tiny = partitionTable({ kind: 'ring', hash: 'murmur3', nodes: [{ node: 'a', tokens: ['0', '1', '2'] }] });
  // Plan: more vnodes than there are ranges, or than can be halved, and unknown or known names are refused.
  it.each<[string, () => PartitioningChange, string, string]>([
    ['more vnodes than tokens', () => joinRing(ring, 'd', 25), 'INVALID_ARGUMENT', 'vnodes'],
    ['0 vnodes', () => joinRing(ring, 'd', 0), 'INVALID_ARGUMENT', 'vnodes'],
    ['ranges of one token', () => joinRing(tiny, 'd', 2), 'FAILED_PRECONDITION', 'vnodes'],
    ['a node that is there', () => joinRing(ring, 'a', 1), 'INVALID_ARGUMENT', 'node'],
    ['a node that is not there', () => leaveRing(ring, 'z'), 'INVALID_ARGUMENT', 'node'],
    ['the last node', () => leaveRing(tiny, 'a'), 'INVALID_ARGUMENT', 'node'],
    ['a join of slots', () => joinRing(slots, 'd', 1), 'INVALID_ARGUMENT', 'scheme.kind'],
    [
      'a token that is taken',
      () => joinRingAt(tiny, { node: 'd', tokens: ['1'] }),
      'INVALID_ARGUMENT',
      'scheme.nodes[1].tokens[0]',
    ],
    ['a move on a ring', () => movePartitions(ring, []), 'INVALID_ARGUMENT', 'scheme.kind'],
  ])('refuses %s', (_what, change, code, field) => expect(change).toThrow(refused(code, field)));

  // Plan: random rings, also of bytes: a join moves to the new node alone, a leave gives its share away, all is covered once.
  it('always covers the token space once', () => {
    fc.assert(
      fc.property(anyRing, fc.integer({ min: 1, max: 30 }), fc.string(), (scheme, vnodes, seed) => {
        const before = partitionTable(scheme);
        let joined: PartitioningChange;
        try {
          joined = joinRing(before, 'new', vnodes, seed);
        } catch (error) {
          return expect(error).toEqual(expect.objectContaining({ field: 'vnodes' }));
        }
        expectWhole(joined.table);
        expect(joined.table.owners.filter((o) => o === 'new')).toHaveLength(vnodes);
        const left = leaveRing(joined.table, 'new');
        expectWhole(left.table);
        return expect(left.moved).toEqual(joined.moved);
      }),
      { numRuns: 300 },
    );
  });
});

describe('directory edits', () => {
  const base = table(
    {
      kind: 'directory',
      entries: [],
      partitions: 4,
      fallback: { kind: 'hash-slots', slots: 4, hash: 'murmur3', hashTags: false },
    },
    'a',
    'b',
  );

  // Plan: a tenant gets its own partition and node: the keys with its prefix move (1/256 of bytes), and back when the entry goes.
  it('isolates a tenant and takes it back', () => {
    const grown = growDirectory(base, ['t']);
    expect([grown.table.owners.length, grown.moved.share]).toEqual([5, 0]);
    const put = putDirectoryEntry(grown.table, { match: 'prefix', prefix: utf8('t'), partition: 4 });
    expect([formatShare(put.moved), put.origins[4]]).toEqual(['1/256', [0, 1, 2, 3]]);
    expect(put.table.owners[createPartitioner(put.table.scheme).partitionOf(utf8('tenant'))]).toBe('t');
    const taken = removeDirectoryEntry(put.table, { match: 'prefix', prefix: utf8('t') });
    expect(formatShare(taken.moved)).toBe('1/256');
    expect(taken.table.scheme.version).toBe(4);
  });

  // Plan: to a node that holds half of the fallback only the other half moves; inside a range fallback only what lies elsewhere.
  it('moves only what is not there yet', () => {
    const put = putDirectoryEntry(base, { match: 'geography', label: 'eu', partition: 0 });
    expect(formatShare(put.moved)).toBe(`1/${2 * 256 ** 3}`);
    const ranges = table(
      {
        kind: 'directory',
        entries: [],
        partitions: 2,
        fallback: { kind: 'range', splitPoints: [utf8('t'), utf8('x')].slice(0, 1) },
      },
      'a',
      'b',
    );
    expect(formatShare(putDirectoryEntry(ranges, { match: 'prefix', prefix: utf8('a'), partition: 0 }).moved)).toBe(
      '0/1',
    );
    expect(formatShare(putDirectoryEntry(ranges, { match: 'prefix', prefix: utf8('a'), partition: 1 }).moved)).toBe(
      '1/256',
    );
    const key = putDirectoryEntry(base, { match: 'key', key: utf8('hot'), partition: 3 });
    expect(key.moved.share).toBe(0);
  });

  // Plan: edits of what is not a directory, not an entry or not a partition are refused.
  it.each<[string, () => PartitioningChange, string, string]>([
    [
      'slots',
      () => putDirectoryEntry(slots, { match: 'key', key: utf8('k'), partition: 0 }),
      'INVALID_ARGUMENT',
      'scheme.kind',
    ],
    [
      'an entry that is not there',
      () => removeDirectoryEntry(base, { match: 'key', key: utf8('k') }),
      'NOT_FOUND',
      'entry',
    ],
    [
      'a partition that is not there',
      () => putDirectoryEntry(base, { match: 'key', key: utf8('k'), partition: 4 }),
      'INVALID_ARGUMENT',
      'scheme.entries[0].partition',
    ],
  ])('refuses %s', (_what, change, code, field) => expect(change).toThrow(refused(code, field)));
});
