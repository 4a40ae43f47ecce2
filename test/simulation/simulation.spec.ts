import { describe, expect, it } from '@jest/globals';
import { runSeeds } from './pool.mjs';

interface Result {
  readonly seed: number;
  readonly digest: string;
  readonly events: number;
  readonly faults: readonly string[];
  readonly violations: readonly string[];
  readonly trace: readonly string[];
}

const SCHEDULES = 2000;

const run = async (seeds: Iterable<number>): Promise<Map<number, Result>> => {
  const results = new Map<number, Result>();
  await runSeeds({ seeds, workers: 2, onDone: (result: Result) => void results.set(result.seed, result) });
  return results;
};

const range = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i);

describe('simulated world', () => {
  it('breaks no promise under any of its fault schedules', async () => {
    // Plan: many seeds, each with its own world and at least 5 faults and 1,000 events; not one violation; all kinds of faults were tried.
    const results = await run(range(1, SCHEDULES));
    const bad = [...results.values()].filter((r) => r.violations.length > 0);
    expect(
      bad.map((r) => `npm run sim -- --trace ${r.seed}: ${r.violations.join('; ')}\n${r.trace.slice(-25).join('\n')}`),
    ).toEqual([]);
    expect(results.size).toBe(SCHEDULES);
    for (const { seed, faults, events } of results.values())
      expect({ seed, enough: faults.length >= 5 && events >= 1000 }).toEqual({ seed, enough: true });
    expect(new Set([...results.values()].flatMap((r) => r.faults)).size).toBeGreaterThanOrEqual(30);
  }, 900_000);

  it('runs a seed exactly as before', async () => {
    // Plan: the same seeds in two groups of fresh processes, in another order; every event at the same time: equal digests.
    const seeds = range(1, 12);
    const first = await run(seeds);
    const second = await run([...seeds].reverse());
    for (const seed of seeds) expect([seed, second.get(seed)?.digest]).toEqual([seed, first.get(seed)?.digest]);
  }, 120_000);
});
