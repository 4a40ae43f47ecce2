import { describe, expect, it } from '@jest/globals';
import { countOf, LATENCY_BUCKETS, latencyBucketMs, latencyBucketOf, latencyQuantile } from './latency-buckets.js';

const countsOf = (latencies: readonly number[]): Uint32Array => {
  const counts = new Uint32Array(LATENCY_BUCKETS);
  for (const ms of latencies) counts[latencyBucketOf(ms)]! += 1;
  return counts;
};

describe('latency buckets', () => {
  it('hold what is at most their bound, and more than the one before', () => {
    // Plan: a little below each bound, a little above it, and what is beyond both ends.
    for (let i = 0; i < LATENCY_BUCKETS; i += 1) expect(latencyBucketOf(latencyBucketMs(i) * 0.999)).toBe(i);
    for (let i = 0; i < LATENCY_BUCKETS - 1; i += 1) expect(latencyBucketOf(latencyBucketMs(i) * 1.001)).toBe(i + 1);
    expect([0, -1, Number.NaN].map(latencyBucketOf)).toEqual([0, 0, 0]);
    expect([1e6, Number.POSITIVE_INFINITY].map(latencyBucketOf)).toEqual([LATENCY_BUCKETS - 1, LATENCY_BUCKETS - 1]);
  });

  it('give quantiles to within 19 %', () => {
    // Plan: 10,000 latencies over five decades; the quantiles of the sorted list are the truth.
    const latencies = Array.from({ length: 10_000 }, (_, i) => 0.05 * 10 ** ((5 * i) / 10_000));
    const counts = countsOf(latencies);
    expect(countOf(counts)).toBe(10_000);
    for (const share of [0.01, 0.5, 0.9, 0.99]) {
      const truth = latencies[Math.ceil(share * latencies.length) - 1]!;
      expect(Math.abs(latencyQuantile(counts, share)! / truth - 1)).toBeLessThan(0.19);
    }
  });

  it('say nothing where nothing was counted', () => {
    // Plan: no counts at all, and counts of zero; one count is every quantile.
    expect(latencyQuantile([], 0.5)).toBeUndefined();
    expect(latencyQuantile(new Uint32Array(LATENCY_BUCKETS), 0.99)).toBeUndefined();
    const one = countsOf([3]);
    expect(latencyQuantile(one, 0.5)).toBe(latencyQuantile(one, 0.99));
  });
});
