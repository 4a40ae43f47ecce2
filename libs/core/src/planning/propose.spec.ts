import { describe, expect, it } from '@jest/globals';
import { leaderOf, votersOf } from '../map/records.js';
import { newRecord } from '../map/changes.js';
import { placeKeyspace } from '../placement/place.js';
import {
  broken,
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

const ids = (count: number): string[] => Array.from({ length: count }, (_, i) => `n${String(i).padStart(3, '0')}`);

describe('plans with one copy of each partition', () => {
  it('A node joins three: three moves, three partitions each', () => {
    // 12 partitions on A, B and C, then D: only D gains, and leads what it holds.
    const records = dealt(12, ['a', 'b', 'c']);
    const plan = planOf({
      keyspaces: [keyspaceOf(specOf(12, 1), records)],
      nodes: ['a', 'b', 'c', 'd'].map((n) => nodeOf(n)),
    });
    expect(plan.moves.map((m) => [m.kind, m.to, m.leaderAfter])).toEqual([1, 2, 3].map(() => ['replica', 'd', 'd']));
    expect(replicasOf(playedAll(records, plan))).toEqual({ a: 3, b: 3, c: 3, d: 3 });
    expect(plan.cost).toMatchObject({ replicaMoves: 3, lowerBoundMoves: 3, leaderTransfers: 3 });
    expect(plan.moves[0]!.reason).toMatch(/^d has 0 of its share of 3 replicas; [abc] has 4, share 3$/);
    expect(plan.nodes.find((n) => n.node === 'd')).toEqual({
      node: 'd',
      replicasBefore: 0,
      replicasAfter: 3,
      leadersBefore: 0,
      leadersAfter: 3,
    });
  });

  it('A node of four leaves: its three partitions move, four each', () => {
    // Drain b; every move is from b, for that reason.
    const records = dealt(12, ['a', 'b', 'c', 'd']);
    const nodes = ['a', 'c', 'd'].map((n) => nodeOf(n)).concat(nodeOf('b', {}, 1, 'draining'));
    const plan = planOf({ keyspaces: [keyspaceOf(specOf(12, 1), records)], nodes });
    expect(plan.moves.map((m) => [m.from, m.reason])).toEqual([1, 2, 3].map(() => ['b', 'b is draining']));
    expect(replicasOf(playedAll(records, plan))).toEqual({ a: 4, c: 4, d: 4 });
  });

  it.each([
    [10, 2, 166],
    [100, 10, 90],
  ])('1,000 partitions on %i nodes and %i more: %i moves, all to new nodes', (before, more, moves) => {
    // Count moves against the known minimum and look at their targets.
    const records = dealt(1000, ids(before));
    const plan = planOf({
      keyspaces: [keyspaceOf(specOf(1000, 1), records)],
      nodes: ids(before + more).map((n) => nodeOf(n)),
    });
    expect(plan.moves).toHaveLength(moves);
    expect(plan.cost.lowerBoundMoves).toBe(moves);
    expect(plan.moves.every((m) => Number(m.to.slice(1)) >= before)).toBe(true);
  });
});

describe('plans with three zones', () => {
  const nodes = grid(3, 2, 1);
  const spec = specOf(12, 3, [hard('zone')]);
  const joined = [...nodes, nodeOf('n9', { zone: 'z0', rack: 'r2' })];

  it('a seventh node in one zone takes copies of that zone alone, and each partition stays in three zones after every move', () => {
    // The share of zone z0 stays 12: its three nodes end on 4, the other zones keep 6 a node; only z0 sheds.
    const records = placeKeyspace(spec, nodes);
    const plan = planOf({ keyspaces: [keyspaceOf(spec, records)], nodes: joined });
    expect(plan.cost).toMatchObject({ replicaMoves: 4, lowerBoundMoves: 4 });
    const after = playedAll(records, plan, (record) => {
      expect(broken(spec, joined, record)).toBe(0);
      expect(votersOf(record)).toHaveLength(3);
    });
    expect(replicasOf(after)).toEqual({ n0000: 4, n0003: 4, n9: 4, n0001: 6, n0002: 6, n0004: 6, n0005: 6 });
    expect(Object.values(leadersOf(after)).sort()).toEqual([1, 1, 2, 2, 2, 2, 2]);
    expect(plan.moves.filter((m) => m.kind === 'replica').every((m) => m.to === 'n9')).toBe(true);
  });

  it('leader transfers come after the copies have moved, in later steps', () => {
    // All leaders on one node's side: rotate so that some transfers are needed without moves.
    const records = placeKeyspace(spec, nodes).map((r) => newRecord(r.partition, [...votersOf(r)].sort()));
    const plan = planOf({ keyspaces: [keyspaceOf(spec, records)], nodes: joined });
    const copies = plan.moves.filter((m) => m.kind === 'replica').map((m) => m.step);
    const transfers = plan.moves.filter((m) => m.kind === 'leader').map((m) => m.step);
    expect(transfers.length).toBeGreaterThan(0);
    expect(Math.min(...transfers)).toBeGreaterThan(Math.max(...copies));
    expect(Math.max(...Object.values(leadersOf(playedAll(records, plan))))).toBe(2);
  });

  it('a dead zone cannot be made good, and the proposal says what is missing', () => {
    // Both nodes of z2 are down; two zones are left for three copies.
    const records = placeKeyspace(spec, nodes);
    const half = nodes.map((n) => (n.entry.labels['zone'] === 'z2' ? { ...n, state: 'down' as const } : n));
    const proposal = proposePlan({ keyspaces: [keyspaceOf(spec, records)], nodes: half });
    expect(proposal).toEqual({
      kind: 'nothing',
      because: 'keyspace orders: needs 3 zones, 2 exist; 12 copies stay on n0002 (down), n0005 (down)',
      scores: expect.any(Array),
    });
  });

  it('a dead node is repaired within its zone before anything else moves', () => {
    // n0000 is down, a new node in z1 asks for its share: steps of repair come first.
    const records = placeKeyspace(spec, nodes);
    const world = [
      ...nodes.map((n) => (n.entry.id === 'n0000' ? { ...n, state: 'down' as const } : n)),
      nodeOf('n9', { zone: 'z1', rack: 'r9' }),
    ];
    const plan = planOf({
      keyspaces: [keyspaceOf(spec, records)],
      nodes: world,
      limits: { perNodeIn: 9, perNodeOut: 9, cluster: 3 },
    });
    const repairs = plan.moves.filter((m) => m.from === 'n0000');
    expect(repairs).toHaveLength(6);
    expect(repairs.every((m) => m.to === 'n0003' && m.reason.startsWith('n0000 is down; its copy'))).toBe(true);
    expect(Math.max(...repairs.map((m) => m.index))).toBeLessThan(
      Math.min(...plan.moves.filter((m) => m.to === 'n9').map((m) => m.index)),
    );
  });

  it('builds missing copies', () => {
    // Two of three copies exist; the third goes to the third zone.
    const records = placeKeyspace(spec, nodes).map((r) => ({ ...r, replicas: r.replicas.slice(0, 2) }));
    const plan = planOf({ keyspaces: [keyspaceOf(spec, records)], nodes });
    expect(plan.moves.filter((m) => m.kind === 'add')).toHaveLength(12);
    expect(plan.moves[0]!.reason).toMatch(/has 2 of 3 copies; one is built on/);
    expect(playedAll(records, plan).every((r) => votersOf(r).length === 3 && broken(spec, nodes, r) === 0)).toBe(true);
  });

  it('moves copies that share a zone when the spread forbids it', () => {
    // All copies in two zones after a change of labels; after the plan none are broken.
    const records = Array.from({ length: 12 }, (_, p) => newRecord(p, ['n0000', 'n0003', 'n0001']));
    const plan = planOf({ keyspaces: [keyspaceOf(spec, records)], nodes });
    const after = playedAll(records, plan);
    expect(after.every((r) => broken(spec, nodes, r) === 0)).toBe(true);
    expect(new Set(Object.values(replicasOf(after)))).toEqual(new Set([6]));
    expect(plan.moves.some((m) => m.reason.includes('shares a failure domain'))).toBe(true);
  });

  it('swaps two copies of one partition in different steps, spread intact in between', () => {
    // A node of z0 and one of z1 drain together; partitions on both move twice.
    const records = placeKeyspace(spec, nodes);
    const world = nodes.map((n) =>
      n.entry.id === 'n0000' || n.entry.id === 'n0001' ? { ...n, state: 'draining' as const } : n,
    );
    const plan = planOf({ keyspaces: [keyspaceOf(spec, records)], nodes: world });
    const steps = new Map<number, number[]>();
    for (const m of plan.moves) steps.set(m.partition, [...(steps.get(m.partition) ?? []), m.step]);
    expect([...steps.values()].some((s) => s.length === 2)).toBe(true);
    expect([...steps.values()].every((s) => new Set(s).size === s.length)).toBe(true);
    const after = playedAll(records, plan, (r) => expect(broken(spec, nodes, r)).toBe(0));
    expect(after.every((r) => !votersOf(r).some((v) => v === 'n0000' || v === 'n0001'))).toBe(true);
    expect(after.every((r) => leaderOf(r) !== undefined)).toBe(true);
  });

  it('keeps the limits in every step', () => {
    // Small limits; count moves by step, target and source.
    const records = placeKeyspace(specOf(120, 3, [hard('zone')]), nodes);
    const limits = { perNodeIn: 2, perNodeOut: 1, cluster: 3 };
    const plan = planOf({ keyspaces: [keyspaceOf(specOf(120, 3, [hard('zone')]), records)], nodes: joined, limits });
    for (const step of new Set(plan.moves.map((m) => m.step))) {
      const moves = plan.moves.filter((m) => m.step === step);
      expect(moves.length).toBeLessThanOrEqual(3);
      for (const m of moves) {
        expect(moves.filter((x) => x.to === m.to).length).toBeLessThanOrEqual(2);
        expect(moves.filter((x) => x.from === m.from).length).toBeLessThanOrEqual(1);
      }
    }
  });
});

describe('worlds without room', () => {
  const spec = specOf(12, 3, [hard('zone')]);
  const records = placeKeyspace(spec, grid(3, 2, 1));

  it('says so when no node is up', () => {
    // Every node drains: no target is left.
    const nodes = grid(3, 2, 1).map((n) => ({ ...n, state: 'draining' as const }));
    expect(proposePlan({ keyspaces: [keyspaceOf(spec, records)], nodes })).toMatchObject({
      kind: 'nothing',
      because: expect.stringContaining('needs 3 nodes, 0 are up; 36 copies stay on'),
    });
  });

  it('says so when nothing is left to copy from', () => {
    // Every node is down or forgotten.
    expect(proposePlan({ keyspaces: [keyspaceOf(spec, records)], nodes: [] })).toMatchObject({
      kind: 'nothing',
      because: expect.stringContaining('12 partitions have no in-sync copy'),
    });
  });

  it('drains what it can, and notes what stays', () => {
    // z2 drains whole and has no other place; a node of z0 drains too and has one.
    const nodes = grid(3, 2, 1).map((n) =>
      n.entry.labels['zone'] === 'z2' || n.entry.id === 'n0000' ? { ...n, state: 'draining' as const } : n,
    );
    const proposal = proposePlan({ keyspaces: [keyspaceOf(spec, records)], nodes });
    expect(proposal).toMatchObject({
      kind: 'plan',
      notes: ['keyspace orders: needs 3 zones, 2 exist; 12 copies stay on n0002 (draining), n0005 (draining)'],
    });
    const plan = proposal.kind === 'plan' ? proposal.plan : planOf({ keyspaces: [], nodes });
    expect(plan.moves.filter((m) => m.kind === 'replica').every((m) => m.from === 'n0000' && m.to === 'n0003')).toBe(
      true,
    );
    // Leadership leaves the draining nodes even where the copies cannot.
    expect(Object.keys(leadersOf(playedAll(records, plan))).sort()).toEqual(['n0001', 'n0003', 'n0004']);
  });

  it('puts no data on a node of weight 0 while others have room', () => {
    // Such a node joins; nothing moves.
    const nodes = [...grid(3, 2, 1), nodeOf('n9', { zone: 'z0' }, 0)];
    expect(proposePlan({ keyspaces: [keyspaceOf(spec, records)], nodes })).toMatchObject({ kind: 'nothing' });
  });
});

describe('a plan that was cut short', () => {
  it('goes on from the copies that it had built', () => {
    // A node joins; a third of the moves stand half made, with both copies in one zone. What was built stays, the rest is moved.
    const nodes = grid(3, 2, 1);
    const spec = specOf(36, 3, [hard('zone')]);
    const world = [...nodes, nodeOf('n9', { zone: 'z0', rack: 'r2' })];
    const records = placeKeyspace(spec, nodes);
    const first = planOf({ keyspaces: [keyspaceOf(spec, records)], nodes: world });
    const built = new Set(
      first.moves
        .filter((m) => m.kind === 'replica')
        .slice(0, 4)
        .map((m) => m.partition),
    );
    const half = records.map((r) =>
      built.has(r.partition)
        ? {
            ...r,
            replicas: [...r.replicas, { node: 'n9', role: 'follower', state: 'available', inSync: true } as const],
          }
        : r,
    );
    const plan = planOf({ keyspaces: [keyspaceOf(spec, half)], nodes: world });
    expect(plan.cost.replicaMoves).toBe(first.cost.replicaMoves - 4);
    expect(plan.moves.filter((m) => m.kind === 'remove')).toHaveLength(4);
    const after = playedAll(half, plan, (r) => expect(votersOf(r).length).toBeGreaterThanOrEqual(3));
    expect(replicasOf(after)).toEqual({ n0000: 12, n0003: 12, n9: 12, n0001: 18, n0002: 18, n0004: 18, n0005: 18 });
  });
});
