import { describe, expect, it } from '@jest/globals';
import type { ApprovalPolicy, AutomaticApproval } from './approval-policy.js';
import { checkApprovalPolicy, DEFAULT_APPROVAL_POLICY } from './approval-policy.js';
import type { PlanPeople, PlanRisk } from './approval.js';
import { automaticApproval, requirementOf, whyNotApprove } from './approval.js';
import { fitOf, windowAt } from './windows.js';

const policy = (over: Partial<ApprovalPolicy>): ApprovalPolicy => ({ ...DEFAULT_APPROVAL_POLICY, ...over });
const risk = (over: Partial<PlanRisk>): PlanRisk => ({
  moves: 10,
  bytes: 1_000,
  crossesZone: false,
  lowersRedundancy: false,
  ...over,
});
const rule = { name: 'r', approvals: 2, crossesZone: false, lowersRedundancy: false };
const small: AutomaticApproval = {
  name: 'small',
  kinds: ['leader', 'replica'],
  movesMax: 10,
  bytesMax: 1_000,
  crossesZone: false,
  keyspaces: [],
};
const moves = (kind: string) => ({ moves: [{ kind }], base: [{ keyspace: 'orders' }] }) as never;

describe('how many approve', () => {
  // Plan: each condition alone, below and above its limit; the highest rule counts and is named.
  it.each([
    ['no rule asks', {}, risk({}), 1, []],
    ['moves at the limit', { rules: [{ ...rule, movesOver: 10 }] }, risk({}), 1, []],
    ['moves over it', { rules: [{ ...rule, movesOver: 9 }] }, risk({}), 2, ['r: 10 moves are over 9']],
    ['bytes over it', { rules: [{ ...rule, bytesOver: 999 }] }, risk({}), 2, ['r: 1000 bytes are over 999']],
    [
      'a zone is left',
      { rules: [{ ...rule, crossesZone: true }] },
      risk({ crossesZone: true }),
      2,
      ['r: a copy leaves its zone'],
    ],
    ['none is left', { rules: [{ ...rule, crossesZone: true }] }, risk({}), 1, []],
    [
      'redundancy falls, and it is large',
      {
        rules: [
          { ...rule, movesOver: 1 },
          { ...rule, name: 'risky', approvals: 3, lowersRedundancy: true },
        ],
      },
      risk({ lowersRedundancy: true }),
      3,
      ['risky: redundancy is lowered on the way'],
    ],
    ['the floor is higher', { approvals: 4, rules: [{ ...rule, movesOver: 1 }] }, risk({}), 4, []],
  ])('%s', (_story, over, of, approvals, because) => {
    expect(requirementOf(policy(over), of)).toEqual({ approvals, because });
  });

  // Plan: people against what they have done with the plan already; one human under two subjects is one.
  const four = { fourEyes: true };
  const idp = (kind: string, sub = 'u1', issuer = 'https://id.example') => `${kind}:${issuer}#${sub}`;
  it.each<[string, Partial<ApprovalPolicy>, Partial<PlanPeople>, string, string | undefined]>([
    ['the proposer, without four eyes', {}, {}, 'ann', undefined],
    ['the proposer', four, {}, 'ann', 'you proposed it'],
    ['twice', {}, {}, 'bob', 'already'],
    ['somebody else', four, {}, 'cy', undefined],
    ['the proposer with a token', four, { proposer: idp('oidc') }, idp('jwt'), 'you proposed it'],
    ['the token proposed, its owner', four, { proposer: idp('jwt') }, idp('oidc'), 'you proposed it'],
    ['twice, through the page and with a token', {}, { approvals: [{ actor: idp('oidc') }] }, idp('jwt'), 'already'],
    [
      'the same issuer with a slash',
      four,
      { proposer: idp('oidc') },
      idp('jwt', 'u1', 'https://id.example/'),
      'you proposed it',
    ],
    ['another subject of the issuer', four, { proposer: idp('oidc') }, idp('jwt', 'u2'), undefined],
    ['the same subject elsewhere', four, { proposer: idp('oidc') }, idp('jwt', 'u1', 'https://b.example'), undefined],
    ['a local user of that name', four, { proposer: idp('oidc', 'ann') }, 'local:ann', undefined],
    ['whoever has the bootstrap token', four, {}, 'bootstrap', 'nobody in particular'],
    ['it, as one of two', {}, { approvalsNeeded: 2 }, 'bootstrap', 'nobody in particular'],
    ['it, where one is enough', {}, {}, 'bootstrap', undefined],
    ['what it proposed', four, { proposer: 'bootstrap' }, 'cy', 'nobody knows by whom'],
    ['whose drain it is', four, { proposer: 'cadastre', askedBy: [idp('oidc')] }, idp('jwt'), 'you asked for'],
    ['whose drain it is not', four, { proposer: 'cadastre', askedBy: ['dan'] }, 'cy', undefined],
    ['whose drain it is, without four eyes', {}, { proposer: 'cadastre', askedBy: ['cy'] }, 'cy', undefined],
  ])('says why not: %s', (_story, over, people, actor, because) => {
    const plan = { proposer: 'ann', askedBy: [], approvals: [{ actor: 'bob' }], approvalsNeeded: 1, ...people };
    const said = whyNotApprove(policy(over), plan, actor);
    if (because === undefined) expect(said).toBeUndefined();
    else expect(said).toMatch(because);
  });

  // Plan: one rule against plans that differ from what it covers in one respect each.
  it.each([
    ['what it covers', moves('leader'), risk({}), 'small'],
    ['too many moves', moves('leader'), risk({ moves: 11 }), undefined],
    ['too many bytes', moves('leader'), risk({ bytes: 1_001 }), undefined],
    ['another kind', moves('remove'), risk({}), undefined],
    ['a zone is left', moves('replica'), risk({ crossesZone: true }), undefined],
    ['redundancy falls', moves('leader'), risk({ lowersRedundancy: true }), undefined],
  ])('by policy: %s', (_story, body, of, name) => {
    expect(automaticApproval(policy({ automatic: [small] }), body, of)?.name).toBe(name);
    expect(automaticApproval(policy({}), body, of)).toBeUndefined();
  });
});

describe('a policy of approval', () => {
  const window = { name: 'w', zone: 'UTC', days: [], from: '22:00', to: '02:00' };
  // Plan: each field wrong in turn; the error names the path.
  it.each([
    ['approvals', { approvals: 0 }],
    ['rules[0]', { rules: [rule] }],
    ['rules[0].approvals', { rules: [{ ...rule, approvals: 11, movesOver: 1 }] }],
    ['rules[0].movesOver', { rules: [{ ...rule, movesOver: -1 }] }],
    [
      'rules[1].name',
      {
        rules: [
          { ...rule, movesOver: 1 },
          { ...rule, movesOver: 2 },
        ],
      },
    ],
    ['automatic[0].kinds', { automatic: [{ ...small, kinds: [] }] }],
    ['automatic[0].movesMax', { automatic: [{ ...small, movesMax: 0 }] }],
    ['automatic[0].bytesMax', { automatic: [{ ...small, bytesMax: 0.5 }] }],
    ['windows[0].from', { windows: [{ ...window, from: '24:00' }] }],
    ['windows[0].to', { windows: [{ ...window, to: '9:00' }] }],
    ['windows[0].zone', { windows: [{ ...window, zone: 'Mars/Base' }] }],
    ['windows[0].days', { windows: [{ ...window, days: ['monday' as never] }] }],
  ])('is refused at %s', (field, over) => {
    expect(() => checkApprovalPolicy(policy(over))).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', field }),
    );
  });
});

describe('windows', () => {
  const at = (text: string): number => Date.parse(text);
  const iso = (ms: number | undefined): string => new Date(ms ?? 0).toISOString().slice(0, 16);
  const night = { name: 'night', zone: 'Europe/Berlin', days: [], from: '22:00', to: '04:00' } as const;

  // Plan: before, in and after a window across midnight, and over both changes of the clocks of 2026 in Berlin.
  it.each([
    ['before', night, '2026-01-10T12:00Z', false, '2026-01-10T21:00', '2026-01-11T03:00'],
    ['in it', night, '2026-01-10T23:30Z', true, '2026-01-10T23:30', '2026-01-11T03:00'],
    ['to summer time', night, '2026-03-28T22:00Z', true, '2026-03-28T22:00', '2026-03-29T02:00'],
    ['from summer time', night, '2026-10-24T21:00Z', true, '2026-10-24T21:00', '2026-10-25T03:00'],
    ['on sundays', { ...night, days: ['sun'] }, '2026-01-10T23:30Z', false, '2026-01-11T21:00', '2026-01-12T03:00'],
    ['its next day', { ...night, days: ['sat'] }, '2026-01-11T01:00Z', true, '2026-01-11T01:00', '2026-01-11T03:00'],
    [
      'half-hour zones',
      { name: 'day', zone: 'Asia/Kolkata', days: [], from: '09:00', to: '10:00' },
      '2026-01-10T00:00Z',
      false,
      '2026-01-10T03:30',
      '2026-01-10T04:30',
    ],
  ] as const)('%s', (_story, window, now, open, opens, closes) => {
    const found = windowAt([window], at(now));
    expect([found?.open, iso(found?.opensMs), iso(found?.closesMs)]).toEqual([open, opens, closes]);
  });

  // Plan: of two windows the open one counts, else the next; none is any time. What is left against the room that there is.
  it('are chosen, and hold so much', () => {
    const noon = { ...night, name: 'noon', from: '12:00', to: '13:00' };
    expect(windowAt([night, noon], at('2026-01-10T11:30Z'))?.name).toBe('noon');
    expect(windowAt([night, noon], at('2026-01-10T13:00Z'))?.name).toBe('night');
    expect(windowAt([], 0)).toBeUndefined();
    const now = at('2026-01-10T11:30Z');
    const room = windowAt([noon], now)!;
    expect([fitOf(room, now, 1, 1_800_000), fitOf(room, now, 1, 1_800_001), fitOf(room, now, 1_800_001, 9e9)]).toEqual([
      'yes',
      'perhaps',
      'no',
    ]);
  });
});
