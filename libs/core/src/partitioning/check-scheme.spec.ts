import { describe, expect, it } from '@jest/globals';
import { checkKeyspaceSpec } from '../map/keyspace.js';
import { createPartitioner } from './partitioner.js';
import type { PresetName } from './presets.js';
import { presetScheme } from './presets.js';
import { utf8 } from '../testing/scheme-fixtures.js';

const slots = { kind: 'hash-slots', slots: 8, hash: 'murmur3', hashTags: false };
const range = { kind: 'hash-range', hash: 'citus-text', partitions: 3, splitPoints: ['-5', '5'] };
const ring = { kind: 'ring', hash: 'cassandra-murmur3', nodes: [{ node: 'a', tokens: ['0'] }] };
const directory = { kind: 'directory', entries: [], partitions: 9, fallback: slots };
const key = { match: 'key', key: utf8('k'), partition: 8 };

describe('a scheme that is wrong', () => {
  // Plan: each wrong or missing field is refused by name, with what to do; where there is a limit, the limit is said.
  it.each<[string, object | undefined, string]>([
    ['no scheme', undefined, 'scheme.kind'],
    ['no kind', {}, 'scheme.kind'],
    ['hash mod N', { kind: 'mod-n' }, 'scheme.kind'],
    ['a field of nothing', { ...slots, slot: 3 }, 'scheme.slot'],
    ['a version 0', { ...slots, version: 0 }, 'scheme.version'],
    ['no slots', { ...slots, slots: undefined }, 'scheme.slots'],
    ['0 slots', { ...slots, slots: 0 }, 'scheme.slots'],
    ['-1 slots', { ...slots, slots: -1 }, 'scheme.slots'],
    ['half a slot', { ...slots, slots: 0.5 }, 'scheme.slots'],
    ['too many slots', { ...slots, slots: 1_048_577 }, 'scheme.slots'],
    ['no hash', { ...slots, hash: undefined }, 'scheme.hash'],
    ['no hash tags', { ...slots, hashTags: undefined }, 'scheme.hashTags'],
    ['tags and components', { ...slots, hashTags: true, compound: { lengthPrefixBytes: 1 } }, 'scheme.hashTags'],
    ['a compound of nothing', { ...slots, compound: {} }, 'scheme.compound'],
    ['an empty separator', { ...slots, compound: { separator: utf8('') } }, 'scheme.compound.separator'],
    ['a length of 3 bytes', { ...slots, compound: { lengthPrefixBytes: 3 } }, 'scheme.compound.lengthPrefixBytes'],
    ['routing slots between', { ...slots, routingSlots: 12 }, 'scheme.routingSlots'],
    ['fewer routing slots', { ...slots, routingSlots: 4 }, 'scheme.routingSlots'],
    [
      'routing over nothing',
      { ...slots, hash: 'elasticsearch', routingPartitionSize: 2 },
      'scheme.routingPartitionSize',
    ],
    ['routing of another hash', { ...slots, routingPartitionSize: 2 }, 'scheme.routingPartitionSize'],
    ['a bucket of another hash', { ...slots, bucket: 'b' }, 'scheme.bucket'],
    ['a Riak ring of 48', { ...slots, hash: 'riak', slots: 48 }, 'scheme.slots'],
    ['a range of a slot hash', { ...range, hash: 'crc16' }, 'scheme.hash'],
    ['no partitions', { ...range, partitions: undefined }, 'scheme.partitions'],
    ['0 partitions', { ...range, partitions: 0 }, 'scheme.partitions'],
    ['split points of another count', { ...range, partitions: 4 }, 'scheme.splitPoints'],
    ['split points that are no list', { ...range, splitPoints: '5' }, 'scheme.splitPoints'],
    ['split points out of order', { ...range, splitPoints: ['5', '-5'] }, 'scheme.splitPoints[1]'],
    ['equal split points', { ...range, splitPoints: ['5', '5'] }, 'scheme.splitPoints[1]'],
    ['a split point at the beginning', { ...range, splitPoints: ['-2147483648', '5'] }, 'scheme.splitPoints[0]'],
    ['a split point outside', { ...range, splitPoints: ['5', '2147483648'] }, 'scheme.splitPoints[1]'],
    ['a split point that is no number', { ...range, splitPoints: ['5', '0x9'] }, 'scheme.splitPoints[1]'],
    ['a split point that is a number', { ...range, splitPoints: [5, 9] }, 'scheme.splitPoints[0]'],
    ['a ring of nobody', { ...ring, nodes: [] }, 'scheme.nodes'],
    ['a node without a name', { ...ring, nodes: [{ node: '', tokens: ['0'] }] }, 'scheme.nodes[0].node'],
    ['a node without tokens', { ...ring, nodes: [{ node: 'a', tokens: [] }] }, 'scheme.nodes[0].tokens'],
    ['a node twice', { ...ring, nodes: [...ring.nodes, { node: 'a', tokens: ['1'] }] }, 'scheme.nodes[1].node'],
    ['a token twice', { ...ring, nodes: [...ring.nodes, { node: 'b', tokens: ['0'] }] }, 'scheme.nodes[1].tokens[0]'],
    [
      'bytes that are no hex',
      { ...ring, hash: 'bytes', nodes: [{ node: 'a', tokens: ['xyz'] }] },
      'scheme.nodes[0].tokens[0]',
    ],
    ['no fallback', { ...directory, fallback: undefined }, 'scheme.fallback.kind'],
    ['a directory below a directory', { ...directory, fallback: directory }, 'scheme.fallback.kind'],
    ['a wrong fallback', { ...directory, fallback: { ...slots, slots: 0 } }, 'scheme.fallback.slots'],
    ['fewer partitions than the fallback', { ...directory, partitions: 7 }, 'scheme.partitions'],
    ['an entry for nobody', { ...directory, entries: [{ ...key, partition: 9 }] }, 'scheme.entries[0].partition'],
    ['an entry of no kind', { ...directory, entries: [{ ...key, match: 'regexp' }] }, 'scheme.entries[0].match'],
    [
      'an empty prefix',
      { ...directory, entries: [{ match: 'prefix', prefix: utf8(''), partition: 8 }] },
      'scheme.entries[0].prefix',
    ],
    ['a spread key', { ...directory, entries: [{ ...key, spread: 2 }] }, 'scheme.entries[0].spread'],
    [
      'too wide a spread',
      { ...directory, entries: [{ match: 'prefix', prefix: utf8('k'), partition: 8, spread: 2 }] },
      'scheme.entries[0].spread',
    ],
    [
      'a label with a separator',
      { ...directory, entries: [{ match: 'geography', label: 'e/u', partition: 8 }] },
      'scheme.entries[0].label',
    ],
    ['one key twice', { ...directory, entries: [key, { ...key, partition: 1 }] }, 'scheme.entries[1]'],
  ])('refuses %s', (_what, scheme, field) => {
    expect(() => createPartitioner(scheme as never)).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', field, remedy: expect.any(String) }),
    );
  });

  // Plan: parameters of a preset are refused likewise.
  it.each<[string, string, object, string]>([
    ['an unknown preset', 'memcached', {}, 'preset'],
    ['a parameter of another', 'kafka', { vnodes: 3 }, 'vnodes'],
    ['0 partitions', 'kafka', { partitions: 0 }, 'partitions'],
    ['-4 partitions', 'citus', { partitions: -4 }, 'partitions'],
    ['a Redis Cluster of 100 slots', 'redis-cluster', { partitions: 100 }, 'partitions'],
    ['a ring of nobody', 'md5-ring', {}, 'nodes'],
    ['a ring of no nodes', 'md5-ring', { nodes: [] }, 'nodes'],
    ['a node twice', 'md5-ring', { nodes: ['a', 'a'] }, 'nodes[1]'],
    ['0 vnodes', 'cassandra-murmur3', { nodes: ['a'], vnodes: 0 }, 'vnodes'],
    ['more vnodes than tokens', 'cassandra-murmur3', { nodes: ['a', 'b'], vnodes: 600_000 }, 'vnodes'],
    ['a type that Citus lacks', 'citus', { type: 'toString' }, 'type'],
    ['a shard that is no range', 'vitess-xxhash', { shards: ['80'] }, 'shards[0]'],
    ['a gap between shards', 'vitess-xxhash', { shards: ['-40', '80-'] }, 'shards[1]'],
    ['shards that end early', 'vitess-xxhash', { shards: ['-40', '40-80'] }, 'shards'],
    ['shards out of order', 'vitess-xxhash', { shards: ['-80', '80-40', '40-'] }, 'scheme.splitPoints[1]'],
  ])('refuses %s', (_what, name, params, field) => {
    expect(() => presetScheme(name as PresetName, params)).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', field, remedy: expect.any(String) }),
    );
  });

  // Plan: a scheme that would not fit the register's record is refused before it is written; equal ranges of any number fit.
  it('refuses a scheme that is too large to keep', () => {
    const spec = { name: 'k', replicationFactor: 1, minInSync: 1, spread: [] };
    const large = presetScheme('cassandra-murmur3', { nodes: ['a', 'b'], vnodes: 30_000 });
    expect(() => checkKeyspaceSpec({ ...spec, scheme: large })).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', field: 'scheme', limit: '1048576 bytes' }),
    );
    const even = presetScheme('dynamodb-style', { partitions: 1_048_576 });
    expect(checkKeyspaceSpec({ ...spec, scheme: even }).scheme).toBe(even);
  });

  // Plan: a key that is not of the hash's type is refused when it is looked up, not placed somewhere.
  it.each(['citus-int4', 'citus-int8', 'citus-uuid', 'vitess-hash', 'mongodb-int64', 'mongodb-objectid'] as const)(
    'refuses a key that %s cannot take',
    (hash) => {
      const partitioner = createPartitioner({ kind: 'hash-range', hash, partitions: 4 });
      expect(() => partitioner.partitionOf(utf8('abc'))).toThrow(expect.objectContaining({ field: 'key' }));
    },
  );
});
