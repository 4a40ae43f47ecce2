import { encodeSpec } from '@cadastre/contracts';
import type { Expected } from './refusal.js';
import { refused } from './refusal.js';
import { KEYSPACE, specOf } from './scene.js';

const NOT_A_COUNT = refused('INVALID_ARGUMENT', 'replicationFactor', /use 3/);
const wire = (over: object): object => ({
  actor: 'test',
  spec: { ...encodeSpec(specOf({ name: 'other' })), ...over },
});

/** Requests of gRPC. */
export const BAD_SPECS: readonly [string, object, Expected][] = [
  [
    'more copies than zones',
    wire({ replicationFactor: 4 }),
    refused('UNSATISFIABLE', 'spread[0]', /add nodes in 1 more/),
  ],
  [
    'more copies than nodes',
    wire({ replicationFactor: 5, spread: [] }),
    refused('UNSATISFIABLE', 'replicationFactor', /add 1 node/),
  ],
  ['no copy', wire({ replicationFactor: 0 }), NOT_A_COUNT],
  ['-1 copies', wire({ replicationFactor: -1 }), NOT_A_COUNT],
  ['NaN copies', wire({ replicationFactor: NaN }), NOT_A_COUNT],
  ['writes that need more than all copies', wire({ minInSync: 4 }), refused('INVALID_ARGUMENT', 'minInSync', /2 of 3/)],
  [
    'a label that no node carries',
    wire({ spread: [{ label: 'shelf', maxPerDomain: 1, hard: true }] }),
    refused('UNSATISFIABLE', 'spread[0]', /zone/),
  ],
  [
    'a label that is none',
    wire({ spread: [{ label: 'Zone!', maxPerDomain: 1, hard: true }] }),
    refused('INVALID_ARGUMENT', 'spread[0].label', /zone or rack/),
  ],
  [
    'two rules for one label',
    wire({ spread: [1, 2].map((maxPerDomain) => ({ label: 'zone', maxPerDomain, hard: true })) }),
    refused('INVALID_ARGUMENT', 'spread[1].label', /once/),
  ],
  [
    '0 in each zone',
    wire({ spread: [{ label: 'zone', maxPerDomain: 0, hard: true }] }),
    refused('INVALID_ARGUMENT', 'spread[0].maxPerDomain', /use 1/),
  ],
  ['a name that is taken', wire({ name: KEYSPACE }), refused('ALREADY_EXISTS', 'name', /another name/)],
  ['a name that is a path', wire({ name: '../etc' }), refused('INVALID_ARGUMENT', 'name', /1 to 63/)],
  [
    'no slots',
    wire({ scheme: { hashSlots: { slots: 0, hash: 'murmur3' } } }),
    refused('INVALID_ARGUMENT', 'scheme.slots', /16 to 100/),
  ],
  ['no scheme', wire({ scheme: null }), refused('INVALID_ARGUMENT', 'scheme', /hash-slots/)],
  ['no spec', { actor: 'test' }, refused('INVALID_ARGUMENT', 'spec', /keyspace/)],
  [
    'nobody who acts',
    { spec: encodeSpec(specOf({ name: 'other' })) },
    refused('INVALID_ARGUMENT', 'actor', /who acts/),
  ],
];

const json = (over: object): object => ({
  ...{ actor: 'test', name: 'other', scheme: { kind: 'hash-slots', slots: 4 }, replicationFactor: 3, minInSync: 2 },
  spread: [{ label: 'zone', maxPerDomain: 1, hard: true }],
  ...over,
});

/** Bodies of REST, with the status of the reply. */
export const BAD_JSON_SPECS: readonly [string, object, number, Expected][] = [
  [
    'more copies than zones',
    json({ replicationFactor: 4 }),
    422,
    refused('UNSATISFIABLE', 'spread[0]', /add nodes in 1 more/),
  ],
  ['no copy', json({ replicationFactor: 0 }), 400, refused('INVALID_ARGUMENT', 'replicationFactor', /openapi/)],
  ['-1 copies', json({ replicationFactor: -1 }), 400, refused('INVALID_ARGUMENT', 'replicationFactor', /openapi/)],
  ['2.5 copies', json({ replicationFactor: 2.5 }), 400, refused('INVALID_ARGUMENT', 'replicationFactor', /openapi/)],
  ['NaN copies', json({ replicationFactor: NaN }), 400, refused('INVALID_ARGUMENT', 'replicationFactor', /openapi/)],
  [
    'a label that no node carries',
    json({ spread: [{ label: 'shelf', maxPerDomain: 1, hard: true }] }),
    422,
    refused('UNSATISFIABLE', 'spread[0]', /zone/),
  ],
  ['a name that is taken', json({ name: KEYSPACE }), 409, refused('ALREADY_EXISTS', 'name', /another name/)],
];

/** Flags of `cadastre keyspace create`. */
export const BAD_SPEC_FLAGS: readonly [string, string[], Expected][] = [
  ['more copies than zones', ['--rf', '4'], refused('UNSATISFIABLE', 'spread[0]', /add nodes in 1 more/)],
  ['2.5 copies', ['--rf', '2.5'], refused('INVALID_ARGUMENT', '--rf', /whole number/)],
  ['-1 copies', ['--rf=-1'], refused('INVALID_ARGUMENT', '--rf', /whole number/)],
  ['NaN copies', ['--rf', 'NaN'], refused('INVALID_ARGUMENT', '--rf', /whole number/)],
  ['a label that no node carries', ['--spread', 'shelf=1'], refused('UNSATISFIABLE', 'spread[0]', /zone/)],
  ['two rules for one label', ['--spread', 'zone=1,zone=2'], refused('INVALID_ARGUMENT', 'spread[1].label', /once/)],
];
