import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { credentials, makeGenericClientConstructor } from '@grpc/grpc-js';
import { healthService } from '@cadastre/contracts';
import type { EtcdCluster } from '@cadastre/testkit';
import { freePorts, ServerProcess, startEtcd } from '@cadastre/testkit';

const root = join(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'cadastre-health-'));
const Client = makeGenericClientConstructor(healthService, 'Health');
const stops: (() => unknown)[] = [];
afterAll(async () => {
  for (const stop of stops.reverse()) await stop();
  rmSync(folder, { recursive: true });
});

/** As a kubelet asks. */
const check = (address: string, service: string): Promise<string> => {
  const client = new Client(address, credentials.createInsecure());
  return new Promise((resolve, reject) =>
    client['check']!(
      { service },
      { deadline: Date.now() + 5_000 },
      (error: Error | null, reply: { status: string }) => {
        client.close();
        if (error) reject(error);
        else resolve(reply.status);
      },
    ),
  );
};

const until = async (address: string, service: string, status: string): Promise<void> => {
  for (const end = Date.now() + 15_000; ;) {
    const seen = await check(address, service);
    if (seen === status) return;
    if (Date.now() > end) throw new Error(`${address} says ${seen} for "${service}", not ${status}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
};

const start = async (name: string, app: string, args: readonly string[]): Promise<ServerProcess> => {
  const script = join(root, `apps/${app}/dist/main.js`);
  const process = await ServerProcess.start({ name, script, args });
  stops.push(() => process.end('SIGKILL'));
  return process;
};

describe('health of processes', () => {
  let etcd: EtcdCluster;
  let ports: { cp: string; cpHealth: string; agent: string; agentHealth: string; router: string; routerHealth: string };
  beforeAll(async () => {
    etcd = await startEtcd();
    stops.push(() => etcd.stop());
    const [cp, cpHealth, agent, agentHealth, router, routerHealth] = (await freePorts(6)).map((p) => `127.0.0.1:${p}`);
    ports = {
      cp: cp!,
      cpHealth: cpHealth!,
      agent: agent!,
      agentHealth: agentHealth!,
      router: router!,
      routerHealth: routerHealth!,
    };
  }, 180_000);

  // Plan: an agent whose control plane is away lives and is not ready; with one it is ready, and stays so when the control plane and etcd
  // are gone, because what it serves needs neither. Each program answers on its own port and on the one for probes.
  it('tells living from ready, and needs nobody else for it', async () => {
    const { cp, cpHealth, agent, agentHealth, router, routerHealth } = ports;
    const to = ['--control-plane', cp, '--insecure'];
    const data = join(folder, 'n1');
    await start('n1', 'storage-agent', [
      '--id',
      'n1',
      '--data',
      data,
      '--listen',
      agent,
      '--health',
      agentHealth,
      ...to,
    ]);
    expect(await check(agentHealth, 'liveness')).toBe('SERVING');
    expect(await check(agentHealth, 'readiness')).toBe('NOT_SERVING');

    const register = ['--etcd', etcd.endpoints.map((e) => `http://${e}`).join(',')];
    const own = ['--grpc', cp, '--http', '127.0.0.1:0', '--health', cpHealth, '--insecure'];
    const plane = await start('cp1', 'control-plane', ['--id', 'cp1', ...own, ...register]);
    await start('r1', 'router', ['--listen', router, '--health', routerHealth, ...to]);
    await until(agentHealth, 'readiness', 'SERVING');
    for (const address of [cp, cpHealth, agent, agentHealth, router, routerHealth])
      for (const service of ['', 'readiness', 'liveness']) expect(await check(address, service)).toBe('SERVING');
    expect(await check(cp, 'cadastre.v1.Operator')).toBe('SERVING');
    await expect(check(agentHealth, 'nope')).rejects.toThrow(/"nope" is not served here/);

    await etcd.stop();
    expect(await check(cpHealth, 'liveness')).toBe('SERVING');
    await plane.end('SIGKILL');
    for (const address of [agentHealth, routerHealth])
      for (const service of ['readiness', 'liveness']) expect(await check(address, service)).toBe('SERVING');
  }, 60_000);
});
