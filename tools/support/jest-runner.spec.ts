// Plan: hand the counter every way in which a run can end, and see that none of the bad ones counts as good.
import { describe, expect, it } from '@jest/globals';
import { countResults, runLimited } from './jest-runner.mjs';

const results = (changes: object = {}) => ({
  numPassedTests: 3,
  numFailedTests: 0,
  numRuntimeErrorTestSuites: 0,
  numPendingTests: 0,
  numTodoTests: 0,
  testResults: [],
  ...changes,
});
const good = { project: 'unit', code: 0, expired: false };

describe('countResults', () => {
  it('takes the counts from the results', () => {
    expect(countResults(results(), good)).toEqual({ passed: 3, failed: 0, skipped: 0, notes: [] });
    expect(countResults(results({ numFailedTests: 2 }), { ...good, code: 1 })).toMatchObject({
      passed: 3,
      failed: 2,
      notes: [],
    });
  });

  it('counts a suite that failed to run, and names it', () => {
    const broken = results({
      numRuntimeErrorTestSuites: 1,
      testResults: [{ name: 'x.spec.ts', status: 'failed', assertionResults: [] }],
    });
    expect(countResults(broken, { ...good, code: 1 })).toMatchObject({
      failed: 1,
      notes: ['unit: failed to run: x.spec.ts'],
    });
  });

  it('counts a run without results, one that ended badly though all passed, and one that had to be stopped', () => {
    expect(countResults(undefined, { ...good, code: 134 })).toMatchObject({ passed: 0, failed: 1 });
    expect(countResults(results(), { ...good, code: 1 })).toMatchObject({ passed: 3, failed: 1 });
    expect(countResults(results(), { ...good, expired: true })).toMatchObject({ passed: 3, failed: 1 });
  });

  it('tells of skipped tests', () => {
    expect(countResults(results({ numPendingTests: 1, numTodoTests: 1 }), good)).toMatchObject({
      skipped: 2,
      notes: ['unit: 2 skipped'],
    });
  });
});

describe('runLimited', () => {
  // Plan: a run that is done but does not end is stopped soon, long before its limit; one that ends by itself is not called late.
  it('stops what lingers after its results', async () => {
    const forever = ['-e', 'setInterval(() => {}, 1000)'];
    expect(await runLimited(forever, 600_000, () => true, { graceMs: 200 })).toMatchObject({ expired: true });
    expect(await runLimited(['-e', ''], 600_000, () => false)).toEqual({ code: 0, expired: false });
  });
});
