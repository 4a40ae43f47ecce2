import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { createPartitioner, PRESET_NAMES, presetScheme } from '@cadastre/core';
import { run } from '../program.js';
import { FakeIo } from '../testing/fake-io.js';
import type { Row } from './comparison.js';
import { joinRows } from './join-model.js';
import type { VnodeRow } from './vnode-spread.js';

interface Located {
  readonly key: string;
  readonly token: string;
  readonly partition: number;
  readonly node?: string;
}

interface Compared {
  readonly keys: number;
  readonly schemes: Row[];
  readonly vnodeSpread: VnodeRow[];
  readonly join: { rows: { partitioning: string; movedGb: number; because: string }[] };
}

const folder = mkdtempSync(join(tmpdir(), 'cadastre-scheme-'));
afterAll(() => rmSync(folder, { recursive: true }));

const file = (name: string, content: string | Uint8Array): string => {
  writeFileSync(join(folder, name), content);
  return name;
};

/** No server is known, so whatever asks a cluster fails. */
const cadastre = async (line: string | string[]) => {
  const io = new FakeIo(folder, '', {});
  const code = await run(typeof line === 'string' ? line.split(' ') : line, io);
  const lines = <T>() =>
    io.out
      .trim()
      .split('\n')
      .map((text) => JSON.parse(text) as T);
  return { code, out: io.out, err: io.err, lines };
};

describe('cadastre scheme list', () => {
  it('names every preset with its source', async () => {
    // Plan: all presets as text and as JSON, each with kind, token, how partitions change, and source.
    const text = await cadastre('scheme list');
    for (const name of PRESET_NAMES) expect(text.out).toMatch(new RegExp(`^${name} `, 'm'));
    const [rows] = (await cadastre('scheme list --json')).lines<Record<string, unknown>[]>();
    expect(rows!.map((row) => row['name'])).toEqual(PRESET_NAMES);
    for (const row of rows!)
      expect(row).toMatchObject({
        kind: expect.any(String) as unknown,
        token: expect.stringMatching(/./) as unknown,
        source: expect.stringMatching(/./) as unknown,
        partitionsChangeBy: expect.stringMatching(/moving|split|edit/) as unknown,
      });
  });
});

describe('cadastre locate --scheme', () => {
  it('gives slots as the systems do', async () => {
    // Plan: published slots of Redis Cluster, one object a line, keys as arguments; as a table too.
    const { code, lines } = await cadastre([
      'locate',
      '--scheme',
      'redis-cluster',
      'foo',
      '{user1000}.following',
      '--json',
    ]);
    expect(code).toBe(0);
    expect(lines()).toEqual([
      { key: 'foo', token: '12182', partition: 12182 },
      { key: '{user1000}.following', token: '3443', partition: 3443 },
    ]);
    expect((await cadastre('locate --scheme redis-cluster foo')).out).toMatch(
      /KEY +TOKEN +PARTITION\nfoo +12182 +12182\n/,
    );
  });

  it('names the node of a ring', async () => {
    // Plan: an MD5 ring of three nodes: token, partition and node agree with the partitioner's own.
    const { lines } = await cadastre('locate --scheme md5-ring --nodes a,b,c --vnodes 8 k1 k2 k3 --json');
    const ring = createPartitioner(presetScheme('md5-ring', { nodes: ['a', 'b', 'c'], vnodes: 8 }));
    for (const { key, token, partition, node } of lines<Located>()) {
      expect(partition).toBe(ring.partitionOf(Buffer.from(key)));
      expect(token).toBe(String(ring.token(Buffer.from(key))));
      expect(node).toBe(ring.ownerOf(partition));
    }
    expect(lines()).toHaveLength(3);
  });

  it('reads keys of lines, of JSON, and of types', async () => {
    // Plan: LF, CRLF, an empty line, no end of line at the end, bytes that are no UTF-8; JSON with a line end in a key; integers.
    const bytes = Buffer.concat([Buffer.from('plain\r\n\n'), Buffer.from([0xff, 0xfe, 0x0a]), Buffer.from('last')]);
    const places = (
      await cadastre(`locate --scheme murmur3 --partitions 64 --keys-file ${file('k.txt', bytes)} --json`)
    ).lines<Located>();
    const murmur = createPartitioner(presetScheme('murmur3', { partitions: 64 }));
    expect(places.map((p) => p.key)).toEqual(['plain', '', '0xfffe', 'last']);
    expect(places[2]!.partition).toBe(murmur.partitionOf(Uint8Array.of(0xff, 0xfe)));
    const json = file('k.json', JSON.stringify(['a\nb', '', '😀']));
    const odd = (await cadastre(`locate --scheme kafka --partitions 7 --keys-file ${json} --json`)).lines<Located>();
    expect(odd.map((p) => p.key)).toEqual(['a\nb', '', '😀']);
    const numbers = await cadastre('locate --scheme citus --type int8 --partitions 32 -- 1 -7 --json');
    expect(numbers.err).toContain('"--json" is no whole number');
    const typed = await cadastre('locate --scheme citus --type int8 --partitions 32 --json -- 1 -7');
    expect(typed.lines<Located>().map((p) => p.key)).toEqual(['1', '-7']);
    const hex = await cadastre('locate --scheme mongodb-ranged --split-points g,p m --json');
    expect(hex.lines()).toEqual([{ key: 'm', token: '6d', partition: 1 }]);
  });

  it('names what is wrong and what to do', async () => {
    // Plan: every kind of bad flag, file and key: exit 1, nothing on standard output, a typed error with field and remedy.
    file('bad.json', '{"a":1}');
    file('broken.json', '["a"');
    file('mixed.json', '["a", 7]');
    file('words.txt', '1\ntwo\n');
    const cases: [string, string][] = [
      ['locate --scheme nonsense k', '--scheme'],
      ['locate --scheme kafka --partitions many k', '--partitions'],
      ['locate --scheme kafka --partitions 0 k', 'partitions'],
      ['locate --scheme kafka --partitions -3 k', 'partitions'],
      ['locate --scheme redis-cluster --partitions 8 k', 'partitions'],
      ['locate --scheme kafka --nodes a,b k', 'nodes'],
      ['locate --scheme md5-ring k', 'nodes'],
      ['locate --scheme md5-ring --nodes a,,b k', '--nodes'],
      ['locate --scheme md5-ring --nodes a,a k', 'nodes[1]'],
      ['locate --scheme md5-ring --nodes a --vnodes 0 k', 'vnodes'],
      ['locate --scheme md5-ring --nodes a --vnodes 9999999 k', 'vnodes'],
      ['locate --scheme mongodb-ranged --split-points p,g k', 'scheme.splitPoints[1]'],
      ['locate --scheme mongodb-ranged --split-points g,g k', 'scheme.splitPoints[1]'],
      ['locate --scheme citus --type int4 notanumber', 'key[0]'],
      ['locate --scheme citus --type float k', 'type'],
      ['locate --scheme kafka', 'key'],
      ['locate --scheme kafka --keys-file nowhere.txt', '--keys-file'],
      ['locate --scheme kafka --keys-file bad.json', '--keys-file'],
      ['locate --scheme kafka --keys-file broken.json', '--keys-file'],
      ['locate --scheme kafka --keys-file mixed.json', '--keys-file[1]'],
      ['locate --scheme kafka --keys-file words.txt k', '--keys-file'],
      ['locate --scheme vitess-hash --keys-file words.txt', '--keys-file line 2'],
      ['locate orders k --partitions 8', '--partitions'],
      ['locate orders a b', 'arguments'],
      ['locate orders', 'key'],
      ['locate', 'keyspace'],
      ['scheme compare --nodes 0', '--nodes'],
      ['scheme compare --add 0', '--add'],
      ['scheme compare --partitions 1000', '--partitions'],
      ['scheme compare --vnodes x', '--vnodes'],
      ['scheme compare --keys 5 --keys-file words.txt', '--keys'],
      ['scheme compare --keys-file nowhere', '--keys-file'],
      ['scheme compare --data-gb none', '--data-gb'],
      ['scheme compare --split-gb 0', '--split-gb'],
    ];
    for (const [line, field] of cases) {
      const { code, out, err } = await cadastre(`${line} --json`);
      expect([line, code, out]).toEqual([line, 1, '']);
      const { error } = JSON.parse(err) as { error: { code: string; field: string; remedy: string } };
      expect([line, error.code, error.field]).toEqual([line, 'INVALID_ARGUMENT', field]);
      expect(error.remedy).toMatch(/\w/);
    }
  });
});

describe('cadastre scheme compare', () => {
  it('shows what schemes cost when a node joins', async () => {
    // Plan: 4 nodes and a fifth: hash mod N moves 4/5 and is no scheme, all others about 1/5; rings with few vnodes are uneven.
    const [result] = (await cadastre('scheme compare --keys 20000 --nodes 4 --add 1 --json')).lines<Compared>();
    const { schemes, vnodeSpread } = result!;
    const row = (name: string) => schemes.find((r) => r.scheme === name)!;
    expect(row('hash mod N')).toMatchObject({ offered: false, kind: 'warning' });
    expect(row('hash mod N').moved).toBeCloseTo(0.8, 1);
    for (const name of PRESET_NAMES) expect(schemes.some((r) => r.scheme.startsWith(name))).toBe(true);
    for (const r of schemes.filter((each) => each.offered && each.vnodes !== 1)) {
      expect([r.scheme, r.moved > 0.16 && r.moved < 0.24]).toEqual([r.scheme, true]);
      expect(Object.values(r.spreadAfter.keysPerNode).reduce((a, b) => a + b, 0)).toBe(20_000);
    }
    expect(row('md5-ring, 256 vnodes').spreadBefore.maxOverMean).toBeLessThan(1.05);
    expect(row('md5-ring, 256 vnodes').spreadBefore.standardDeviation).toBeLessThan(0.05);
    expect(row('md5-ring, 1 vnode').spreadBefore.standardDeviation).toBeGreaterThan(0.5);
    const medians = vnodeSpread.map((r) => r.median);
    expect(medians).toEqual([...medians].sort((a, b) => b - a));
    for (const r of vnodeSpread) expect(r.median / r.expected).toBeGreaterThan(0.7);
    expect(row('mongodb-ranged').rangeQuery.partitions).toBeLessThan(20);
    expect(row('kafka').rangeQuery).toEqual({ partitions: 1024, of: 1024 });
  }, 60_000);

  it('moves 75, 100 and 50 GB of 300', async () => {
    // Plan: the classic example of three nodes and a fourth; then other assumptions, which must change the figure they concern.
    const gb = (rows: { movedGb: number }[]) => rows.map((r) => Math.round(r.movedGb * 10) / 10);
    expect(gb(joinRows({ dataGb: 300, nodes: 3, splitGb: 100 }))).toEqual([75, 100, 50]);
    expect(gb(joinRows({ dataGb: 300, nodes: 3, splitGb: 10 }))).toEqual([75, 80, 50]);
    expect(gb(joinRows({ dataGb: 400, nodes: 4, splitGb: 20 }))).toEqual([80, 80, 50]);
    const { out } = await cadastre('scheme compare --keys 500');
    expect(out).toMatch(/fixed +75 +\[#+\.+\]/);
    expect(out).toMatch(/dynamic +100 +\[#+\.+\] +3 ranges of 100 GB/);
    expect(out).toMatch(/proportional +50 +\[#+\.+\]/);
    expect(out).toMatch(/! hash mod N +4 +\[#{16}\.{4}\]|! hash mod N +4 +\[#{15}\.{5}\]/);
  }, 60_000);

  it('takes keys of a file', async () => {
    // Plan: three keys of a file; one key, which no range splits, is no reason to fail, nor is text that a scheme does not take.
    const [three] = (
      await cadastre(`scheme compare --keys-file ${file('three.txt', 'a\nb\nc\n')} --json`)
    ).lines<Compared>();
    expect(three!.keys).toBe(3);
    const [one] = (await cadastre(`scheme compare --keys-file ${file('one.json', '["a"]')} --json`)).lines<Compared>();
    expect(one!.keys).toBe(1);
    const [wide] = (
      await cadastre(`scheme compare --keys-file ${file('wide.txt', 'é\n😀\n')} --json`)
    ).lines<Compared>();
    expect(wide!.schemes.filter((row) => row.note?.includes('does not take')).map((row) => row.scheme)).toEqual([
      'vitess-hash',
      'vitess-unicode-loose-xxhash',
    ]);
    expect((await cadastre(`scheme compare --keys-file ${file('none.txt', '')}`)).err).toMatch(/has no keys/);
  }, 60_000);
});
