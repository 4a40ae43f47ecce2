import { describe, expect, it } from '@jest/globals';
import { bar, bytes, duration, facts, percent, plural, showBytes, table, toJson } from './format.js';

describe('format', () => {
  it('aligns columns by what a terminal shows', () => {
    // Plan: left and right columns, a wide character, a control character that is not passed on, no blanks at line ends.
    const rows = [
      { name: 'orders', n: 1 },
      { name: '注文', n: 12_000 },
      { name: 'a\u001b[31mb', n: 3 },
    ];
    expect(
      table(rows, [
        { title: 'NAME', value: (r) => r.name },
        { title: 'N', align: 'right', value: (r) => r.n },
      ]),
    ).toBe('NAME         N\norders       1\n注文     12000\na?[31mb      3\n');
    expect(
      facts([
        ['a', 1],
        ['long name', 'x'],
      ]),
    ).toBe('a          1\nlong name  x\n');
  });

  it('says quantities with units', () => {
    // Plan: one example of each range.
    expect([bytes(0), bytes(1023), bytes(1536), bytes(5 * 1024 ** 3)]).toEqual(['0 B', '1023 B', '1.5 KiB', '5.0 GiB']);
    expect([duration(12.4), duration(1_500), duration(61_000), duration(3_700_000)]).toEqual([
      '12 ms',
      '1.5 s',
      '1 min 1 s',
      '1 h 1 min',
    ]);
    expect([percent(0), percent(0.05), percent(0.5), percent(1)]).toEqual(['0 %', '5.0 %', '50 %', '100 %']);
    expect([bar(0, 4), bar(0.5, 4), bar(2, 4)]).toEqual(['[....]', '[##..]', '[####]']);
    expect([plural(1, 'move'), plural(1_200, 'move')]).toEqual(['1 move', '1,200 moves']);
  });

  it('shows bytes as text, or as hex', () => {
    // Plan: text, invalid UTF-8 and control characters; the same in JSON, nested.
    expect([showBytes(Buffer.from('käse')), showBytes(Buffer.from([0xff])), showBytes(Buffer.from([0]))]).toEqual([
      'käse',
      '0xff',
      '0x00',
    ]);
    expect(toJson({ a: Buffer.from('x'), b: [new Uint8Array([0xff])] })).toBe('{"a":"x","b":["0xff"]}');
  });
});
