import { execFileSync } from 'node:child_process';
import { createWriteStream, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Generation, KeyspaceSpec } from '@cadastre/core';
import { EtcdStore } from '@cadastre/store';
import { findEtcdBinary } from '../etcd.js';
import { ServerProcess } from '../process.js';
import { until } from '../until.js';
import { EtcdMembers } from './etcd-members.js';
import type { Host, Network } from './network.js';
import { OperatorCalls } from './operator-calls.js';
import type { Recorder } from './recorder.js';
import { RegisterObserver } from './register-observer.js';

const REPOSITORY = fileURLToPath(new URL('../../../../', import.meta.url));
const script = (app: string): string => join(REPOSITORY, 'apps', app, 'dist', 'main.js');
const CLIENT = fileURLToPath(new URL('./client-main.js', import.meta.url));
const FAKETIME = ['x86_64', 'aarch64']
  .map((machine) => `/usr/lib/${machine}-linux-gnu/faketime/libfaketime.so.1`)
  .find((path) => existsSync(path));
const ZONES = 3;
const REFUSED = /is connected already|is registered with incarnation|still counts on/;
/** Of the agent whose disk can be filled. */
const SMALL_DISK = '192m';

export interface WorldOptions {
  readonly dir: string;
  readonly etcdMembers: number;
  readonly controlPlanes: number;
  readonly agents: number;
  readonly clients: number;
}

export interface ClientSettings {
  readonly seed: number;
  readonly workers: number;
  /** Calls a second of one client. */
  readonly rate: number;
  readonly keys: number;
  readonly requestTimeoutMs: number;
}

/** A line of a log that is an event of the history. */
interface Heard {
  readonly keyspace: string;
  readonly partition: number;
  readonly epoch: number;
  readonly committed: number;
  readonly generation: Generation;
}

interface Service {
  readonly host: Host;
  readonly start: () => Promise<ServerProcess>;
  process: ServerProcess | undefined;
  /** Ended or not yet back on purpose: nobody is surprised that it is not there. */
  expected: boolean;
}

export const KEYSPACE: KeyspaceSpec = {
  name: 'chaos',
  scheme: { kind: 'hash-slots', slots: 24, hash: 'murmur3', hashTags: false },
  replicationFactor: 3,
  minInSync: 2,
  spread: [{ label: 'zone', maxPerDomain: 1, hard: true }],
};

/** All processes of a run and the ways to hurt them. */
export class World {
  readonly services = new Map<string, Service>();
  readonly clients: ServerProcess[] = [];
  etcd!: EtcdMembers;
  operator!: OperatorCalls;
  store!: EtcdStore;
  private observer!: RegisterObserver;
  private mounted: string | undefined;
  /** The map that each client acts on. */
  readonly acting = new Map<string, Generation>();
  /** Ended although nobody ended them. */
  readonly surprises: string[] = [];

  constructor(
    readonly network: Network,
    readonly recorder: Recorder,
    private readonly options: WorldOptions,
  ) {}

  get agents(): string[] {
    return this.named('n');
  }

  get controlPlanes(): string[] {
    return this.named('cp');
  }

  get hostNames(): string[] {
    return [...this.etcd.names, ...this.services.keys(), ...this.clients.map((c) => c.name)];
  }

  async start(): Promise<void> {
    const { etcdMembers, controlPlanes, agents, dir } = this.options;
    mkdirSync(join(dir, 'logs'), { recursive: true });
    const members = await this.hosts('e', etcdMembers, ['client', 'peer']);
    const etcdDir = join(dir, 'etcd');
    mkdirSync(etcdDir);
    this.etcd = new EtcdMembers(await findEtcdBinary(), members, etcdDir);
    await this.etcd.startAll();
    this.store = new EtcdStore({ endpoints: members.map((h) => `${h.ip}:${h.ports['client']}`) });
    this.observer = new RegisterObserver(this.store, this.recorder, (error) =>
      this.surprises.push(`observer: ${error.message}`),
    );
    this.observer.start();
    const planes = await this.hosts('cp', controlPlanes, ['grpc', 'http']);
    for (const host of planes) this.add(host, () => this.startControlPlane(host));
    for (const host of await this.hosts('n', agents, ['kv'])) this.add(host, () => this.startAgent(host, planes));
    this.operator = new OperatorCalls(() => planes.map((h) => `${h.ip}:${h.ports['grpc']}`));
    await Promise.all(this.controlPlanes.map((name) => this.bring(name)));
    await Promise.all(this.agents.map((name) => this.bring(name)));
    await until('all nodes up', 60_000, async () => {
      const status = await this.operator.status();
      return status.active !== '' && status.nodesUp === agents;
    });
    await this.operator.createKeyspace(KEYSPACE);
  }

  async startClients(settings: ClientSettings): Promise<void> {
    const planes = this.controlPlanes.map((name) => this.serviceOf(name).host);
    for (const host of await this.hosts('c', this.options.clients, [])) {
      const addresses = await Promise.all(planes.map((plane) => this.network.route(host.name, plane, 'grpc')));
      const config = {
        ...settings,
        name: host.name,
        controlPlanes: addresses,
        keyspace: KEYSPACE.name,
        file: join(this.options.dir, `history-${host.name}.jsonl`),
        cacheFile: join(this.options.dir, `${host.name}.map`),
      };
      this.clients.push(await this.run(host, CLIENT, [JSON.stringify(config)]));
    }
  }

  /** Each ends its calls in flight, which takes up to a request's time. */
  async stopClients(withinMs: number): Promise<void> {
    await Promise.all(this.clients.map((client) => client.end('SIGTERM', withinMs)));
  }

  serviceOf(name: string): Service {
    const service = this.services.get(name);
    if (!service) throw new Error(`nothing is called ${name}`);
    return service;
  }

  isRunning(name: string): boolean {
    return this.serviceOf(name).process?.running === true;
  }

  async end(name: string, signal: NodeJS.Signals): Promise<void> {
    const service = this.serviceOf(name);
    service.expected = true;
    await service.process?.end(signal);
  }

  signal(name: string, signal: NodeJS.Signals): void {
    this.serviceOf(name).process?.signal(signal);
  }

  /** Starts it, again and again: an agent may be refused until its old session is over. */
  async bring(name: string, withinMs = 90_000): Promise<void> {
    const service = this.serviceOf(name);
    const giveUpAt = performance.now() + withinMs;
    while (!this.isRunning(name)) {
      try {
        service.process = await service.start();
      } catch (error) {
        this.recorder.note(`${name} did not start: ${String(error).slice(0, 300)}`);
        if (performance.now() > giveUpAt) throw error;
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
    }
    service.expected = false;
  }

  wipe(name: string): void {
    const dir = this.dataOf(name);
    for (const entry of readdirSync(dir)) rmSync(join(dir, entry), { recursive: true, force: true });
  }

  dataOf(name: string): string {
    return join(this.options.dir, name);
  }

  /** Can clocks of processes be made to jump here? Only with libfaketime (Debian: faketime). */
  get hasFakeClock(): boolean {
    return FAKETIME !== undefined;
  }

  /** What the process takes for the date is so many seconds off; its monotonic clock is not touched. */
  jumpClock(name: string, seconds: number): void {
    writeFileSync(this.clockOf(name), `${seconds < 0 ? '' : '+'}${seconds}\n`);
  }

  /** The agent whose data lies on a small file system of its own; undefined where none can be mounted. */
  get smallDisk(): string | undefined {
    return this.network.kind === 'namespaces' ? this.agents.at(-1) : undefined;
  }

  /** Brings back what ended by itself, as a supervisor would, and remembers it. */
  async watchOver(): Promise<void> {
    for (const [name, service] of this.services) {
      if (service.expected || !service.process || service.process.running) continue;
      service.expected = true;
      const words = service.process.log(3);
      // Who is refused because the map still counts on its old data, or its old session is not over, ends and is started again.
      if (REFUSED.test(words)) {
        await this.bring(name);
        continue;
      }
      this.surprises.push(`${name} ended by itself: ${words}`);
      this.recorder.note(`${name} ended by itself: ${words}`);
      await this.bring(name);
    }
  }

  async stop(): Promise<void> {
    this.observer?.stop();
    this.store?.close();
    this.operator?.close();
    await Promise.all([...this.services.keys()].map((name) => this.end(name, 'SIGKILL')));
    await Promise.all(this.clients.map((client) => client.end('SIGKILL')));
    await this.etcd?.stop();
    await this.network.stop();
    if (this.mounted !== undefined) execFileSync('umount', [this.mounted]);
  }

  private named(prefix: string): string[] {
    return [...this.services.keys()].filter((name) => name.replace(/\d+$/, '') === prefix);
  }

  private async hosts(prefix: string, count: number, purposes: readonly string[]): Promise<Host[]> {
    const hosts: Host[] = [];
    for (let i = 1; i <= count; i += 1) hosts.push(await this.network.host(`${prefix}${i}`, purposes));
    return hosts;
  }

  private add(host: Host, start: () => Promise<ServerProcess>): void {
    this.services.set(host.name, { host, start, process: undefined, expected: true });
  }

  private async startControlPlane(host: Host): Promise<ServerProcess> {
    const etcd = await Promise.all(this.etcd.hosts.map((member) => this.network.route(host.name, member, 'client')));
    return this.run(host, script('control-plane'), [
      ...['--id', host.name, '--etcd', etcd.map((e) => `http://${e}`).join(',')],
      ...['--grpc', `${host.ip}:${host.ports['grpc']}`, '--http', `${host.ip}:${host.ports['http']}`],
      ...['--advertise', await this.network.route('*', host, 'grpc')],
      // Its addresses are of namespaces that end with the run; nobody else reaches them.
      ...['--access', 'open-anywhere', '--insecure'],
    ]);
  }

  private async startAgent(host: Host, planes: readonly Host[]): Promise<ServerProcess> {
    const number = Number(host.name.slice(1)) - 1;
    const controlPlanes = await Promise.all(planes.map((plane) => this.network.route(host.name, plane, 'grpc')));
    const data = this.dataOf(host.name);
    if (!existsSync(data)) {
      mkdirSync(data);
      if (host.name === this.smallDisk) {
        execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${SMALL_DISK}`, 'tmpfs', data]);
        this.mounted = data;
      }
    }
    return this.run(host, script('storage-agent'), [
      ...['--id', host.name, '--data', data, '--control-plane', controlPlanes.join(',')],
      ...['--listen', `${host.ip}:${host.ports['kv']}`, '--advertise', await this.network.route('*', host, 'kv')],
      ...['--label', `zone=z${number % ZONES}`, '--label', `rack=r${Math.floor(number / ZONES)}`, '--insecure'],
    ]);
  }

  private clockOf(name: string): string {
    return join(this.options.dir, `${name}.clock`);
  }

  private clockEnv(name: string): Record<string, string> {
    if (FAKETIME === undefined || !this.services.has(name)) return {};
    if (!existsSync(this.clockOf(name))) this.jumpClock(name, 0);
    return {
      LD_PRELOAD: FAKETIME,
      FAKETIME_TIMESTAMP_FILE: this.clockOf(name),
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      FAKETIME_CACHE_DURATION: '1',
    };
  }

  private run(host: Host, path: string, args: readonly string[]): Promise<ServerProcess> {
    const log = createWriteStream(join(this.options.dir, 'logs', `${host.name}.log`), { flags: 'a' });
    const onLine = (line: string) => {
      log.write(`${line}\n`);
      this.hear(host.name, line);
    };
    return ServerProcess.start({
      name: host.name,
      script: path,
      args,
      prefix: host.prefix,
      env: this.clockEnv(host.name),
      onLine,
    });
  }

  /** What agents say in their logs and no client can see. */
  private hear(node: string, line: string): void {
    const match = /"event":"(serving|purged|quarantined|content-differs|applied)"/.exec(line);
    if (!match) return;
    const { keyspace, partition, epoch, committed, generation } = JSON.parse(line) as Heard;
    if (match[1] === 'applied') {
      this.acting.set(node, generation);
      this.recorder.record({ type: 'applied', observer: node, lifetime: '', keyspace, generation });
      return;
    }
    const subject = { node, incarnation: '', keyspace, partition };
    if (match[1] === 'serving') this.recorder.record({ type: 'sealed', ...subject, epoch, seq: committed });
    else if (match[1] === 'content-differs')
      this.surprises.push(`${node}: content of ${keyspace}/${partition} differs from its leader's`);
    else this.recorder.record({ type: match[1] as 'purged' | 'quarantined', ...subject });
  }
}
