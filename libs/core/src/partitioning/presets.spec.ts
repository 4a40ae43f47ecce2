import { describe, expect, it } from '@jest/globals';
import { describeScheme } from './describe.js';
import { keyFromText } from './key-text.js';
import { createPartitioner } from './partitioner.js';
import { shardName } from './preset-splits.js';
import type { PresetName, PresetParams } from './presets.js';
import { PRESET_NAMES, PRESETS, presetScheme } from './presets.js';
import type { HashRangeScheme, RingScheme } from './scheme.js';
import { utf8 } from '../testing/scheme-fixtures.js';
import { formatToken } from './token.js';

const nodes = ['a', 'b', 'c'];
const partitionOf = (name: PresetName, params: PresetParams, key: string): number =>
  createPartitioner(presetScheme(name, params)).partitionOf(utf8(key));
const splits = (name: PresetName, params: PresetParams): readonly string[] | undefined =>
  (presetScheme(name, params) as HashRangeScheme).splitPoints;

describe('presets', () => {
  // Plan: every preset compiles from its own defaults (rings: with nodes), places keys, says its source and describes itself.
  it.each(PRESET_NAMES)('%s is whole', (name) => {
    const preset = PRESETS.find((p) => p.name === name)!;
    const scheme = presetScheme(name, preset.params.includes('nodes') ? { nodes } : {});
    const partitioner = createPartitioner(scheme);
    expect(scheme.kind).toBe(preset.kind);
    expect(preset.source).not.toBe('');
    expect(describeScheme(scheme)).toMatch(new RegExp(`^${preset.kind}: .*\\d`));
    const seen = new Set(
      Array.from({ length: 200 }, (_, i) =>
        partitioner.partitionOf(keyFromText(scheme, name === 'vitess-hash' ? `${i}` : `${i}k`)),
      ),
    );
    expect(Math.max(...seen)).toBeLessThan(partitioner.partitions);
    if (preset.kind.startsWith('hash')) expect(seen.size).toBeGreaterThan(8);
  });

  // Plan: published answers: CLUSTER KEYSLOT of redis-server, kafkajs' and the Java client's test values, tokens shown by cqlsh.
  it('places keys where the systems do', () => {
    expect(partitionOf('redis-cluster', {}, '{user1000}.following')).toBe(3443);
    expect(partitionOf('kafka', { partitions: 100 }, '21')).toBe((-973932308 & 0x7fffffff) % 100);
    const cassandra = createPartitioner(presetScheme('cassandra-murmur3', { nodes }));
    expect(formatToken(cassandra.token(utf8('123')))).toBe('-7468325962851647638');
    const md5 = createPartitioner(presetScheme('dynamodb-style'));
    expect(md5.token(utf8(''))).toBe(BigInt('0xd41d8cd98f00b204e9800998ecf8427e'));
  });

  // Plan: shard boundaries as the systems document them.
  it('cuts the token space as the systems do', () => {
    expect(splits('citus', { partitions: 3 })).toEqual(['-715827883', '715827882']);
    expect(splits('citus', { partitions: 4 })).toBeUndefined();
    expect(splits('mongodb-hashed', { partitions: 4 })).toEqual(['-4611686018427387902', '0', '4611686018427387902']);
    expect(splits('mongodb-hashed', { partitions: 3 })).toEqual(['-3074457345618258602', '3074457345618258602']);
    expect(splits('solr-composite', { partitions: 2 })).toEqual(['0']);
    expect(splits('solr-composite', { partitions: 3 })).toEqual([0xd5550000 - 2 ** 32, 0x2aaa0000].map(String));
  });

  // Plan: Vitess names of shards go in and come out; 3 shards are cut at 55 and aa as GenerateShardRanges does.
  it.each<[PresetParams, string[]]>([
    [{ partitions: 2 }, ['-80', '80-']],
    [{ partitions: 3 }, ['-55', '55-aa', 'aa-']],
    [{ shards: ['-40', '40-8080', '8080-'] }, ['-40', '40-8080', '8080-']],
    [{ partitions: 1 }, ['-']],
  ])('names Vitess shards of %j', (params, names) => {
    for (const name of ['vitess-xxhash', 'vitess-binary-md5'] as const) {
      const scheme = presetScheme(name, params) as HashRangeScheme;
      const { partitions, rangesOf } = createPartitioner(scheme);
      const shown = Array.from({ length: partitions }, (_, p) => rangesOf(p)[0]!).map(({ start, end }) =>
        shardName(scheme.hash, start as bigint | undefined, end as bigint | undefined),
      );
      expect(shown).toEqual(names);
    }
  });

  // Plan: Elasticsearch's routing shards by default: 5 shards -> 640, 1 -> 1024, 1000 -> 2000.
  it.each([
    [5, 640],
    [1, 1024],
    [1000, 2000],
  ])('gives %i Elasticsearch shards %i routing shards', (partitions, routingSlots) =>
    expect(presetScheme('elasticsearch', { partitions })).toMatchObject({ slots: partitions, routingSlots }),
  );

  // Plan: a key on the MD5 ring belongs to the least position at or above it, which is searched for by hand.
  it('walks the MD5 ring clockwise', () => {
    const scheme = presetScheme('md5-ring', { nodes, vnodes: 50 }) as RingScheme;
    const positions = scheme.nodes.flatMap((n) => n.tokens.map((t) => ({ at: BigInt(t), node: n.node })));
    const ring = createPartitioner(scheme);
    for (let i = 0; i < 500; i += 1) {
      const key = utf8(`key-${i}`);
      const token = ring.token(key) as bigint;
      const above = positions.filter((p) => p.at >= token);
      const owner = (above.length > 0 ? above : positions).reduce((least, p) => (p.at < least.at ? p : least));
      expect(ring.ownerOf(ring.partitionOf(key))).toBe(owner.node);
    }
  });

  // Plan: keys as people write them become the bytes that typed hashes take; others are refused by name.
  it('reads keys of a type', () => {
    const scheme = presetScheme('citus', { type: 'int4' });
    expect(keyFromText(scheme, '-2')).toEqual(Uint8Array.of(255, 255, 255, 254));
    expect(() => keyFromText(scheme, '2147483648', 'line 7')).toThrow(expect.objectContaining({ field: 'line 7' }));
    expect(() => keyFromText(scheme, '1.5')).toThrow(expect.objectContaining({ field: 'key' }));
    const uuid = presetScheme('citus', { type: 'uuid' });
    expect(keyFromText(uuid, '00112233-4455-6677-8899-aabbccddeeff')).toHaveLength(16);
    expect(() => keyFromText(uuid, '00112233')).toThrow(expect.objectContaining({ field: 'key' }));
    expect(keyFromText(presetScheme('kafka'), 'ä')).toEqual(utf8('ä'));
  });
});
