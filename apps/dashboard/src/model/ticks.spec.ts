import { describe, expect, it } from '@jest/globals';
import { roundStep, roundTime } from './ticks.js';

describe('steps of an axis', () => {
  // Plan: each least step gives the next that people count in, never a smaller one.
  it.each([
    [0.2, 1],
    [1, 1],
    [1.7, 2],
    [3.4, 5],
    [6, 10],
    [41, 50],
    [501, 1_000],
  ])('%p becomes %p', (least, step) => expect(roundStep(least)).toBe(step));

  // Plan: times are cut at parts of a minute or an hour, beyond that at hours.
  it.each([
    [1_000, 10_000],
    [48_000, 60_000],
    [61_000, 120_000],
    [1_900_000, 3_600_000],
    [3_700_000, 7_200_000],
  ])('%p ms become %p ms', (leastMs, stepMs) => expect(roundTime(leastMs)).toBe(stepMs));
});
