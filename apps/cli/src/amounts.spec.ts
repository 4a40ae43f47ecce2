import { describe, expect, it } from '@jest/globals';
import { parseDuration, parseRate } from './amounts.js';

// Plan: amounts as people write them, and what is no amount.
describe('amounts', () => {
  it.each([
    ['50MB/s', 50_000_000],
    ['1MiB/s', 1_048_576],
    ['0.5 GB', 500_000_000],
    ['none', 0],
    ['123456', 123_456],
  ])('reads the rate %s', (text, bytes) => expect(parseRate('node', text)).toBe(bytes));

  it.each([
    ['250ms', 250],
    ['30s', 30_000],
    ['10m', 600_000],
    ['2h', 7_200_000],
  ])('reads the time %s', (text, ms) => expect(parseDuration('grace', text)).toBe(ms));

  it.each(['', 'fast', '-3MB', '5 parsecs'])('refuses "%s"', (text) => {
    expect(() => parseRate('node', text)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT', field: 'node' }));
    expect(() => parseDuration('node', text)).toThrow(expect.objectContaining({ field: 'node' }));
  });
});
