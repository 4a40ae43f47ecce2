import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { seededRandom, systemClock } from '@cadastre/runtime';
import type { ClusterFile } from '../cluster-file.js';
import { METRICS_TARGETS_FILE, readClusterFile } from '../cluster-file.js';
import { askSupervisor, serveControl, socketPath } from './control-socket.js';
import { LocalCluster } from './local-cluster.js';
import { ManagedChild } from './managed-child.js';
import { PortChooser } from './ports.js';
import type { Place } from './topology.js';
import { placeFor } from './topology.js';
import { lockFolder } from './up-lock.js';

/** Says that it listens, then lives until SIGTERM, which it notes; `--fail` ends at once. */
const CHILD = `
import { appendFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
const args = process.argv.slice(2);
const flag = (name) => args[args.indexOf(name) + 1];
if (args.includes('--fail')) process.exit(3);
process.stdout.write('starting up\\n{"event":"other"}\\n');
process.on('SIGTERM', () => { appendFileSync(join(dirname(process.argv[1]), 'order'), flag('--id') + '\\n'); process.exit(0); });
process.stdout.write(JSON.stringify({ event: 'listening', address: flag('--listen'), grpc: flag('--grpc'), http: flag('--http'), metrics: flag('--metrics-listen') }) + '\\n');
setInterval(() => {}, 1000);
`;
/** A stand-in for the watchdog in tests that do not need one: ends with its parent. */
const IDLE = `process.on('message', () => {}); process.on('disconnect', () => process.exit());`;

const until = async (what: string, condition: () => boolean, limitMs = 10_000): Promise<void> => {
  const end = Date.now() + limitMs;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`never happened: ${what}`);
    await sleep(10);
  }
};
const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

describe('supervisor', () => {
  let folder: string;
  let script: string;
  const said: string[] = [];
  const host = {
    clock: systemClock,
    random: seededRandom(3),
    say: (line: string) => void said.push(line),
    onPid: () => undefined,
    onChange: () => undefined,
  };
  const clusters: LocalCluster[] = [];

  beforeEach(async () => {
    said.length = 0;
    folder = await mkdtemp(join(tmpdir(), 'cadastre-up-'));
    script = join(folder, 'child.mjs');
    await writeFile(script, CHILD);
    await writeFile(join(folder, 'idle.mjs'), IDLE);
    await mkdir(join(folder, 'logs'));
  });
  afterEach(async () => {
    await Promise.all(clusters.splice(0).map((c) => c.stop()));
    await rm(folder, { recursive: true, force: true });
  });

  const child = (...args: string[]): ManagedChild =>
    new ManagedChild(
      {
        name: 'kid',
        command: process.execPath,
        args: [script, ...args],
        logFile: join(folder, 'kid.log'),
        readyEvent: 'listening',
      },
      host,
    );

  const cluster = (options: Partial<ConstructorParameters<typeof LocalCluster>[0]> = {}): LocalCluster => {
    const program = { command: process.execPath, args: [script] };
    const programs = {
      findEtcd: () => Promise.reject(new Error('not wanted')),
      controlPlane: program,
      storageAgent: program,
      router: program,
      watchdog: join(folder, 'idle.mjs'),
    };
    const made = new LocalCluster({
      folder,
      agents: 3,
      topology: { zones: 3, racksPerZone: 2 },
      controlPlanes: 1,
      routers: 1,
      etcdEndpoints: ['http://127.0.0.1:2379'],
      anyPorts: true,
      programs,
      env: {},
      clock: systemClock,
      random: seededRandom(5),
      say: host.say,
      isReady: () => Promise.resolve(true),
      ...options,
    });
    clusters.push(made);
    return made;
  };

  it('starts a child again when it dies, and not when it was told to stop', async () => {
    // Plan: kill -9 from outside: a new process, said in one line; stop: no new one; its words are in the log.
    const kid = child('--listen', 'h:1');
    expect(await kid.start()).toMatchObject({ event: 'listening', address: 'h:1' });
    const first = kid.pid!;
    process.kill(first, 'SIGKILL');
    await until('it is back', () => said.some((line) => line.includes('kid is back')));
    expect(kid.pid).not.toBe(first);
    expect([kid.restarts, said[0]]).toEqual([
      1,
      expect.stringMatching(/^kid ended \(SIGKILL\): it is started again in \d+ ms/),
    ]);
    const second = kid.pid!;
    await kid.stop(5_000);
    expect([kid.running, isAlive(second)]).toEqual([false, false]);
    expect(readFileSync(join(folder, 'kid.log'), 'utf8')).toContain('starting up');
    await kid.start();
    await kid.kill();
    expect(kid.running).toBe(false);
    expect(kid.restarts).toBe(1);
  });

  it('says which log to read when a child ends before it listens', async () => {
    // Plan: a child that ends at once, and a program that is not there.
    const failing = child('--fail');
    await expect(failing.start()).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: 'kid ended before it was listening',
      remedy: `see ${join(folder, 'kid.log')}`,
    });
    await failing.stop(1_000);
    const nowhere = new ManagedChild(
      {
        name: 'ghost',
        command: join(folder, 'nothing'),
        args: [],
        logFile: join(folder, 'ghost.log'),
        readyEvent: 'listening',
      },
      host,
    );
    await expect(nowhere.start()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await nowhere.stop(1_000);
  });

  it('chooses a free port where the wanted one is taken', async () => {
    // Plan: occupy a port; it is not given; a free one is given once only.
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const taken = (server.address() as { port: number }).port;
    const chooser = new PortChooser();
    expect(await chooser.choose(taken)).not.toBe(taken);
    await new Promise((resolve) => server.close(resolve));
    const other = new PortChooser();
    expect(await other.choose(taken)).toBe(taken);
    expect(await other.choose(taken)).not.toBe(taken);
  });

  it('spreads agents over zones and racks', () => {
    // Plan: 7 agents over 3 zones of 2 racks; ids count on; a wish is kept; a taken or impossible id is refused.
    const topology = { zones: 3, racksPerZone: 2 };
    const places: Place[] = [];
    for (let i = 0; i < 7; i += 1) places.push(placeFor(places, topology, {}));
    expect(places.map((p) => `${p.id}:${p.zone}:${p.rack}`)).toEqual([
      'n1:a:r1',
      'n2:b:r3',
      'n3:c:r5',
      'n4:a:r2',
      'n5:b:r4',
      'n6:c:r6',
      'n7:a:r1',
    ]);
    expect(placeFor(places, topology, { id: 'big', zone: 'c' })).toEqual({ id: 'big', zone: 'c', rack: 'r5' });
    expect(() => placeFor(places, topology, { id: 'n1' })).toThrow(/there is an agent n1 already/);
    expect(() => placeFor(places, topology, { zone: 'Zone A' })).toThrow(/not a valid name/);
  });

  it('locks its folder against a second one, and takes over the lock of a dead one', async () => {
    // Plan: our own lock refuses; a lock of a process that is gone, or of another one with its id, does not.
    const free = lockFolder(folder);
    expect(() => lockFolder(folder)).toThrow(/is in use by the cluster of process/);
    free();
    await writeFile(join(folder, 'up.lock'), '999999999 1\n');
    lockFolder(folder)();
    await writeFile(join(folder, 'up.lock'), `${process.pid} 1\n`);
    lockFolder(folder)();
    expect(existsSync(join(folder, 'up.lock'))).toBe(false);
  });

  it('runs a cluster, lets agents be added and stopped, and finds them again', async () => {
    // Plan: start, add one, stop one; the next start has the four at the same addresses, and the stopped one stays down until started.
    const first = cluster({ anyPorts: false });
    const state = await first.start();
    expect(state.agents.map((a) => `${a.id}:${a.zone}`)).toEqual(['n1:a', 'n2:b', 'n3:c']);
    const added = await first.handle({ verb: 'agent-add' });
    expect(added).toMatchObject({ id: 'n4', zone: 'a', rack: 'r2' });
    await first.handle({ verb: 'agent-stop', id: 'n2' });
    await expect(first.handle({ verb: 'agent-stop', id: 'nope' })).rejects.toMatchObject({
      code: 'NOT_FOUND',
      remedy: 'use one of n1, n2, n3, n4',
    });
    await expect(first.handle({ verb: 'agent-start', id: 'n1' })).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
    });
    await first.stop();
    const kept = readClusterFile(folder)!;
    expect([kept.supervisorPid, kept.agents.length]).toEqual([undefined, 4]);
    const second = cluster({ anyPorts: false, agents: undefined });
    const again = await second.start();
    expect(again.agents.map((a) => [a.address, a.metrics])).toEqual(kept.agents.map((a) => [a.address, a.metrics]));
    const all = [...again.controlPlanes, ...again.agents, ...again.routers!].map((entry) => entry.metrics!);
    expect(new Set(all).size).toBe(all.length);
    const groups = JSON.parse(readFileSync(join(folder, METRICS_TARGETS_FILE), 'utf8')) as { targets: string[] }[];
    expect(groups.flatMap(({ targets }) => targets)).toEqual(all);
    expect(again.agents.filter((a) => a.pid === undefined).map((a) => a.id)).toEqual(['n2']);
    expect(await second.handle({ verb: 'agent-start', id: 'n2' })).toMatchObject({ id: 'n2' });
    await second.handle({ verb: 'agent-kill', id: 'n3' });
    expect(second.state().agents.map((a) => a.pid !== undefined)).toEqual([true, true, false, true]);
  });

  it('ends routers, then control planes, then agents, and leaves no process behind', async () => {
    // Plan: each child notes its SIGTERM; the control plane is the first (it would fail over from agents that stop), and no pid lives on.
    const order = join(folder, 'order');
    const one = cluster();
    const state: ClusterFile = await one.start();
    await one.stop();
    expect(readFileSync(order, 'utf8').trim().split('\n').slice(0, 2)).toEqual(['router1', 'cp1']);
    for (const { pid } of [...state.agents, ...state.controlPlanes, ...state.routers!])
      expect(isAlive(pid!)).toBe(false);
  });

  it('says so when the cluster is not ready in time', async () => {
    // Plan: a probe that never succeeds ends in UNAVAILABLE naming the logs.
    await expect(cluster({ isReady: () => Promise.resolve(false), readyTimeoutMs: 300 }).start()).rejects.toMatchObject(
      { code: 'UNAVAILABLE', remedy: `see ${join(folder, 'logs')}` },
    );
  });

  it('answers over its socket', async () => {
    // Plan: a result, a typed refusal, and nobody there.
    const path = socketPath(folder);
    const server = await serveControl(path, (request) =>
      request.verb === 'agent-add' ? Promise.resolve({ id: 'n9' }) : Promise.reject(Object.assign(new Error('no'), {})),
    );
    expect(await askSupervisor(path, { verb: 'agent-add' }, systemClock)).toEqual({ id: 'n9' });
    await expect(askSupervisor(path, { verb: 'agent-stop' }, systemClock)).rejects.toMatchObject({
      code: 'INTERNAL',
      message: 'no',
    });
    await new Promise((resolve) => server.close(resolve));
    await expect(askSupervisor(path, { verb: 'agent-add' }, systemClock)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      remedy: 'start the cluster with: cadastre up',
    });
    expect(Buffer.byteLength(socketPath('/x'.repeat(100)))).toBeLessThan(108);
  });
});
