import { describe, expect, it } from '@jest/globals';
import type { PartitionRecord, PlanMove, Replica } from '@cadastre/core';
import { checkHistory, InvariantChecker } from './check-history.js';
import type { HistoryEvent } from './history.js';
import { decodeHistory, encodeEvent } from './history.js';

/** A small world that keeps every promise; each test breaks one and expects exactly that one to be named. */
const ZONES: Record<string, string> = { n1: 'a', n2: 'b', n3: 'c', n4: 'a' };

const record = (epoch: number, nodes: string, partition = 0): PartitionRecord => ({
  partition,
  epoch,
  // "n1* n2 n3- n4+": the first leads, `-` is not in sync, `+` is a learner
  replicas: nodes.split(' ').map((text, i): Replica => {
    const node = text.replace(/[-+]/, '');
    if (text.endsWith('+')) return { node, role: 'learner', state: 'initializing', inSync: false };
    return { node, role: i === 0 ? 'leader' : 'follower', state: 'available', inSync: !text.endsWith('-') };
  }),
});

const move: PlanMove = {
  index: 0,
  step: 1,
  keyspace: 'k',
  partition: 0,
  kind: 'replica',
  from: 'n1',
  to: 'n4',
  leaderAfter: 'n4',
  baseEpoch: 1,
  reason: 'drain',
  bytes: 1,
};

const nodes = (): HistoryEvent[] =>
  Object.entries(ZONES).map(([id, zone]) => ({
    type: 'node',
    at: 0,
    incarnation: 'i',
    entry: { id, address: 'h:1', labels: { zone }, weight: 1 },
  }));

const keyspace = (records = [record(1, 'n1 n2 n3')]): HistoryEvent => ({
  type: 'keyspace',
  at: 1,
  spec: {
    name: 'k',
    scheme: { kind: 'hash-slots', slots: 1, hash: 'murmur3', hashTags: false },
    replicationFactor: 3,
    minInSync: 2,
    spread: [{ label: 'zone', maxPerDomain: 1, hard: true }],
  },
  partitions: 1,
  generation: { incarnation: 1, number: 1 },
  records,
});

const plan = (at: number, state: string, more: object = {}): HistoryEvent => ({
  type: 'plan',
  at,
  id: 'p1',
  state,
  digest: 'd',
  ...(state === 'proposed' && { moves: [move] }),
  ...more,
});
const map = (at: number, number: number, nodesOf: string, epoch: number, verb = 'move'): HistoryEvent => ({
  type: 'map',
  at,
  keyspace: 'k',
  generation: { incarnation: 1, number },
  records: [record(epoch, nodesOf)],
  actor: 'cadastre',
  verb,
});
const replica = { node: 'n1', incarnation: 'i', keyspace: 'k', partition: 0 };
const applied = (at: number, observer: string, number: number, lifetime = '1'): HistoryEvent => ({
  type: 'applied',
  at,
  observer,
  lifetime,
  keyspace: 'k',
  generation: { incarnation: 1, number },
});
const call = (op: number, from: number, to: number, what: object, answer: object): HistoryEvent[] => [
  {
    type: 'invoke',
    at: from,
    process: 'c',
    op,
    call: 'put',
    keyspace: 'k',
    partition: 0,
    key: 'x',
    ...what,
  } as HistoryEvent,
  { type: 'ok', at: to, process: 'c', op, ...answer } as HistoryEvent,
];

const goodMove = (): HistoryEvent[] => [
  plan(2, 'proposed'),
  plan(3, 'approved', { approver: 'ann' }),
  plan(4, 'executing'),
  map(5, 2, 'n1 n2 n3 n4+', 1),
  map(6, 3, 'n1 n2 n3 n4', 2, 'in-sync'),
  map(7, 4, 'n4 n1 n2 n3', 3),
  map(8, 5, 'n4 n2 n3', 4),
  plan(9, 'completed'),
  ...['n1', 'n2', 'n3', 'n4'].map((n) => applied(10, n, 5)),
  { type: 'purged', at: 11, ...replica },
];

const rulesOf = (events: HistoryEvent[]): string[] =>
  checkHistory([...nodes(), keyspace(), ...events]).violations.map((v) => v.rule);

describe('checkers of the map and of placement', () => {
  // Plan: a move as it should be, from proposal to purge, is found right, and counted.
  it('accept a move that keeps every promise', () => {
    const report = checkHistory([...nodes(), keyspace(), ...goodMove()]);
    expect(report.violations).toEqual([]);
    expect(report.moves).toBe(1);
  });

  // Plan: one broken promise each; the checker names its invariant and nothing else.
  it.each([
    ['a generation that goes back', [map(5, 1, 'n1 n2 n3', 1)], ['INV-2']],
    ['an epoch that goes back', [map(5, 2, 'n1 n2 n3', 0)], ['record', 'INV-2']],
    ['another leader within the epoch', [map(5, 2, 'n2 n1 n3', 1, 'failover')], ['INV-2']],
    ['a leader that was not in sync', [map(5, 2, 'n1 n2 n3-', 2), map(6, 3, 'n3 n1 n2', 3)], ['INV-4']],
    ['a copy that is in sync without having been filled', [map(5, 2, 'n1 n2 n3 n4', 2)], ['INV-4', 'INV-6']],
    ['a copy that comes without a plan', [map(5, 2, 'n1 n2 n3 n4+', 1)], ['INV-6']],
    ['a copy that goes without a plan', [map(5, 2, 'n1 n2', 2)], ['INV-8', 'INV-6']],
    ['a plan that nobody approved', [plan(2, 'proposed'), plan(4, 'executing')], ['INV-7']],
    ['a plan that runs twice', [...goodMove().slice(0, 8), plan(12, 'executing')], ['INV-7']],
    [
      'a plan that changes',
      [plan(2, 'proposed'), plan(3, 'approved', { approver: 'ann', digest: 'other' })],
      ['INV-7'],
    ],
    ['a plan that is completed before its moves', [...goodMove().slice(0, 6), plan(9, 'completed')], ['INV-7']],
    ['a move after its plan has ended', [...goodMove().slice(0, 8), map(12, 6, 'n4 n2 n3 n1+', 4)], ['INV-6']],
    [
      'nothing where failures and not the move left too few',
      [...goodMove().slice(0, 4), map(6, 3, 'n2 n3- n1- n4+', 2), map(7, 4, 'n2 n3- n4-', 3)],
      [],
    ],
    [
      'a move that takes the second last',
      [...goodMove().slice(0, 4), map(6, 3, 'n2 n3- n1 n4-', 2), map(7, 4, 'n2 n3- n4-', 3)],
      ['INV-8'],
    ],
    ['two copies in one zone', [...goodMove().slice(0, 5), map(7, 4, 'n1 n4 n2', 3)], ['INV-6', 'INV-8']],
    ['a purge of what the map counts on', [{ type: 'purged', at: 11, ...replica } as HistoryEvent], ['INV-5']],
    [
      'nothing where a copy fell behind after the purge was granted',
      [...goodMove().slice(0, 8), map(9, 6, 'n4 n2 n3-', 5), { type: 'purged', at: 10, ...replica } as HistoryEvent],
      [],
    ],
    [
      'a purge long after copies fell behind',
      [
        ...goodMove().slice(0, 8),
        map(9, 6, 'n4 n2 n3-', 5),
        { type: 'purged', at: 99_000, ...replica } as HistoryEvent,
      ],
      ['INV-5'],
    ],
    [
      'a purge before a holder acts on the map',
      [
        ...goodMove().slice(0, 8),
        applied(9, 'n2', 3),
        { type: 'purged', at: 10, ...replica } as HistoryEvent,
        applied(11, 'n2', 5),
      ],
      ['INV-5'],
    ],
    ['an agent whose map goes back', [...goodMove(), applied(12, 'n2', 4), applied(13, 'n2', 5)], ['INV-2']],
    ['an agent that stays behind', [applied(4, 'n2', 1), map(5, 2, 'n1 n2 n3', 1)], ['convergence']],
    [
      'an older term',
      [
        { type: 'term', at: 2, holder: 'a', term: 9 },
        { type: 'term', at: 3, holder: 'b', term: 8 },
      ] as HistoryEvent[],
      ['INV-1'],
    ],
  ] as [string, HistoryEvent[], string[]][])('name %s', (_, events, rules) => {
    expect(rulesOf(events).sort()).toEqual([...rules].sort());
  });

  // Plan: a whole map with a gap and an overlap.
  it('name partitions that are covered not once', () => {
    const checker = new InvariantChecker();
    const broken = { ...keyspace([record(1, 'n1 n2 n3', 0), record(1, 'n1 n2 n3', 0)]), partitions: 2 } as HistoryEvent;
    expect(checker.observe(broken).map((v) => v.rule)).toEqual(['ranges', 'ranges']);
  });

  // Plan: a leader that changes for ever, each time by the book, is thrash.
  it('name a leader that never settles', () => {
    const changes = Array.from({ length: 12 }, (_, i) =>
      map(5 + i, 2 + i, i % 2 ? 'n1 n2 n3' : 'n2 n1 n3', 2 + i, 'failover'),
    );
    expect(new Set(rulesOf(changes))).toEqual(new Set(['INV-11']));
    const faults = Array.from({ length: 6 }, (): HistoryEvent => ({
      type: 'fault',
      at: 2,
      phase: 'begin',
      kind: 'kill',
      target: 'n1',
    }));
    expect(rulesOf([...faults, ...changes])).toEqual([]);
  });
});

describe('checkers of replicas and clients', () => {
  // Plan: what replicas say of themselves, one lie each.
  it.each([
    [
      'a promise that goes back',
      [
        { type: 'promised', at: 1, ...replica, epoch: 3 },
        { type: 'promised', at: 2, ...replica, epoch: 2 },
      ],
      ['INV-2'],
    ],
    [
      'two that acknowledge in one epoch',
      [
        { type: 'acknowledged', at: 1, ...replica, epoch: 3, seq: 1, requestId: 'c:1' },
        { type: 'acknowledged', at: 2, ...replica, node: 'n2', epoch: 3, seq: 2, requestId: 'c:2' },
      ],
      ['INV-3'],
    ],
    [
      'an acknowledgement after a newer seal',
      [
        { type: 'sealed', at: 1, ...replica, node: 'n2', epoch: 4, seq: 6 },
        { type: 'acknowledged', at: 2, ...replica, epoch: 3, seq: 7, requestId: 'c:1' },
      ],
      ['INV-3'],
    ],
    [
      'late word of an entry that the newer leader sealed',
      [
        { type: 'sealed', at: 1, ...replica, node: 'n2', epoch: 4, seq: 6 },
        { type: 'sealed', at: 2, ...replica, node: 'n2', epoch: 5, seq: 9 },
        { type: 'acknowledged', at: 3, ...replica, epoch: 3, seq: 6, requestId: 'c:1' },
      ],
      [],
    ],
    [
      'an acknowledgement of what only a later seal covers',
      [
        { type: 'sealed', at: 1, ...replica, node: 'n2', epoch: 4, seq: 6 },
        { type: 'sealed', at: 2, ...replica, node: 'n2', epoch: 5, seq: 9 },
        { type: 'acknowledged', at: 3, ...replica, epoch: 3, seq: 8, requestId: 'c:1' },
      ],
      ['INV-3'],
    ],
    [
      'two that seal one epoch',
      [
        { type: 'sealed', at: 1, ...replica, epoch: 4, seq: 1 },
        { type: 'sealed', at: 2, ...replica, node: 'n2', epoch: 4, seq: 1 },
      ],
      ['INV-3'],
    ],
    [
      'a request that takes effect twice',
      [
        { type: 'effect', at: 1, ...replica, epoch: 3, seq: 1, requestId: 'c:1' },
        { type: 'effect', at: 2, ...replica, epoch: 3, seq: 2, requestId: 'c:1' },
      ],
      ['once'],
    ],
    [
      'an entry applied out of order',
      [
        { type: 'effect', at: 1, ...replica, epoch: 3, seq: 2, requestId: 'c:1' },
        { type: 'effect', at: 2, ...replica, epoch: 3, seq: 1, requestId: 'c:2' },
      ],
      ['order'],
    ],
  ] as [string, HistoryEvent[], string[]][])('name %s', (_, events, rules) => {
    expect(rulesOf(events)).toEqual(rules);
  });

  // Plan: what clients saw, one wrong answer each; a lost write is named by the cheap check and refused by the search alike.
  it.each([
    [
      'nothing wrong',
      [...call(1, 1, 2, { value: 'a' }, { epoch: 1, seq: 1 }), ...call(2, 3, 4, { call: 'get' }, { value: 'a' })],
      [],
    ],
    [
      'a lost write',
      [...call(1, 1, 2, { value: 'a' }, { epoch: 1, seq: 1 }), ...call(2, 3, 4, { call: 'get' }, {})],
      ['lost-write', 'linearizable'],
    ],
    [
      'an old value again',
      [
        ...call(1, 1, 2, { value: 'a' }, { epoch: 1, seq: 1 }),
        ...call(2, 3, 4, { value: 'b' }, { epoch: 1, seq: 2 }),
        ...call(3, 5, 6, { call: 'get' }, { value: 'a' }),
      ],
      ['lost-write', 'linearizable'],
    ],
    ['a value from nowhere', [...call(1, 1, 2, { call: 'get' }, { value: 'z' })], ['never-written', 'linearizable']],
    [
      'the same place in the log twice',
      [
        ...call(1, 1, 9, { value: 'a' }, { epoch: 1, seq: 1 }),
        ...call(2, 1, 9, { value: 'b', key: 'y' }, { epoch: 2, seq: 1 }),
      ],
      ['INV-3'],
    ],
    [
      'a later write before an earlier one',
      [
        ...call(1, 1, 2, { value: 'a' }, { epoch: 1, seq: 5 }),
        ...call(2, 3, 4, { value: 'b', key: 'y' }, { epoch: 1, seq: 4 }),
      ],
      ['INV-3'],
    ],
  ] as [string, HistoryEvent[], string[]][])('find %s', (_, events, rules) => {
    expect(rulesOf(events)).toEqual(rules);
  });

  // Plan: a write without an answer may show up later or never, and neither is a fault.
  it('let unknown outcomes be either', () => {
    const unknown = call(1, 1, 2, { value: 'a' }, {}).slice(0, 1);
    expect(
      rulesOf([...unknown, ...call(2, 3, 4, { call: 'get' }, {}), ...call(3, 5, 6, { call: 'get' }, { value: 'a' })]),
    ).toEqual([]);
  });

  // Plan: half a last line, as a killed writer leaves it, is passed over; a broken line in the middle is not.
  it('read histories line by line', () => {
    const text = goodMove().map(encodeEvent).join('');
    expect(decodeHistory(text)).toEqual(goodMove());
    expect(decodeHistory(text.slice(0, -20))).toEqual(goodMove().slice(0, -1));
    expect(() => decodeHistory(`x\n${text}`)).toThrow(/history:1/);
  });
});
