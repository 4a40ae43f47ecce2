import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { EtcdStore, keys, op } from '@cadastre/store';
import { TestCluster } from '@cadastre/testkit';

/** Of replicas that are started from now on. */
const controlPlaneArgs = ['--election-ttl-ms', '2000', '--settle-ms', '1000'];
let cluster: TestCluster;
let store: EtcdStore;

beforeAll(async () => {
  cluster = await TestCluster.start({
    controlPlanes: 2,
    agents: 4,
    zones: 4,
    controlPlaneArgs,
  });
  store = new EtcdStore({ endpoints: cluster.etcd.endpoints });
  await cluster.createKeyspace({
    name: 'orders',
    scheme: { kind: 'hash-slots', slots: 24, hash: 'murmur3', hashTags: false },
    replicationFactor: 2,
    minInSync: 1,
    spread: [],
  });
}, 90_000);
afterAll(async () => {
  store?.close();
  await cluster?.stop();
}, 30_000);

type Json = Record<string, any>;

const call = async (method: string, path: string, body?: object): Promise<Json> => {
  const init = body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
  const reply = await fetch(`${cluster.url}/api/v1/${path}`, { method, ...init });
  return { ...((await reply.json()) as Json), http: reply.status };
};
const post = (path: string, body: Json) => call('POST', path, body);
const get = (path: string) => call('GET', path);

it('is decided by two people, watched to its end, undone, and told by the log', async () => {
  // Plan: two people have to approve, none of them the proposer; frozen, nothing begins; the control plane that runs it is killed; the
  // node is empty at the end; the report is final; the way back is proposed, and needs two again.
  const set = await post('approval-policy', {
    actor: 'root',
    policy: { fourEyes: true, reasonRequired: true, approvals: 2 },
  });
  expect(set.http).toBe(200);
  expect(await get('nodes/n1/drain')).toMatchObject({ state: 'not-draining', blockers: [] });
  await post('nodes/n1/drain', { actor: 'ann', reason: 'broken disk' });
  const { plan } = await post('plans', { actor: 'ann', reason: 'n1 goes' });
  const approve = (actor: string, reason = 'read it') =>
    post(`plans/${plan.id}/approve`, { actor, reason, digest: plan.digest });
  expect(await approve('ann')).toMatchObject({ http: 403, code: 'PERMISSION_DENIED', field: 'actor' });
  expect(await approve('bob', '')).toMatchObject({ http: 400, field: 'reason' });
  expect(await approve('bob')).toMatchObject({ state: 'proposed', approvals: [{ actor: 'bob' }], approvalsNeeded: 2 });
  await post('freeze', { actor: 'eve', reason: 'not yet' });
  expect(await approve('cy')).toMatchObject({ state: 'approved', progress: { condition: 'frozen' } });
  expect((await get('status')).freezes).toMatchObject([{ by: 'person', actor: 'eve', because: 'not yet' }]);
  const active = (await cluster.status()).active;
  await cluster.controlPlanes.get(active)!.end('SIGKILL');
  cluster.controlPlanes.delete(active);
  await cluster.until('another is active', async () => ((await cluster.status()).active || active) !== active);
  expect(await get(`plans/${plan.id}`)).toMatchObject({ state: 'approved', movesDone: 0 });
  expect(await post('unfreeze', { actor: 'eve', reason: 'now', by: 'person' })).toMatchObject({ by: 'person' });
  await cluster.until('n1 is empty', async () => (await get('nodes/n1/drain')).safeToDelete === true, 60_000);
  await cluster.until('the plan has ended', async () => (await get(`plans/${plan.id}`)).state === 'completed');

  const report = await get(`plans/${plan.id}/report`);
  expect(report).toMatchObject({
    final: true,
    plan: { approvals: [{ actor: 'bob' }, { actor: 'cy' }], movesDone: plan.movesTotal },
  });
  expect(report.plan.moves[0].phases.at(-1)).toMatchObject({ phase: 'done' });
  await post('nodes/n1/drain', { actor: 'ann', undo: true });
  expect(await get(`plans/${plan.id}/report`)).toEqual(report);
  const undo = (await post(`plans/${plan.id}/undo`, { actor: 'ann', reason: 'the disk is well' })).plan;
  expect(undo).toMatchObject({ state: 'proposed', undoOf: plan.id, approvalsNeeded: 2 });
  const wayBack = (moves: Json[]) => moves.filter((m) => m.kind === 'replica').map((m) => `${m.partition} ${m.to}`);
  const came = (moves: Json[]) => moves.filter((m) => m.kind === 'replica').map((m) => `${m.partition} ${m.from}`);
  expect(wayBack(undo.moves).sort()).toEqual(came(plan.moves).sort());
  await post('approval-policy', { actor: 'root', policy: {} });
  expect((await post(`plans/${undo.id}/approve`, { actor: 'bob', digest: undo.digest })).state).toBe('approved');
  await cluster.until('it is undone', async () => (await get(`plans/${undo.id}`)).state === 'completed');
  const copies = (await cluster.keyspace('orders')).records.filter((r) => r.replicas.some((x) => x.node === 'n1'));
  expect(copies.length).toBeGreaterThan(0);
}, 180_000);

it('cannot be told otherwise afterwards', async () => {
  // Plan: a replica with a sink leaves a checkpoint; then, in etcd itself, an entry is edited, one is deleted, two change places, the tail
  // is cut, and the tail is cut with the head set back: each is found, the last against the checkpoint alone.
  const sink = join(cluster.dir, 'checkpoints');
  controlPlaneArgs.push('--audit-sink', sink);
  await cluster.startControlPlane('cp3');
  const lines = readFileSync(sink, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Json);
  const { number, hash } = lines.at(-1)!;
  const checkpoints = [{ number, hash }];
  const verdict = () => post('audit/verify', { checkpoints });
  expect(await verdict()).toMatchObject({ intact: true, checkpoints: 1, first: 1 });

  const put = (n: number, value: Uint8Array) => store.txn({ compare: [], success: [op.put(keys.audit(n), value)] });
  const values = await Promise.all([3, 4].map(async (n) => (await store.get(keys.audit(n)))!.value));
  const kinds = async () => [...new Set(((await verdict()).faults as Json[]).map((f) => f.kind))];
  await put(3, Buffer.concat([values[0]!, Buffer.from([0x32, 1, 65])]));
  expect(await kinds()).toEqual(['edited']);
  await put(3, values[1]!);
  await put(4, values[0]!);
  expect(await kinds()).toContain('reordered');
  await put(4, values[1]!);
  await store.txn({ compare: [], success: [op.delete(keys.audit(3))] });
  expect(await kinds()).toEqual(['missing']);
  await put(3, values[0]!);
  expect(await verdict()).toMatchObject({ intact: true });

  const { entries } = await get('audit?limit=3');
  const [last, before] = entries as Json[];
  expect([last!.number, last!.previousHash]).toEqual([before!.number + 1, before!.hash]);
  await store.txn({ compare: [], success: [op.delete(keys.audit(last!.number))] });
  expect(await kinds()).toEqual(['cut']);
}, 60_000);
