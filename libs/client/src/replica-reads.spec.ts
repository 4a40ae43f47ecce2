import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { PartitionRecord } from '@cadastre/core';
import { CadastreError, KeyspaceMap, newRecord } from '@cadastre/core';
import { CadastreClient } from './client.js';
import type { ReadOptions } from './replica-reads.js';
import { compileRead } from './replica-reads.js';
import { FakeAgent, FakeControlPlane, notOwner, slotsSpec, until } from './testing/fake-cluster.js';

const ids = ['n1', 'n2', 'n3'];
const keys = Array.from({ length: 24 }, (_, i) => `k${i}`);

describe('reads that followers may answer', () => {
  let control: FakeControlPlane;
  let agents: FakeAgent[];
  let client: CadastreClient;

  beforeEach(async () => {
    agents = await Promise.all(ids.map((id, i) => new FakeAgent(id, { zone: 'abc'[i]! }).listen()));
    const spec = { ...slotsSpec('orders', 6), replicationFactor: 3 };
    const records = Array.from({ length: 6 }, (_, p) =>
      newRecord(
        p,
        [0, 1, 2].map((i) => ids[(p + i) % 3]!),
      ),
    );
    const map = KeyspaceMap.fromRecords(
      spec,
      { incarnation: 1, number: 1 },
      records,
      agents.map((a) => a.entry),
    );
    control = await new FakeControlPlane([map]).listen();
    client = await CadastreClient.connect({
      controlPlanes: [control.address],
      labels: { zone: 'b' },
      requestTimeoutMs: 5_000,
    });
  });
  afterEach(async () => {
    await client.close();
    control.stop();
    for (const agent of agents) agent.cut();
  });

  const orders = () => client.keyspace('orders');
  const partitionOf = (key: string): number => client.map('orders')!.partitionOf(Buffer.from(key));
  const leaderOf = (key: string): FakeAgent => agents[partitionOf(key) % 3]!;
  const readAll = (options: ReadOptions) => Promise.all(keys.map((key) => orders().read(key, options)));
  const seenBy = (agent: FakeAgent) => agent.seen.filter(({ verb }) => verb === 'get');

  it('go to the nearest replica on request, and to the leader otherwise', async () => {
    // Plan: this program is in zone b: with `nearest` all reads are at n2, as a follower except where it leads; without, at the leaders.
    const results = await readAll({ from: 'nearest', maxStalenessMs: 1234 });
    expect(seenBy(agents[1]!)).toHaveLength(keys.length);
    for (const seen of seenBy(agents[1]!))
      expect(seen.staleMs).toBe(seen.target.partition % 3 === 1 ? undefined : 1234);
    keys.forEach((key, i) => {
      const fromFollower = leaderOf(key).id !== 'n2';
      expect(results[i]).toEqual({ value: undefined, fromFollower, stalenessMs: fromFollower ? 7 : 0 });
    });
    await readAll({});
    for (const agent of agents)
      for (const seen of seenBy(agent).slice(agent.id === 'n2' ? keys.length : 0)) {
        expect(seen.staleMs).toBeUndefined();
        expect(agents[seen.target.partition % 3]!.id).toBe(agent.id);
      }
  });

  it('spread over equally near replicas', async () => {
    // Plan: a program without labels reads the same key 30 times; each replica answers some.
    const anywhere = await CadastreClient.connect({ controlPlanes: [control.address] });
    for (let i = 0; i < 30; i += 1) await anywhere.keyspace('orders').get('a', { from: 'nearest' });
    await anywhere.close();
    for (const agent of agents) expect(seenBy(agent).length).toBe(10);
  });

  it('ask the leader at once when a follower is too far behind', async () => {
    // Plan: n2 refuses as a follower; every read is answered by its leader, without a pause and without a failure.
    agents[1]!.before = ({ staleMs }) => {
      if (staleMs !== undefined)
        throw new CadastreError('UNAVAILABLE', 'the copy is older', { remedy: 'ask the leader' });
    };
    const results = await readAll({ from: 'nearest' });
    expect(results.every((r) => !r.fromFollower)).toBe(true);
    expect(client.stats()).toMatchObject({ failures: 0, retries: 0 });
  });

  it('heal the map from a follower that is none any more', async () => {
    // Plan: n2 holds the partition no longer and says who leads; one hop to that leader.
    const key = keys.find((k) => leaderOf(k).id !== 'n2')!;
    const partition = partitionOf(key);
    const record: PartitionRecord = newRecord(partition, ['n3', 'n1']);
    agents[1]!.before = () => {
      throw notOwner(
        'orders',
        { ...record, epoch: 5 },
        agents.map((a) => a.entry),
      );
    };
    expect(await orders().read(key, { from: 'nearest' })).toMatchObject({ fromFollower: false });
    expect(client.map('orders')!.epochOf(partition)).toBe(5);
    expect(client.stats()).toMatchObject({ notOwner: 1, wrongOwnerHops: 1, failures: 0 });
  });

  it('are answered while there is no leader', async () => {
    // Plan: the leader of "a" is gone from the map; a nearest read is answered by a follower, before anybody leads again.
    const partition = partitionOf('a');
    const followers = [1, 2].map((i) => ids[(partition + i) % 3]!);
    const replicas = followers.map((node) => ({ node, role: 'follower', state: 'available', inSync: true }) as const);
    control.change('orders', [{ partition, epoch: 2, replicas }]);
    await until('the delta is applied', () => client.map('orders')!.epochOf(partition) === 2);
    expect(await orders().read('a', { from: 'nearest' })).toMatchObject({ fromFollower: true });
  });

  it('hedge: a second replica is asked when the first takes long, and the first answer counts', async () => {
    // Plan: the leader of "a" does not answer until the read is over; after 20 ms a follower is asked and answers.
    const leader = leaderOf('a');
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    leader.before = async ({ verb }) => {
      if (verb === 'get') await held;
    };
    const events: string[] = [];
    client.onEvent(({ kind }) => events.push(kind));
    expect(await orders().read('a', { hedge: { afterMs: 20 } })).toMatchObject({ fromFollower: true, stalenessMs: 7 });
    expect(events).toContain('hedge');
    release();
    leader.before = () => undefined;
    expect(await orders().read('b', { hedge: { afterMs: 20_000 } })).toMatchObject({ fromFollower: false });
    expect(events.filter((kind) => kind === 'hedge')).toHaveLength(1);
  });

  it('hedge within a budget', async () => {
    // Plan: all leaders are slow, 150 reads are hedged at once; no more than the burst and a tenth of them are.
    for (const agent of agents)
      agent.before = async ({ staleMs }) => {
        if (staleMs === undefined) await sleep(100);
      };
    let hedges = 0;
    client.onEvent(({ kind }) => (hedges += Number(kind === 'hedge')));
    await Promise.all(Array.from({ length: 150 }, (_, i) => orders().get(`k${i}`, { hedge: { afterMs: 1 } })));
    expect(hedges).toBeGreaterThan(0);
    expect(hedges).toBeLessThanOrEqual(20 + 15 + 1);
    expect(client.stats().failures).toBe(0);
  });

  it('scan the nearest replicas', async () => {
    // Plan: a scan of everything with `nearest` asks n2 alone.
    for await (const _ of orders().scan({ from: 'nearest' })) throw new Error('it is empty');
    expect(agents.map((a) => a.seen.length)).toEqual([0, 6, 0]);
  });

  it('refuse options that make no sense', () => {
    // Plan: each bad option is named.
    for (const [options, field] of [
      [{ from: 'moon' as never }, 'from'],
      [{ from: 'nearest', maxStalenessMs: 0 }, 'maxStalenessMs'],
      [{ from: 'nearest', maxStalenessMs: Number.NaN }, 'maxStalenessMs'],
      [{ maxStalenessMs: 700_000 }, 'maxStalenessMs'],
      [{ hedge: { afterMs: -1 } }, 'hedge.afterMs'],
    ] as const)
      expect(() => compileRead(options)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT', field }));
    expect(compileRead({})).toBeUndefined();
    expect(compileRead({ hedge: true })).toEqual({ nearest: false, maxStalenessMs: 5_000, hedgeAfterMs: 'p95' });
  });
});
