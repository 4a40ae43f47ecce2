import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { PLANTS } from './plants.mjs';
import { runSeeds } from './pool.mjs';

interface Result {
  readonly seed: number;
  readonly violations: readonly string[];
}

const PINNED = PLANTS.flatMap(({ name, seed, finds, about, only }) =>
  seed === undefined || finds === undefined ? [] : [{ name, seed, finds, about, only }],
);
/** Each plant has processes of its own. */
const AT_ONCE = 2;

const resultOf = async (plant: string, seed: number): Promise<Result> => {
  const results: Result[] = [];
  await runSeeds({
    seeds: [seed],
    workers: 1,
    plant,
    onDone: (result: Result) => {
      results.push(result);
      return true;
    },
  });
  return results[0]!;
};

describe('planted bugs', () => {
  const found = new Map<string, Result>();

  beforeAll(async () => {
    const left = [...PINNED];
    const slot = async (): Promise<void> => {
      for (let next = left.shift(); next; next = left.shift())
        found.set(next.name, await resultOf(next.name, next.seed));
    };
    await Promise.all(Array.from({ length: AT_ONCE }, slot));
  }, 300_000);

  it('each change exactly what they say', () => {
    // Plan: a patch that fits nowhere, or in two places, would plant nothing or something else; that is checked before the rest.
    for (const { name, patches } of PLANTS)
      for (const { file, from, to } of patches) {
        const source = readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
        expect([name, file, source.split(from).length - 1, from !== to]).toEqual([name, file, 1, true]);
      }
  });

  it.each(PINNED)('$name: $about', ({ name, seed, finds }) => {
    // Plan: one guard is taken away; the schedule that is known to need it breaks the promise that it guards.
    const { violations } = found.get(name)!;
    expect([seed, violations.join('\n')]).toEqual([seed, expect.stringMatching(finds)]);
    expect(violations.join('\n')).not.toContain('the process ended with');
  });

  it('are what is found: the same schedules without them are clean', async () => {
    // Plan: the same seeds under the same kinds of faults, with nothing planted; not one violation.
    const bad: string[] = [];
    let runs = 0;
    await runSeeds({
      seeds: PINNED.map(({ seed, only }) => ({ seed, ...(only && { only }) })),
      workers: AT_ONCE,
      onDone: ({ seed, violations }: Result) => {
        runs += 1;
        if (violations.length > 0) bad.push(`${seed}: ${violations.join('; ')}`);
      },
    });
    expect(bad).toEqual([]);
    expect(runs).toBe(PINNED.length);
  }, 120_000);
});
