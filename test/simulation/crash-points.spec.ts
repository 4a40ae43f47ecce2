import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { findCases, RECORDED, runCases } from './crash-cases.mjs';

interface Case {
  readonly operation: string;
  readonly point: number;
  readonly position: string;
}

interface Result {
  readonly crash?: Case;
  readonly call?: string;
  readonly crashed: boolean;
  readonly violations: readonly string[];
  readonly trace: readonly string[];
}

const WORKERS = 2;

describe('crash points', () => {
  let found: Awaited<ReturnType<typeof findCases>>;

  beforeAll(async () => {
    found = await findCases(WORKERS);
  }, 120_000);

  it('are as many as are recorded', () => {
    // Plan: every operation once without a crash; a call that came or went is to be seen (npm run sim -- --crash-points --record).
    expect(found.counts).toEqual(JSON.parse(readFileSync(RECORDED, 'utf8')));
  });

  it('lose nothing: every party dies before and after every call', async () => {
    // Plan: all crashes of all operations; each happens, all becomes whole again, and all that was acknowledged is read.
    const bad: string[] = [];
    const done = new Set<string>();
    await runCases(found.cases, WORKERS, ({ crash, call, crashed, violations, trace }: Result) => {
      const name = crash ? `${crash.operation} ${crash.point} ${crash.position}` : 'a process that died';
      if (crashed && violations.length === 0) done.add(name);
      else
        bad.push(`${name} (${call}): ${violations.join('; ') || 'did not come to it'}\n${trace.slice(-25).join('\n')}`);
    });
    expect(bad).toEqual([]);
    expect(done.size).toBe(found.cases.length);
  }, 600_000);
});
