import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { makeGenericClientConstructor, credentials } from '@grpc/grpc-js';
import { LinkPool } from '@cadastre/client';
import type { CadastreClient } from '@cadastre/client';
import type { CadastreError, KeyspaceMap, KeyspaceSpec } from '@cadastre/core';
import type { KvOp, Wire } from '@cadastre/contracts';
import { callUnary, fromServiceError, grpcTransport, healthService } from '@cadastre/contracts';
import { systemClock } from '@cadastre/runtime';
import { forEachConcurrently, runToEnd, TestCluster } from '@cadastre/testkit';
import { expectLine, expectRefused, refused } from './support/refusal.js';

const KEYSPACE = 'pkgs';
const spec: KeyspaceSpec = {
  name: KEYSPACE,
  scheme: { kind: 'hash-slots', slots: 12, hash: 'murmur3', hashTags: false },
  replicationFactor: 2,
  minInSync: 1,
  spread: [],
};
const records = Array.from({ length: 120 }, (_, i): [string, string] => [`package-${i}`, `value ${i}`]);
const soon = { deadlineMs: 5_000 };

let cluster: TestCluster;
let client: CadastreClient;
let map: KeyspaceMap;
let cacheFile: string;
const links = new LinkPool({ transport: grpcTransport, clock: systemClock, maps: () => [] });

beforeAll(async () => {
  cluster = await TestCluster.start({ controlPlanes: 1, agents: 3, zones: 3 });
  await cluster.createKeyspace(spec);
  cacheFile = join(cluster.dir, 'router.map');
  await cluster.startRouter('r1', '--cache-file', cacheFile, '--in-flight-max', '500');
  client = await cluster.client();
  await forEachConcurrently(records, 32, ([key, value]) => client.keyspace(KEYSPACE).put(key, value));
  map = client.map(KEYSPACE)!;
}, 60_000);
afterAll(async () => {
  links.close();
  await cluster?.stop();
}, 30_000);

type TargetOf = Partial<Wire.Target__Output>;
const placeOf = (key: string): number => map.partitionOf(Buffer.from(key));
const targetOf = (key: string, over: TargetOf = {}): Wire.Target__Output => {
  const partition = placeOf(key);
  return {
    keyspace: KEYSPACE,
    partition,
    epoch: map.epochOf(partition),
    forward: false,
    hops: 0,
    byKey: false,
    ...over,
  };
};
const byKey: TargetOf = { partition: 0, epoch: 0, byKey: true };
const get = (key: string, over: TargetOf = {}): KvOp => ({
  kind: 'get',
  request: { target: targetOf(key, over), key: Buffer.from(key) },
});
const put = (key: string, value: string, over: TargetOf = {}): KvOp => ({
  kind: 'put',
  request: { target: targetOf(key, over), requestId: '', key: Buffer.from(key), value: Buffer.from(value) },
});
const send = (id: string, op: KvOp) => links.at(cluster.addressOf(id)).send<'get'>(op, soon);
const alone = (id: string, op: KvOp) => {
  const { kv } = cluster.peer(cluster.addressOf(id));
  return callUnary(kv, kv[op.kind] as never, op.request, soon) as Promise<Wire.GetReply__Output>;
};
const ways = [
  ['frames', send],
  ['a call of its own', alone],
] as const;
const leaderOf = (key: string): string => map.leader(placeOf(key))!.id;
const notLeaderOf = (key: string): string => ['n1', 'n2', 'n3'].find((id) => id !== leaderOf(key))!;
const failure = async (promise: Promise<unknown>): Promise<CadastreError> =>
  promise.then(
    () => Promise.reject(new Error('was not refused')),
    (error: CadastreError) => error,
  );

describe.each(ways)('any node, asked by %s', (_, ask) => {
  // Plan: every record is read through a node that does not lead it: forwarded when asked to, redirected when not.
  it('forwards where the caller asks for it, and redirects by default', async () => {
    await forEachConcurrently(records, 16, async ([key, value]) => {
      const other = notLeaderOf(key);
      expect((await ask(other, get(key, { forward: true }))).value.toString()).toBe(value);
      expect((await ask(other, get(key, { ...byKey, forward: true }))).value.toString()).toBe(value);
      const refusal = await failure(ask(other, get(key)));
      expect(refusal).toMatchObject({
        code: 'NOT_OWNER',
        info: { keyspace: KEYSPACE, leaderAddress: map.leader(placeOf(key))!.address },
      });
    });
  });

  // Plan: a request that was forwarded before is not forwarded again, even when it asks for it: it is redirected.
  it('forwards once', async () => {
    for (const [key] of records.slice(0, 10)) {
      const refusal = await failure(ask(notLeaderOf(key), get(key, { forward: true, hops: 1 })));
      expect(refusal.code).toBe('NOT_OWNER');
    }
  });

  // Plan: a write without a map through the wrong node is there for a reader of its own.
  it('writes through the wrong node', async () => {
    await ask(notLeaderOf('written'), put('written', 'anywhere', { ...byKey, forward: true }));
    expect(Buffer.from((await client.keyspace(KEYSPACE).get('written'))!).toString()).toBe('anywhere');
  });

  // Plan: what has no single place, or none at all, is refused by name.
  it('refuses what it cannot place', async () => {
    const target = { ...targetOf('a'), ...byKey, forward: true };
    const scan: KvOp = {
      kind: 'scan',
      request: { target, start: Buffer.alloc(0), end: Buffer.alloc(0), limit: 5, reverse: false },
    };
    await expectRefused(() => ask('n1', scan), refused('INVALID_ARGUMENT', 'target.by_key', /router/));
    const ops = records.slice(0, 20).map(([key]) => ({ delete: true, key: Buffer.from(key), value: Buffer.alloc(0) }));
    await expectRefused(
      () => ask('n1', { kind: 'batch', request: { target, requestId: '', ops } }),
      refused('INVALID_ARGUMENT', 'ops', /smart client/),
    );
    await expectRefused(
      () => ask('n1', get('a', { ...byKey, keyspace: 'nope' })),
      refused('NOT_FOUND', 'target.keyspace', /exists/),
    );
    await expectRefused(
      () => ask('n1', { kind: 'get', request: { target: null, key: Buffer.from('a') } }),
      refused('INVALID_ARGUMENT', 'target', /name keyspace/),
    );
    await expectRefused(
      () => ask('n1', { kind: 'get', request: { target, key: Buffer.alloc(0) } }),
      refused('INVALID_ARGUMENT', 'key', /at least 1 byte/),
    );
  });
});

describe.each(ways)('a router, asked by %s', (_, ask) => {
  // Plan: reads, writes, a batch and a scan by a caller that knows nothing but the keyspace's name.
  it('serves callers without a map', async () => {
    await forEachConcurrently(records, 16, async ([key, value]) =>
      expect((await ask('r1', get(key, byKey))).value.toString()).toBe(value),
    );
    expect(await ask('r1', get('no such key', byKey))).toMatchObject({ found: false });
    await ask('r1', put('routed', 'through', byKey));
    expect(Buffer.from((await client.keyspace(KEYSPACE).get('routed'))!).toString()).toBe('through');
    await ask('r1', {
      kind: 'delete',
      request: { target: targetOf('routed', byKey), requestId: '', key: Buffer.from('routed') },
    });
    expect(await client.keyspace(KEYSPACE).get('routed')).toBeUndefined();
    const keys: string[] = [];
    let start: Uint8Array = Buffer.from('package-');
    for (let more = true; more;) {
      const end = Buffer.from('package.');
      const request = { target: targetOf('a', byKey), start, end, limit: 50, reverse: false };
      const page = (await ask('r1', { kind: 'scan', request })) as unknown as Wire.ScanReply__Output;
      keys.push(...page.entries.map((entry) => entry.key.toString()));
      ({ more, next: start } = page);
    }
    expect(keys).toEqual(records.map(([key]) => key).sort());
  });

  // Plan: a map that is out of date does not matter to a router: the partition counts, not the epoch.
  it('serves callers with an old map', async () => {
    expect((await ask('r1', get('package-1', { epoch: 0 }))).value.toString()).toBe('value 1');
  });

  // Plan: each bad request is refused as the agents refuse it, naming the field and the remedy; the router serves on.
  it('refuses what makes no sense', async () => {
    const key = Buffer.from('a');
    const scan = (over: object): KvOp => ({
      kind: 'scan',
      request: {
        target: targetOf('a', byKey),
        start: Buffer.alloc(0),
        end: Buffer.alloc(0),
        limit: 5,
        reverse: false,
        ...over,
      },
    });
    const cases: [KvOp, Parameters<typeof refused>][] = [
      [{ kind: 'get', request: { target: null, key } }, ['INVALID_ARGUMENT', 'target', /by_key/]],
      [get('a', { ...byKey, keyspace: 'nope' }), ['NOT_FOUND', 'keyspace', /make it/]],
      [get('a', { ...byKey, keyspace: 'No/Name' }), ['INVALID_ARGUMENT', 'target.keyspace', /63/]],
      [get('a', { partition: 12 }), ['INVALID_ARGUMENT', 'target.partition', /by_key/]],
      [get('a', { partition: (placeOf('a') + 1) % 12 }), ['INVALID_ARGUMENT', 'key', /compute the partition/]],
      [
        { kind: 'get', request: { target: targetOf('a', byKey), key: Buffer.alloc(0) } },
        ['INVALID_ARGUMENT', 'key', /at least 1/],
      ],
      [put('a', 'x'.repeat(2 * 1024 * 1024), byKey), ['INVALID_ARGUMENT', 'value', /split/]],
      [
        { kind: 'batch', request: { target: targetOf('a'), requestId: '', ops: [] } },
        ['INVALID_ARGUMENT', 'ops', /at least one/],
      ],
      [scan({ limit: 0 }), ['INVALID_ARGUMENT', 'limit', /go on from/]],
      [scan({ reverse: true }), ['INVALID_ARGUMENT', 'reverse', /partition/]],
    ];
    for (const [op, expected] of cases) await expectRefused(() => ask('r1', op), refused(...expected));
    expect((await ask('r1', get('package-1', byKey))).found).toBe(true);
  });
});

describe('reads by any copy', () => {
  // Plan: a client in each zone, a router and any node read all records with leave to be stale: all values are right, since they were
  // written long ago; where a follower is nearest it answers, and says how old its answer may be.
  it('are answered by the nearest copy', async () => {
    let followers = 0;
    for (const zone of ['a', 'b', 'c']) {
      const near = await cluster.client({ labels: { zone } });
      await forEachConcurrently(records, 16, async ([key, value]) => {
        const read = await near.keyspace(KEYSPACE).read(key, { from: 'nearest' });
        expect(Buffer.from(read.value!).toString()).toBe(value);
        if (!read.fromFollower) return;
        followers += 1;
        expect(read.stalenessMs).toBeLessThanOrEqual(5_000);
      });
      expect(near.stats().failures).toBe(0);
    }
    expect(followers).toBeGreaterThan(records.length / 2);
    const stale = (key: string): KvOp => ({
      kind: 'get',
      request: {
        target: targetOf(key, { ...byKey, forward: true }),
        key: Buffer.from(key),
        follower: true,
        maxStalenessMs: 0,
      },
    });
    for (const id of ['r1', 'n1', 'n2', 'n3'])
      await forEachConcurrently(records.slice(0, 30), 8, async ([key, value]) =>
        expect((await send(id, stale(key))).value.toString()).toBe(value),
      );
  });
});

describe('routers as processes', () => {
  const health = () => {
    const Health = makeGenericClientConstructor(healthService, 'Health');
    return new Health(cluster.addressOf('r1'), credentials.createInsecure());
  };
  const check = (service: string): Promise<unknown> =>
    new Promise((resolve, reject) => {
      health()['check']!({ service }, { deadline: Date.now() + 5_000 }, (error: Error | null, reply: unknown) =>
        error ? reject(fromServiceError(error as never)) : resolve(reply),
      );
    });

  // Plan: the process and its service are serving, an unknown service is not found, as grpc.health.v1 says.
  it('answer health checks', async () => {
    for (const service of ['', 'cadastre.v1.Kv']) expect(await check(service)).toEqual({ status: 'SERVING' });
    await expectRefused(() => check('nope'), refused('NOT_FOUND', 'service', /cadastre.v1.Kv/));
  });

  // Plan: SIGTERM in the middle of a load of writes: each is acknowledged or refused, none is left unknown; the process ends with 0.
  it('stop without losing what they took', async () => {
    const acknowledged: string[] = [];
    const codes = new Set<string>();
    let running = true;
    const worker = async (w: number): Promise<void> => {
      for (let n = 0; running; n += 1) {
        const key = `stop-${w}-${n}`;
        try {
          await send('r1', put(key, key, byKey));
          acknowledged.push(key);
        } catch (error) {
          codes.add((error as CadastreError).code);
          return;
        }
      }
    };
    const load = Promise.all(Array.from({ length: 32 }, (_, w) => worker(w)));
    await cluster.until('the load runs', async () => acknowledged.length > 200);
    const watched: string[] = [];
    const watch = health()['watch']!({ service: '' }) as { on(event: string, listener: (value: never) => void): void };
    watch.on('data', (reply: { status: string }) => watched.push(reply.status));
    watch.on('error', () => undefined);
    await cluster.until('the watch has begun', async () => watched.length === 1);
    const ended = await cluster.routers.get('r1')!.end('SIGTERM');
    running = false;
    await load;
    expect(ended).toBe(0);
    expect([...codes]).toEqual(['UNAVAILABLE']);
    expect(watched).toEqual(['SERVING', 'NOT_SERVING']);
    await forEachConcurrently(acknowledged, 32, async (key) =>
      expect(Buffer.from((await client.keyspace(KEYSPACE).get(key))!).toString()).toBe(key),
    );
  });

  // Plan: flags that make no sense end the start with one line that names the flag; so does a start without map and control plane.
  it('refuse to start on nonsense', async () => {
    const main = join(import.meta.dirname, '..', '..', 'apps', 'router', 'dist', 'main.js');
    const start = (...args: string[]) => runToEnd(main, args);
    expectLine(await start(), /--control-plane/);
    expectLine(await start('--control-plane', 'nope'), /--control-plane/, /host:port/);
    expectLine(await start('--control-plane', '127.0.0.1:1', '--listen', '127.0.0.1:99999'), /--listen/);
    expectLine(await start('--control-plane', '127.0.0.1:1', '--in-flight-max', '0'), /--in-flight-max/);
    expectLine(await start('--control-plane', '127.0.0.1:1', '--colour', 'red'), /--colour/);
    const to = ['--control-plane', cluster.addressOf('cp1')];
    expectLine(await start(...to), /--tls-cert/, /--insecure/);
    const taken = await start(...to, '--listen', cluster.addressOf('n1'), '--insecure');
    expect(taken).toMatchObject({ code: 1, stderr: expect.stringContaining('cannot listen') });
  }, 60_000);

  // Plan: control plane and etcd are gone; a router starts from its file, reads and writes; then an agent, killed and started, and
  // asked through another node for what it leads, serves from its own file too.
  it('start without a control plane, from their last map', async () => {
    await cluster.until('the router has saved its map', async () => existsSync(cacheFile));
    await cluster.controlPlanes.get('cp1')!.end('SIGKILL');
    await cluster.etcd.kill();
    await cluster.startRouter('r1', '--cache-file', cacheFile);
    await cluster.until('it is reached', async () => (await send('r1', get('package-0', byKey))).found);
    await forEachConcurrently(records, 16, async ([key, value]) =>
      expect((await send('r1', get(key, byKey))).value.toString()).toBe(value),
    );
    await send('r1', put('cold', 'start', byKey));
    expect(Buffer.from((await client.keyspace(KEYSPACE).get('cold'))!).toString()).toBe('start');
    await cluster.agents.get('n2')!.end('SIGKILL');
    await cluster.startAgent(2);
    const led = records.filter(([key]) => leaderOf(key) === 'n2');
    expect(led.length).toBeGreaterThan(0);
    for (const [key, value] of led)
      await cluster.until(`${key} is served again`, async () => {
        const reply = await send('n1', get(key, { ...byKey, forward: true }));
        return reply.value.toString() === value;
      });
  }, 60_000);
});
