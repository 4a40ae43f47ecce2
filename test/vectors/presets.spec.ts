import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import type { PresetName, PresetParams, Scheme } from '@cadastre/core';
import { createPartitioner, formatToken, keyFromText, presetScheme } from '@cadastre/core';

/** The presets, compiled, against the oracles: what a client, an agent and the CLI compute. The bare hashes have a suite of their own. */
type Fields = Readonly<Record<string, string>>;
interface Case {
  readonly key: string | Fields;
  readonly token: string;
  readonly partition?: number;
  readonly node?: string;
}

const read = (name: string): readonly Case[] =>
  (JSON.parse(readFileSync(new URL(`partitioning/${name}.json`, import.meta.url), 'utf8')) as { cases: Case[] }).cases;
const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));

/** Presets whose token is the hash itself. In hash-slots it is the slot, which `partition` tests. */
const TOKENS: [PresetName, PresetParams][] = [
  ['redis-cluster', {}],
  ['cassandra-murmur3', { nodes: ['a', 'b', 'c'] }],
  ['cassandra-murmur3', { partitions: 100 }],
  ['cassandra-random', { nodes: ['a', 'b', 'c'] }],
  ['cassandra-byte-ordered', { nodes: ['a', 'b', 'c'] }],
  ['citus', {}],
  ['dynamodb-style', { partitions: 1000 }],
  ['md5-ring', { nodes: ['a', 'b', 'c'], vnodes: 4 }],
  ['solr-composite', {}],
  ['vitess-xxhash', {}],
  ['vitess-binary-md5', {}],
  ['vitess-unicode-loose-xxhash', {}],
];

const fileOf = (name: PresetName): string => (name === 'citus' ? 'citus-text' : name);

/** Fewer expectations than cases: the first that differs is shown, and the number of those compared. */
const compare = (cases: readonly Case[], found: (each: Case) => unknown, wanted: (each: Case) => unknown): number => {
  for (const each of cases) if (String(found(each)) !== String(wanted(each))) expect([each.key, found(each)]).toEqual([each.key, wanted(each)]);
  return cases.length;
};

describe('presets against their oracles', () => {
  // Plan: the token of every key is that of the system, and the partition is the one whose range holds it.
  it.each(TOKENS)('%s has the tokens', (name, params) => {
    const partitioner = createPartitioner(presetScheme(name, params));
    const cases = read(fileOf(name));
    const count = compare(cases, ({ key }) => formatToken(partitioner.token(hex(key as string))), ({ token }) => token);
    expect(count).toBeGreaterThanOrEqual(400);
    compare(
      cases.filter(({ node }) => node !== undefined),
      ({ key }) => partitioner.ownerOf(partitioner.partitionOf(hex(key as string))),
      ({ node }) => node,
    );
  });

  // Plan: integers and UUIDs as people write them, through the bytes that the scheme takes.
  it.each<[string, Scheme, string]>([
    ['citus-int4', presetScheme('citus', { type: 'int4' }), 'int4'],
    ['citus-int8', presetScheme('citus', { type: 'int8' }), 'int8'],
    ['citus-uuid', presetScheme('citus', { type: 'uuid' }), 'uuid'],
    ['vitess-hash', presetScheme('vitess-hash'), 'int8'],
    ['mongodb-hashed', presetScheme('mongodb-hashed', { type: 'int64' }), 'int64'],
    ['mongodb-hashed', presetScheme('mongodb-hashed', { type: 'int32' }), 'int32'],
    ['mongodb-hashed', presetScheme('mongodb-hashed', { type: 'objectid' }), 'objectId'],
  ])('%s has the tokens of typed keys', (file, scheme, type) => {
    const partitioner = createPartitioner(scheme);
    const cases = read(file).filter(({ key }) => typeof key !== 'string' && key[type] !== undefined);
    const keyOf = ({ key }: Case): Uint8Array => keyFromText(scheme, (key as Fields)[type]!);
    expect(compare(cases, (each) => formatToken(partitioner.token(keyOf(each))), ({ token }) => token)).toBeGreaterThan(0);
  });

  // Plan: partitions of the systems with a fixed number of them.
  it.each<[string, Scheme]>([
    ['redis-cluster', presetScheme('redis-cluster')],
    ['kafka', presetScheme('kafka', { partitions: 12 })],
    ['couchbase', presetScheme('couchbase')],
    ['elasticsearch', presetScheme('elasticsearch', { partitions: 5 })],
  ])('%s has the partitions', (file, scheme) => {
    const partitioner = createPartitioner(scheme);
    const cases = read(file).filter(({ partition }) => partition !== undefined);
    expect(compare(cases, ({ key }) => partitioner.partitionOf(hex(key as string)), ({ partition }) => partition)).toBeGreaterThanOrEqual(400);
  });

  // Plan: Elasticsearch with routing_partition_size 3: the key is the routing value after its length, then the id.
  it('elasticsearch-partitioned has the partitions', () => {
    const compound = { lengthPrefixBytes: 2 } as const;
    const scheme = presetScheme('elasticsearch', { partitions: 5, routingPartitionSize: 3, compound });
    const partitioner = createPartitioner(scheme);
    const keyOf = ({ routing, id }: Fields): Uint8Array => {
      const first = hex(routing!);
      return Uint8Array.from([first.length >> 8, first.length & 255, ...first, ...hex(id!)]);
    };
    const cases = read('elasticsearch-partitioned');
    expect(compare(cases, ({ key }) => partitioner.partitionOf(keyOf(key as Fields)), ({ partition }) => partition)).toBeGreaterThanOrEqual(400);
  });

  // Plan: Riak's tokens and partitions, each bucket and type with a scheme of its own.
  it('riak has the tokens and partitions', () => {
    const text = (bytes: string): string => Buffer.from(bytes, 'hex').toString('utf8');
    const partitionerOf = ({ type, bucket }: Fields) =>
      createPartitioner(presetScheme('riak', { bucket: text(bucket!), ...(type !== '' && { bucketType: text(type!) }) }));
    const cases = read('riak').filter(({ key }) => (key as Fields).bucket !== '');
    const count = compare(
      cases,
      ({ key }) => {
        const partitioner = partitionerOf(key as Fields);
        const bytes = hex((key as Fields).key!);
        return `${formatToken(partitioner.token(bytes))} ${partitioner.partitionOf(bytes)}`;
      },
      ({ token, partition }) => `${token} ${partition}`,
    );
    expect(count).toBeGreaterThanOrEqual(400);
  });
});
