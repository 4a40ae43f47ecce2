import { describe, expect, it } from '@jest/globals';
import { packSteps, unpack } from './packed.codec.js';

const pack = (values: readonly number[], stride = 1, offset = 0, plus = 0): Buffer => {
  const count = Math.ceil((values.length - offset) / stride);
  const steps = packSteps(values, count, stride, offset, plus);
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
};
const there = (values: readonly number[]): number[] => {
  const into = new Float64Array(values.length);
  unpack(pack(values), values.length, (block, n, from) => into.set(block.subarray(0, n), from));
  return [...into];
};
const damaged = expect.objectContaining({ code: 'DATA_LOSS', field: 'packed' });

/** Park and Miller's generator: the same values in every run. */
const seeded = (seed: number) => {
  let state = seed;
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
};

describe('packed columns', () => {
  // Plan: columns whose blocks need every width from 0 to 53 bits come back as they were, over block boundaries.
  it('keeps whole numbers of any width', () => {
    const random = seeded(7);
    for (let width = 0; width <= 53; width += 1) {
      const values = Array.from({ length: 1_500 }, () => Math.floor(random() * 2 ** width));
      values[3] = Math.max(0, 2 ** width - 1);
      expect(there(values)).toEqual(values);
    }
    expect(there([Number.MAX_SAFE_INTEGER, 0])).toEqual([Number.MAX_SAFE_INTEGER, 0]);
    expect(there([])).toEqual([]);
  });

  // Plan: bytes written by hand after the description in map.proto; another implementation must come to the same.
  it('is laid out as described', () => {
    expect([...pack([5, 6, 7, 5])]).toEqual([5, 2, 0b00_10_01_00]);
    expect([...pack([300, 300])]).toEqual([0xac, 0x02, 0]);
    expect(pack(Array.from({ length: 1_025 }, () => 9)).toString('hex')).toBe('09000900');
  });

  // Plan: every second cell of a column, shifted by one, as replica nodes are.
  it('takes one place of a wider row', () => {
    const rows = [-1, 10, 0, 11, 1, 12];
    const taken: number[] = [];
    for (const place of [0, 1])
      unpack(pack(rows, 2, place, 1), 3, (values, n) => taken.push(...values.subarray(0, n).map((v) => v - 1)));
    expect(taken).toEqual([-1, 0, 1, 10, 11, 12]);
  });

  // Plan: bytes that end early or late, an impossible width and a base beyond 2^53 are refused, never read past the end.
  it.each<[string, Buffer]>([
    ['too short', pack([1, 2, 3, 900]).subarray(0, -1)],
    ['too long', Buffer.concat([pack([1, 2, 3, 900]), Buffer.from([0])])],
    ['empty', Buffer.alloc(0)],
    ['of a width of 33 bits', Buffer.from([1, 33, ...Array.from({ length: 17 }, () => 0)])],
    ['without a width', Buffer.from([1])],
    ['with a base of nine bytes', Buffer.from([255, 255, 255, 255, 255, 255, 255, 255, 1, 0])],
  ])('refuses bytes that are %s', (_what, bytes) => expect(() => unpack(bytes, 4, () => undefined)).toThrow(damaged));
});
