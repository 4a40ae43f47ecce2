import { describe, expect, it } from '@jest/globals';
import { seededRandom } from '@cadastre/runtime';
import { prefixEnd } from './bytes.js';
import { LatencyRecorder } from './latency.js';
import type { Entry } from './merge.js';
import { Gate, mergeSorted } from './merge.js';
import { RetryBudget } from './retry-budget.js';

describe('LatencyRecorder', () => {
  it('tells quantiles within 3.2 percent of the exact ones', () => {
    // Plan: 20,000 random latencies from 1 us to 2 s; each quantile lies between the exact one and 3.2 % above.
    const seed = 7;
    const random = seededRandom(seed);
    const values = Array.from({ length: 20_000 }, () => Math.exp(random() * Math.log(2_000_000)) / 1000);
    const recorder = new LatencyRecorder();
    for (const value of values) recorder.record(value);
    values.sort((a, b) => a - b);
    for (const share of [0.01, 0.5, 0.95, 0.99, 0.999]) {
      const exact = values[Math.ceil(share * values.length) - 1]!;
      const told = recorder.quantile(share);
      expect(told).toBeGreaterThanOrEqual(exact - 0.0005);
      expect({ seed, share, ratio: told / exact < 1.033 || told - exact <= 0.001 }).toEqual({
        seed,
        share,
        ratio: true,
      });
    }
    expect(recorder.summary()).toMatchObject({ count: 20_000, maxMs: values.at(-1) });
  });

  it('is empty before the first and after a reset, and adds up', () => {
    // Plan: zeros when nothing was recorded; merging two recorders counts both.
    const [a, b] = [new LatencyRecorder(), new LatencyRecorder()];
    expect(a.summary()).toEqual({ count: 0, meanMs: 0, p50Ms: 0, p95Ms: 0, p99Ms: 0, p999Ms: 0, maxMs: 0 });
    a.record(1);
    b.record(3);
    a.merge(b);
    expect(a.summary()).toMatchObject({ count: 2, meanMs: 2, maxMs: 3 });
    a.reset();
    expect(a.summary().count).toBe(0);
  });
});

describe('RetryBudget', () => {
  it('allows a burst, then a fifth of the requests, and a trickle with time', () => {
    // Plan: 100 retries at once pass, the 101st waits; 5 requests earn one; a second without requests earns ten.
    const budget = new RetryBudget();
    for (let i = 0; i < 100; i += 1) expect(budget.take(0)).toBe(true);
    expect(budget.take(0)).toBe(false);
    for (let i = 0; i < 5; i += 1) budget.onRequest();
    expect([budget.take(0), budget.take(0)]).toEqual([true, false]);
    expect(Array.from({ length: 11 }, () => budget.take(1_000)).filter(Boolean)).toHaveLength(10);
  });
});

describe('prefixEnd', () => {
  it('is the first key after all with the prefix', () => {
    // Plan: the last byte rises; trailing 0xff are cut; nothing comes after all 0xff.
    expect(prefixEnd(Buffer.from('ab'))).toEqual(Buffer.from('ac'));
    expect(prefixEnd(Buffer.from([1, 0xff, 0xff]))).toEqual(Buffer.from([2]));
    expect(prefixEnd(Buffer.from([0xff]))).toBeUndefined();
    expect(prefixEnd(Buffer.alloc(0))).toBeUndefined();
  });
});

describe('mergeSorted', () => {
  it('gives the same as sorting everything', async () => {
    // Plan: 9 random sorted sources, some empty; the merge equals the sorted whole.
    const random = seededRandom(11);
    const sources = Array.from({ length: 9 }, (_, i) =>
      Array.from({ length: i === 4 ? 0 : 40 }, () =>
        Math.floor(random() * 1e6)
          .toString(16)
          .padStart(6, '0'),
      ).sort(),
    );
    const stream = async function* (keys: string[]): AsyncGenerator<Entry> {
      for (const key of keys) yield { key: Buffer.from(key), value: Buffer.alloc(0) };
    };
    const merged: string[] = [];
    for await (const { key } of mergeSorted(sources.map(stream))) merged.push(Buffer.from(key).toString());
    expect(merged).toEqual(sources.flat().sort());
  });
});

describe('Gate', () => {
  it('never runs more than its width, and all in the end', async () => {
    // Plan: 20 tasks through a gate of 3; the highest number at the same time is 3; a failure frees its place.
    const gate = new Gate(3);
    let [running, highest] = [0, 0];
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, (_, i) =>
        gate.run(async () => {
          running += 1;
          highest = Math.max(highest, running);
          await new Promise((resolve) => setImmediate(resolve));
          running -= 1;
          if (i === 5) throw new Error('one fails');
        }),
      ),
    );
    expect(highest).toBe(3);
    expect(results.filter((r) => r.status === 'fulfilled')).toHaveLength(19);
  });
});
