import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { join } from 'node:path';
import type { CadastreClient, KeyspaceClient } from '@cadastre/client';
import { CadastreClient as Client } from '@cadastre/client';
import type { KeyspaceSpec } from '@cadastre/core';
import { CadastreError, LIMITS } from '@cadastre/core';
import { callUnary, encodeSpec, fromServiceError, Peer, type Wire } from '@cadastre/contracts';
import { EtcdStore, keys } from '@cadastre/store';
import { TestCluster } from '@cadastre/testkit';
import type { Expected } from './support/refusal.js';
import { expectExit, expectLine, expectProblem, expectRefused } from './support/refusal.js';

const KEYSPACE = 'pkgs';
/** One copy each: the map goes on counting on a node that is gone. */
const SINGLE = 'single';
const PARTITIONS = 12;
const KEY = 'package-1';
const MIB = 1024 * 1024;
const HEX = '0'.repeat(64);

const specOf = (over: Partial<KeyspaceSpec> = {}): KeyspaceSpec => ({
  name: KEYSPACE,
  scheme: { kind: 'hash-slots', slots: PARTITIONS, hash: 'murmur3', hashTags: false },
  replicationFactor: 3,
  minInSync: 2,
  spread: [{ label: 'zone', maxPerDomain: 1, hard: true }],
  ...over,
});

let cluster: TestCluster;
let client: CadastreClient;
let pkgs: KeyspaceClient;
let store: EtcdStore;

beforeAll(async () => {
  cluster = await TestCluster.start({ controlPlanes: 1, agents: 4, zones: 3, controlPlaneArgs: ['--session-ttl-ms', '3000'] });
  await cluster.createKeyspace(specOf());
  await cluster.createKeyspace(specOf({ name: SINGLE, replicationFactor: 1, minInSync: 1 }));
  client = await cluster.client();
  pkgs = client.keyspace(KEYSPACE);
  await pkgs.put(KEY, 'first');
  store = new EtcdStore({ endpoints: cluster.etcd.endpoints });
}, 60_000);
afterAll(async () => {
  store?.close();
  await cluster?.stop();
}, 30_000);

afterEach(async () => {
  // Whatever was sent: every process lives, every node is up, and the data is there.
  for (const server of [...cluster.controlPlanes.values(), ...cluster.agents.values()])
    expect([server.name, server.running]).toEqual([server.name, true]);
  await cluster.until('all nodes are up', async () => (await cluster.status()).nodesUp === 4, 10_000);
  expect(await pkgs.get(KEY)).toEqual(Buffer.from('first'));
}, 15_000);

/** Of the whole register: it stays where it is as long as nobody writes. */
const revision = async (): Promise<bigint> => (await store.range(keys.cluster, { keysOnly: true })).revision;

/** The register is not written to while `task` runs. */
const unchanged = async (task: () => Promise<unknown>): Promise<void> => {
  const before = await revision();
  await task();
  expect(await revision()).toBe(before);
};

type OperatorMethod = 'CreateKeyspace' | 'GetKeyspace' | 'DrainNode' | 'ProposePlan' | 'GetPlan' | 'ActOnPlan';
const operator = (method: OperatorMethod, request: object): Promise<unknown> =>
  cluster.operator((p) => callUnary(p.operator, p.operator[method] as never, request, { deadlineMs: 5_000 }));

const JSON_TYPE = { 'content-type': 'application/json' };
const post = (path: string, body: unknown, headers: Record<string, string> = JSON_TYPE): Promise<Response> =>
  fetch(cluster.url + path, { method: 'POST', headers, body: typeof body === 'string' ? body : JSON.stringify(body) });

const refused = (code: string, field: string, remedy: RegExp): Expected => ({ code, field, remedy });

describe('a keyspace that cannot be', () => {
  const NOT_A_COUNT = refused('INVALID_ARGUMENT', 'replicationFactor', /use 3/);
  const wire = (over: object): object => ({ actor: 'test', spec: { ...encodeSpec(specOf({ name: 'other' })), ...over } });

  it.each<[string, object, Expected]>([
    ['more copies than zones', wire({ replicationFactor: 4 }), refused('UNSATISFIABLE', 'spread[0]', /add nodes in 1 more/)],
    ['more copies than nodes', wire({ replicationFactor: 5, spread: [] }), refused('UNSATISFIABLE', 'replicationFactor', /add 1 node/)],
    ['no copy', wire({ replicationFactor: 0 }), NOT_A_COUNT],
    ['-1 copies', wire({ replicationFactor: -1 }), NOT_A_COUNT],
    ['NaN copies', wire({ replicationFactor: NaN }), NOT_A_COUNT],
    ['writes that need more than all copies', wire({ minInSync: 4 }), refused('INVALID_ARGUMENT', 'minInSync', /2 of 3/)],
    ['a label that no node carries', wire({ spread: [{ label: 'shelf', maxPerDomain: 1, hard: true }] }), refused('UNSATISFIABLE', 'spread[0]', /zone/)],
    ['a label that is none', wire({ spread: [{ label: 'Zone!', maxPerDomain: 1, hard: true }] }), refused('INVALID_ARGUMENT', 'spread[0].label', /zone or rack/)],
    [
      'two rules for one label',
      wire({ spread: [1, 2].map((maxPerDomain) => ({ label: 'zone', maxPerDomain, hard: true })) }),
      refused('INVALID_ARGUMENT', 'spread[1].label', /once/),
    ],
    ['0 in each zone', wire({ spread: [{ label: 'zone', maxPerDomain: 0, hard: true }] }), refused('INVALID_ARGUMENT', 'spread[0].maxPerDomain', /use 1/)],
    ['a name that is taken', wire({ name: KEYSPACE }), refused('ALREADY_EXISTS', 'name', /another name/)],
    ['a name that is a path', wire({ name: '../etc' }), refused('INVALID_ARGUMENT', 'name', /1 to 63/)],
    ['no slots', wire({ scheme: { hashSlots: { slots: 0, hash: 'murmur3' } } }), refused('INVALID_ARGUMENT', 'scheme.slots', /16 to 100/)],
    ['no scheme', wire({ scheme: null }), refused('INVALID_ARGUMENT', 'scheme', /hash-slots/)],
    ['no spec', { actor: 'test' }, refused('INVALID_ARGUMENT', 'spec', /keyspace/)],
    ['nobody who acts', { spec: encodeSpec(specOf({ name: 'other' })) }, refused('INVALID_ARGUMENT', 'actor', /who acts/)],
  ])('is refused by gRPC: %s', async (_story, request, expected) => {
    // Plan: each request alone; code, field and remedy; the register is not written to.
    await unchanged(() => expectRefused(() => operator('CreateKeyspace', request), expected));
  });

  it.each([2.5, -1, NaN])('never leaves this process with %d copies', async (replicationFactor) => {
    // Plan: a wire type of whole numbers would cut 2.5 down to 2 in silence, so the encoder refuses.
    await expectRefused(() => encodeSpec(specOf({ replicationFactor })), refused('INVALID_ARGUMENT', 'replicationFactor', /whole/));
  });

  const json = (over: object): object => ({
    ...{ actor: 'test', name: 'other', scheme: { kind: 'hash-slots', slots: 4 }, replicationFactor: 3, minInSync: 2 },
    spread: [{ label: 'zone', maxPerDomain: 1, hard: true }],
    ...over,
  });
  it.each<[string, object, number, Expected]>([
    ['more copies than zones', json({ replicationFactor: 4 }), 422, refused('UNSATISFIABLE', 'spread[0]', /add nodes in 1 more/)],
    ['no copy', json({ replicationFactor: 0 }), 400, refused('INVALID_ARGUMENT', 'replicationFactor', /openapi/)],
    ['-1 copies', json({ replicationFactor: -1 }), 400, refused('INVALID_ARGUMENT', 'replicationFactor', /openapi/)],
    ['2.5 copies', json({ replicationFactor: 2.5 }), 400, refused('INVALID_ARGUMENT', 'replicationFactor', /openapi/)],
    ['NaN copies', json({ replicationFactor: NaN }), 400, refused('INVALID_ARGUMENT', 'replicationFactor', /openapi/)],
    ['a label that no node carries', json({ spread: [{ label: 'shelf', maxPerDomain: 1, hard: true }] }), 422, refused('UNSATISFIABLE', 'spread[0]', /zone/)],
    ['a name that is taken', json({ name: KEYSPACE }), 409, refused('ALREADY_EXISTS', 'name', /another name/)],
  ])('is refused by REST: %s', async (_story, body, status, expected) => {
    // Plan: as with gRPC; the problem has the right status.
    await unchanged(async () => expectProblem(await post('/api/v1/keyspaces', body), status, expected));
  });

  it.each<[string, string[], Expected]>([
    ['more copies than zones', ['--rf', '4'], refused('UNSATISFIABLE', 'spread[0]', /add nodes in 1 more/)],
    ['2.5 copies', ['--rf', '2.5'], refused('INVALID_ARGUMENT', '--rf', /whole number/)],
    ['-1 copies', ['--rf=-1'], refused('INVALID_ARGUMENT', '--rf', /whole number/)],
    ['NaN copies', ['--rf', 'NaN'], refused('INVALID_ARGUMENT', '--rf', /whole number/)],
    ['a label that no node carries', ['--spread', 'shelf=1'], refused('UNSATISFIABLE', 'spread[0]', /zone/)],
    ['two rules for one label', ['--spread', 'zone=1,zone=2'], refused('INVALID_ARGUMENT', 'spread[1].label', /once/)],
  ])('is refused by the command line: %s', async (_story, args, expected) => {
    // Plan: exit code 1, one JSON document on stderr, nothing on stdout, nothing written.
    await unchanged(async () => expectExit(await cluster.cli('keyspace', 'create', 'other', ...args), expected));
  });

  it('is refused by the command line when its name is taken', async () => {
    // Plan: the same for a keyspace that exists.
    await unchanged(async () =>
      expectExit(await cluster.cli('keyspace', 'create', KEYSPACE), refused('ALREADY_EXISTS', 'name', /another name/)),
    );
  });
});

describe('names of what does not exist', () => {
  const NO_KEYSPACE = refused('NOT_FOUND', 'keyspace', /pkgs, single/);
  it.each<[string, OperatorMethod, object, Expected]>([
    ['an unknown keyspace', 'GetKeyspace', { name: 'nope' }, NO_KEYSPACE],
    ['an unknown keyspace in a proposal', 'ProposePlan', { keyspaces: ['nope'], actor: 'test' }, NO_KEYSPACE],
    ['an unknown node', 'DrainNode', { id: 'n9', actor: 'test' }, refused('NOT_FOUND', 'id', /list the nodes/)],
    ['an unknown plan', 'GetPlan', { id: 'nope' }, refused('NOT_FOUND', 'id', /list the plans/)],
    ['no plan', 'ActOnPlan', { id: '', action: 'approve', actor: 'test' }, refused('NOT_FOUND', 'id', /list the plans/)],
    ['an unknown act', 'ActOnPlan', { id: 'latest', action: 'explode', actor: 'test' }, refused('INVALID_ARGUMENT', 'action', /approve/)],
  ])('are refused by gRPC: %s', async (_story, method, request, expected) => {
    // Plan: one request each; typed, and nothing is written.
    await unchanged(() => expectRefused(() => operator(method, request), expected));
  });

  it('are refused by Locate, REST, client and command line', async () => {
    // Plan: an unknown keyspace on each of the other surfaces; the client says how to make it.
    const locate = (request: Wire.LocateRequest) => cluster.operator((p) => callUnary(p.map, p.map.Locate, request, { deadlineMs: 5_000 }));
    await unchanged(async () => {
      await expectRefused(() => locate({ keyspace: 'nope', key: Buffer.from('k') }), NO_KEYSPACE);
      await expectRefused(() => locate({ keyspace: KEYSPACE, key: Buffer.alloc(0) }), refused('INVALID_ARGUMENT', 'key', /at least 1 byte/));
      await expectProblem(await fetch(`${cluster.url}/api/v1/keyspaces/nope`), 404, NO_KEYSPACE);
      const evil = '<img src=x onerror=alert(1)>\u0000';
      await expectProblem(await fetch(`${cluster.url}/api/v1/keyspaces/${encodeURIComponent(evil)}`), 404, NO_KEYSPACE);
      await expectRefused(() => client.keyspace('nope').get('k'), refused('NOT_FOUND', 'keyspace', /keyspace create nope/));
      await expectRefused(() => client.keyspace('../etc'), refused('INVALID_ARGUMENT', 'keyspace', /1 to 63/));
      expectExit(await cluster.cli('keyspace', 'show', 'nope'), NO_KEYSPACE);
      expectExit(await cluster.cli('kv', 'get', 'nope', 'k'), refused('NOT_FOUND', 'keyspace', /keyspace create nope/));
    });
  });
});

describe('requests for data', () => {
  interface Place {
    readonly target: { keyspace: string; partition: number; epoch: number };
    readonly leader: Peer;
    readonly follower: Peer;
  }
  const placeOf = (key: string): Place => {
    const map = client.map(KEYSPACE)!;
    const partition = map.partitionOf(Buffer.from(key));
    const { epoch, replicas } = map.record(partition);
    const [leader, follower] = (['leader', 'follower'] as const).map((role) => replicas.find((r) => r.role === role)!.node);
    return { target: { keyspace: KEYSPACE, partition, epoch }, leader: cluster.peer(cluster.addressOf(leader!)), follower: cluster.peer(cluster.addressOf(follower!)) };
  };
  type KvMethod = 'Get' | 'Put' | 'Delete' | 'Batch' | 'Scan';
  const kv = (peer: Peer, method: KvMethod, request: object): Promise<never> =>
    callUnary(peer.kv, peer.kv[method] as never, request, { deadlineMs: 5_000 }) as Promise<never>;

  const key = Buffer.from(KEY);
  const write = { key, value: Buffer.from('x') };
  const elsewhere = (): Buffer => {
    const { target } = placeOf(KEY);
    for (let i = 0; ; i += 1) if (placeOf(`other-${i}`).target.partition !== target.partition) return Buffer.from(`other-${i}`);
  };
  const EPOCH = refused('INVALID_ARGUMENT', 'target.epoch', /map/);
  const SCAN_LIMIT = refused('INVALID_ARGUMENT', 'limit', /go on from/);

  it.each<[string, KvMethod, () => object, Expected]>([
    ['an unknown keyspace', 'Get', () => ({ target: { keyspace: 'nope', partition: 0, epoch: 1 }, key }), refused('NOT_FOUND', 'target.keyspace', /exists/)],
    ['a partition out of range', 'Get', () => ({ target: { keyspace: KEYSPACE, partition: PARTITIONS, epoch: 1 }, key }), refused('INVALID_ARGUMENT', 'target.partition', /compute the partition/)],
    ['partition -1', 'Get', () => ({ target: { keyspace: KEYSPACE, partition: -1, epoch: 1 }, key }), refused('INVALID_ARGUMENT', 'target.partition', /compute the partition/)],
    ['no target', 'Put', () => ({ target: null, ...write }), refused('INVALID_ARGUMENT', 'target', /name keyspace/)],
    ['epoch 2^53', 'Get', () => ({ target: { epoch: 2 ** 53 }, key }), EPOCH],
    ['epoch 2^63', 'Put', () => ({ target: { epoch: 2 ** 63 }, ...write }), EPOCH],
    ['an empty key', 'Get', () => ({ key: Buffer.alloc(0) }), refused('INVALID_ARGUMENT', 'key', /at least 1 byte/)],
    ['a key of 5 KiB', 'Put', () => ({ ...write, key: Buffer.alloc(5 * 1024, 1) }), refused('INVALID_ARGUMENT', 'key', /shorten/)],
    ['a key of another partition', 'Put', () => ({ ...write, key: elsewhere() }), refused('INVALID_ARGUMENT', 'key', /compute the partition/)],
    ['a value of 2 MiB', 'Put', () => ({ key, value: Buffer.alloc(2 * MIB) }), refused('INVALID_ARGUMENT', 'value', /split the value/)],
    ['a message of 9 MiB', 'Put', () => ({ key, value: Buffer.alloc(9 * MIB) }), refused('RESOURCE_EXHAUSTED', '', /smaller/)],
    ['a long request id', 'Put', () => ({ ...write, requestId: 'r'.repeat(129) }), refused('INVALID_ARGUMENT', 'request_id', /client:number/)],
    ['a batch of nothing', 'Batch', () => ({ ops: [] }), refused('INVALID_ARGUMENT', 'ops', /at least one/)],
    ['a batch of 1001', 'Batch', () => ({ ops: Array.from({ length: LIMITS.batchOpsMax + 1 }, () => write) }), refused('INVALID_ARGUMENT', 'ops', /split/)],
    ['a batch of 3 MiB', 'Batch', () => ({ ops: [1, 2, 3, 4].map(() => ({ key, value: Buffer.alloc(0.75 * MIB) })) }), refused('INVALID_ARGUMENT', 'ops', /split/)],
    ['a batch with one bad key', 'Batch', () => ({ ops: [write, { ...write, key: Buffer.alloc(0) }] }), refused('INVALID_ARGUMENT', 'ops[1].key', /at least 1 byte/)],
    ['a scan of 0', 'Scan', () => ({ limit: 0 }), SCAN_LIMIT],
    ['a scan of 10,001', 'Scan', () => ({ limit: LIMITS.scanLimitMax + 1 }), SCAN_LIMIT],
    ['a scan of 2^32 - 1', 'Scan', () => ({ limit: 2 ** 32 - 1 }), SCAN_LIMIT],
    ['a scan backwards', 'Scan', () => ({ limit: 1, start: Buffer.from('b'), end: Buffer.from('a') }), refused('INVALID_ARGUMENT', 'end', /start <= end/)],
  ])('are refused by an agent: %s', async (_story, method, build, expected) => {
    // Plan: to the leader of the partition, without the client's own checks; typed, and the key keeps its value (afterEach).
    const { target, leader } = placeOf(KEY);
    const request = build() as { target?: object | null };
    const aim = request.target === null ? undefined : { ...target, ...request.target };
    const error = await expectRefused(() => kv(leader, method, { ...request, target: aim }), { ...expected, field: expected.field || (undefined as never) });
    expect(error.message).not.toContain('TypeError');
  });

  it('with epoch 0 are answered by the leader alone', async () => {
    // Plan: a caller with an old map is served by a leader that knows better, and sent to it by a follower with the whole record.
    const { target, leader, follower } = placeOf(KEY);
    expect(await kv(leader, 'Get', { target: { ...target, epoch: 0 }, key })).toMatchObject({ found: true });
    const error = await expectRefused(() => kv(follower, 'Get', { target: { ...target, epoch: 0 }, key }), refused('NOT_OWNER', 'target.epoch', /heal the map/));
    expect(error.info).toMatchObject({ record: { partition: target.partition, epoch: target.epoch }, leaderAddress: leader.address });
  });

  it.each<[string, () => unknown, Expected]>([
    ['an empty key', () => pkgs.put('', 'x'), refused('INVALID_ARGUMENT', 'key', /at least 1 byte/)],
    ['a key of 5 KiB', () => pkgs.get('k'.repeat(5 * 1024)), refused('INVALID_ARGUMENT', 'key', /shorten/)],
    ['half a surrogate pair', () => pkgs.put('\ud800', 'x'), refused('INVALID_ARGUMENT', 'key', /well-formed/)],
    ['a key that is a number', () => pkgs.get(7 as never), refused('INVALID_ARGUMENT', 'key', /Uint8Array or a string/)],
    ['a value of 2 MiB', () => pkgs.put(KEY, Buffer.alloc(2 * MIB)), refused('INVALID_ARGUMENT', 'value', /split the value/)],
    ['a batch of 1001', () => pkgs.batch(Array.from({ length: 1001 }, () => ({ type: 'put', key: KEY, value: 'x' }))), refused('INVALID_ARGUMENT', 'ops', /several/)],
    ['a batch of 3 MiB', () => pkgs.batch([1, 2, 3, 4].map(() => ({ type: 'put', key: KEY, value: Buffer.alloc(0.75 * MIB) }))), refused('INVALID_ARGUMENT', 'ops', /several/)],
    ['a scan of -1', () => pkgs.scan({ limit: -1 }).next(), refused('INVALID_ARGUMENT', 'limit', /whole number/)],
    ['a scan of 1.5', () => pkgs.scan({ limit: 1.5 }).next(), refused('INVALID_ARGUMENT', 'limit', /whole number/)],
    ['no address', () => Client.connect({ controlPlanes: [] }), refused('INVALID_ARGUMENT', 'controlPlanes', /host:port/)],
    ['an address that is none', () => Client.connect({ controlPlanes: ['here'] }), refused('INVALID_ARGUMENT', 'controlPlanes[0]', /host:port/)],
    ['nobody at the address', () => Client.connect({ controlPlanes: ['127.0.0.1:1'], requestTimeoutMs: 300 }), refused('UNAVAILABLE', 'controlPlanes', /cacheFile/)],
  ])('are refused by the client: %s', async (_story, call, expected) => {
    // Plan: refused before anything is sent, by the same words.
    const { requests } = client.stats();
    await expectRefused(call, expected);
    expect(client.stats().requests).toBe(requests);
  });

  it('take any bytes for a key, and give back the very same', async () => {
    // Plan: keys that are no text, or that a careless program takes for something else; each is read, scanned and deleted by itself.
    const odd = [Buffer.from([0]), Buffer.from('a\0b'), Buffer.from([0xff, 0xff]), Buffer.from([0xc3, 0x28]), Buffer.from([0xed, 0xa0, 0x80])];
    const all = [...odd, ...['__proto__', 'constructor', '../..', '<img src=x>', ' ', '\u00e9', 'e\u0301', 'k'.repeat(LIMITS.keyBytesMax)].map((k) => Buffer.from(k))];
    const single = client.keyspace(SINGLE);
    for (const [i, k] of all.entries()) await single.put(k, Buffer.from([i, 0, 0xff]));
    for (const [i, k] of all.entries()) expect(await single.get(k)).toEqual(Buffer.from([i, 0, 0xff]));
    const scanned: string[] = [];
    for await (const entry of single.scan()) scanned.push(Buffer.from(entry.key).toString('hex'));
    expect(scanned).toEqual([...all].sort((a, b) => a.compare(b)).map((k) => k.toString('hex')));
    expect((await single.scan({ limit: 0 }).next()).done).toBe(true);
    await single.delete('__proto__');
    expect(await single.get('__proto__')).toBeUndefined();
    expect(await single.get('constructor')).toBeDefined();
  });
});

describe('nodes', () => {
  const hello = (node: object, over: object = {}) => ({
    node: { id: 'n9', address: '127.0.0.1:9', labels: { zone: 'a' }, weight: 1, ...node },
    capacity: {},
    incarnation: 'test',
    leaseId: '',
    ...over,
  });
  /** What the control plane answers to a Hello. @throws CadastreError */
  const greet = (request: object): Promise<Wire.SessionReply__Output> =>
    new Promise((resolve, reject) => {
      const stream = cluster.peer(cluster.addressOf('cp1')).agent.session();
      const end = (settle: () => void) => {
        stream.cancel();
        settle();
      };
      stream.on('data', (reply: Wire.SessionReply__Output) => end(() => resolve(reply)));
      stream.on('error', (error) => end(() => reject(fromServiceError(error as never))));
      stream.write({ hello: request } as Wire.SessionRequest);
    });
  const ID = refused('INVALID_ARGUMENT', 'node.id', /1 to 63/);
  const badIds = ['a/b', '..', 'N1', 'n'.repeat(64), '', '-n', 'n\u0000'];

  it.each<[string, object, Expected]>([
    ...badIds.map((id): [string, object, Expected] => [`id ${JSON.stringify(id)}`, hello({ id }), ID]),
    ['no node', { incarnation: 'x' }, refused('INVALID_ARGUMENT', 'hello.node', /who you are/)],
    ['no address', hello({ address: '' }), refused('INVALID_ARGUMENT', 'node.address', /host:port/)],
    ['port 65536', hello({ address: 'h:65536' }), refused('INVALID_ARGUMENT', 'node.address', /host:port/)],
    ['weight NaN', hello({ weight: NaN }), refused('INVALID_ARGUMENT', 'node.weight', /use 1/)],
    ['a label name that is markup', hello({ labels: { '<b>': 'a' } }), refused('INVALID_ARGUMENT', 'node.labels.<b>', /a-z/)],
    ['a label of 1 KiB', hello({ labels: { zone: 'z'.repeat(1024) } }), refused('INVALID_ARGUMENT', 'node.labels.zone', /short/)],
    ['33 labels', hello({ labels: Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`l${i}`, 'x'])) }), refused('INVALID_ARGUMENT', 'node.labels', /placement needs/)],
    ['an incarnation that is a path', hello({}, { incarnation: '../x' }), refused('INVALID_ARGUMENT', 'incarnation', /data folder/)],
    ['a lease that is none', hello({}, { leaseId: 'xyz' }), refused('INVALID_ARGUMENT', 'leaseId', /Welcome/)],
  ])('are refused by the session: %s', async (_story, request, expected) => {
    // Plan: Hello as a stranger might send it; the stream ends typed, no node appears.
    await unchanged(() => expectRefused(() => greet(request), expected));
  });

  it.each(['a/b', '..', 'N1', 'n'.repeat(64)])('do not start under the id %s', async (id) => {
    // Plan: the process ends with code 1 and one line that says what an id is.
    expectLine(await cluster.runAgent(9, ['--id', id]), /is not a valid name/, /1 to 63/);
  });

  it('do not start under the id of another that is connected', async () => {
    // Plan: n1 again, from another address and folder, then from the folder that n1 uses; both end, n1 serves on.
    await unchanged(async () => {
      expectLine(await cluster.runAgent(1), /n1 is connected already, from 127\.0\.0\.1:\d+/, /own id/);
      expectLine(await cluster.runAgent(1, ['--data', join(cluster.dir, 'n1')]), /in use|another process/);
    });
    const n1 = (await cluster.nodes()).nodes.find((n) => n.entry!.id === 'n1')!;
    expect(n1).toMatchObject({ state: 'up', entry: { address: cluster.addressOf('n1') } });
    expect(n1.leaders).toBeGreaterThan(0);
  }, 20_000);

  it('with wiped data are not let in while the map counts on what they had', async () => {
    // Plan: n4 holds the only copy of some partitions of `single`; it comes back empty and is refused; with its data it is let in.
    const single = client.keyspace(SINGLE);
    const map = client.map(SINGLE)!;
    const mine = Array.from({ length: 200 }, (_, i) => `mine-${i}`).filter((k) => map.leader(map.partitionOf(Buffer.from(k)))?.id === 'n4');
    expect(mine.length).toBeGreaterThan(0);
    await Promise.all(mine.map((k) => single.put(k, k)));
    await cluster.agents.get('n4')!.end('SIGTERM');
    const wiped = await cluster.startAgent(4, { data: join(cluster.dir, 'n4-wiped') });
    const said = await wiped.line('a refusal', (l) => l['event'] === 'session-lost' && (l['error'] as { code?: string })?.code === 'FAILED_PRECONDITION');
    expect(said['error']).toMatchObject({ field: 'incarnation', remedy: expect.stringMatching(/bring the old data back/), message: expect.stringContaining('n4 comes with new data') });
    const address = cluster.addressOf('n4');
    await expectRefused(() => greet(hello({ id: 'n4', address })), refused('FAILED_PRECONDITION', 'incarnation', /bring the old data back/));
    expect((await cluster.nodes()).nodes.find((n) => n.entry!.id === 'n4')).toMatchObject({ state: 'down' });
    await wiped.end('SIGTERM');
    await cluster.startAgent(4);
    await cluster.until('n4 is up', async () => (await cluster.status()).nodesUp === 4);
    for (const k of mine) expect(await single.get(k)).toEqual(Buffer.from(k));
    await cluster.until('all copies in sync', async () => (await cluster.keyspace(KEYSPACE)).underReplicated === 0);
  }, 40_000);

  it('may carry labels that are markup or control characters, which stay text', async () => {
    // Plan: such labels through every surface: JSON escapes them, the terminal never gets them, nothing else changes its meaning.
    const evil = '<img src=x onerror=alert(1)>\u001b[2J\u0000"';
    await greet(hello({ id: 'evil', labels: { zone: 'a', note: evil } }));
    const nodes = await cluster.nodes();
    expect(nodes.nodes.find((n) => n.entry!.id === 'evil')!.entry!.labels['note']).toBe(evil);
    const reply = await fetch(`${cluster.url}/api/v1/nodes`);
    expect(reply.headers.get('content-type')).toMatch(/^application\/json/);
    expect(reply.headers.get('x-content-type-options')).toBe('nosniff');
    const text = await reply.text();
    expect([...text].some((c) => c < ' ')).toBe(false);
    expect((JSON.parse(text) as { nodes: { id: string; labels: object }[] }).nodes.find((n) => n.id === 'evil')!.labels).toEqual({ zone: 'a', note: evil });
    const { code, stdout } = await cluster.cli('node', 'show', 'evil');
    expect([code, [...stdout.trim()].some((c) => c < ' ')]).toEqual([0, false]);
    await cluster.until('its session is over', async () => (await cluster.status()).nodesUp === 4);
  }, 20_000);
});
