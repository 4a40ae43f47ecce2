import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { statSync, writeFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CadastreClient } from '@cadastre/client';
import type { KeyspaceMap, KeyspaceSpec } from '@cadastre/core';
import { leaderOf } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import { callUnary } from '@cadastre/contracts';
import { TestCluster } from '@cadastre/testkit';
import { RecordedLoad } from './support/recorded-load.js';

const SILENCE_MS = 2_000;
const spec = (name: string, slots: number): KeyspaceSpec => ({
  name,
  scheme: { kind: 'hash-slots', slots, hash: 'murmur3', hashTags: false },
  replicationFactor: 3,
  minInSync: 2,
  spread: [],
});

let cluster: TestCluster;
let client: CadastreClient;
let file: string;

beforeAll(async () => {
  cluster = await TestCluster.start({
    controlPlanes: 2,
    agents: 4,
    controlPlaneArgs: ['--silence-ms', String(SILENCE_MS), '--settle-ms', '3000'],
  });
  await cluster.createKeyspace(spec('orders', 12));
  await cluster.createKeyspace(spec('old', 4));
  client = await cluster.client({ requestTimeoutMs: 30_000 });
  file = join(cluster.dir, 'register.backup');
}, 60_000);
afterAll(() => cluster?.stop(), 30_000);

const json = async <T>(...args: string[]): Promise<T> => {
  const { code, stdout, stderr } = await cluster.cli(...args);
  if (code === 1) throw new Error(`cadastre ${args.join(' ')}: ${stderr}${stdout}`);
  return JSON.parse(stdout) as T;
};
const refusal = async (...args: string[]): Promise<string> => {
  const { code, stderr, stdout } = await cluster.cli(...args);
  expect(code).toBe(1);
  return stderr + stdout;
};
const LIMITS = { deadlineMs: 10_000 };
const recovery = () =>
  cluster.operator((p) =>
    callUnary<Wire.GetRecoveryRequest, Wire.Recovery__Output>(p.operator, p.operator.GetRecovery, {}, LIMITS),
  );
const act = (action: string, digest = '') =>
  cluster.operator((p) =>
    callUnary<Wire.ActOnRecoveryRequest, Wire.Recovery__Output>(
      p.operator,
      p.operator.ActOnRecovery,
      { action, digest, actor: 'test', reason: 'drill' },
      LIMITS,
    ),
  );
const mapOf = (name: string) => client.map(name)!;
/** Who leads and who holds copies; which of them are in sync may change at any moment of a busy machine. */
const placement = (map: KeyspaceMap) =>
  map.records().map(
    (r) =>
      `${leaderOf(r)} of ${r.replicas
        .map((x) => x.node)
        .sort()
        .join(' ')}`,
  );
/** By agents, since etcd went; what was set aside before is kept until a person says otherwise. */
const purged = () =>
  [...cluster.agents.values()].flatMap((a) =>
    a
      .log(2_000)
      .split('\n')
      .filter((l) => l.includes('"event":"purged"')),
  );
const etcdUrls = () => cluster.etcd.endpoints.map((e) => `http://${e}`).join(',');

describe('a register that is restored from an older copy', () => {
  // Plan: under load, back up; then a leader dies, copies move, a keyspace is made and one dropped. Control planes and etcd are killed; the
  // old copy is restored into a new etcd. Nothing is believed before a person approves what the agents have; nothing acknowledged is lost.
  it('goes on with what the agents have, once a person approves it', async () => {
    const load = new RecordedLoad({ client, keyspace: 'orders', workers: 5, keys: 40, seed: 11, pauseMs: 4 });
    await cluster.until('the load runs', async () => load.acknowledged > 300);
    const backup = await json<{ sha256: string; incarnation: number }>('backup', '--out', file, '--reason', 'drill');
    expect(backup.incarnation).toBe(1);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(await json('backup', 'verify', file)).toMatchObject({ sha256: backup.sha256, audit: { intact: true } });

    // Not in the copy: by what that says, copies that are set aside would go at once.
    await cluster.changeSettings({ quarantineMs: 3_600_000 });
    await changeTheWorld();
    expect(purged()).toEqual([]);
    const users = client.keyspace('users');
    for (let i = 0; i < 20; i += 1) await users.put(`u${i}`, `user ${i}`);
    await Promise.all([...cluster.controlPlanes.values()].map((c) => c.end('SIGKILL')));
    await cluster.replaceEtcd();
    const before = { orders: placement(mapOf('orders')), users: placement(mapOf('users')) };
    const first = new Map<string, KeyspaceMap>();
    client.onMapChange((name, map) => {
      if (map?.generation.incarnation === 2 && !first.has(name)) first.set(name, map);
    });
    const epochs = mapOf('orders')
      .records()
      .map((r) => r.epoch);

    const restored = await json<{ incarnation: number; agentsAnswered: number }>('restore', file, '--etcd', etcdUrls());
    expect(restored).toMatchObject({ incarnation: 2, agentsAnswered: 4 });
    expect(await refusal('restore', file, '--etcd', etcdUrls())).toContain('not empty');
    await cluster.startControlPlane('cp1');
    await waiting();

    const acknowledged = load.acknowledged;
    expect(await json('recovery', 'approve', '--reason', 'drill')).toMatchObject({ state: 'adopted' });
    await cluster.until('the client acts on the new maps', async () => first.size === 2);
    await cluster.until('it writes', async () => load.acknowledged > acknowledged + 300);
    expect(placement(first.get('orders')!)).toEqual(before.orders);
    expect(placement(first.get('users')!)).toEqual(before.users);
    mapOf('orders')
      .records()
      .forEach((r, p) => expect(r.epoch).toBeGreaterThan(epochs[p]!));
    const report = await load.stop();
    expect(report.violations).toEqual([]);
    expect(report.failures).toEqual([]);
    for (let i = 0; i < 20; i += 1) expect(await users.get(`u${i}`)).toEqual(Buffer.from(`user ${i}`));
    await afterwards();
  }, 120_000);

  // Plan: what is damaged, newer, or lower than what is known is refused with its reason, before anything is written.
  it('refuses what it cannot restore', async () => {
    const broken = join(cluster.dir, 'broken.backup');
    const bytes = readFileSync(file);
    bytes[bytes.length >> 1]! ^= 1;
    writeFileSync(broken, bytes);
    expect(await refusal('backup', 'verify', broken)).toContain('DATA_LOSS');
    expect(await refusal('restore', broken, '--etcd', etcdUrls())).toContain('DATA_LOSS');
    expect(await refusal('restore', file, '--etcd', etcdUrls(), '--incarnation', '1')).toContain('at least 2');
    expect(await refusal('restore', file, '--etcd', etcdUrls(), '--incarnation', '2')).toContain(
      'have heard of incarnation 2',
    );
    expect(await refusal('restore', '--raise-incarnation', '--etcd', etcdUrls())).toContain('stop every control plane');
    expect(await refusal('backup', '--out', file)).toContain('ALREADY_EXISTS');
  }, 30_000);
});

/** After the copy: a leader dies and comes back, a copy moves, a keyspace is made, another one dropped. */
const changeTheWorld = async (): Promise<void> => {
  const victim = leaderOf(mapOf('orders').record(0))!;
  await cluster.agents.get(victim)!.end('SIGKILL');
  await cluster.until(`${victim} leads nothing`, async () =>
    mapOf('orders')
      .records()
      .every((r) => leaderOf(r) !== victim),
  );
  await cluster.startAgent(Number(victim.slice(1)));
  await cluster.createKeyspace(spec('users', 4));
  await json('keyspace', 'drop', 'old', '--confirm', 'old', '--reason', 'drill');
  await cluster.until('all copies are in sync', async () =>
    (await cluster.status()).keyspaces.every((k) => k.underReplicated === 0),
  );
  const record = mapOf('orders').record(1);
  const from = record.replicas.find((r) => r.role === 'follower')!.node;
  const to = ['n1', 'n2', 'n3', 'n4'].find((n) => record.replicas.every((r) => r.node !== n))!;
  const { plan } = await cluster.operator((p) =>
    callUnary<Wire.ProposePlanRequest, Wire.ProposePlanReply__Output>(
      p.operator,
      p.operator.ProposePlan,
      { actor: 'test', moves: [{ keyspace: 'orders', partition: 1, from, to }] },
      LIMITS,
    ),
  );
  await cluster.actOnPlan(plan!.id, 'approve', plan!.digest);
  await cluster.until('the move is done', async () => (await cluster.plan(plan!.id)).state === 'completed');
  await cluster.until('the client knows all', async () => mapOf('users').partitions === 4);
};

/** While nobody has approved: data is served, nothing changes. */
const waiting = async (): Promise<void> => {
  await cluster.until('all nodes are heard', async () => {
    const { state, waitsFor, keyspaces } = await recovery();
    return state === 'waiting' && waitsFor.length === 0 && keyspaces.length === 3;
  });
  expect((await cluster.status()).health).toContain('restored from a copy and waits');
  await expect(cluster.propose()).rejects.toThrow('restored from a copy');
  expect(mapOf('orders').generation.incarnation).toBe(1);
  const found = await recovery();
  expect(found.keyspaces.map((k) => `${k.name} ${k.verdict}`)).toEqual(['old gone', 'orders moved-on', 'users found']);
  await expect(act('approve', 'another')).rejects.toMatchObject({ code: 'PLAN_CHANGED' });
};

/** Nothing is purged until a person says so; the audit log tells of it all; a new keyspace under an old name starts above the old one. */
const afterwards = async (): Promise<void> => {
  const { state, keptCopies } = await recovery();
  expect({ state, kept: keptCopies > 0 }).toEqual({ state: 'adopted', kept: true });
  const { entries } = await cluster.operator((p) =>
    callUnary<Wire.ListAuditRequest, Wire.ListAuditReply__Output>(
      p.operator,
      p.operator.ListAudit,
      { limit: 20 },
      LIMITS,
    ),
  );
  expect(entries.map((e) => e.verb)).toEqual(expect.arrayContaining(['restore', 'recover', 'backup']));
  const verdict = await cluster.operator((p) =>
    callUnary<Wire.VerifyAuditRequest, Wire.VerifyAuditReply__Output>(p.operator, p.operator.VerifyAudit, {}, LIMITS),
  );
  expect(verdict.intact).toBe(true);
  await expect(cluster.createKeyspace(spec('old', 4))).rejects.toThrow('kept since a restore');
  expect(purged()).toEqual([]);
  expect((await act('finish')).state).toBe('none');
  await cluster.until('what no map names is purged', async () => purged().length === keptCopies);
  await cluster.createKeyspace(spec('old', 4));
  expect((await cluster.keyspace('old')).spec?.firstEpoch).toBeGreaterThan(1_000_000);
};
