import { describe, expect, it } from '@jest/globals';
import { systemClock } from '@cadastre/runtime';
import { ByteRate } from './byte-rate.js';

describe('ByteRate', () => {
  // Plan: at 1 MB/s half a megabyte takes about half a second, less what was saved up; without a limit it takes no time.
  it('holds a rate', async () => {
    const rate = new ByteRate(systemClock);
    await rate.take(1e9);
    rate.set(1e6);
    const began = performance.now();
    for (let i = 0; i < 50; i += 1) await rate.take(10_000);
    expect(performance.now() - began).toBeGreaterThan(350);
  });

  // Plan: a taker waits for minutes under a low limit; the limit is raised, and it goes on at once.
  it('heeds a new limit while it waits', async () => {
    const rate = new ByteRate(systemClock);
    rate.set(1_000);
    const waiting = rate.take(1e6);
    rate.set(100e6);
    await waiting;
    expect(rate.bytesPerSecond).toBe(100e6);
  });

  // Plan: a taker that is stopped while it waits does not wait on.
  it('ends with its signal', async () => {
    const rate = new ByteRate(systemClock);
    rate.set(1);
    const stop = new AbortController();
    const waiting = rate.take(1e6, stop.signal);
    stop.abort();
    await waiting;
  });
});
