import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import type { LabelRule, PartitionSet, Policy, PolicyFields } from '@cadastre/core';
import type * as Wire from '../generated/index.js';
import { messageCodec } from '../proto.js';
import { decodePolicy, encodePolicy } from './policy.codec.js';

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
// eslint-disable-next-line no-console -- a randomised test prints its seed; replay with SEED=<seed>
console.log(`policy.codec seed ${seed}`);

const name = fc.constantFrom('zone', 'rack', 'region', 'disk');
const rule: fc.Arbitrary<LabelRule> = fc.oneof(
  fc.record({ label: name, op: fc.constantFrom('exists', 'notExists') }),
  fc.record({
    label: name,
    op: fc.constantFrom('in', 'notIn'),
    values: fc.array(fc.string(), { minLength: 1, maxLength: 3 }),
  }),
);
const rules = fc.array(rule, { maxLength: 3 });
const count = fc.integer({ min: 1, max: 9 });
const bytes = fc.uint8Array({ minLength: 1, maxLength: 5 });
const set: fc.Arbitrary<PartitionSet> = fc.oneof(
  fc.constant({ kind: 'all' as const }),
  fc.record({ kind: fc.constant('range' as const), first: fc.nat(9), last: fc.nat(9) }),
  fc.record({ kind: fc.constant('keys' as const), start: bytes, end: bytes }, { requiredKeys: ['kind', 'start'] }),
  fc.record({ kind: fc.constant('entry' as const), label: fc.string() }),
);
const fields: fc.Arbitrary<PolicyFields> = fc.record(
  {
    replicationFactor: count,
    minInSync: count,
    spread: fc.array(
      fc.record(
        { label: name, hard: fc.boolean(), maxPerDomain: count, minPerDomain: fc.constant({ eu: 1 }) },
        { requiredKeys: ['label', 'hard'] },
      ),
      { minLength: 1, maxLength: 2 },
    ),
    required: rules,
    forbidden: rules,
    leaderPreferences: fc.array(rules, { maxLength: 2 }),
    watermarks: fc.constant({ bytes: { low: 0.5, high: 0.75 } }),
    balance: fc.record(
      { dimensions: fc.array(name, { maxLength: 2 }), tolerance: fc.double({ min: 0, max: 1 }) },
      { requiredKeys: [] },
    ),
    copysets: fc.constantFrom('wide' as const, 'few' as const),
  },
  { requiredKeys: [] },
);
const filled = <T>(each: fc.Arbitrary<T>): fc.Arbitrary<T[]> => fc.array(each, { minLength: 1, maxLength: 2 });
const policy: fc.Arbitrary<Policy> = fc
  .tuple(
    fields,
    fc.record(
      {
        residency: filled(fc.record({ partitions: set, nodes: rules })),
        tenants: filled(
          fc.record(
            {
              tenant: name,
              partitions: set,
              dedicated: rules,
              apartFrom: fc.array(name, { minLength: 1, maxLength: 2 }),
            },
            { requiredKeys: ['tenant', 'partitions'] },
          ),
        ),
        pins: filled(
          fc.record({ partition: fc.nat(9), node: name, owner: name, reason: name, expiresMs: fc.nat(2 ** 31) }),
        ),
        ranges: filled(fc.tuple(fields, fc.nat(9), fc.nat(9)).map(([f, first, last]) => ({ ...f, first, last }))),
      },
      { requiredKeys: [] },
    ),
  )
  .map(([shared, own]) => ({ ...shared, ...own }));

const wire = messageCodec<Wire.Policy, Wire.Policy__Output>('Policy');
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

describe('a policy on the wire', () => {
  it('comes back as it was, with what was not said still not said', () => {
    // Any policy through its bytes; an empty list of required labels is not the same as none.
    fc.assert(
      fc.property(policy, (given) => {
        expect(plain(decodePolicy(wire.decode(wire.encode(encodePolicy(given)))))).toEqual(plain(given));
      }),
      { seed, numRuns: 500 },
    );
  });

  it('refuses operators and words that it does not know', () => {
    // From a newer version, or made by hand.
    const bad = { ...encodePolicy({}), fields: { required: { rules: [{ label: 'a', op: 'like' }] } } };
    expect(() => decodePolicy(wire.decode(wire.encode(bad)))).toThrow('policy.op: "like" is unknown');
    expect(() => decodePolicy(wire.decode(wire.encode({ fields: { copysets: 'odd' } })))).toThrow('policy.copysets');
  });
});
