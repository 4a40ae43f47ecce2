import { describe, expect, it } from '@jest/globals';
import { CadastreError } from '../errors.js';
import type { KeyspaceSpec } from '../map/records.js';
import { leaderOf, votersOf } from '../map/records.js';
import type { PlannerNode } from './domains.js';
import { placeKeyspace } from './place.js';
import { checkSatisfiable } from './satisfiable.js';

const node = (id: string, labels: Record<string, string> = {}, weight = 1): PlannerNode => ({
  entry: { id, address: `${id}:1`, labels, weight },
  state: 'up',
});
const grid = (zones: number, racks: number, perRack: number): PlannerNode[] =>
  Array.from({ length: zones * racks * perRack }, (_, i) =>
    node(`n${String(i).padStart(3, '0')}`, { zone: `z${i % zones}`, rack: `r${Math.floor(i / zones) % racks}` }),
  );
const spec = (slots: number, replicationFactor: number, spread: KeyspaceSpec['spread'] = []): KeyspaceSpec => ({
  name: 'orders',
  scheme: { kind: 'hash-slots', slots, hash: 'murmur3', hashTags: false },
  replicationFactor,
  minInSync: 1,
  spread,
});
const zone = { label: 'zone', maxPerDomain: 1, hard: true };
const rack = { label: 'rack', maxPerDomain: 1, hard: true };
const tally = (names: readonly string[]): Map<string, number> =>
  names.reduce((map, n) => map.set(n, (map.get(n) ?? 0) + 1), new Map<string, number>());

describe('placement of a new keyspace', () => {
  it('gives every node floor or ceil of its share and leads evenly, one copy per zone', () => {
    // Place 1,000 x 3 on 12 nodes in three zones; count replicas, leaders and zones per partition.
    const nodes = grid(3, 2, 2);
    const records = placeKeyspace(spec(1000, 3, [zone]), nodes);
    expect([...tally(records.flatMap(votersOf)).values()]).toEqual(new Array(12).fill(250));
    expect([...tally(records.map((r) => leaderOf(r)!)).values()].sort()).toEqual([
      83, 83, 83, 83, 83, 83, 83, 83, 84, 84, 84, 84,
    ]);
    const zoneOf = new Map(nodes.map((n) => [n.entry.id, n.entry.labels['zone']]));
    expect(records.every((r) => new Set(votersOf(r).map((v) => zoneOf.get(v))).size === 3)).toBe(true);
  });

  it('follows weights as far as domains allow', () => {
    // Weights 1, 2 and 4 in one domain: shares are 1/7, 2/7 and 4/7 of 700.
    const records = placeKeyspace(spec(700, 1), [node('a', {}, 1), node('b', {}, 2), node('c', {}, 4)]);
    expect(tally(records.flatMap(votersOf))).toEqual(
      new Map([
        ['a', 100],
        ['b', 200],
        ['c', 400],
      ]),
    );
  });

  it('mixes partners, so that every node of the other zones helps when one is lost', () => {
    // Count the partners of each node in a map of 1,024 partitions on 30 nodes: all 20 of the other zones.
    const records = placeKeyspace(spec(1024, 3, [zone]), grid(3, 2, 5));
    const partners = new Map<string, Set<string>>();
    for (const r of records)
      for (const a of votersOf(r))
        for (const b of votersOf(r)) if (a !== b) partners.set(a, (partners.get(a) ?? new Set()).add(b));
    expect([...partners.values()].every((p) => p.size === 20)).toBe(true);
  });

  it('does not depend on the order of the nodes', () => {
    // Place on the same nodes forwards and backwards.
    const nodes = grid(3, 2, 1);
    expect(placeKeyspace(spec(64, 3, [zone]), nodes)).toEqual(placeKeyspace(spec(64, 3, [zone]), [...nodes].reverse()));
  });

  it.each([
    ['too few zones', spec(8, 3, [zone]), grid(2, 1, 4), 'spread[0]', 'needs 3 zones, 2 exist'],
    ['too few nodes', spec(8, 3), grid(2, 1, 1), 'replicationFactor', 'needs 3 nodes, 2 are up'],
    [
      'room only in name',
      spec(8, 4, [{ ...zone, maxPerDomain: 2 }]),
      [...grid(1, 1, 5), node('x', { zone: 'other' })],
      'spread[0]',
      'the nodes of 2 zones can hold 3 of 4 copies',
    ],
    [
      'two labels together',
      spec(8, 4, [{ ...zone, maxPerDomain: 2 }, rack]),
      [
        ...grid(1, 1, 3),
        node('x', { zone: 'b', rack: 'r1' }),
        node('y', { zone: 'b', rack: 'r2' }),
        node('z', { zone: 'b', rack: 'r3' }),
      ],
      'spread[1]',
      'leave room for 3 of 4 copies',
    ],
  ])('refuses %s by name', (_, asked, nodes, field, message) => {
    // Each demand lacks one thing, which the error names.
    let caught: unknown;
    try {
      checkSatisfiable(asked, nodes);
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(CadastreError);
    expect(caught).toMatchObject({ code: 'UNSATISFIABLE', field, message: expect.stringContaining(message) });
  });

  it('takes racks of the same name in different zones for different racks', () => {
    // Three zones whose racks are all called r0: three copies fit.
    expect(() => checkSatisfiable(spec(8, 3, [rack]), grid(3, 1, 1))).not.toThrow();
  });
});
