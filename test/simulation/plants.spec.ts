import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { PLANTS } from './plants.mjs';
import { runSeeds } from './pool.mjs';

interface Result {
  readonly seed: number;
  readonly violations: readonly string[];
}

const SOUGHT = PLANTS.flatMap(({ name, seed, finds, about, only }) =>
  seed === undefined || finds === undefined ? [] : [{ name, seed, finds, about, only }],
);
/** Each plant has processes of its own. */
const AT_ONCE = 2;
/** A change of the product may move what a seed does: then so many schedules are tried after the one that is known. */
const BUDGET = 60;

/** The first schedule in which the checkers say what they should; the last one tried when there is none. */
const search = async (plant: string, known: number, finds: RegExp): Promise<Result> => {
  let last: Result | undefined;
  await runSeeds({
    seeds: [known, ...Array.from({ length: BUDGET }, (_, i) => i + 1)],
    workers: 1,
    plant,
    onDone: (result: Result) => {
      last = result;
      return finds.test(result.violations.join('\n'));
    },
  });
  return last!;
};

describe('planted bugs', () => {
  const found = new Map<string, Result>();

  beforeAll(async () => {
    const left = [...SOUGHT];
    const slot = async (): Promise<void> => {
      for (let next = left.shift(); next; next = left.shift())
        found.set(next.name, await search(next.name, next.seed, new RegExp(next.finds)));
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

  it.each(SOUGHT)('$name: $about', ({ name, finds }) => {
    // Plan: one guard is taken away; the schedule that is known to need it, or one of the next, breaks the promise that it guards.
    const { seed, violations } = found.get(name)!;
    expect([seed, violations.join('\n')]).toEqual([seed, expect.stringMatching(finds)]);
    expect(violations.join('\n')).not.toContain('the process ended with');
  });

  it('are what is found: the same schedules without them are clean', async () => {
    // Plan: the same seeds under the same kinds of faults, with nothing planted; not one violation.
    const bad: string[] = [];
    let runs = 0;
    await runSeeds({
      seeds: SOUGHT.map(({ name, only }) => ({ seed: found.get(name)!.seed, ...(only && { only }) })),
      workers: AT_ONCE,
      onDone: ({ seed, violations }: Result) => {
        runs += 1;
        if (violations.length > 0) bad.push(`${seed}: ${violations.join('; ')}`);
      },
    });
    expect(bad).toEqual([]);
    expect(runs).toBe(SOUGHT.length);
  }, 120_000);
});
