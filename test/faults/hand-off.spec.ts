import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { CadastreClient } from '@cadastre/client';
import { forEachConcurrently, TcpProxy, TestCluster } from '@cadastre/testkit';

const KEYSPACE = 'orders';
const PARTITIONS = 8;
const KEYS = 1_500;
const VALUE = 'x'.repeat(4_000);

let cluster: TestCluster;
let client: CadastreClient;
const proxies: TcpProxy[] = [];

beforeAll(async () => {
  cluster = await TestCluster.start({ controlPlanes: 1, agents: 3 });
  await cluster.createKeyspace({
    name: KEYSPACE,
    scheme: { kind: 'hash-slots', slots: PARTITIONS, hash: 'murmur3', hashTags: false },
    replicationFactor: 2,
    minInSync: 1,
    spread: [],
  });
  client = await cluster.client();
  const keys = Array.from({ length: KEYS }, (_, i) => `key-${i}`);
  await forEachConcurrently(keys, 32, (key) => client.keyspace(KEYSPACE).put(key, VALUE + key));
}, 90_000);
afterAll(async () => {
  await cluster?.stop();
  await Promise.all(proxies.map((proxy) => proxy.stop()));
}, 30_000);

const wrongKeys = async (): Promise<string[]> => {
  const wrong: string[] = [];
  const keys = Array.from({ length: KEYS }, (_, i) => `key-${i}`);
  await forEachConcurrently(keys, 32, async (key) => {
    const found = await client.keyspace(KEYSPACE).get(key);
    if (!found || Buffer.from(found).toString() !== VALUE + key) wrong.push(key);
  });
  return wrong;
};
const whole = (nodes: number) =>
  cluster.until('whole', async () => {
    const status = await cluster.status();
    return status.nodesUp === nodes && status.keyspaces.every((k) => k.underReplicated === 0);
  });
const approve = async (): Promise<string> => {
  const { plan, nothingBecause } = await cluster.propose();
  if (!plan) throw new Error(nothingBecause);
  await cluster.actOnPlan(plan.id, 'approve', plan.digest);
  return plan.id;
};
const ends = async (id: string): Promise<string> => {
  await cluster.until('the plan ends', async () => ['completed', 'failed'].includes((await cluster.plan(id)).state));
  return (await cluster.plan(id)).state;
};

describe('hand-off', () => {
  // Plan: copies to a fourth node run under a throttle behind a proxy; the connection is cut in the middle of a copy; the copy goes on where it
  // was, and when the throttle is lifted it ends soon. Everything is there.
  it('goes on where it was after a cut, under a throttle that changes live', async () => {
    await cluster.changeSettings({ nodeBytesPerSecond: 256 * 1024 });
    for (const i of [1, 2, 3]) {
      // From now on others see it behind its proxy.
      const proxy = await TcpProxy.start(Number(cluster.addressOf(`n${i}`).split(':')[1]));
      proxies.push(proxy);
      await cluster.agents.get(`n${i}`)!.end('SIGKILL');
      await cluster.startAgent(i, { more: ['--advertise', proxy.endpoint] });
      await whole(3);
    }
    const agent = await cluster.startAgent(4);
    await whole(4);
    const id = await approve();
    const filling = async () =>
      (await cluster.plan(id)).moves.filter((m) => m.phase === 'transferring' && m.bytesDone > 0);
    await cluster.until('a copy is under way', async () => (await filling()).length > 0);
    for (const proxy of proxies) proxy.cut();
    await agent.line('interrupted', (line) => line['event'] === 'fill-interrupted');
    await cluster.changeSettings({ nodeBytesPerSecond: 0 });
    expect(await ends(id)).toBe('completed');
    expect(await wrongKeys()).toEqual([]);
  }, 150_000);

  // Plan: a source is killed the moment that it may purge what it handed over, and started again; the plan ends, nothing is lost, and nothing
  // is left of its copies.
  it('ends a purge that a kill cut short', async () => {
    const source = cluster.agents.get('n4')!;
    await cluster.drain('n4');
    const id = await approve();
    await source.line('a purge', (line) => line['event'] === 'purged' || line['event'] === 'quarantined');
    await source.end('SIGKILL');
    await cluster.startAgent(4);
    expect(await ends(id)).toBe('completed');
    await cluster.until('n4 holds nothing', async () => {
      const { nodes } = await cluster.nodes();
      return nodes.find((n) => n.entry?.id === 'n4')?.bytes === 0;
    });
    expect(await wrongKeys()).toEqual([]);
  }, 150_000);
});
