import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { newRecord } from '../../map/changes.js';
import type { PartitionRecord } from '../../map/records.js';
import type { PlannerNode } from '../../placement/domains.js';
import { domainOf } from '../../placement/domains.js';
import { modelOf } from '../model-of.js';
import type { PlanMove } from '../plan.js';
import { grid, hard, keyspaceOf, nodeOf, planOf, played, specOf } from '../planning-fixtures.js';
import type { RehearsalPoint } from './rehearse.js';
import { rehearse, rehearseModel } from './rehearse.js';

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
// eslint-disable-next-line no-console -- a randomised test prints its seed; replay with SEED=<seed>
console.log(`rehearse seed ${seed}`);

const moveOf = (partition: number, step: number, from: string, to: string): PlanMove => ({
  index: step - 1,
  step,
  keyspace: 'orders',
  partition,
  kind: from === '' ? 'add' : 'replica',
  from,
  to,
  leaderAfter: '',
  baseEpoch: 1,
  reason: '',
  bytes: 0,
});

const riskIn = (point: RehearsalPoint, label: string) => point.risks.find((r) => r.label === label)!;

/** Counted from scratch: for each domain, partitions that its loss stops or loses. */
const recount = (nodes: readonly PlannerNode[], records: readonly PartitionRecord[], label: string, min: number) => {
  const entries = new Map(nodes.map((n) => [n.entry.id, n]));
  const domain = (id: string): string => (label === 'node' ? id : domainOf(entries.get(id)!.entry, label));
  const domains = [...new Set(nodes.map((n) => domain(n.entry.id)))];
  const counts = domains.map((lost) => {
    const left = records.map((r) => {
      const live = r.replicas.filter((x) => x.inSync && (entries.get(x.node)?.state ?? 'down') !== 'down');
      return live.filter((x) => domain(x.node) !== lost).length;
    });
    return { stopped: left.filter((n) => n < min).length, gone: left.filter((n) => n === 0).length };
  });
  return {
    stopped: Math.max(...counts.map((c) => c.stopped)),
    gone: Math.max(...counts.map((c) => c.gone)),
  };
};

describe('rehearse', () => {
  it('names what the loss of a rack would stop and lose, before and after', () => {
    // Both copies of partition 0 in one rack; the plan takes one of them out of it.
    const nodes = [
      nodeOf('a', { rack: 'r1' }),
      nodeOf('b', { rack: 'r1' }),
      nodeOf('c', { rack: 'r2' }),
      nodeOf('d', { rack: 'r2' }),
    ];
    const spec = { ...specOf(2, 2, [hard('rack')]), minInSync: 1 };
    const records = [newRecord(0, ['a', 'b']), newRecord(1, ['a', 'c'])];
    const { before, after, during, verdict, raisedOnTheWay, summary } = rehearse({
      keyspaces: [{ spec, records }],
      nodes,
      moves: [moveOf(0, 1, 'b', 'd')],
    });
    expect(riskIn(before, 'rack').dataLoss).toEqual({ domain: '(none)/r1', partitions: 1 });
    expect(riskIn(before, 'node').dataLoss.partitions).toBe(0);
    expect(riskIn(after, 'rack').dataLoss.partitions).toBe(0);
    expect([during.length, verdict, raisedOnTheWay]).toEqual([1, 'lowers', false]);
    expect(summary).toContain('lowers the risk');
    expect(summary).not.toContain('up to 0');
  });

  it('says when a plan raises the risk, and at which step', () => {
    // The opposite move.
    const nodes = [nodeOf('a', { rack: 'r1' }), nodeOf('b', { rack: 'r1' }), nodeOf('c', { rack: 'r2' })];
    const found = rehearse({
      keyspaces: [{ spec: specOf(1, 2), records: [newRecord(0, ['a', 'c'])] }],
      nodes,
      moves: [moveOf(0, 1, 'c', 'b')],
    });
    expect(found).toMatchObject({ verdict: 'raises', raisedOnTheWay: true });
    expect(found.summary).toContain('step 1 ends with more at risk');
  });

  it('counts copies on dead and unknown nodes, and those out of sync, for nothing', () => {
    // One live copy of three: the loss of its node loses data although three copies are in the map.
    const record = newRecord(0, ['a', 'gone', 'dead']);
    const { before } = rehearse({
      keyspaces: [{ spec: { ...specOf(1, 3), minInSync: 2 }, records: [record] }],
      nodes: [nodeOf('a'), nodeOf('dead', {}, 1, 'down')],
      moves: [],
    });
    expect(before.already).toEqual({ unavailable: 1, dataLoss: 0 });
    expect(riskIn(before, 'node')).toMatchObject({ dataLoss: { domain: 'a', partitions: 1 }, domainsDataLoss: 1 });
  });

  it('gives at each step what a recount from scratch gives', () => {
    // Random maps and random legal moves, whatever their sense; each step holds one or two moves.
    fc.assert(
      fc.property(
        fc.record({
          zones: fc.integer({ min: 1, max: 4 }),
          perZone: fc.integer({ min: 1, max: 4 }),
          rf: fc.integer({ min: 1, max: 3 }),
          min: fc.integer({ min: 1, max: 3 }),
          picks: fc.array(fc.nat(1000), { minLength: 30, maxLength: 30 }),
          down: fc.nat(20),
        }),
        ({ zones, perZone, rf, min, picks, down }) => {
          const nodes = grid(zones, 1, perZone).map((n, i) => (i === down ? { ...n, state: 'down' as const } : n));
          const ids = nodes.map((n) => n.entry.id);
          const copies = Math.min(rf, ids.length);
          let records = Array.from({ length: 6 }, (_, p) =>
            newRecord(
              p,
              Array.from({ length: copies }, (__, k) => ids[(picks[p]! + k) % ids.length]!),
            ),
          );
          const spec = { ...specOf(6, copies), minInSync: Math.min(min, copies) };
          const start = records;
          const states: PartitionRecord[][] = [];
          const moves: PlanMove[] = [];
          picks.slice(6).forEach((pick, i) => {
            const record = records[pick % 6]!;
            const from = record.replicas[pick % record.replicas.length]!.node;
            const to = ids[(pick * 7 + i) % ids.length]!;
            if (record.replicas.some((r) => r.node === to)) return;
            const heir = record.replicas.find((r) => r.node !== from)?.node ?? to;
            const move = { ...moveOf(record.partition, Math.floor(moves.length / 2) + 1, from, to), leaderAfter: heir };
            moves.push(move);
            records = records.map((r) => (r === record ? played(r, move) : r));
            states[move.step] = records;
          });
          const found = rehearse({ keyspaces: [{ spec, records: start }], nodes, moves });
          let now = found.before;
          for (let step = 0; step < Math.max(1, states.length); step += 1) {
            now = found.during.find((d) => d.step === step) ?? now;
            for (const { label, unavailable, dataLoss } of now.risks) {
              const { stopped, gone } = recount(nodes, states[step] ?? start, label, spec.minInSync);
              expect([step, label, unavailable.partitions, dataLoss.partitions]).toEqual([step, label, stopped, gone]);
            }
          }
        },
      ),
      { seed, numRuns: 300 },
    );
  });

  it('finds no risk of loss anywhere on the way of a plan that repairs', () => {
    // Three zones, one copy in each; a node is down, and the plan rebuilds its copies.
    const nodes = grid(3, 1, 3).map((n, i) => (i === 4 ? { ...n, state: 'down' as const } : n));
    const spec = { ...specOf(27, 3, [hard('zone')]), minInSync: 2 };
    const ids = [0, 1, 2].map((z) => nodes.filter((n) => n.entry.labels['zone'] === `z${z}`).map((n) => n.entry.id));
    const records = Array.from({ length: 27 }, (_, p) =>
      newRecord(p, [ids[0]![p % 3]!, ids[1]![(p + Math.floor(p / 3)) % 3]!, ids[2]![(p + Math.floor(p / 9)) % 3]!]),
    );
    const plan = planOf({ keyspaces: [keyspaceOf(spec, records)], nodes });
    const found = rehearse({ keyspaces: [{ spec, records }], nodes, moves: plan.moves });
    expect(rehearseModel(modelOf({ keyspaces: [keyspaceOf(spec, records)], nodes }), plan.moves)).toEqual(found);
    expect(riskIn(found.before, 'zone').unavailable.partitions).toBeGreaterThan(0);
    expect(riskIn(found.after, 'zone').unavailable.partitions).toBe(0);
    expect(found).toMatchObject({ verdict: 'lowers', raisedOnTheWay: false });
    expect(found.during.every((d) => riskIn(d, 'zone').dataLoss.partitions === 0)).toBe(true);
  });
});
