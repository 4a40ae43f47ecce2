import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { join } from 'node:path';
import type { CadastreClient, KeyspaceClient } from '@cadastre/client';
import { CadastreClient as Client } from '@cadastre/client';
import type { CadastreError } from '@cadastre/core';
import { LIMITS } from '@cadastre/core';
import type { Peer, Wire } from '@cadastre/contracts';
import { callUnary, encodeSpec, fromServiceError } from '@cadastre/contracts';
import { EtcdStore, keys } from '@cadastre/store';
import { TestCluster } from '@cadastre/testkit';
import { BAD_COMMANDS } from './support/bad-commands.js';
import { BAD_HELLOS, hello } from './support/bad-hellos.js';
import { BAD_POSTS, BAD_ROUTES } from './support/bad-http.js';
import { BAD_JSON_SPECS, BAD_SPEC_FLAGS, BAD_SPECS } from './support/bad-keyspaces.js';
import type { KvMethod } from './support/bad-kv.js';
import { BAD_KV_REQUESTS } from './support/bad-kv.js';
import type { Expected } from './support/refusal.js';
import { expectExit, expectLine, expectProblem, expectRefused, refused } from './support/refusal.js';
import { HEX, JSON_TYPE, KEY, KEYSPACE, MIB, SINGLE, specOf } from './support/scene.js';

let cluster: TestCluster;
let client: CadastreClient;
let pkgs: KeyspaceClient;
let store: EtcdStore;

beforeAll(async () => {
  cluster = await TestCluster.start({
    controlPlanes: 1,
    agents: 4,
    zones: 3,
    controlPlaneArgs: ['--session-ttl-ms', '3000'],
  });
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

/**
 * The register is not written to while `task` runs. On a busy machine an agent may fall out of an in-sync set just then, which is
 * written down too; a refusal that writes would do so each time, so three tries tell the two apart.
 */
const unchanged = async (task: () => Promise<unknown>): Promise<void> => {
  const steps: bigint[] = [];
  while (steps.length < 3 && steps.at(-1) !== 0n) {
    const before = await revision();
    await task();
    steps.push((await revision()) - before);
  }
  expect(steps.at(-1)).toBe(0n);
};

type OperatorMethod = 'CreateKeyspace' | 'GetKeyspace' | 'DrainNode' | 'ProposePlan' | 'GetPlan' | 'ActOnPlan';
const operator = (method: OperatorMethod, request: object): Promise<unknown> =>
  cluster.operator((p) => callUnary(p.operator, p.operator[method] as never, request, { deadlineMs: 5_000 }));

const post = (path: string, body: unknown, headers: Record<string, string> = JSON_TYPE): Promise<Response> =>
  fetch(cluster.url + path, { method: 'POST', headers, body: typeof body === 'string' ? body : JSON.stringify(body) });

describe('a keyspace that cannot be', () => {
  it.each(BAD_SPECS)('is refused by gRPC: %s', async (_story, request, expected) => {
    // Plan: each request alone; code, field and remedy; the register is not written to.
    await unchanged(() => expectRefused(() => operator('CreateKeyspace', request), expected));
  });

  it.each([2.5, -1, NaN])('never leaves this process with %d copies', async (replicationFactor) => {
    // Plan: a wire type of whole numbers would cut 2.5 down to 2 in silence, so the encoder refuses.
    await expectRefused(
      () => encodeSpec(specOf({ replicationFactor })),
      refused('INVALID_ARGUMENT', 'replicationFactor', /whole/),
    );
  });

  it.each(BAD_JSON_SPECS)('is refused by REST: %s', async (_story, body, status, expected) => {
    // Plan: as with gRPC; the problem has the right status.
    await unchanged(async () => expectProblem(await post('/api/v1/keyspaces', body), status, expected));
  });

  it.each(BAD_SPEC_FLAGS)('is refused by the command line: %s', async (_story, args, expected) => {
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
    [
      'no plan',
      'ActOnPlan',
      { id: '', action: 'approve', actor: 'test' },
      refused('NOT_FOUND', 'id', /list the plans/),
    ],
    [
      'an unknown act',
      'ActOnPlan',
      { id: 'latest', action: 'explode', actor: 'test' },
      refused('INVALID_ARGUMENT', 'action', /approve/),
    ],
  ])('are refused by gRPC: %s', async (_story, method, request, expected) => {
    // Plan: one request each; typed, and nothing is written.
    await unchanged(() => expectRefused(() => operator(method, request), expected));
  });

  it('are refused by Locate, REST, client and command line', async () => {
    // Plan: an unknown keyspace on each of the other surfaces; the client says how to make it.
    const locate = (request: Wire.LocateRequest) =>
      cluster.operator((p) => callUnary(p.map, p.map.Locate, request, { deadlineMs: 5_000 }));
    await unchanged(async () => {
      await expectRefused(() => locate({ keyspace: 'nope', key: Buffer.from('k') }), NO_KEYSPACE);
      await expectRefused(
        () => locate({ keyspace: KEYSPACE, key: Buffer.alloc(0) }),
        refused('INVALID_ARGUMENT', 'key', /at least 1 byte/),
      );
      await expectProblem(await fetch(`${cluster.url}/api/v1/keyspaces/nope`), 404, NO_KEYSPACE);
      const evil = '<img src=x onerror=alert(1)>\u0000';
      await expectProblem(await fetch(`${cluster.url}/api/v1/keyspaces/${encodeURIComponent(evil)}`), 404, NO_KEYSPACE);
      await expectRefused(
        () => client.keyspace('nope').get('k'),
        refused('NOT_FOUND', 'keyspace', /keyspace create nope/),
      );
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
    const [leader, follower] = (['leader', 'follower'] as const).map(
      (role) => replicas.find((r) => r.role === role)!.node,
    );
    return {
      target: { keyspace: KEYSPACE, partition, epoch },
      leader: cluster.peer(cluster.addressOf(leader!)),
      follower: cluster.peer(cluster.addressOf(follower!)),
    };
  };
  const kv = (peer: Peer, method: KvMethod, request: object): Promise<never> =>
    callUnary(peer.kv, peer.kv[method] as never, request, { deadlineMs: 5_000 }) as Promise<never>;

  const key = Buffer.from(KEY);

  it.each(BAD_KV_REQUESTS)('are refused by an agent: %s', async (_story, method, build, expected) => {
    // Plan: to the leader of the partition, without the client's own checks; typed, and the key keeps its value (afterEach).
    const { target, leader } = placeOf(KEY);
    const request = build() as { target?: object | null };
    const aim = request.target === null ? undefined : { ...target, ...request.target };
    const error = await expectRefused(() => kv(leader, method, { ...request, target: aim }), {
      ...expected,
      field: expected.field || (undefined as never),
    });
    expect(error.message).not.toContain('TypeError');
  });

  it('with epoch 0 are answered by the leader alone', async () => {
    // Plan: a caller with an old map is served by a leader that knows better, and sent to it by a follower with the whole record.
    const { target, leader, follower } = placeOf(KEY);
    expect(await kv(leader, 'Get', { target: { ...target, epoch: 0 }, key })).toMatchObject({ found: true });
    const error = await expectRefused(
      () => kv(follower, 'Get', { target: { ...target, epoch: 0 }, key }),
      refused('NOT_OWNER', 'target.epoch', /heal the map/),
    );
    expect(error.info).toMatchObject({
      record: { partition: target.partition, epoch: target.epoch },
      leaderAddress: leader.address,
    });
  });

  it.each<[string, () => unknown, Expected]>([
    ['an empty key', () => pkgs.put('', 'x'), refused('INVALID_ARGUMENT', 'key', /at least 1 byte/)],
    ['a key of 5 KiB', () => pkgs.get('k'.repeat(5 * 1024)), refused('INVALID_ARGUMENT', 'key', /shorten/)],
    ['half a surrogate pair', () => pkgs.put('\ud800', 'x'), refused('INVALID_ARGUMENT', 'key', /well-formed/)],
    [
      'a key that is a number',
      () => pkgs.get(7 as never),
      refused('INVALID_ARGUMENT', 'key', /Uint8Array or a string/),
    ],
    [
      'a value of 2 MiB',
      () => pkgs.put(KEY, Buffer.alloc(2 * MIB)),
      refused('INVALID_ARGUMENT', 'value', /split the value/),
    ],
    [
      'a batch of 1001',
      () => pkgs.batch(Array.from({ length: 1001 }, () => ({ type: 'put', key: KEY, value: 'x' }))),
      refused('INVALID_ARGUMENT', 'ops', /several/),
    ],
    [
      'a batch of 3 MiB',
      () => pkgs.batch([1, 2, 3, 4].map(() => ({ type: 'put', key: KEY, value: Buffer.alloc(0.75 * MIB) }))),
      refused('INVALID_ARGUMENT', 'ops', /several/),
    ],
    ['a scan of -1', () => pkgs.scan({ limit: -1 }).next(), refused('INVALID_ARGUMENT', 'limit', /whole number/)],
    ['a scan of 1.5', () => pkgs.scan({ limit: 1.5 }).next(), refused('INVALID_ARGUMENT', 'limit', /whole number/)],
    [
      'no address',
      () => Client.connect({ controlPlanes: [] }),
      refused('INVALID_ARGUMENT', 'controlPlanes', /host:port/),
    ],
    [
      'an address that is none',
      () => Client.connect({ controlPlanes: ['here'] }),
      refused('INVALID_ARGUMENT', 'controlPlanes[0]', /host:port/),
    ],
    [
      'nobody at the address',
      () => Client.connect({ controlPlanes: ['127.0.0.1:1'], requestTimeoutMs: 300 }),
      refused('UNAVAILABLE', 'controlPlanes', /cacheFile/),
    ],
  ])('are refused by the client: %s', async (_story, call, expected) => {
    // Plan: refused before anything is sent, by the same words.
    const { requests } = client.stats();
    await expectRefused(call, expected);
    expect(client.stats().requests).toBe(requests);
  });

  it('take any bytes for a key, and give back the very same', async () => {
    // Plan: keys that are no text, or that a careless program takes for something else; each is read, scanned and deleted by itself.
    const odd = [
      Buffer.from([0]),
      Buffer.from('a\0b'),
      Buffer.from([0xff, 0xff]),
      Buffer.from([0xc3, 0x28]),
      Buffer.from([0xed, 0xa0, 0x80]),
    ];
    const all = [
      ...odd,
      ...[
        '__proto__',
        'constructor',
        '../..',
        '<img src=x>',
        ' ',
        '\u00e9',
        'e\u0301',
        'k'.repeat(LIMITS.keyBytesMax),
      ].map((k) => Buffer.from(k)),
    ];
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
  it.each(BAD_HELLOS)('are refused by the session: %s', async (_story, request, expected) => {
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
    const mine = Array.from({ length: 200 }, (_, i) => `mine-${i}`).filter(
      (k) => map.leader(map.partitionOf(Buffer.from(k)))?.id === 'n4',
    );
    expect(mine.length).toBeGreaterThan(0);
    await Promise.all(mine.map((k) => single.put(k, k)));
    await cluster.agents.get('n4')!.end('SIGTERM');
    const wiped = await cluster.startAgent(4, { data: join(cluster.dir, 'n4-wiped') });
    const said = await wiped.line(
      'a refusal',
      (l) => l['event'] === 'session-lost' && (l['error'] as { code?: string })?.code === 'FAILED_PRECONDITION',
    );
    expect(said['error']).toMatchObject({
      field: 'incarnation',
      remedy: expect.stringMatching(/bring the old data back/),
      message: expect.stringContaining('n4 comes with new data'),
    });
    const address = cluster.addressOf('n4');
    await expectRefused(
      () => greet(hello({ id: 'n4', address })),
      refused('FAILED_PRECONDITION', 'incarnation', /bring the old data back/),
    );
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
    expect(
      (JSON.parse(text) as { nodes: { id: string; labels: object }[] }).nodes.find((n) => n.id === 'evil')!.labels,
    ).toEqual({ zone: 'a', note: evil });
    const { code, stdout } = await cluster.cli('node', 'show', 'evil');
    expect([code, [...stdout.trim()].some((c) => c < ' ')]).toEqual([0, false]);
    await cluster.until('its session is over', async () => (await cluster.status()).nodesUp === 4);
  }, 20_000);
});

describe('reports of a stranger', () => {
  it("are refused, so that they cannot acknowledge anything in a node's name", async () => {
    // Plan: a report as n1 with another incarnation; what n1 itself reports stays.
    const report = { node: 'n1', incarnation: 'stranger', applied: [], replicas: [] };
    const tell = (p: Peer): Promise<unknown> =>
      callUnary(p.agent, p.agent.Report as never, report, { deadlineMs: 5_000 });
    await unchanged(() =>
      expectRefused(() => cluster.operator(tell), refused('FAILED_PRECONDITION', 'incarnation', /register/)),
    );
  });
});

describe('HTTP', () => {
  it.each(BAD_POSTS)('refuses to post %s', async (_story, path, body, headers, status, expected) => {
    // Plan: each alone, as application/problem+json; the register is not written to.
    await unchanged(async () => expectProblem(await post(path, body, headers), status, expected));
  });

  it.each(BAD_ROUTES)('refuses %s %s', async (method, path, status, expected) => {
    // Plan: no method but POST changes anything, and no path leads elsewhere.
    const headers = method === 'GET' ? {} : JSON_TYPE;
    await unchanged(async () => expectProblem(await fetch(cluster.url + path, { method, headers }), status, expected));
  });
});

describe('the command line', () => {
  it.each(BAD_COMMANDS)('refuses %s', async (_story, args, expected) => {
    // Plan: exit code 1 and one JSON document with code, field and remedy.
    await unchanged(async () => expectExit(await cluster.cli(...args), expected));
  });
});

describe('plans', () => {
  const actOn = (id: string, action: string, more: object = {}): Promise<unknown> =>
    operator('ActOnPlan', { id, action, actor: 'test', ...more });
  const ILLEGAL = refused('ILLEGAL_TRANSITION', 'state', /approve, reject/);
  const ENDED = refused('ILLEGAL_TRANSITION', 'state', /propose a new plan/);
  const CHANGED = refused('PLAN_CHANGED', 'digest', /read the plan again/);
  const propose = async (): Promise<Wire.Plan__Output> => {
    const { plan, nothingBecause } = await cluster.propose();
    if (!plan) throw new Error(`no plan: ${nothingBecause}`);
    return plan;
  };
  const placement = async () =>
    Promise.all([KEYSPACE, SINGLE].map(async (name) => (await cluster.keyspace(name)).records));

  it('are approved as they were read or not at all', async () => {
    // Plan: a proposal; wrong and missing digests, verbs of other states, on gRPC, REST and command line; then rejected, then approved.
    await cluster.drain('n4');
    const { id, digest } = await propose();
    const path = `/api/v1/plans/${id}`;
    await unchanged(async () => {
      await expectRefused(() => actOn(id, 'approve', { digest: HEX }), CHANGED);
      await expectRefused(() => actOn(id, 'approve'), refused('INVALID_ARGUMENT', 'digest', /plan show/));
      await expectRefused(
        () => actOn(id, 'approve', { digest, actor: '' }),
        refused('INVALID_ARGUMENT', 'actor', /who acts/),
      );
      await expectRefused(
        () => actOn(id, 'approve', { digest, reason: 'r'.repeat(1001) }),
        refused('INVALID_ARGUMENT', 'reason', /shorten/),
      );
      for (const verb of ['pause', 'resume', 'cancel']) await expectRefused(() => actOn(id, verb), ILLEGAL);
      await expectProblem(await post(`${path}/approve`, { actor: 'test', digest: HEX }), 409, CHANGED);
      await expectProblem(
        await post(`${path}/approve`, { actor: 'test', digest: 'zz' }),
        400,
        refused('INVALID_ARGUMENT', 'digest', /openapi/),
      );
      await expectProblem(await post(`${path}/pause`, { actor: 'test' }), 409, ILLEGAL);
      await expectProblem(
        await post(`${path}/explode`, { actor: 'test' }),
        404,
        refused('NOT_FOUND', 'action', /approve/),
      );
      expectExit(await cluster.cli('plan', 'approve', id, '--digest', HEX), CHANGED);
      expectExit(await cluster.cli('plan', 'approve', id), refused('INVALID_ARGUMENT', '--yes', /--digest/));
      expectExit(await cluster.cli('plan', 'pause', id), ILLEGAL);
    });
    await cluster.actOnPlan(id, 'reject');
    await unchanged(async () => {
      await expectRefused(() => actOn(id, 'approve', { digest }), ENDED);
      await expectProblem(await post(`${path}/approve`, { actor: 'test', digest }), 409, ENDED);
      expectExit(await cluster.cli('plan', 'approve', id, '--digest', digest), ENDED);
    });
    expect((await cluster.plan(id)).state).toBe('rejected');
  }, 20_000);

  it('that are stale are never run', async () => {
    // Plan: n4 is to be emptied onto n1; then n1 is drained too. The approval says what changed, the plan is superseded, nothing moves.
    const { id, digest, moves } = await propose();
    expect(moves.map((m) => m.to)).toContain('n1');
    const before = await placement();
    await cluster.drain('n1');
    const error = await expectRefused(
      () => actOn(id, 'approve', { digest }),
      refused('PLAN_STALE', 'id', /propose again/),
    );
    expect(error.message).toContain('node n1 was up and is draining');
    expect((await cluster.plan(id)).state).toBe('superseded');
    await unchanged(async () => {
      await expectProblem(await post(`/api/v1/plans/${id}/approve`, { actor: 'test', digest }), 409, ENDED);
      expectExit(await cluster.cli('plan', 'approve', id, '--digest', digest), ENDED);
    });
    expect(await placement()).toEqual(before);
    await cluster.drain('n1', true);
  }, 20_000);

  it('run once, however often they are approved', async () => {
    // Plan: two approvals at once: one is taken, the other refused; when it has ended, a third is refused and nothing moves any more.
    const { id, digest } = await propose();
    const both = await Promise.allSettled([actOn(id, 'approve', { digest }), actOn(id, 'approve', { digest })]);
    expect(both.map((b) => b.status).sort()).toEqual(['fulfilled', 'rejected']);
    const refusal = both.find((b) => b.status === 'rejected')!.reason as CadastreError;
    expect(refusal).toMatchObject({ code: 'ILLEGAL_TRANSITION', field: 'state' });
    await cluster.until('the plan is completed', async () => (await cluster.plan(id)).state === 'completed');
    await unchanged(async () => {
      await expectRefused(() => actOn(id, 'approve', { digest }), ENDED);
      for (const verb of ['pause', 'resume', 'cancel', 'reject']) await expectRefused(() => actOn(id, verb), ENDED);
    });
    expect((await placement()).flat().some((r) => r.replicas.some((x) => x.node === 'n4'))).toBe(false);
  }, 40_000);
});
