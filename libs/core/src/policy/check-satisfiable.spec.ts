import { describe, expect, it } from '@jest/globals';
import type { CadastreError } from '../errors.js';
import type { PlannerNode } from '../placement/domains.js';
import { checkPolicySatisfiable } from './check-satisfiable.js';
import type { LabelRule, Policy, SpreadRule } from './policy.js';

const node = (id: string, labels: Record<string, string>, state: PlannerNode['state'] = 'up'): PlannerNode => ({
  entry: { id, address: '', labels, weight: 1 },
  state,
});
/** Six nodes in two zones of one region each; a disk of flash in the odd ones. */
const nodes = [1, 2, 3, 4, 5, 6].map((i) =>
  node(`n${i}`, { zone: i < 4 ? 'a' : 'b', region: i < 4 ? 'eu' : 'us', disk: i % 2 === 1 ? 'ssd' : 'hdd' }),
);
const at = (label: string, maxPerDomain: number): SpreadRule => ({ label, hard: true, maxPerDomain });
const is = (label: string, ...values: string[]): LabelRule => ({ label, op: 'in', values });

const refusal = (policy: Policy, among = nodes, rf = 3): CadastreError | undefined => {
  try {
    checkPolicySatisfiable({ name: 'k', replicationFactor: rf, minInSync: 1, spread: [], policy }, 8, among);
    return undefined;
  } catch (error) {
    return error as CadastreError;
  }
};

/** Story, policy, what is missing, and the fields of the smallest conflicting set. */
const CASES: readonly [string, Policy, string, string[]][] = [
  ['too few zones', { spread: [at('zone', 1)] }, 'needs 3 zones, 2 exist', ['spread[0]']],
  ['a label that nobody carries', { spread: [at('row', 1)] }, 'no node carries that label', ['spread[0]']],
  ['too few nodes with flash', { required: [is('disk', 'nvme')] }, 'needs 3 nodes, 0 are up', ['required[0]']],
  [
    'two rules that leave no node',
    { required: [is('zone', 'a')], forbidden: [is('disk', 'ssd')] },
    'needs 3 nodes, 1 is up among the nodes that are allowed',
    ['required[0]', 'forbidden[0]'],
  ],
  [
    'spread and a required label, each of which alone could be met',
    { spread: [at('zone', 2)], required: [is('zone', 'a')] },
    'needs 2 zones, 1 exists among the nodes that are allowed',
    ['spread[0]', 'required[0]'],
  ],
  [
    'only the rule at fault among several',
    { spread: [at('zone', 2), at('region', 2)], required: [is('disk', 'ssd', 'hdd'), is('disk', 'tape')] },
    'needs 3 nodes, 0 are up',
    ['required[1]'],
  ],
  [
    'copies in a region that has no node',
    { spread: [{ label: 'region', hard: true, minPerDomain: { eu: 1, us: 1, asia: 1 } }] },
    'needs 1 node in region asia, 0 are up and allowed',
    ['spread[0]'],
  ],
  [
    'more copies asked for than there are',
    { spread: [{ label: 'region', hard: true, minPerDomain: { eu: 2, us: 2 } }] },
    'asks for 4 copies over the named domains of region, and has 3',
    ['spread[0]'],
  ],
  [
    'residency of some partitions',
    {
      spread: [at('zone', 2)],
      residency: [{ partitions: { kind: 'range', first: 2, last: 3 }, nodes: [is('region', 'eu')] }],
    },
    'k, partitions 2 to 3: needs 2 zones, 1 exists',
    ['spread[0]', 'required[0]'],
  ],
  [
    'a tenant whose nodes are too few',
    { tenants: [{ tenant: 't', partitions: { kind: 'all' }, dedicated: [is('disk', 'tape')] }] },
    'needs 3 nodes, 0 are up',
    ['tenants.t'],
  ],
  ['more copies in a range', { ranges: [{ first: 0, last: 1, replicationFactor: 7 }] }, 'needs 7 nodes, 6 are up', []],
];

describe('checkPolicySatisfiable', () => {
  it.each(CASES)('refuses %s, naming the smallest conflicting set', (_, policy, missing, fields) => {
    // Six nodes; what is missing is said, and only the rules that are needed for the contradiction.
    const error = refusal(policy);
    expect(error).toMatchObject({ code: 'UNSATISFIABLE', remedy: expect.any(String) });
    expect(error!.message).toContain(missing);
    const { conflict } = error!.info as { conflict: string[] };
    expect(conflict.slice(1).map((c) => c.slice(0, c.indexOf(':')))).toEqual(fields);
  });

  it('takes what can be met, soft rules whatever they ask, and counts only nodes that are up', () => {
    // The same six nodes; then one zone of them down.
    expect(refusal({ spread: [at('zone', 2), { label: 'zone', hard: false, maxPerDomain: 1 }] })).toBeUndefined();
    expect(refusal({ spread: [{ label: 'region', hard: true, minPerDomain: { eu: 1, us: 2 } }] })).toBeUndefined();
    const down = nodes.map((n) => (n.entry.labels['zone'] === 'b' ? { ...n, state: 'down' as const } : n));
    expect(refusal({ spread: [at('zone', 2)] }, down)?.message).toContain('needs 2 zones, 1 exists');
    expect(refusal({}, [])?.message).toContain('needs 3 nodes, 0 are up');
  });

  it('refuses a pin to a node that nobody knows', () => {
    // By its path.
    const pins = [{ partition: 0, node: 'n9', owner: 'me', reason: 'why', expiresMs: 0 }];
    expect(refusal({ pins })).toMatchObject({ code: 'INVALID_ARGUMENT', field: 'policy.pins[0].node' });
  });
});
