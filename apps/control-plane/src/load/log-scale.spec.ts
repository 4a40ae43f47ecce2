import { describe, expect, it } from '@jest/globals';
import { CODE, LogScale, METRICS, SCALES } from './log-scale.js';

describe('a figure in one byte', () => {
  it('is off by half a step at most, in the order of the figures', () => {
    // Plan: figures from the least to the most; each within the error that is stated, codes never falling.
    const error = { reads: 0.043, writes: 0.043, bytes: 0.063, p99: 0.033 };
    const range = { reads: [0.01, 1e7], writes: [0.01, 1e7], bytes: [1, 1e13], p99: [0.01, 1e5] } as const;
    for (const metric of METRICS) {
      const [least, most] = range[metric];
      let before = 0;
      for (let value = least; value <= most; value *= 1.07) {
        const code = SCALES[metric].encode(value);
        expect(Math.abs(SCALES[metric].decode(code)! / value - 1)).toBeLessThan(error[metric]);
        expect(code).toBeGreaterThanOrEqual(before);
        before = code;
      }
    }
  });

  it('tells nothing there from nobody measured, and stays in its byte', () => {
    // Plan: zero, a figure below the least, one above the most, no figure.
    const scale = new LogScale(1, 1_000);
    expect([0, -5, 0.4, Number.NaN].map((v) => scale.encode(v))).toEqual([1, 1, 1, 1]);
    expect(scale.encode(1e9)).toBe(CODE.most);
    expect(scale.decode(CODE.most)).toBeCloseTo(1_000, 6);
    expect(scale.decode(CODE.zero)).toBe(0);
    expect(scale.decode(CODE.none)).toBeUndefined();
  });
});
