import { describe, expect, it } from '@jest/globals';
import { KeyedPool } from './in-order.js';
import type { Format, ParsedRecord } from './record.js';
import { formatOf, readRecords } from './record.js';

const read = async (text: string, format: Format, key?: string, chunk = 7): Promise<ParsedRecord[]> => {
  const bytes = Buffer.from(text);
  const chunks = async function* () {
    for (let i = 0; i < bytes.length; i += chunk) yield bytes.subarray(i, i + chunk);
  };
  const records: ParsedRecord[] = [];
  for await (const record of readRecords(chunks(), format, key)) records.push(record);
  return records;
};
const pairs = (records: ParsedRecord[]) => records.map((r) => (r.ok ? [r.key, JSON.parse(r.value) as unknown] : r.why));

describe('dumpavail', () => {
  const TEXT =
    'Package: zsh\nVersion: 5.9-4\nDescription: shell with lots of features — ünïcode\n Zsh is a shell.\n .\n It has features.\n\n\nPackage: a\nVersion: 1\r\n\nPackage: lonely\n\n continued\nPackage: b\nVersion: 2\n\nnonsense\n\nPackage: last\nVersion: 3';

  it('reads stanzas over any chunk border', async () => {
    // Plan: continued lines, CRLF, several empty lines, an end without a newline; the same result for chunks of 1 to 64 bytes.
    const whole = await read(TEXT, 'dumpavail', undefined, 1_000);
    for (const chunk of [1, 2, 3, 64]) expect(await read(TEXT, 'dumpavail', undefined, chunk)).toEqual(whole);
    expect(pairs(whole)).toEqual([
      [
        'zsh/5.9-4',
        {
          Package: 'zsh',
          Version: '5.9-4',
          Description: 'shell with lots of features — ünïcode\nZsh is a shell.\n\nIt has features.',
        },
      ],
      ['a/1', { Package: 'a', Version: '1' }],
      'has no Version',
      'line 14 continues a field that is not there',
      'line 18 has no "Field: value"',
      ['last/3', { Package: 'last', Version: '3' }],
    ]);
  });

  it('takes another field as the key', async () => {
    // Plan: the key is the named field; a stanza without it is reported with its place.
    const records = await read('Package: a\nSHA256: ff\n\nPackage: b\n', 'dumpavail', 'SHA256');
    expect(records[0]).toMatchObject({ ok: true, key: 'ff' });
    expect(records[1]).toEqual({ ok: false, at: 'stanza 2 (line 4)', why: 'has no SHA256' });
  });
});

describe('jsonl', () => {
  it('reads objects, pairs and says what is wrong', async () => {
    // Plan: a whole line as value, a pair's value as it is, and four kinds of broken lines.
    const text =
      '{"key":"a","n":1}\n{"key":"b","value":"text"}\n\n{"key":"c","value":{"x":1}}\nnope\n[1]\n{"n":1}\n{"key":{}}\n{"key":7}';
    const records = await read(text, 'jsonl');
    expect(records.map((r) => (r.ok ? [r.key, r.value] : r.at))).toEqual([
      ['a', '{"key":"a","n":1}'],
      ['b', 'text'],
      ['c', '{"x":1}'],
      'line 5',
      'line 6',
      'line 7',
      'line 8',
      ['7', '{"key":7}'],
    ]);
    expect(await read('{"id":"x","key":"k","value":"v"}', 'jsonl', 'id')).toEqual([
      { ok: true, key: 'x', value: '{"id":"x","key":"k","value":"v"}' },
    ]);
  });
});

describe('csv', () => {
  it('reads quoted fields and rows of a wrong width', async () => {
    // Plan: BOM, quotes with commas and newlines, a short row, an empty key; the first column is the key, then a named one.
    const text = '\ufeffid,name\n1,"Ann, ""A"""\n2,"two\nlines"\n3\n,nobody\n';
    expect(pairs(await read(text, 'csv'))).toEqual([
      ['1', { id: '1', name: 'Ann, "A"' }],
      ['2', { id: '2', name: 'two\nlines' }],
      'has 1 columns, the titles 2',
      'has an empty id',
    ]);
    expect((await read(text, 'csv', 'name'))[0]).toMatchObject({ key: 'Ann, "A"' });
    await expect(read(text, 'csv', 'nope')).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      field: '--key',
      remedy: 'use one of id, name',
    });
  });
});

describe('formatOf', () => {
  it('tells the format by flag, then by name', () => {
    // Plan: both ways, and the errors of neither.
    expect([formatOf(undefined, 'a.csv'), formatOf(undefined, 'x/a.ndjson'), formatOf('dumpavail', '-')]).toEqual([
      'csv',
      'jsonl',
      'dumpavail',
    ]);
    expect(() => formatOf(undefined, '-')).toThrow(/--format: cannot be told/);
    expect(() => formatOf('xml', 'a.csv')).toThrow(/"xml" is unknown/);
  });
});

describe('KeyedPool', () => {
  it('keeps the order of one key and the bound of all', async () => {
    // Plan: 200 tasks over 10 keys, finishing at odd moments; each key's tasks end in order; never more than 8 are under way.
    const pool = new KeyedPool(8);
    const ended: Record<string, number[]> = {};
    let [running, highest] = [0, 0];
    for (let i = 0; i < 200; i += 1) {
      const key = `k${i % 10}`;
      await pool.add(key, async () => {
        running += 1;
        highest = Math.max(highest, running);
        for (let turn = 0; turn < (i * 7) % 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
        running -= 1;
        (ended[key] ??= []).push(i);
      });
    }
    await pool.drain();
    for (const order of Object.values(ended)) expect(order).toEqual([...order].sort((a, b) => a - b));
    expect(Object.values(ended).flat()).toHaveLength(200);
    expect(highest).toBeLessThanOrEqual(8);
  });
});
