import { afterEach, describe, expect, it } from '@jest/globals';
import type { CadastreClient } from '@cadastre/client';
import type { KeyspaceSpec } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import { forEachConcurrently, TestCluster, Workload } from '@cadastre/testkit';

const KEYSPACE = 'pkgs';
const PARTITIONS = 24;
const RECORDS = 10_000;

const spec: KeyspaceSpec = {
  name: KEYSPACE,
  scheme: { kind: 'hash-slots', slots: PARTITIONS, hash: 'murmur3', hashTags: false },
  replicationFactor: 3,
  minInSync: 2,
  spread: [{ label: 'zone', maxPerDomain: 1, hard: true }],
};

const recordOf = (i: number): [string, string] => [
  `package-${i}`,
  JSON.stringify({ name: `package-${i}`, version: `${i % 7}.${i % 13}`, description: 'x'.repeat(50 + (i % 200)) }),
];
const records = Array.from({ length: RECORDS }, (_, i) => recordOf(i));

const load = (client: CadastreClient) =>
  forEachConcurrently(records, 64, ([key, value]) => client.keyspace(KEYSPACE).put(key, value));

/** Every imported record again, whole. */
const compareAll = async (client: CadastreClient): Promise<string[]> => {
  const differences: string[] = [];
  await forEachConcurrently(records, 64, async ([key, value]) => {
    const found = await client.keyspace(KEYSPACE).get(key);
    if (found === undefined || Buffer.from(found).toString() !== value) differences.push(key);
  });
  return differences;
};

const zoneOf = async (cluster: TestCluster): Promise<Map<string, string>> => {
  const { nodes } = await cluster.nodes();
  return new Map(nodes.map((n) => [n.entry!.id, n.entry!.labels['zone']!]));
};

const expectThreeZones = async (cluster: TestCluster): Promise<void> => {
  const zones = await zoneOf(cluster);
  const keyspace = await cluster.keyspace(KEYSPACE);
  expect(keyspace.records.length).toBe(PARTITIONS);
  for (const record of keyspace.records) {
    expect(record.replicas.map((r) => r.inSync)).toEqual([true, true, true]);
    expect(new Set(record.replicas.map((r) => zones.get(r.node))).size).toBe(3);
  }
};

/** Where the approved moves lead, applied to the placement before. */
const placementAfter = (
  before: Wire.Keyspace__Output,
  plan: Wire.Plan__Output,
): Map<number, { nodes: string[]; leader: string }> => {
  const placement = new Map(
    before.records.map((r) => [
      r.partition,
      { nodes: r.replicas.map((x) => x.node), leader: r.replicas.find((x) => x.role === 'LEADER')!.node },
    ]),
  );
  for (const move of plan.moves) {
    const place = placement.get(move.partition)!;
    if (move.kind !== 'leader') place.nodes = [...place.nodes.filter((n) => n !== move.from), move.to];
    place.leader = move.leaderAfter || place.leader;
  }
  for (const place of placement.values()) place.nodes.sort();
  return placement;
};

const placementNow = (keyspace: Wire.Keyspace__Output) =>
  new Map(
    keyspace.records.map((r) => [
      r.partition,
      { nodes: r.replicas.map((x) => x.node).sort(), leader: r.replicas.find((x) => x.role === 'LEADER')?.node },
    ]),
  );

interface Begun {
  readonly cluster: TestCluster;
  readonly client: CadastreClient;
  readonly workload: Workload;
  readonly before: Wire.Keyspace__Output;
  readonly plan: Wire.Plan__Output;
}

/** Up to the approval: data in, load on, a seventh agent, the plan read. */
const begin = async (): Promise<Begun> => {
  cluster = await TestCluster.start({ controlPlanes: 2, agents: 6, zones: 3, racksPerZone: 2 });
  await cluster.createKeyspace(spec);
  const client = await cluster.client();
  await load(client);
  const workload = new Workload({ client, keyspace: KEYSPACE, workers: 8, keysPerWorker: 50, seed: 1, pauseMs: 2 });
  await cluster.startAgent(7);
  await cluster.until('n7 is up', async () => (await cluster!.status()).nodesUp === 7);
  const before = await cluster.keyspace(KEYSPACE);
  const { plan } = await cluster.propose();
  if (!plan) throw new Error('no plan was proposed for the seventh agent');
  return { cluster, client, workload, before, plan };
};

const movesDone = async (c: TestCluster, id: string): Promise<number> =>
  (await c.plan(id)).moves.filter((m) => m.phase === 'done').length;

const endState = async (c: TestCluster, id: string, withinMs = 90_000): Promise<Wire.Plan__Output> => {
  const ended = new Set(['completed', 'failed', 'cancelled', 'superseded']);
  await c.until(`plan ${id} ends`, async () => ended.has((await c.plan(id)).state), withinMs);
  return c.plan(id);
};

let cluster: TestCluster | undefined;
afterEach(async () => {
  await cluster?.stop();
  cluster = undefined;
}, 30_000);

describe('the main job on real processes', () => {
  // Plan: six agents, data, load; a seventh joins; approve and watch; no operation fails, nothing is lost, what was approved is what ran.
  it('takes a seventh agent in while a client reads and writes without one error', async () => {
    const { client, workload, before, plan } = await begin();
    expect(plan.cost!.replicaMoves).toBe(plan.cost!.lowerBoundMoves);
    await cluster!.actOnPlan(plan.id, 'approve', plan.digest);
    const ended = await endState(cluster!, plan.id);
    const report = await workload.stop();
    expect(ended).toMatchObject({ state: 'completed', digest: plan.digest });
    expect(report.failures).toEqual([]);
    expect(report.wrong).toEqual([]);
    expect(report.operations).toBeGreaterThan(500);
    expect(await workload.verify()).toEqual([]);
    expect(await compareAll(client)).toEqual([]);
    expect(placementNow(await cluster!.keyspace(KEYSPACE))).toEqual(placementAfter(before, plan));
    await expectThreeZones(cluster!);
    // What clients felt is in the report, and the load of the run's partitions is known by partition.
    const told = await cluster!.report(plan.id);
    expect(told).toMatchObject({ final: true, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect(told.plan?.latency?.during?.answers).toBeGreaterThan(0);
    expect(told.plan?.latency?.during?.p99Us).toBeGreaterThanOrEqual(told.plan!.latency!.during!.p50Us);
    const heat = await cluster!.heat(KEYSPACE);
    expect(heat.hottest[0]?.readsPerSecond).toBeGreaterThan(0);
    expect(heat.values.some((value) => value > 0)).toBe(true);
    const again = await cluster!.propose();
    expect(again.plan ?? null).toBeNull();
  }, 180_000);

  // Plan: kill -9 the active control plane in the middle of the run; the other goes on with the same plan in under 10 s, no copy is begun twice.
  it('resumes the same plan when the active control plane is killed', async () => {
    const { client, workload, before, plan } = await begin();
    await cluster!.actOnPlan(plan.id, 'approve', plan.digest);
    await cluster!.until('the run has begun', async () => (await movesDone(cluster!, plan.id)) >= 2);
    const { active } = await cluster!.status();
    await cluster!.controlPlanes.get(active)!.end('SIGKILL');
    const killedAt = performance.now();
    const doneThen = await movesDone(cluster!, plan.id);
    await cluster!.until(
      'another controller is active',
      async () => {
        const status = await cluster!.status();
        return status.active !== '' && status.active !== active;
      },
      10_000,
    );
    await cluster!.until(
      'it goes on',
      async () =>
        (await movesDone(cluster!, plan.id)) > doneThen || (await cluster!.plan(plan.id)).state === 'completed',
      10_000,
    );
    expect(performance.now() - killedAt).toBeLessThan(10_000);
    const ended = await endState(cluster!, plan.id);
    const report = await workload.stop();
    expect(ended).toMatchObject({ state: 'completed', digest: plan.digest });
    expect(report.failures).toEqual([]);
    expect(report.wrong).toEqual([]);
    expect(await workload.verify()).toEqual([]);
    expect(await compareAll(client)).toEqual([]);
    expect(placementNow(await cluster!.keyspace(KEYSPACE))).toEqual(placementAfter(before, plan));
    expect(copiesBegun(cluster!)).toEqual(copiesPlanned(plan));
  }, 180_000);

  // Plan: kill -9 the target in the middle of the run and bring it back; every source stays whole, the plan says what happened and ends.
  it('keeps every source whole when the target agent is killed', async () => {
    const { client, workload, plan } = await begin();
    await cluster!.actOnPlan(plan.id, 'approve', plan.digest);
    await cluster!.until('the run has begun', async () => (await movesDone(cluster!, plan.id)) >= 1);
    await cluster!.agents.get('n7')!.end('SIGKILL');
    await cluster!.until(
      'the plan says what happened',
      async () => (await cluster!.plan(plan.id)).moves.some((m) => m.note.includes('n7 is down')),
      30_000,
    );
    expect(await compareAll(client)).toEqual([]);
    await cluster!.startAgent(7);
    const ended = await endState(cluster!, plan.id);
    const report = await workload.stop();
    expect(ended.state).toBe('completed');
    expect(report.failures).toEqual([]);
    expect(report.wrong).toEqual([]);
    expect(await workload.verify()).toEqual([]);
    expect(await compareAll(client)).toEqual([]);
    await cluster!.until('all copies in sync', async () => (await cluster!.keyspace(KEYSPACE)).underReplicated === 0);
    await expectThreeZones(cluster!);
  }, 240_000);
});

/** From the controllers' own logs: how often the copy of each move was begun. */
const copiesBegun = (c: TestCluster): string[] =>
  [...c.controlPlanes.values()]
    .flatMap((p) => p.log(10_000).split('\n'))
    .filter((line) => line.includes('"did":"add-learner"'))
    .map((line) => JSON.parse(line) as { move: number })
    .map((line) => `move ${line.move}`)
    .sort();

const copiesPlanned = (plan: Wire.Plan__Output): string[] =>
  plan.moves
    .filter((m) => m.kind !== 'leader')
    .map((m) => `move ${m.index}`)
    .sort();
