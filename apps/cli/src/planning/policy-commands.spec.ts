import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { encodeSpec, type Wire } from '@cadastre/contracts';
import type { SimulationResult } from '@cadastre/core';
import { run } from '../program.js';
import { FakeIo } from '../testing/fake-io.js';
import { FakeOperator } from '../testing/fake-operator.js';

const folder = mkdtempSync(join(tmpdir(), 'policy-'));
afterAll(() => rmSync(folder, { recursive: true }));
let fake: FakeOperator;
beforeEach(async () => {
  fake = await new FakeOperator().listen();
});
afterEach(() => fake.cut());

const cadastre = async (line: string, input = '') => {
  const io = new FakeIo(folder, input);
  const code = await run([...line.split(' '), '--server', fake.address], io);
  return { code, io };
};
const file = (name: string, content: unknown): void => writeFileSync(join(folder, name), JSON.stringify(content));

const POLICY = {
  replicationFactor: 2,
  spread: [{ label: 'zone', hard: true, maxPerDomain: 1 }],
  required: [{ label: 'disk', op: 'in', values: ['ssd'] }],
};

describe('policies on the command line', () => {
  it('makes a keyspace under a policy of a file', async () => {
    // Copies and spread come from the file where no flag says otherwise; the usual spread is left out.
    file('policy.json', POLICY);
    expect((await cadastre('keyspace create orders --partitions 4 --policy policy.json')).code).toBe(0);
    const { spec } = fake.requests('create')[0] as { spec: Wire.KeyspaceSpec__Output };
    expect(spec).toMatchObject({ replicationFactor: 2, minInSync: 2, spread: [] });
    expect(spec.policy?.fields).toMatchObject({
      spread: [{ label: 'zone', maxPerDomain: 1 }],
      required: { rules: [{ label: 'disk', op: 'in', values: ['ssd'] }] },
    });
  });

  it('writes and shows the policy of a keyspace and of the cluster', async () => {
    // Set from standard input and from a file, shown as it was given.
    const set = await cadastre('keyspace policy orders --set - --reason why', JSON.stringify(POLICY));
    expect(set.code).toBe(0);
    expect(fake.requests('setPolicy')[0]).toMatchObject({ keyspace: 'orders', actor: 'tester', reason: 'why' });
    const shown = await cadastre('keyspace policy orders --show --json');
    expect(shown.io.json()).toMatchObject({ keyspace: 'orders', policy: POLICY });
    file('cluster.json', { forbidden: [{ label: 'spot', op: 'exists' }] });
    expect((await cadastre('policy --set cluster.json')).io.out).toContain('the cluster; keyspaces inherit it');
    expect((await cadastre('policy')).io.out).toContain('"op": "exists"');
  });

  it.each([
    ['keyspace policy orders --set nowhere.json', /--set: ENOENT/],
    ['keyspace policy orders --set bad.json', /policy.copysets: "odd" is unknown/],
    ['keyspace policy orders --set bad.json --show', /--show: does not go with --set/],
    ['keyspace create orders --policy bad.json', /policy.copysets/],
    ['plan why orders x n1', /partition: "x" is no partition/],
  ])('refuses %s without asking anybody', async (line, message) => {
    // The file or flag is named.
    file('bad.json', { copysets: 'odd' });
    const { code, io } = await cadastre(line);
    expect([code, fake.asked]).toEqual([1, []]);
    expect(io.err).toMatch(message);
  });
});

describe('plan why', () => {
  it('asks the cluster', async () => {
    // The verdict with its rule, value and limit, for people and for programs.
    const { io } = await cadastre('plan why orders 3 n1');
    expect(fake.requests('why')[0]).toMatchObject({ keyspace: 'orders', partition: 3, node: 'n1' });
    expect(io.out).toMatch(/verdict +cannot/);
    expect(io.out).toContain('spread[0]: 2, limit 1');
    expect((await cadastre('plan why orders 3 n1 --json')).io.json()).toMatchObject({ verdict: 'cannot', limit: '1' });
  });

  it('answers from a file without a cluster', async () => {
    // d is empty: it gets a partition; a keeps one; an unknown one is refused.
    const partitions = Array.from({ length: 12 }, (_, id) => ({ id: `p${id}`, replicas: ['abc'[id % 3]!] }));
    const nodes = [...'abcd'].map((id) => ({ id }));
    file('in.json', { nodes, keyspaces: [{ name: 'k', replicationFactor: 1, partitions }] });
    const ask = async (partition: string, node: string) =>
      (await cadastre(`plan why k ${partition} ${node} --input in.json --json`)).io;
    const verdicts = new Set<unknown>();
    for (let i = 0; i < 12; i += 1) verdicts.add((await ask(`p${i}`, 'd')).json<{ verdict: string }>().verdict);
    expect(verdicts).toEqual(new Set(['arrives', 'could']));
    expect((await ask('p0', 'a')).json()).toMatchObject({ partition: 'p0', role: 'leader' });
    expect(JSON.parse((await ask('p99', 'a')).err)).toMatchObject({ error: { code: 'NOT_FOUND', field: 'partition' } });
    expect(fake.asked).toEqual([]);
  });
});

describe('plan export', () => {
  it('records a cluster that the simulator takes', async () => {
    // Nodes, policies and sizes of the live cluster in a file; nothing is to be done there either.
    fake.keyspaces.set(
      'orders',
      encodeSpec({
        name: 'orders',
        scheme: { kind: 'hash-slots', slots: 4, hash: 'murmur3', hashTags: false },
        replicationFactor: 1,
        minInSync: 1,
        spread: [{ label: 'zone', maxPerDomain: 1, hard: true }],
        policy: { required: [{ label: 'disk', op: 'exists' }] },
      }) as Wire.KeyspaceSpec__Output,
    );
    const entry = { id: 'n1', labels: { zone: 'a', disk: 'ssd' }, weight: 1, address: 'a:1' };
    fake.nodes = [{ entry, state: 'up', capacity: { bytes: 1_000 } }];
    expect((await cadastre('plan export --output out.json')).io.out).toContain('1 node and 4 partitions');
    const exported = JSON.parse(readFileSync(join(folder, 'out.json'), 'utf8')) as object;
    expect(exported).toMatchObject({
      nodes: [{ id: 'n1', labels: { zone: 'a', disk: 'ssd' }, weight: 1, capacity: { bytes: 1_000 }, state: 'up' }],
      keyspaces: [
        {
          name: 'orders',
          replicationFactor: 1,
          generation: { incarnation: 1, number: 1 },
          policy: {
            spread: [{ label: 'zone', maxPerDomain: 1, hard: true }],
            required: [{ label: 'disk', op: 'exists' }],
          },
          partitions: [0, 1, 2, 3].map((id) => ({ id, epoch: 1, bytes: 10 * id, replicas: ['n1'] })),
        },
      ],
    });
    const simulated = await cadastre('plan simulate --input out.json --json');
    expect(simulated.io.json<SimulationResult>()).toMatchObject({ moves: 0, violationsBefore: 0 });
  });
});
