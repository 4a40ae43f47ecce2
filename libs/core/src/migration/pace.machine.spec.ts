import { describe, expect, it } from '@jest/globals';
import { decidePace, newPace, PACE } from './pace.machine.js';

const MB = 1024 * 1024;
const at = (recentMs: number) => ({ recentMs, ageMs: 0 });

describe('decidePace', () => {
  // Plan: writes become four times as slow while a copy runs; it halves until they are quick again, then grows until it is free.
  it('gives way to clients and comes back', () => {
    let pace = newPace(at(5), 0);
    let now = 0;
    const step = (ms: number) => (pace = decidePace(pace, at(ms), 100 * MB, (now += PACE.decideEveryMs)));
    expect(step(6).rate).toBeUndefined();
    expect(step(20).rate).toBe(50 * MB);
    expect(step(20).rate).toBe(25 * MB);
    for (let i = 0; i < 20; i += 1) step(20);
    expect(pace.rate).toBe(PACE.leastBytesPerSecond);
    expect(step(6).rate).toBe(PACE.leastBytesPerSecond * PACE.growth);
    for (let i = 0; i < 60; i += 1) step(6);
    expect(pace.rate).toBeUndefined();
  });

  // Plan: nobody writes, so the last figure is old; it says nothing.
  it('does not go by figures of the past', () => {
    const pace = decidePace(newPace(undefined, 0), { recentMs: 900, ageMs: 5_000 }, 100 * MB, 1_000);
    expect(pace.rate).toBeUndefined();
  });

  // Plan: several frames within one period; one decision.
  it('decides once a period', () => {
    const pace = newPace(at(5), 0);
    expect(decidePace(pace, at(900), 100 * MB, PACE.decideEveryMs - 1)).toBe(pace);
  });
});
