import { describe, expect, it } from '@jest/globals';
import { Field } from '../fields.js';
import { checkPolicy } from './check-policy.js';
import type { Policy } from './policy.js';
import { policyJson } from './policy-json.js';
import { readPolicy } from './read-policy.js';

const read = (json: unknown): Policy => readPolicy(new Field(json, 'policy'));

const FULL: Policy = {
  replicationFactor: 3,
  minInSync: 2,
  spread: [
    { label: 'zone', hard: true, maxPerDomain: 1 },
    { label: 'region', hard: false, minPerDomain: { eu: 1, us: 1 } },
  ],
  required: [{ label: 'disk', op: 'in', values: ['ssd', 'nvme'] }],
  forbidden: [{ label: 'spot', op: 'exists' }],
  leaderPreferences: [[{ label: 'region', op: 'in', values: ['us-east'] }], [{ label: 'old', op: 'notExists' }]],
  watermarks: { bytes: { low: 0.7, high: 0.8 } },
  balance: { dimensions: ['bytes', 'reads'], tolerance: 0.1 },
  copysets: 'few',
  residency: [
    {
      partitions: { kind: 'keys', start: new TextEncoder().encode('eu/'), end: Uint8Array.of(0xff, 0x00) },
      nodes: [{ label: 'region', op: 'in', values: ['eu'] }],
    },
  ],
  tenants: [
    {
      tenant: 'a',
      partitions: { kind: 'entry', label: 'acme' },
      dedicated: [{ label: 'tenant', op: 'in', values: ['a'] }],
    },
    { tenant: 'b', partitions: { kind: 'all' }, apartFrom: ['a'] },
  ],
  pins: [{ partition: 1, node: 'n1', owner: 'ops', reason: 'legal hold', expiresMs: 5 }],
  ranges: [{ first: 0, last: 3, replicationFactor: 5, required: [] }],
};

const BAD: readonly [string, unknown, string][] = [
  ['no object', [], 'policy'],
  ['a misspelt field', { spreads: [] }, 'policy.spreads'],
  ['RF 0', { replicationFactor: 0 }, 'policy.replicationFactor'],
  ['minInSync over RF', { replicationFactor: 2, minInSync: 3 }, 'policy.minInSync'],
  ['a rule without a count', { spread: [{ label: 'zone' }] }, 'policy.spread[0]'],
  [
    'a label twice',
    { spread: [1, 2].map((maxPerDomain) => ({ label: 'zone', maxPerDomain })) },
    'policy.spread[1].label',
  ],
  [
    'at least more than at most',
    { spread: [{ label: 'zone', maxPerDomain: 1, minPerDomain: { a: 2 } }] },
    'policy.spread[0].minPerDomain.a',
  ],
  ['no label name', { required: [{ label: 'Zone!', op: 'exists' }] }, 'policy.required[0].label'],
  ['an unknown operator', { required: [{ label: 'zone', op: 'is' }] }, 'policy.required[0].op'],
  ['in without values', { required: [{ label: 'zone', op: 'in', values: [] }] }, 'policy.required[0].values'],
  ['exists with values', { forbidden: [{ label: 'zone', op: 'exists', values: ['a'] }] }, 'policy.forbidden[0].values'],
  ['low over high', { watermarks: { bytes: { low: 0.9, high: 0.8 } } }, 'policy.watermarks.bytes.low'],
  ['a mark over 1', { watermarks: { bytes: { low: 0.9, high: 1.2 } } }, 'policy.watermarks.bytes.high'],
  ['NaN tolerance', { balance: { tolerance: NaN } }, 'policy.balance.tolerance'],
  ['unknown copysets', { copysets: 'some' }, 'policy.copysets'],
  ['a pin without a reason', { pins: [{ partition: 0, node: 'a', owner: 'me' }] }, 'policy.pins[0].reason'],
  ['a range that ends before it begins', { ranges: [{ first: 3, last: 2 }] }, 'policy.ranges[0].last'],
  ['a set of no kind', { residency: [{ partitions: {}, nodes: [] }] }, 'policy.residency[0].partitions.kind'],
  [
    'half a byte',
    { residency: [{ partitions: { kind: 'keys', startHex: 'f' }, nodes: [] }] },
    'policy.residency[0].partitions.startHex',
  ],
];

describe('readPolicy', () => {
  it('reads back what policyJson wrote, through JSON', () => {
    // Every field of a policy, keys as text and as bytes.
    expect(read(JSON.parse(JSON.stringify(policyJson(FULL))))).toEqual(FULL);
    expect(read({})).toEqual({});
  });

  it.each(BAD)('refuses %s by its path', (_, json, field) => {
    // One mistake a row.
    let refused: unknown;
    try {
      read(json);
    } catch (error) {
      refused = error;
    }
    expect(refused).toMatchObject({ code: 'INVALID_ARGUMENT', field, remedy: expect.any(String) });
  });

  it('refuses partitions that do not exist', () => {
    // A pin and a range beyond the last of 4 partitions; 4 is enough for FULL.
    expect(() => checkPolicy(FULL, 4)).not.toThrow();
    expect(() => checkPolicy(FULL, 3)).toThrow('policy.ranges[0].last: 3 is beyond the last partition');
  });
});
