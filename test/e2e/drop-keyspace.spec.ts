import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { run } from '../../apps/cli/src/program.js';
import { FakeIo } from '../../apps/cli/src/testing/fake-io.js';
import { TestCluster } from '@cadastre/testkit';

let cluster: TestCluster | undefined;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'drop-'));
});
afterEach(async () => {
  await cluster?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const cadastre = async (...words: string[]) => {
  const io = new FakeIo(folder);
  const code = await run([...words, '--server', cluster!.controlPlaneAddresses().join(','), '--json'], io);
  return { code, io };
};

describe('dropping a keyspace', () => {
  it('removes its data from every node, and one of the same name begins empty', async () => {
    // Written, dropped, looked for: a client is told that it is gone, every agent purges its copies. Made anew under its name: no old
    // value shows, new ones are written. One agent was down meanwhile, with its old copies, and comes back.
    cluster = await TestCluster.start({ controlPlanes: 1, agents: 3, zones: 3 });
    const create = ['keyspace', 'create', 'orders', '--partitions', '4', '--spread', 'none', '--min-in-sync', '1'];
    expect((await cadastre(...create, '--rf', '3')).code).toBe(0);
    const client = await cluster.client();
    const orders = client.keyspace('orders');
    for (let i = 0; i < 40; i += 1) await orders.put(Buffer.from(`k${i}`), Buffer.from('old'));

    const refused = await cadastre('keyspace', 'drop', 'orders', '--confirm', 'order', '--reason', 'test');
    expect([refused.code, JSON.parse(refused.io.err)]).toEqual([
      1,
      { error: expect.objectContaining({ code: 'INVALID_ARGUMENT', field: 'confirm' }) as unknown },
    ]);
    await cluster.agents.get('n3')!.end('SIGKILL');
    const dropped = await cadastre('keyspace', 'drop', 'orders', '--confirm', 'orders', '--reason', 'test');
    expect([dropped.code, dropped.io.json()]).toEqual([0, expect.objectContaining({ partitions: 4 })]);
    for (const id of ['n1', 'n2'])
      await cluster.agents.get(id)!.line('purged', (line) => line['event'] === 'purged', 20_000);
    await cluster.until('the client knows', async () =>
      orders.get(Buffer.from('k1')).then(
        () => false,
        () => true,
      ),
    );

    expect((await cadastre(...create, '--rf', '2')).code).toBe(0);
    await cluster.until('it serves', async () =>
      orders.put(Buffer.from('new'), Buffer.from('1')).then(
        () => true,
        () => false,
      ),
    );
    await cluster.startAgent(3);
    await cluster.agents.get('n3')!.line('purged', (line) => line['event'] === 'purged', 20_000);
    for (let i = 0; i < 40; i += 1) expect(await orders.get(Buffer.from(`k${i}`))).toBeUndefined();
    expect(Buffer.from((await orders.get(Buffer.from('new')))!).toString()).toBe('1');
  }, 120_000);
});
