import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import type { ScenarioResult, SimulationResult } from '@cadastre/core';
import { run } from '../program.js';
import { FakeIo } from '../testing/fake-io.js';

const folder = mkdtempSync(join(tmpdir(), 'simulate-'));
afterAll(() => rmSync(folder, { recursive: true }));

const nodes = (text: string) => text.split(' ').map((id) => ({ id }));
const rows = (count: number, of: string[]) =>
  Array.from({ length: count }, (_, id) => ({ id, replicas: [of[id % of.length]!] }));
const cluster = {
  nodes: nodes('a b c d'),
  keyspaces: [{ name: 'k', replicationFactor: 1, partitions: rows(12, ['a', 'b', 'c']) }],
};

const simulate = async (document: unknown, ...args: string[]) => {
  writeFileSync(join(folder, 'in.json'), typeof document === 'string' ? document : JSON.stringify(document));
  const io = new FakeIo(folder);
  const code = await run(['plan', 'simulate', '--input', 'in.json', ...args], io);
  return { code, io };
};

const withKeyspace = (fields: object) => ({ ...cluster, keyspaces: [{ ...cluster.keyspaces[0], ...fields }] });
const withNodes = (given: object[]) => ({ ...cluster, nodes: given });

/** What is wrong, the document, the code, and the field of the error. */
const BAD: readonly [string, unknown, string, string][] = [
  ['no JSON', '{', 'INVALID_ARGUMENT', '--input'],
  ['NaN, which JSON cannot say', '{"nodes":[{"id":"a","weight":NaN}],"keyspaces":[]}', 'INVALID_ARGUMENT', '--input'],
  ['an empty cluster', withNodes([]), 'INVALID_ARGUMENT', 'keyspaces[0].partitions[0].replicas[0]'],
  [
    'an empty cluster to build on',
    { nodes: [], keyspaces: [{ name: 'k', replicationFactor: 1, partitions: 4 }] },
    'UNSATISFIABLE',
    'keyspaces[0].replicationFactor',
  ],
  ['RF over the nodes', withKeyspace({ replicationFactor: 5 }), 'UNSATISFIABLE', 'keyspaces[0].replicationFactor'],
  [
    'RF over the domains',
    {
      nodes: ['a', 'b', 'c'].map((id, i) => ({ id, labels: { zone: `z${i % 2}` } })),
      keyspaces: [{ name: 'k', replicationFactor: 3, partitions: 4, maxPerDomain: { zone: 1 } }],
    },
    'UNSATISFIABLE',
    'keyspaces[0].spread[0]',
  ],
  [
    'an unknown label',
    withKeyspace({ replicationFactor: 2, maxPerDomain: { raack: 1 } }),
    'UNSATISFIABLE',
    'keyspaces[0].spread[0]',
  ],
  [
    'rules that contradict each other',
    {
      nodes: ['ssd', 'hdd'].map((disk) => ({ id: disk, labels: { disk } })),
      keyspaces: [
        {
          name: 'k',
          replicationFactor: 1,
          partitions: 1,
          policy: {
            required: [{ label: 'disk', op: 'in', values: ['ssd'] }],
            forbidden: [{ label: 'disk', op: 'in', values: ['ssd'] }],
          },
        },
      ],
    },
    'UNSATISFIABLE',
    'keyspaces[0].required[0]',
  ],
  [
    'a policy with a misspelt field',
    withKeyspace({ policy: { spreads: [] } }),
    'INVALID_ARGUMENT',
    'keyspaces[0].policy.spreads',
  ],
  ['zero weight', withNodes([...nodes('a b c'), { id: 'd', weight: 0 }]), 'INVALID_ARGUMENT', 'nodes[3].weight'],
  ['negative weight', withNodes([...nodes('a b c'), { id: 'd', weight: -2 }]), 'INVALID_ARGUMENT', 'nodes[3].weight'],
  [
    'a load that is no number',
    withKeyspace({ partitions: [{ id: 0, replicas: ['a'], load: { cpu: 'NaN' } }] }),
    'INVALID_ARGUMENT',
    'keyspaces[0].partitions[0].load.cpu',
  ],
  [
    'an unknown node in replicas',
    withKeyspace({ partitions: rows(1, ['x']) }),
    'INVALID_ARGUMENT',
    'keyspaces[0].partitions[0].replicas[0]',
  ],
  [
    'the same node twice',
    withKeyspace({ partitions: [{ id: 0, replicas: ['a', 'a'] }] }),
    'INVALID_ARGUMENT',
    'keyspaces[0].partitions[0].replicas[1]',
  ],
];

describe('plan simulate', () => {
  it('prints one JSON document with every figure of the plan', async () => {
    // 12 partitions on a, b, c; d is new. The same digest under the same reason, another under another.
    const { code, io } = await simulate(cluster, '--json');
    const found = io.json<SimulationResult>();
    expect(code).toBe(0);
    expect(found).toMatchObject({ moves: 3, lowerBound: { moves: 3 }, ratio: 1, violationsAfter: 0, bytesMoved: 0 });
    expect(found.steps.flat()).toHaveLength(3);
    expect(found.steps[0]![0]).toMatchObject({ to: 'd', reason: expect.any(String) as unknown });
    expect(found.digest).toMatch(/^[0-9a-f]{64}$/);
    expect((await simulate(cluster, '--json')).io.json<SimulationResult>().digest).toBe(found.digest);
    const other = (await simulate(cluster, '--json', '--reason', 'because')).io.json<SimulationResult>();
    expect(other.digest).not.toBe(found.digest);
  });

  it('takes its own assignment as input, and then has nothing to do', async () => {
    // The plan's end put in again.
    const first = (await simulate(cluster, '--json')).io.json<SimulationResult>();
    const again = withKeyspace(first.assignment[0]!);
    const { io } = await simulate(again, '--json');
    expect(io.json<SimulationResult>()).toMatchObject({ moves: 0, steps: [], digest: '' });
    expect(io.json<SimulationResult>().nothingBecause).not.toBe('');
  });

  it('gives one result for each set of nodes', async () => {
    // Built on two nodes, then four, then three.
    const sets = {
      nodeSets: [nodes('a b'), nodes('a b c d'), nodes('a b c')],
      keyspaces: [{ name: 'k', replicationFactor: 1, partitions: 12 }],
    };
    const { io } = await simulate(sets, '--json');
    const { results, total } = io.json<ScenarioResult>();
    expect(results.map((r) => r.moves)).toEqual([0, 6, 3]);
    expect(total).toMatchObject({ moves: 9, lowerBoundMoves: 9, ratio: 1 });
    expect((await simulate(sets)).io.out).toContain('moves in all  9, lower bound 9, ratio 1.000');
  });

  it('keeps to the limits that it is given', async () => {
    // One move at a time makes as many steps as moves.
    const { io } = await simulate(cluster, '--json', '--limits', 'cluster=1');
    expect(io.json<SimulationResult>().steps.map((s) => s.length)).toEqual([1, 1, 1]);
  });

  it('explains an empty plan when every node drains', async () => {
    // Nowhere to go is no error: it says so.
    const { code, io } = await simulate(withNodes(cluster.nodes.map((n) => ({ ...n, state: 'draining' }))), '--json');
    const found = io.json<SimulationResult>();
    expect([code, found.moves]).toEqual([0, 0]);
    expect(found.nothingBecause).toMatch(/12 copies stay on|no node/);
  });

  it.each(BAD)('refuses %s', async (_, document, code, field) => {
    // One line of JSON on standard error, nothing on standard output.
    const { code: exit, io } = await simulate(document, '--json');
    expect([exit, io.out]).toEqual([1, '']);
    expect(JSON.parse(io.err)).toMatchObject({ error: { code, field, remedy: expect.any(String) as unknown } });
  });

  it.each([
    ['--limits nix=1', /--limits: "nix=1" cannot be read/],
    ['--limits cluster=0', /--limits: cluster: "0" is no limit/],
    ['--limits cluster=1.5', /is no limit/],
    ['--tolerance 2', /--tolerance: "2" is no share/],
    ['--min-gain x', /--min-gain: "x" is no share/],
  ])('refuses %s', async (flags, message) => {
    // The flag is named.
    const { code, io } = await simulate(cluster, ...flags.split(' '));
    expect(code).toBe(1);
    expect(io.err).toMatch(message);
  });
});
