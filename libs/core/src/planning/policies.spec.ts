import { describe, expect, it } from '@jest/globals';
import { newRecord } from '../map/changes.js';
import type { KeyspaceSpec, PartitionRecord } from '../map/records.js';
import { leaderOf, votersOf } from '../map/records.js';
import { placeKeyspace } from '../placement/place.js';
import type { Policy } from '../policy/policy.js';
import {
  dealt,
  grid,
  hard,
  keyspaceOf,
  leadersOf,
  nodeOf,
  planOf,
  playedAll,
  replicasOf,
  specOf,
} from './planning-fixtures.js';
import { proposePlan } from './propose.js';

const regions = ['eu', 'us', 'ap'].flatMap((region) =>
  [1, 2, 3].map((i) => nodeOf(`${region}${i}`, { region, zone: `${region}-${i}`, disk: i === 1 ? 'hdd' : 'ssd' })),
);
const withPolicy = (spec: KeyspaceSpec, policy: Policy): KeyspaceSpec => ({ ...spec, policy });
const regionOf = (node: string): string => node.slice(0, 2);
const replan = (spec: KeyspaceSpec, records: readonly PartitionRecord[], nodes = regions, now = 0) =>
  proposePlan({ keyspaces: [keyspaceOf(spec, records)], nodes, now });

describe('policies', () => {
  it('keep one copy in each of the named regions', () => {
    // At least one copy in eu, us and ap; with five copies the other two lie anywhere, and balance stays exact.
    const spec = withPolicy(specOf(60, 5), {
      spread: [{ label: 'region', hard: true, minPerDomain: { eu: 1, us: 1, ap: 1 } }],
    });
    const records = placeKeyspace(spec, regions);
    for (const r of records) expect(new Set(votersOf(r).map(regionOf)).size).toBe(3);
    expect(Object.values(replicasOf(records)).every((n) => n === 33 || n === 34)).toBe(true);
    expect(replan(spec, records)).toMatchObject({ kind: 'nothing' });
  });

  it('mend partitions that lack a copy in a named region', () => {
    // All copies in eu and us; the plan brings one of each to ap, never below what a region asks for on the way.
    const spec = withPolicy(specOf(12, 3), {
      spread: [{ label: 'region', hard: true, minPerDomain: { eu: 1, us: 1, ap: 1 } }],
    });
    const records = Array.from({ length: 12 }, (_, p) => newRecord(p, ['eu1', 'eu2', 'us1']));
    const plan = planOf({ keyspaces: [keyspaceOf(spec, records)], nodes: regions });
    const after = playedAll(records, plan, (r) => {
      const held = votersOf(r).map(regionOf);
      expect(held).toContain('eu');
      expect(held).toContain('us');
    });
    for (const r of after) expect(new Set(votersOf(r).map(regionOf)).size).toBe(3);
    expect(plan.cost.violationsAfter).toBe(0);
    expect(replan(spec, after)).toMatchObject({ kind: 'nothing' });
  });

  it('move copies from nodes that a new label rule forbids, and say which rule', () => {
    // Copies on hdd nodes leave after the rule; none arrives on one.
    const before = specOf(36, 3, [hard('region')]);
    const records = placeKeyspace(before, regions);
    const spec = withPolicy(before, { forbidden: [{ label: 'disk', op: 'in', values: ['hdd'] }] });
    const plan = planOf({ keyspaces: [keyspaceOf(spec, records)], nodes: regions });
    expect(plan.cost).toMatchObject({
      replicaMoves: 36,
      lowerBoundMoves: 36,
      ratio: 1,
      violationsBefore: 36,
      violationsAfter: 0,
    });
    expect(plan.moves[0]!.reason).toMatch(/^(eu|us|ap)1 may not hold partition \d+: the policy forbids disk in hdd$/);
    const after = playedAll(records, plan);
    expect(Object.keys(replicasOf(after)).sort()).toEqual(['ap2', 'ap3', 'eu2', 'eu3', 'us2', 'us3']);
    expect(new Set(Object.values(replicasOf(after)))).toEqual(new Set([18]));
  });

  it('keep the partitions of a range in their region, and balance the rest around them', () => {
    // The first third may only lie in eu; the others fill up so that all nodes hold the same.
    const spec = withPolicy(specOf(90, 1), {
      residency: [
        { partitions: { kind: 'range', first: 0, last: 29 }, nodes: [{ label: 'region', op: 'in', values: ['eu'] }] },
      ],
    });
    const records = placeKeyspace(spec, regions);
    for (const r of records.slice(0, 30)) expect(votersOf(r).map(regionOf)).toEqual(['eu']);
    expect(new Set(Object.values(replicasOf(records)))).toEqual(new Set([10]));
    const dealtOut = dealt(
      90,
      regions.map((n) => n.entry.id),
    );
    const plan = planOf({ keyspaces: [keyspaceOf(spec, dealtOut)], nodes: regions });
    const after = playedAll(dealtOut, plan);
    for (const r of after.slice(0, 30)) expect(votersOf(r).map(regionOf)).toEqual(['eu']);
    expect(new Set(Object.values(replicasOf(after)))).toEqual(new Set([10]));
    expect(replan(spec, after)).toMatchObject({ kind: 'nothing' });
  });

  it('put leaders where they are preferred, by transfers alone', () => {
    // One copy in each region; leaders in us, evenly; after us is lost, in eu.
    const base = specOf(36, 3, [hard('region')]);
    const records = placeKeyspace(base, regions);
    const spec = withPolicy(base, {
      leaderPreferences: [
        [{ label: 'region', op: 'in', values: ['us'] }],
        [{ label: 'region', op: 'in', values: ['eu'] }],
      ],
    });
    const plan = planOf({ keyspaces: [keyspaceOf(spec, records)], nodes: regions });
    expect(plan.moves.every((m) => m.kind === 'leader')).toBe(true);
    const after = playedAll(records, plan);
    expect(leadersOf(after)).toEqual({ us1: 12, us2: 12, us3: 12 });
    expect(replan(spec, after)).toMatchObject({ kind: 'nothing' });
    const draining = regions.map((n) => (regionOf(n.entry.id) === 'us' ? { ...n, state: 'draining' as const } : n));
    const away = planOf({ keyspaces: [keyspaceOf(spec, after)], nodes: draining });
    expect(leadersOf(playedAll(after, away))).toEqual({ eu1: 12, eu2: 12, eu3: 12 });
  });

  it('keep tenants apart and dedicated nodes to their tenant', () => {
    // Two tenants that may not share a node, and one with nodes of its own.
    const nodes = [...regions, nodeOf('own1', { for: 'c' }), nodeOf('own2', { for: 'c' })];
    const spec = withPolicy(specOf(90, 2), {
      tenants: [
        { tenant: 'a', partitions: { kind: 'range', first: 0, last: 29 }, apartFrom: ['b'] },
        { tenant: 'b', partitions: { kind: 'range', first: 30, last: 59 } },
        {
          tenant: 'c',
          partitions: { kind: 'range', first: 60, last: 89 },
          dedicated: [{ label: 'for', op: 'in', values: ['c'] }],
        },
      ],
    });
    const records = placeKeyspace(spec, nodes);
    const held = (first: number, last: number) => new Set(records.slice(first, last + 1).flatMap(votersOf));
    expect([...held(0, 29)].filter((n) => held(30, 59).has(n))).toEqual([]);
    expect([...held(60, 89)].sort()).toEqual(['own1', 'own2']);
    expect([...held(0, 59)].some((n) => n.startsWith('own'))).toBe(false);
    expect(replan(spec, records, nodes)).toMatchObject({ kind: 'nothing' });
  });

  it('hold pins until they expire', () => {
    // A copy is pinned to a node that drains nothing; the other partitions go around it, and after the expiry it is free.
    const nodes = ['a', 'b', 'c', 'd'].map((n) => nodeOf(n));
    const pin = { partition: 0, node: 'a', owner: 'ana', reason: 'hot', expiresMs: 1000 };
    const spec = withPolicy(specOf(4, 1), { pins: [pin, { ...pin, partition: 1 }] });
    const records = [newRecord(0, ['b']), newRecord(1, ['a']), newRecord(2, ['c']), newRecord(3, ['d'])];
    const plan = planOf({ keyspaces: [keyspaceOf(spec, records)], nodes, now: 500 });
    const after = playedAll(records, plan);
    expect(votersOf(after[0]!)).toEqual(['a']);
    expect(votersOf(after[1]!)).toEqual(['a']);
    expect(replan(spec, after, nodes, 600)).toMatchObject({ kind: 'nothing' });
    expect(replan(spec, after, nodes, 1000)).toMatchObject({ kind: 'plan' });
  });

  it('remove copies too many when fewer are asked for, and build none for it', () => {
    // From three copies to two: no copy is built, counts and leaders end level.
    const nodes = grid(3, 2, 1);
    const records = placeKeyspace(specOf(12, 3, [hard('zone')]), nodes);
    const spec = specOf(12, 2, [hard('zone')]);
    const plan = planOf({ keyspaces: [keyspaceOf(spec, records)], nodes });
    expect(plan.moves.filter((m) => m.kind === 'remove')).toHaveLength(12);
    expect(plan.cost).toMatchObject({ replicaMoves: 0, lowerBoundMoves: 0, ratio: 1, bytes: 0 });
    expect(plan.moves[0]!.reason).toMatch(/^partition \d+ has more than 2 copies; n\d+ can spare its copy best$/);
    const after = playedAll(records, plan);
    expect(new Set(Object.values(replicasOf(after)))).toEqual(new Set([4]));
    expect(after.every((r) => votersOf(r).includes(leaderOf(r)!))).toBe(true);
    expect(replan(spec, after, nodes)).toMatchObject({ kind: 'nothing' });
  });

  it('soft spread is kept where it costs nothing, and breaks no balance', () => {
    // Three racks, three copies: all apart when placed; no move later for that alone.
    const nodes = grid(1, 3, 2);
    const spec = specOf(120, 3, [{ ...hard('rack'), hard: false }]);
    const racks = new Map(nodes.map((n) => [n.entry.id, n.entry.labels['rack']]));
    const records = placeKeyspace(spec, nodes);
    const apart = records.filter((r) => new Set(votersOf(r).map((v) => racks.get(v))).size === 3);
    expect(apart.length).toBeGreaterThan(110);
    expect(new Set(Object.values(replicasOf(records)))).toEqual(new Set([60]));
    const together = records.map((r) => newRecord(r.partition, votersOf(r)));
    expect(replan(spec, together, nodes)).toMatchObject({ kind: 'nothing' });
  });
});

describe('requests of operators', () => {
  const nodes = ['a', 'b', 'c', 'd'].map((n) => nodeOf(n));
  const records = dealt(12, ['a', 'b', 'c', 'd']);

  it('are in the plan, and balance goes around them', () => {
    // One copy from a to d; another one leaves d for a, and planning again proposes nothing.
    const manual = [{ keyspace: 'orders', partition: 0, from: 'a', to: 'd', kind: 'replica' as const, by: 'ana' }];
    const plan = planOf({ keyspaces: [keyspaceOf(specOf(12, 1), records)], nodes, manual });
    const after = playedAll(records, plan);
    expect(votersOf(after[0]!)).toEqual(['d']);
    expect(plan.moves.find((m) => m.partition === 0)!.reason).toBe('asked for by ana: from a to d');
    expect(replicasOf(after)).toEqual({ a: 3, b: 3, c: 3, d: 3 });
    expect(replan(specOf(12, 1), after, nodes)).toMatchObject({ kind: 'nothing' });
  });

  it('are refused by name where a constraint forbids them', () => {
    // The target is in the zone of another copy.
    const zoned = ['a', 'b', 'c'].map((n, i) => nodeOf(n, { zone: i === 0 ? 'x' : 'y' }));
    const held = [newRecord(0, ['a', 'b'])];
    const manual = [{ keyspace: 'orders', partition: 0, from: 'a', to: 'c', kind: 'replica' as const }];
    expect(
      proposePlan({ keyspaces: [keyspaceOf(specOf(1, 2, [hard('zone')]), held)], nodes: zoned, manual }),
    ).toMatchObject({
      kind: 'nothing',
      because:
        'the request to move orders partition 0 to c is refused: a hard constraint or a capacity allows no copy on c',
    });
    // Where nothing but the request will do, it is an error that names it.
    const input = { keyspaces: [keyspaceOf(specOf(1, 2, [hard('zone')]), held)], nodes: zoned };
    expect(() => proposePlan({ ...input, manual, manualOrNothing: true })).toThrow(
      expect.objectContaining({ code: 'FAILED_PRECONDITION', field: 'moves[0]' }),
    );
  });

  it('a partition that moved lately is left alone by balance', () => {
    // Everything moved just now, so a new node stays empty; later it is filled.
    const more = [...nodes, nodeOf('e')];
    const keyspace = { ...keyspaceOf(specOf(12, 1), records), movedMsOf: () => 1000 };
    const lately = proposePlan({ keyspaces: [keyspace], nodes: more, now: 1500, coolDownMs: 1000 });
    expect(lately).toMatchObject({ kind: 'nothing', because: expect.stringContaining('cool-down') });
    expect(proposePlan({ keyspaces: [keyspace], nodes: more, now: 2500, coolDownMs: 1000 })).toMatchObject({
      kind: 'plan',
    });
  });
});
