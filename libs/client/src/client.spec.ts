import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { CadastreError } from '@cadastre/core';
import { encodeDelta, encodeProgress, encodeSnapshot } from '@cadastre/contracts';
import { CadastreClient } from './client.js';
import type { TriedInfo } from './router.js';
import {
  FakeAgent,
  FakeControlPlane,
  ledBy,
  mapOn,
  notOwner,
  rangeSpec,
  slotsSpec,
  until,
} from './testing/fake-cluster.js';

const text = (bytes: Uint8Array | undefined): string | undefined => bytes && Buffer.from(bytes).toString();
const failure = async (promise: Promise<unknown>): Promise<CadastreError> => {
  const error = await promise.then(
    () => undefined,
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(CadastreError);
  return error as CadastreError;
};
const collect = async (entries: AsyncIterable<{ key: Uint8Array }>): Promise<string[]> => {
  const keys: string[] = [];
  for await (const { key } of entries) keys.push(text(key)!);
  return keys;
};

describe('CadastreClient', () => {
  let control: FakeControlPlane;
  let agents: FakeAgent[];
  const clients: CadastreClient[] = [];

  const connect = async (
    options: Partial<Parameters<typeof CadastreClient.connect>[0]> = {},
  ): Promise<CadastreClient> => {
    const client = await CadastreClient.connect({
      controlPlanes: [control.address],
      requestTimeoutMs: 20_000,
      attemptTimeoutMs: 3_000,
      ...options,
    });
    clients.push(client);
    return client;
  };

  beforeEach(async () => {
    agents = await Promise.all(['n1', 'n2', 'n3'].map((id) => new FakeAgent(id).listen()));
    const nodes = agents.map((a) => a.entry);
    control = await new FakeControlPlane([
      mapOn(slotsSpec('orders', 8), nodes),
      mapOn(rangeSpec('names', 'h', 'p'), nodes),
    ]).listen();
  });

  afterEach(async () => {
    await Promise.all(clients.splice(0).map((c) => c.close()));
    control.stop();
    for (const agent of agents) agent.cut();
  });

  it('writes, reads and deletes at the leader, in one hop', async () => {
    // Plan: put 20 keys, read them, delete one; each request reaches the leader of its partition at the first attempt.
    const client = await connect();
    const orders = client.keyspace('orders');
    for (let i = 0; i < 20; i += 1) await orders.put(`k${i}`, `v${i}`);
    expect(text(await orders.get('k7'))).toBe('v7');
    await orders.delete('k7');
    expect(await orders.get('k7')).toBeUndefined();
    for (const agent of agents)
      for (const seen of agent.seen) expect(agents[seen.target.partition % 3]!.id).toBe(agent.id);
    expect(client.stats()).toMatchObject({
      requests: 23,
      retries: 0,
      notOwner: 0,
      handedOver: 0,
      wrongOwnerHops: 0,
      failures: 0,
      channels: 3,
    });
    expect(client.stats().latency.count).toBe(23);
    await until('it said what it has', () => new Set(control.applied).size === 2);
    expect([...control.applied].sort()).toEqual(['names@1', 'orders@1']);
  });

  it('heals its map from NOT_OWNER and retries at once, in one hop', async () => {
    // Plan: partition of "a" moved to n3 without a word to the client; one refusal, one hop, and no second refusal afterwards.
    const client = await connect();
    const partition = client.map('orders')!.partitionOf(Buffer.from('a'));
    const old = agents[partition % 3]!;
    const target = agents[(partition + 1) % 3]!;
    const record = ledBy(partition, 2, target.id);
    old.before = ({ target: t }) => {
      if (t.partition === partition) throw notOwner('orders', record, [target.entry]);
    };
    await client.keyspace('orders').put('a', '1');
    await client.keyspace('orders').put('a', '2');
    expect(client.stats()).toMatchObject({ notOwner: 1, wrongOwnerHops: 1, retries: 0 });
    expect(target.seen.map((s) => s.target.epoch)).toEqual([2, 2]);
    expect(old.seen[0]!.requestId).toBe(target.seen[0]!.requestId);
  });

  it('takes the word of a node that ceases to lead, and asks the next one first', async () => {
    // Plan: a write to the old leader; it says unasked who leads now; the next write meets no wrong owner.
    const client = await connect();
    const partition = client.map('orders')!.partitionOf(Buffer.from('a'));
    const old = agents[partition % 3]!;
    const target = agents[(partition + 1) % 3]!;
    await client.keyspace('orders').put('a', '1');
    old.tell(ledBy(partition, 2, target.id), [target.entry]);
    await until('the client has heard it', () => client.map('orders')!.epochOf(partition) === 2);
    await client.keyspace('orders').put('a', '2');
    expect([old.seen.length, target.seen.length]).toEqual([1, 1]);
    expect(client.stats()).toMatchObject({ notOwner: 0, wrongOwnerHops: 0, retries: 0 });
  });

  it('tells a request that a change of leader caught at its owner from one that met a wrong owner', async () => {
    // Plan: the leader holds the write until another leads; it goes there at once, and no wrong owner was met.
    const client = await connect();
    const partition = client.map('orders')!.partitionOf(Buffer.from('a'));
    const old = agents[partition % 3]!;
    const target = agents[(partition + 1) % 3]!;
    const { message, info } = notOwner('orders', ledBy(partition, 2, target.id), [target.entry]);
    old.before = () => {
      throw new CadastreError('NOT_OWNER', message, {
        info: { ...(info as object), mayHaveHappened: true, held: true },
      });
    };
    await client.keyspace('orders').put('a', '1');
    expect(client.stats()).toMatchObject({ notOwner: 0, handedOver: 1, wrongOwnerHops: 0, retries: 0 });
    expect(target.seen).toHaveLength(1);
  });

  it('heals towards a node that the map does not name yet', async () => {
    // Plan: NOT_OWNER names a node and its address that joined a moment ago; the client goes there.
    const client = await connect();
    const joined = await new FakeAgent('n9').listen();
    agents.push(joined);
    const partition = client.map('orders')!.partitionOf(Buffer.from('a'));
    agents[partition % 3]!.before = () => {
      throw notOwner('orders', ledBy(partition, 4, 'n9'), [joined.entry]);
    };
    await client.keyspace('orders').put('a', '1');
    expect(joined.seen).toHaveLength(1);
  });

  it('does not believe a NOT_OWNER that is older than its map', async () => {
    // Plan: the new leader has not applied the map yet and names the old one at a lower epoch; the client stays and succeeds.
    const client = await connect();
    const partition = client.map('orders')!.partitionOf(Buffer.from('a'));
    const [was, is] = [agents[partition % 3]!, agents[(partition + 1) % 3]!];
    control.change('orders', [ledBy(partition, 5, is.id)]);
    await until('the delta is applied', () => client.map('orders')!.epochOf(partition) === 5);
    is.before = () => {
      if (is.seen.length < 3) throw notOwner('orders', ledBy(partition, 1, was.id), [was.entry]);
    };
    await client.keyspace('orders').put('a', '1');
    expect(was.seen).toHaveLength(0);
    expect(is.seen).toHaveLength(3);
    expect(client.stats()).toMatchObject({ notOwner: 2, wrongOwnerHops: 0, retries: 0 });
  });

  it('keeps the request id over retries, so that a write takes effect once', async () => {
    // Plan: the agent applies the write, then the answer is lost (attempt deadline) twice; one effect, one id, three attempts.
    const client = await connect({ attemptTimeoutMs: 100 });
    let lost = 0;
    for (const agent of agents) {
      agent.after = async ({ verb }) => {
        if (verb === 'put' && lost < 2) {
          lost += 1;
          await new Promise<void>((resolve) => setTimeout(resolve, 300));
        }
      };
    }
    await client.keyspace('orders').put('a', '1');
    const seen = agents.flatMap((a) => a.seen);
    expect(seen).toHaveLength(3);
    expect(new Set(seen.map((s) => s.requestId)).size).toBe(1);
    expect(agents.reduce((sum, a) => sum + a.effects.size, 0)).toBe(1);
    expect(seen[0]!.requestId).toBe(`${client.id}:1`);
    expect(client.stats().retries).toBe(2);
  });

  it('goes to the new leader as soon as the map tells of it', async () => {
    // Plan: the leader dies; requests wait; the failover's delta wakes them at once and they succeed elsewhere.
    const client = await connect({ requestTimeoutMs: 5_000 });
    const partition = client.map('orders')!.partitionOf(Buffer.from('a'));
    agents[partition % 3]!.cut();
    const pending = Promise.all(Array.from({ length: 10 }, (_, i) => client.keyspace('orders').put('a', `${i}`)));
    await until('the attempts failed', () => client.stats().retries >= 10);
    const next = agents[(partition + 1) % 3]!;
    control.change('orders', [ledBy(partition, 2, next.id)]);
    await pending;
    expect(next.effects.size).toBe(10);
    expect(client.stats().failures).toBe(0);
  });

  it('waits for a leader where there is none', async () => {
    // Plan: a record without leader; the request makes no attempt until the delta brings one.
    const client = await connect();
    const partition = client.map('orders')!.partitionOf(Buffer.from('a'));
    const headless = {
      partition,
      epoch: 2,
      replicas: [{ node: 'n1', role: 'follower', state: 'available', inSync: true }],
    } as const;
    control.change('orders', [headless]);
    await until('the delta is applied', () => client.map('orders')!.epochOf(partition) === 2);
    const pending = client.keyspace('orders').get('a');
    control.change('orders', [ledBy(partition, 3, 'n2')]);
    expect(await pending).toBeUndefined();
    expect(agents[1]!.seen).toHaveLength(1);
  });

  it('says after its deadline what it tried', async () => {
    // Plan: all agents refuse with UNAVAILABLE; the error names attempts, leader, last error, and that nothing happened.
    const client = await connect();
    for (const agent of agents) {
      agent.before = () => {
        throw new CadastreError('UNAVAILABLE', 'sealed for a hand-off');
      };
    }
    const error = await failure(client.keyspace('orders').put('a', '1', { timeoutMs: 1_000 }));
    expect(error.code).toBe('DEADLINE_EXCEEDED');
    expect(error.message).toMatch(
      /put in orders\/\d was not done within \d+ ms: \d+ attempts, last at n\d .*sealed for a hand-off/,
    );
    expect(error.info as TriedInfo).toMatchObject({ lastError: 'UNAVAILABLE', mayHaveHappened: false });
    expect((error.info as TriedInfo).attempts).toBeGreaterThan(1);
    expect(client.stats().failures).toBe(1);
  });

  it('says of a write whose answers were all lost that it may have happened', async () => {
    // Plan: the agent never answers; the remedy tells the caller to look.
    const client = await connect({ attemptTimeoutMs: 200 });
    for (const agent of agents) agent.after = () => new Promise((resolve) => setTimeout(resolve, 3_000));
    const error = await failure(client.keyspace('orders').put('a', '1', { timeoutMs: 800 }));
    expect(error.code).toBe('UNKNOWN_OUTCOME');
    expect(error.info as TriedInfo).toMatchObject({ mayHaveHappened: true });
    expect(error.remedy).toContain('may or may not');
  });

  it('stops at once when the caller aborts', async () => {
    // Plan: an agent that never answers; abort ends the request with CANCELLED long before its deadline.
    const client = await connect({ requestTimeoutMs: 60_000, attemptTimeoutMs: 60_000 });
    for (const agent of agents) agent.after = () => new Promise((resolve) => setTimeout(resolve, 1_000));
    const controller = new AbortController();
    const pending = failure(client.keyspace('orders').put('a', '1', { signal: controller.signal }));
    await until('the request arrived', () => agents.some((a) => a.seen.length > 0));
    controller.abort();
    const error = await pending;
    expect(error.code).toBe('CANCELLED');
    expect(error.remedy).toContain('may or may not');
    expect((await failure(client.keyspace('orders').get('a', { signal: controller.signal }))).code).toBe('CANCELLED');
  });

  it('refuses bad input before it sends anything, naming field and remedy', async () => {
    // Plan: empty key, 5 KiB key, 2 MiB value, lone surrogate, wrong type, bad name, too large batches; no agent sees a request.
    const orders = (await connect()).keyspace('orders');
    const cases: [string, Promise<unknown>][] = [
      ['key', orders.get('')],
      ['key', orders.put('x'.repeat(5 * 1024), 'v')],
      ['value', orders.put('k', Buffer.alloc(2 * 1024 * 1024))],
      ['key', orders.get('\ud800')],
      ['value', orders.put('k', 7 as never)],
      ['ops', orders.batch([])],
      ['ops', orders.batch(Array.from({ length: 1001 }, (_, i) => ({ type: 'delete', key: `${i}` }) as const))],
      [
        'ops',
        orders.batch(
          Array.from(
            { length: 3 },
            (_, i) => ({ type: 'put', key: `${i}`, value: Buffer.alloc(1024 * 1024) }) as const,
          ),
        ),
      ],
      [
        'ops[1].key',
        orders.batch([
          { type: 'delete', key: 'a' },
          { type: 'delete', key: '' },
        ]),
      ],
      ['ops[0].type', orders.batch([{ type: 'increment', key: 'a' } as never])],
      ['limit', collect(orders.scan({ limit: -1 }))],
    ];
    for (const [field, promise] of cases) {
      const error = await failure(promise);
      expect([error.code, error.field]).toEqual(['INVALID_ARGUMENT', field]);
      expect(error.remedy).toBeTruthy();
    }
    expect(agents.flatMap((a) => a.seen)).toEqual([]);
  });

  it('names an unknown keyspace and what to do', async () => {
    // Plan: NOT_FOUND with field and remedy for a keyspace that no control plane knows; INVALID_ARGUMENT for an impossible name.
    const client = await connect();
    const error = await failure(client.keyspace('nothing').get('a'));
    expect(error).toMatchObject({
      code: 'NOT_FOUND',
      field: 'keyspace',
      remedy: 'make it first: cadastre keyspace create nothing',
    });
    expect(error.message).toContain('names, orders');
    expect(() => client.keyspace('Bad Name')).toThrow(/not a valid name/);
  });

  it('finds a keyspace that was made a moment ago', async () => {
    // Plan: the request begins before the snapshot arrives; it waits and succeeds.
    const client = await connect();
    const pending = client.keyspace('fresh').put('a', '1');
    for (const call of control.calls)
      for (const chunk of encodeSnapshot(mapOn(slotsSpec('fresh', 2), [agents[0]!.entry]))) call.write(chunk);
    await pending;
    expect(agents[0]!.seen).toHaveLength(1);
  });

  it('resynchronises after a damaged snapshot chunk', async () => {
    // Plan: the first stream's snapshot has a flipped bit; the client subscribes again without a known generation and is whole.
    let streams = 0;
    control.script = (call) => {
      streams += 1;
      if (streams > 1) return control.sendAll(call);
      const [chunk] = encodeSnapshot(control.maps[0]!);
      const at = chunk!.indexOf(agents[0]!.address);
      chunk![at] = chunk![at]! ^ 1;
      call.write(chunk!);
      return undefined;
    };
    const client = await connect();
    await client.keyspace('orders').put('a', '1');
    expect(streams).toBe(2);
    expect(control.subscriptions[1]!.known).toEqual([]);
  });

  it('resynchronises after a gap, and never goes back to an older record', async () => {
    // Plan: a delta that does not continue the map; the new snapshot is older in one healed record, which stays.
    const client = await connect();
    await until('all maps are there', () => client.map('orders') !== undefined && client.map('names') !== undefined);
    const partition = client.map('orders')!.partitionOf(Buffer.from('a'));
    const [was, is] = [agents[partition % 3]!, agents[(partition + 1) % 3]!];
    was.before = () => {
      throw notOwner('orders', ledBy(partition, 7, is.id), [is.entry]);
    };
    await client.keyspace('orders').put('a', '1');
    for (const call of control.calls) {
      call.write(
        encodeDelta({
          keyspace: 'orders',
          from: { incarnation: 1, number: 40 },
          to: { incarnation: 1, number: 41 },
          records: [],
          nodes: [],
        }),
      );
    }
    await until('a new subscription came', () => control.subscriptions.length === 2);
    const reported = control.applied.length;
    expect(control.subscriptions[1]!.known.map((k) => k.keyspace)).toEqual(['names']);
    await until('the new stream is whole', () => control.applied.slice(reported).includes('orders@1'));
    expect(client.map('orders')!.leader(partition)!.id).toBe(is.id);
    await client.keyspace('orders').put('a', '2');
    expect(was.seen).toHaveLength(1);
  });

  it('goes on from its map while no control plane is there, and resumes with what it knows', async () => {
    // Plan: stop the control plane, write, start another at the same port: the subscription names the known generations.
    const client = await connect();
    await until('all maps are there', () => client.map('names') !== undefined && client.map('orders') !== undefined);
    const port = Number(control.address.split(':')[1]);
    control.stop();
    await client.keyspace('orders').put('a', '1');
    control = await new FakeControlPlane(control.maps).listen(port);
    await until('it subscribed again', () => control.subscriptions.length === 1);
    expect(control.subscriptions[0]!.known.map((k) => k.keyspace).sort()).toEqual(['names', 'orders']);
  });

  it('starts from the cache file when no control plane answers', async () => {
    // Plan: one client writes the file at close; another starts with a dead address and serves from it; a damaged file is refused.
    const cacheFile = join(await mkdtemp(join(tmpdir(), 'cadastre-client-')), 'map');
    const first = await connect({ cacheFile });
    await until('all maps are there', () => first.map('names') !== undefined && first.map('orders') !== undefined);
    await first.keyspace('orders').put('a', 'kept');
    await first.close();
    control.stop();
    const second = await connect({ cacheFile });
    expect(text(await second.keyspace('orders').get('a'))).toBe('kept');
    expect(second.stats().map).toMatchObject({ answered: false, clusterId: 'cluster-1' });
    await second.close();
    const bytes = await readFile(cacheFile);
    bytes[bytes.length - 1] = bytes[bytes.length - 1]! ^ 1;
    await writeFile(cacheFile, bytes);
    const warnings: string[] = [];
    const logger = {
      debug: () => undefined,
      info: () => undefined,
      warn: (m: string) => void warnings.push(m),
      error: () => undefined,
    };
    const error = await failure(connect({ cacheFile, logger, requestTimeoutMs: 300 }));
    expect(error).toMatchObject({ code: 'UNAVAILABLE', field: 'controlPlanes' });
    expect(warnings.join('\n')).toContain('checksum does not match');
  });

  it('refuses options that cannot work', async () => {
    // Plan: no address, a bad address and a time of zero are each named.
    const refused = async (options: object): Promise<string | undefined> =>
      (await failure(CadastreClient.connect({ controlPlanes: ['h:1'], ...options }))).field;
    expect(await refused({ controlPlanes: [] })).toBe('controlPlanes');
    expect(await refused({ controlPlanes: ['nowhere'] })).toBe('controlPlanes[0]');
    expect(await refused({ requestTimeoutMs: 0 })).toBe('requestTimeoutMs');
  });

  it('splits a batch by partition and keeps the order within a key', async () => {
    // Plan: 40 operations over 8 partitions, one key put twice then deleted; each partition sees one batch.
    const client = await connect();
    const orders = client.keyspace('orders');
    const ops = Array.from({ length: 40 }, (_, i) => ({ type: 'put', key: `k${i}`, value: `${i}` }) as const);
    const result = await orders.batch([
      ...ops,
      { type: 'put', key: 'k0', value: 'again' },
      { type: 'delete', key: 'k1' },
    ]);
    expect(result.partitions).toBe(8);
    expect(agents.flatMap((a) => a.seen)).toHaveLength(8);
    expect(text(await orders.get('k0'))).toBe('again');
    expect(await orders.get('k1')).toBeUndefined();
  });

  it('says which operations of a batch were applied when a part fails', async () => {
    // Plan: one agent refuses for good; the error lists applied and failed operations, together all of them.
    const client = await connect();
    agents[0]!.before = () => {
      throw new CadastreError('FAILED_PRECONDITION', 'too few in-sync replicas', { remedy: 'bring a node back' });
    };
    const error = await failure(
      client
        .keyspace('orders')
        .batch(Array.from({ length: 30 }, (_, i) => ({ type: 'put', key: `k${i}`, value: '' }) as const)),
    );
    const { applied, failed } = error.info as { applied: number[]; failed: { indices: number[] }[] };
    expect(error).toMatchObject({ code: 'FAILED_PRECONDITION', field: 'ops', remedy: 'bring a node back' });
    expect([...applied, ...failed.flatMap((f) => f.indices)].sort((a, b) => a - b)).toEqual(
      Array.from({ length: 30 }, (_, i) => i),
    );
    expect(failed.length).toBeGreaterThan(0);
  });

  it('scans a hash-partitioned keyspace in key order', async () => {
    // Plan: 1,500 keys over 8 partitions (several pages each); all, a range, a prefix and a limit come in order.
    const orders = (await connect()).keyspace('orders');
    const keys = Array.from({ length: 1500 }, (_, i) => `k${String(i).padStart(5, '0')}`);
    for (let i = 0; i < keys.length; i += 500)
      await orders.batch(keys.slice(i, i + 500).map((key) => ({ type: 'put', key, value: key }) as const));
    expect(await collect(orders.scan())).toEqual(keys);
    expect(await collect(orders.scan({ start: 'k00010', end: 'k00013' }))).toEqual(['k00010', 'k00011', 'k00012']);
    expect(await collect(orders.scan({ prefix: 'k0012' }))).toEqual(keys.slice(120, 130));
    expect(await collect(orders.scan({ prefix: 'k001', start: 'k00150', limit: 3 }))).toEqual([
      'k00150',
      'k00151',
      'k00152',
    ]);
    expect(await collect(orders.scan({ start: 'z', end: 'a' }))).toEqual([]);
  });

  it('scans an ordered keyspace partition by partition', async () => {
    // Plan: keys on both sides of the split points; order kept, and a range asks only the partitions that it touches.
    const names = (await connect()).keyspace('names');
    for (const key of ['zoe', 'adam', 'hugo', 'paul', 'mia', 'h']) await names.put(key, '');
    for (const agent of agents) agent.seen.length = 0;
    expect(await collect(names.scan())).toEqual(['adam', 'h', 'hugo', 'mia', 'paul', 'zoe']);
    for (const agent of agents) agent.seen.length = 0;
    expect(await collect(names.scan({ end: 'h' }))).toEqual(['adam']);
    expect(agents.map((a) => a.seen.length)).toEqual([1, 0, 0]);
  });

  it('closes the channel of a node that holds nothing any more', async () => {
    // Plan: use all three nodes, move everything off n3, sweep: two channels stay, and requests go on.
    const client = await connect();
    const orders = client.keyspace('orders');
    for (let i = 0; i < 20; i += 1) await orders.put(`k${i}`, '');
    for (const keyspace of ['orders', 'names']) {
      const map = control.maps.find((m) => m.spec.name === keyspace)!;
      control.change(
        keyspace,
        map
          .records()
          .filter((r) => r.replicas[0]!.node === 'n3')
          .map((r) => ledBy(r.partition, 2, 'n1')),
      );
    }
    await until('the maps changed', () => ['orders', 'names'].every((k) => client.map(k)!.generation.number === 2));
    (client as unknown as { links: { closeUnused(): void } }).links.closeUnused();
    expect(client.stats().channels).toBe(2);
    for (let i = 0; i < 20; i += 1) await orders.put(`k${i}`, '');
    expect(client.stats().failures).toBe(0);
    for (const call of control.calls) call.write(encodeProgress('cluster-1', []));
  });

  it('tells an unknown outcome even when the next attempt is refused', async () => {
    // Plan: the first attempt is never answered, the second is refused for good; the write may have happened, and the error says so.
    const client = await connect({ attemptTimeoutMs: 60 });
    let attempts = 0;
    for (const agent of agents) {
      agent.before = async () => {
        attempts += 1;
        if (attempts > 1) throw new CadastreError('NOT_FOUND', 'keyspace is gone');
      };
      agent.after = () => new Promise((resolve) => setTimeout(resolve, 300));
    }
    const error = await failure(client.keyspace('orders').put('a', '1'));
    expect(error.code).toBe('UNKNOWN_OUTCOME');
    expect(error.info as TriedInfo).toMatchObject({ mayHaveHappened: true, lastError: 'NOT_FOUND' });
    const read = await failure(client.keyspace('orders').get('a'));
    expect(read.code).toBe('NOT_FOUND');
  });

  it('works with nodes of before there were frames', async () => {
    // Plan: the leader of "a" serves unary calls only; writes and reads succeed, one attempt each.
    const old = await new FakeAgent('n1').listen(0, { pipeline: false });
    agents.push(old);
    control.change('orders', [], [old.entry]);
    const client = await connect();
    const orders = client.keyspace('orders');
    const keys = Array.from({ length: 30 }, (_, i) => `k${i}`);
    await Promise.all(keys.map((key) => orders.put(key, key)));
    for (const key of keys) expect(text(await orders.get(key))).toBe(key);
    expect(old.seen.length).toBeGreaterThan(5);
    expect(client.stats()).toMatchObject({ retries: 0, failures: 0 });
  });

  it('explains where a key goes', async () => {
    // Plan: the explanation agrees with the map, names leader and replicas, and says where the map comes from.
    const client = await connect();
    const map = client.map('orders')!;
    const partition = map.partitionOf(Buffer.from('a'));
    const leader = map.leader(partition)!;
    const explained = await client.explain('orders', 'a');
    expect(explained).toMatchObject({
      keyspace: 'orders',
      scheme: expect.stringContaining('hash-slots: 8 slots of murmur3'),
      token: String(partition),
      partition,
      epoch: 1,
      goesTo: { node: leader.id, address: leader.address },
      replicas: [{ node: leader.id, role: 'leader', inSync: true }],
      mapFrom: `the control plane at ${control.address}`,
    });
    expect(explained.because).toContain(`${leader.id} leads partition ${partition} at epoch 1`);
    control.change('orders', [
      { partition, epoch: 2, replicas: [{ node: 'n1', role: 'follower', state: 'available', inSync: true }] },
    ]);
    await until('the delta is applied', () => client.map('orders')!.epochOf(partition) === 2);
    expect(await client.explain('orders', 'a')).toMatchObject({
      goesTo: undefined,
      because: expect.stringContaining('no leader'),
    });
    expect(await failure(client.explain('orders', ''))).toMatchObject({ code: 'INVALID_ARGUMENT', field: 'key' });
  });

  it('tells what took one partition and what took several', async () => {
    // Plan: a read, a write, a batch of one key, a batch and a scan over several partitions; each counts once, whatever requests it took.
    const orders = (await connect()).keyspace('orders');
    const ops = Array.from({ length: 9 }, (_, i) => ({ type: 'put' as const, key: `b${i}`, value: '' }));
    await orders.put('a', '1');
    await orders.get('a');
    await orders.batch(ops.slice(0, 1));
    await orders.batch(ops);
    for await (const entry of orders.scan()) if (entry) break;
    expect(clients[0]!.stats().operations).toEqual({ readOne: 1, readMany: 1, writeOne: 2, writeMany: 1 });
  });

  it('tells of redirections, and measures', async () => {
    // Plan: one redirection under a meter and a listener that throws; both are told, and the request is not disturbed.
    const recorded: [string, number, object | undefined][] = [];
    const instrument = (name: string) => ({
      add: (value: number, attributes?: object) => void recorded.push([name, value, attributes]),
      record: (value: number, attributes?: object) => void recorded.push([name, value, attributes]),
      addCallback: (callback: (result: { observe(value: number, attributes?: object): void }) => void) =>
        gauges.push(() => callback({ observe: (value, attributes) => void recorded.push([name, value, attributes]) })),
    });
    const gauges: (() => void)[] = [];
    const meter = { createCounter: instrument, createHistogram: instrument, createObservableGauge: instrument };
    const client = await connect({ meter });
    const events: string[] = [];
    client.onEvent(() => {
      throw new Error('a bug of the listener');
    });
    const off = client.onEvent((event) => events.push(event.kind));
    const partition = client.map('orders')!.partitionOf(Buffer.from('a'));
    const [old, next] = [agents[partition % 3]!, agents[(partition + 1) % 3]!];
    old.before = () => {
      throw notOwner('orders', ledBy(partition, 2, next.id), [next.entry]);
    };
    await client.keyspace('orders').put('a', '1');
    off();
    expect(events).toEqual(['channel-opened', 'not-owner', 'channel-opened']);
    for (const gauge of gauges) gauge();
    const attributes = { op: 'put', keyspace: 'orders', outcome: 'ok' };
    expect(recorded).toContainEqual(['cadastre.client.requests', 1, attributes]);
    expect(recorded).toContainEqual(['cadastre.client.channels', 2, undefined]);
    expect(recorded).toContainEqual(['cadastre.client.map.generation', 1, { keyspace: 'orders' }]);
    expect(recorded.find(([name]) => name === 'cadastre.client.request.duration')![2]).toEqual(attributes);
  });
});
