import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { CadastreClient } from '@cadastre/client';
import { leaderOf } from '@cadastre/core';
import { TestCluster, Workload } from '@cadastre/testkit';

const KEYSPACE = 'orders';
const PARTITIONS = 12;
const SILENCE_MS = 2_500;

let cluster: TestCluster;
let client: CadastreClient;

beforeAll(async () => {
  cluster = await TestCluster.start({
    controlPlanes: 1,
    agents: 6,
    controlPlaneArgs: ['--silence-ms', String(SILENCE_MS)],
  });
  await cluster.createKeyspace({
    name: KEYSPACE,
    scheme: { kind: 'hash-slots', slots: PARTITIONS, hash: 'murmur3', hashTags: false },
    replicationFactor: 3,
    minInSync: 2,
    spread: [{ label: 'zone', maxPerDomain: 1, hard: true }],
  });
  client = await cluster.client();
}, 60_000);
afterAll(() => cluster?.stop(), 30_000);

const records = () => client.map(KEYSPACE)!.records();
const leads = (node: string): number => records().filter((r) => leaderOf(r) === node).length;
const inSync = (node: string): number =>
  records().filter((r) => r.replicas.some((x) => x.node === node && x.inSync)).length;
const holds = (node: string): number => records().filter((r) => r.replicas.some((x) => x.node === node)).length;
const whole = () =>
  cluster.until('whole', async () => {
    const status = await cluster.status();
    return status.nodesUp === 6 && status.keyspaces.every((k) => k.underReplicated === 0);
  });
const load = (seed: number): Workload =>
  new Workload({ client, keyspace: KEYSPACE, workers: 6, keysPerWorker: 40, seed, pauseMs: 3 });
const expectClean = async (workload: Workload): Promise<number> => {
  const report = await workload.stop();
  expect(report.failures).toEqual([]);
  expect(report.wrong).toEqual([]);
  expect(await workload.verify()).toEqual([]);
  return report.longestGapMs;
};

describe('nodes that die, stand still and come back', () => {
  // Plan: kill -9 a leader under load; others lead within seconds, nothing acknowledged is lost; it comes back, catches up by its log, not by
  // a copy, and gets leaderships back.
  it('fails over a killed leader, and takes it back by its log', async () => {
    await whole();
    const workload = load(1);
    const led = leads('n1');
    expect(led).toBeGreaterThan(0);
    // A copy that no write has reached yet is nothing on the disk, and is rightly built anew.
    await cluster.until('every partition has been written to', async () => workload.operations > 2_000);
    await cluster.agents.get('n1')!.end('SIGKILL');
    await cluster.until('n1 leads nothing', async () => leads('n1') === 0 && inSync('n1') === 0);
    expect(await expectClean(workload)).toBeLessThan(6_000);
    const again = load(2);
    const agent = await cluster.startAgent(1);
    await whole();
    await cluster.until('n1 leads again', async () => leads('n1') >= led);
    await expectClean(again);
    expect(inSync('n1')).toBe(holds('n1'));
    expect(agent.log(2_000)).not.toContain('"event":"filled"');
  }, 120_000);

  // Plan: a leader stands still for less than the time of silence; it keeps all that it leads. Then for longer; others lead, and when it
  // wakes nothing that was acknowledged is lost and it does no harm.
  it('waits for a slow node and takes over from a silent one', async () => {
    await whole();
    const workload = load(3);
    const agent = cluster.agents.get('n2')!;
    const before = leads('n2');
    expect(before).toBeGreaterThan(0);
    agent.signal('SIGSTOP');
    await new Promise((resolve) => setTimeout(resolve, SILENCE_MS / 3));
    agent.signal('SIGCONT');
    await whole();
    expect(leads('n2')).toBe(before);
    agent.signal('SIGSTOP');
    await cluster.until('n2 leads nothing', async () => leads('n2') === 0, 20_000);
    expect(cluster.controlPlanes.get('cp1')!.log(2_000)).toContain('silent towards');
    agent.signal('SIGCONT');
    await whole();
    await expectClean(workload);
  }, 120_000);
});
