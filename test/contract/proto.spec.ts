import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { breakingChanges, describeContract } from './describe.mjs';

const baseline = JSON.parse(readFileSync(new URL('./v1.baseline.json', import.meta.url), 'utf8'));
const copy = () => structuredClone(baseline);

describe('the wire contract', () => {
  // Plan: compare the contract with the recorded one; only additions are allowed. `node test/contract/record.mjs` records additions.
  it('has no breaking change', () => {
    expect(breakingChanges(baseline, describeContract())).toEqual([]);
  });

  // Plan: damage a copy of the contract in each way that breaks a reader and expect it to be found.
  it.each([
    ['a message that is gone', (c: any) => delete c.messages['.cadastre.v1.GetRequest'], 'GetRequest is gone'],
    ['a field that is gone', (c: any) => delete c.messages['.cadastre.v1.GetRequest'].key, 'GetRequest.key is gone'],
    [
      'a field of another type',
      (c: any) => (c.messages['.cadastre.v1.GetRequest'].key[1] = 'string'),
      'GetRequest.key was',
    ],
    ['a field of another number', (c: any) => (c.messages['.cadastre.v1.GetRequest'].key[0] = 9), 'GetRequest.key was'],
    [
      'a number that is reused',
      (c: any) => (c.messages['.cadastre.v1.GetRequest'].other = [2, 'bytes', 'single', '']),
      'number 2 of key is reused by other',
    ],
    ['an enum value that is gone', (c: any) => delete c.enums['.cadastre.v1.ReplicaRole'].LEARNER, 'LEARNER is gone'],
    [
      'a method that streams no longer',
      (c: any) => (c.services['.cadastre.v1.Map'].WatchMap[3] = false),
      'WatchMap was',
    ],
  ])('notices %s', (_name, damage, message) => {
    const damaged = copy();
    damage(damaged);
    expect(breakingChanges(baseline, damaged).join('\n')).toContain(message);
  });
});
