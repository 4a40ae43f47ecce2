import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { CadastreClient } from '@cadastre/client';
import type { KeyspaceSpec } from '@cadastre/core';
import { forEachConcurrently, TestCluster, Workload } from '@cadastre/testkit';
import { expectRefused } from './support/refusal.js';

const KEYSPACE = 'pkgs';
const RECORDS = 200;
const OUTAGE_MS = 5_000;

const spec: KeyspaceSpec = {
  name: KEYSPACE,
  scheme: { kind: 'hash-slots', slots: 12, hash: 'murmur3', hashTags: false },
  replicationFactor: 3,
  minInSync: 2,
  spread: [{ label: 'zone', maxPerDomain: 1, hard: true }],
};
const records = Array.from({ length: RECORDS }, (_, i): [string, string] => [`package-${i}`, `value ${i}`]);

let cluster: TestCluster;
let client: CadastreClient;
let cacheFile: string;

beforeAll(async () => {
  cluster = await TestCluster.start({ controlPlanes: 2, agents: 4, zones: 3 });
  await cluster.createKeyspace(spec);
  cacheFile = join(cluster.dir, 'client.map');
  client = await cluster.client({ cacheFile });
  await forEachConcurrently(records, 32, ([key, value]) => client.keyspace(KEYSPACE).put(key, value));
  await cluster.until('the client has saved its map', async () => existsSync(cacheFile));
}, 60_000);
afterAll(() => cluster?.stop(), 30_000);

const differences = async (through: CadastreClient): Promise<string[]> => {
  const wrong: string[] = [];
  await forEachConcurrently(records, 32, async ([key, value]) => {
    const found = await through.keyspace(KEYSPACE).get(key);
    if (Buffer.from(found ?? []).toString() !== value) wrong.push(key);
  });
  return wrong;
};

const placement = (through: CadastreClient) => {
  const map = through.map(KEYSPACE)!;
  return Array.from({ length: map.partitions }, (_, p) => map.record(p));
};

describe('with the control plane and etcd gone', () => {
  // Plan: under load, kill both control planes and etcd; for five seconds no request fails and no partition moves.
  it('a running client reads and writes on', async () => {
    const before = placement(client);
    const workload = new Workload({ client, keyspace: KEYSPACE, workers: 8, keysPerWorker: 25, seed: 7, pauseMs: 2 });
    await cluster.until('the load runs', async () => workload.operations > 100);
    await Promise.all([...cluster.controlPlanes.values()].map((c) => c.end('SIGKILL')));
    await cluster.etcd.kill();
    const atDeath = workload.operations;
    const goneAt = performance.now();
    await cluster.until('five seconds have passed', async () => performance.now() - goneAt >= OUTAGE_MS);
    const report = await workload.stop();
    expect(report.failures).toEqual([]);
    expect(report.wrong).toEqual([]);
    expect(report.operations - atDeath).toBeGreaterThan(500);
    expect(report.longestGapMs).toBeLessThan(2_000);
    expect(await workload.verify()).toEqual([]);
    expect(await differences(client)).toEqual([]);
    expect(placement(client)).toEqual(before);
  }, 40_000);

  // Plan: a client that starts now finds its way by the file alone; one without a file says what would help.
  it('a new client starts from its file', async () => {
    const began = performance.now();
    const second = await cluster.client({ cacheFile, name: 'second' });
    expect(performance.now() - began).toBeLessThan(3_000);
    expect(await differences(second)).toEqual([]);
    await second.keyspace(KEYSPACE).put('written-without', 'a control plane');
    expect(await client.keyspace(KEYSPACE).get('written-without')).toEqual(Buffer.from('a control plane'));
    await expectRefused(() => cluster.client({ requestTimeoutMs: 500 }), {
      code: 'UNAVAILABLE',
      field: 'controlPlanes',
      remedy: /cacheFile/,
    });
  }, 20_000);

  // Plan: kill -9 an agent that leads, start it again; it serves what it led, and its writes reach the others, by its map file alone.
  it('an agent that is started again serves from its map file', async () => {
    const map = client.map(KEYSPACE)!;
    const led = records.filter(([key]) => map.leader(map.partitionOf(Buffer.from(key)))?.id === 'n2');
    expect(led.length).toBeGreaterThan(0);
    await cluster.agents.get('n2')!.end('SIGKILL');
    await cluster.startAgent(2);
    const second = await cluster.client({ cacheFile, name: 'third', requestTimeoutMs: 10_000 });
    for (const [key, value] of led) expect(await second.keyspace(KEYSPACE).get(key)).toEqual(Buffer.from(value));
    for (const [key, value] of led) await second.keyspace(KEYSPACE).put(key, value);
    expect(await differences(client)).toEqual([]);
  }, 30_000);

  // Plan: etcd comes back on its data, then the control planes; all nodes are up again, nothing has moved, and a plan can be proposed.
  it('change goes on when they are back', async () => {
    const before = placement(client).map((r) => r.replicas.map((x) => x.node).sort());
    const leaders = placement(client).map((r) => r.replicas.find((x) => x.role === 'leader')?.node);
    await cluster.etcd.restart();
    await Promise.all(['cp1', 'cp2'].map((id) => cluster.startControlPlane(id)));
    await cluster.until(
      'all nodes are up',
      async () => {
        const status = await cluster.status();
        return status.active !== '' && status.nodesUp === 4;
      },
      30_000,
    );
    await cluster.until(
      'all copies are in sync',
      async () => (await cluster.keyspace(KEYSPACE)).underReplicated === 0,
      30_000,
    );
    const after = (await cluster.keyspace(KEYSPACE)).records;
    expect(after.map((r) => r.replicas.map((x) => x.node).sort())).toEqual(before);
    expect(after.map((r) => r.replicas.find((x) => x.role === 'LEADER')?.node)).toEqual(leaders);
    expect(await differences(client)).toEqual([]);
    await cluster.drain('n4');
    const { plan } = await cluster.propose();
    expect(plan?.state).toBe('proposed');
    expect(plan?.moves.length).toBeGreaterThan(0);
  }, 90_000);
});
