import { describe, expect, it } from '@jest/globals';
import type { Scheme } from '@cadastre/core';
import { createPartitioner, joinRing, partitionTable, PRESETS, presetScheme, splitInHalf } from '@cadastre/core';
import type * as Wire from '../generated/index.js';
import { messageCodec } from '../proto.js';
import { decodeScheme, encodeScheme } from './scheme.codec.js';

const schemes = messageCodec<Wire.Scheme, Wire.Scheme__Output>('Scheme');
const overTheWire = (scheme: Scheme): Scheme => decodeScheme(schemes.decode(schemes.encode(encodeScheme(scheme))));
const hashed = { kind: 'hash-slots', slots: 4, hash: 'murmur3', hashTags: false } as const;
const separator = Buffer.from([0, 255]);

const directory: Scheme = {
  kind: 'directory',
  partitions: 9,
  separator: ':',
  version: 7,
  fallback: { kind: 'hash-range', hash: 'md5', partitions: 4, compound: { separator } },
  entries: [
    { match: 'key', key: Buffer.from([255, 0]), partition: 0 },
    { match: 'prefix', prefix: Buffer.from('acme/'), partition: 5, spread: 3 },
    { match: 'geography', label: 'eu', partition: 8 },
  ],
};

describe('schemes on the wire', () => {
  // Plan: every preset, compound keys, a directory and changed schemes come back as they were, and still compile.
  it.each<[string, Scheme]>([
    ...PRESETS.map(({ name, params }): [string, Scheme] => [
      name,
      presetScheme(name, params.includes('nodes') ? { nodes: ['a', 'b'], vnodes: 3 } : {}),
    ]),
    [
      'elasticsearch with routing',
      presetScheme('elasticsearch', { partitions: 5, routingPartitionSize: 3, compound: { separator } }),
    ],
    ['riak with a bucket', presetScheme('riak', { bucket: 'b', bucketType: 't' })],
    ['a length before the first component', { ...hashed, compound: { lengthPrefixBytes: 2 } }],
    ['a directory', directory],
    [
      'a split',
      splitInHalf(partitionTable({ kind: 'hash-range', hash: 'citus-int4', partitions: 1 }, ['a']), 0).table.scheme,
    ],
    [
      'a ring after a join',
      joinRing(partitionTable(presetScheme('md5-ring', { nodes: ['a'], vnodes: 4 })), 'b', 2).table.scheme,
    ],
  ])('keeps %s', (_what, scheme) => {
    const back = overTheWire(scheme);
    expect(back).toEqual(scheme);
    expect(createPartitioner(back).partitions).toBe(createPartitioner(scheme).partitions);
  });

  // Plan: what was written before there were other kinds reads as it did, and is still written byte for byte alike.
  it('reads schemes of the first version', () => {
    expect(overTheWire(hashed)).toEqual(hashed);
    const bytes = Buffer.from(schemes.encode(encodeScheme({ ...hashed, hashTags: true })));
    expect(bytes.toString('hex')).toBe('0a0d080412076d75726d7572331801');
  });

  // Plan: no kind, an entry of no kind, nested directories, and counts that the wire would cut are refused by name.
  it.each<[string, () => unknown, string]>([
    ['nothing', () => decodeScheme(undefined), 'scheme'],
    ['a kind from the future', () => decodeScheme(schemes.decode(schemes.encode({}))), 'scheme'],
    [
      'a directory below a directory',
      () => overTheWire({ ...directory, fallback: directory as never }),
      'scheme.fallback.kind',
    ],
    [
      'an entry of no kind',
      () =>
        decodeScheme(
          schemes.decode(
            schemes.encode({ directory: { entries: [{ partition: 1 }], fallback: encodeScheme(hashed) } }),
          ),
        ),
      'scheme.entries[0]',
    ],
    ['half a slot', () => encodeScheme({ ...hashed, slots: 2.5 }), 'scheme.slots'],
    [
      'minus one partition',
      () => encodeScheme({ kind: 'hash-range', hash: 'md5', partitions: -1 }),
      'scheme.partitions',
    ],
    [
      'half an entry',
      () => encodeScheme({ ...directory, entries: [{ match: 'geography', label: 'eu', partition: 0.5 }] } as Scheme),
      'scheme.entries[0].partition',
    ],
  ])('refuses %s', (_what, act, field) =>
    expect(act).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT', field, remedy: expect.any(String) })),
  );
});
