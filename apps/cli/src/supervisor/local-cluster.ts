import type { ChildProcess } from 'node:child_process';
import { fork } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { PeerRole } from '@cadastre/core';
import { CadastreError, compareStrings } from '@cadastre/core';
import type { CredentialFiles } from '@cadastre/contracts';
import type { Clock, Random } from '@cadastre/runtime';
import { delay } from '@cadastre/runtime';
import type { AgentEntry, ClusterFile, ControlPlaneEntry, RouterEntry } from '../cluster-file.js';
import { readClusterFile, writeClusterFile, writeMetricsTargets } from '../cluster-file.js';
import type { AgentRequest } from './control-socket.js';
import { socketPath } from './control-socket.js';
import type { EtcdPorts } from './etcd-child.js';
import { askEtcdVersion, describeEtcd } from './etcd-version.js';
import { etcdChild, untilEtcdHealthy } from './etcd-child.js';
import type { ChildHost, ReadyLine } from './managed-child.js';
import { ManagedChild } from './managed-child.js';
import { PortChooser } from './ports.js';
import type { EtcdSecurity, LocalSecurity } from './local-security.js';
import type { Programs } from './programs.js';
import type { Place, Topology } from './topology.js';
import { placeFor } from './topology.js';

export interface LocalClusterOptions {
  readonly folder: string;
  /** A cluster that is there keeps its own, and gets more when this is more; a new one has 6 unless told. */
  readonly agents: number | undefined;
  readonly topology: Topology;
  readonly controlPlanes: number;
  readonly routers: number;
  /** Instead of an etcd of our own. */
  readonly etcdEndpoints: readonly string[] | undefined;
  /** With it control planes ask who one is. */
  readonly accessFile?: string;
  /** Without it all is plaintext on the loopback. */
  readonly security?: LocalSecurity;
  /** What the person who runs it shows. */
  readonly operator?: CredentialFiles;
  /** Any free ports, for tests that run beside each other. */
  readonly anyPorts: boolean;
  readonly programs: Programs;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly random: Random;
  say(line: string): void;
  /** True when so many nodes are up and a controller is active. */
  isReady(controlPlanes: readonly string[], nodes: number): Promise<boolean>;
  readonly readyTimeoutMs?: number;
}

const DEFAULT_PORTS = { grpc: 7400, router: 7450, http: 7480, agent: 7501, etcdClient: 2379, etcdPeer: 2380 };
/** Of /metrics, from there on. */
const METRICS_PORTS = { controlPlane: 7901, agent: 7911, router: 7981 };
const AGENTS_OF_A_NEW_CLUSTER = 6;
const GRACE_MS = { router: 2_500, agent: 3_000, controlPlane: 2_500, etcd: 2_500 };

const portOf = (address: string): number => Number(address.slice(address.lastIndexOf(':') + 1));

/** Where a program says that it serves /metrics. */
const metricsOf = ({ metrics }: ReadyLine): { metrics?: string } => (typeof metrics === 'string' ? { metrics } : {});

interface AgentPorts {
  readonly listen: number;
  /** host:port */
  readonly metrics: string;
}

interface RunningAgent {
  entry: AgentEntry;
  readonly child: ManagedChild;
}

/** A plan waits for a person by itself when nodes have joined or drain for so long; it moves nothing. */
const PROPOSE_AFTER_MS = 60_000;

/** A whole cluster as child processes of this one: etcd, control planes, storage agents. */
export class LocalCluster {
  private readonly host: ChildHost;
  private readonly ports: PortChooser;
  private readonly agents = new Map<string, RunningAgent>();
  private readonly controlPlanes: { entry: ControlPlaneEntry; child: ManagedChild }[] = [];
  private readonly routers: { entry: RouterEntry; child: ManagedChild }[] = [];
  private etcd: { child: ManagedChild; ports: EtcdPorts; version: string } | undefined;
  private etcdEndpoints: readonly string[] = [];
  private etcdSecurity: EtcdSecurity | undefined;
  private watchdog: ChildProcess | undefined;
  private saving: Promise<void> = Promise.resolve();
  private started = false;
  private ending = false;
  private stopped: Promise<void> | undefined;

  constructor(private readonly options: LocalClusterOptions) {
    this.ports = new PortChooser();
    const { clock, random } = options;
    this.host = {
      clock,
      random,
      say: (line) => options.say(line),
      onPid: (event) => {
        if (this.watchdog?.connected) this.watchdog.send(event);
      },
      onChange: () => this.save(),
    };
  }

  /** Resolves when all is up. @throws CadastreError; the caller then calls `stop` */
  async start(): Promise<ClusterFile> {
    const { folder } = this.options;
    mkdirSync(join(folder, 'logs'), { recursive: true });
    const before = readClusterFile(folder);
    this.startWatchdog();
    await this.startEtcd(before);
    await this.startControlPlanes(before);
    await this.startAgents(before);
    await this.startRouters(before);
    this.started = true;
    this.save();
    await this.saving;
    await this.untilReady();
    return this.state();
  }

  stop(): Promise<void> {
    this.ending = true;
    this.stopped ??= this.end();
    return this.stopped;
  }

  private async end(): Promise<void> {
    await Promise.all(this.routers.map(({ child }) => child.stop(GRACE_MS.router)));
    // Control planes before agents: nobody is to fail over from agents that are meant to stop, so that the next start finds all as it was.
    await Promise.all(this.controlPlanes.map(({ child }) => child.stop(GRACE_MS.controlPlane)));
    await Promise.all([...this.agents.values()].map(({ child }) => child.stop(GRACE_MS.agent)));
    await this.etcd?.child.stop(GRACE_MS.etcd);
    this.watchdog?.disconnect();
    await this.saving;
    if (this.started) await writeClusterFile(this.options.folder, this.state());
  }

  state(): ClusterFile {
    const { etcd } = this;
    return {
      version: 1,
      supervisorPid: this.anyRunning() ? process.pid : undefined,
      socket: socketPath(this.options.folder),
      etcd: {
        endpoints: this.etcdEndpoints,
        ...(etcd && { ...etcd.ports, pid: etcd.child.pid, version: etcd.version }),
      },
      controlPlanes: this.controlPlanes.map(({ entry, child }) => ({ ...entry, pid: child.pid })),
      agents: [...this.agents.values()]
        .map(({ entry, child }) => ({ ...entry, pid: child.pid }))
        .sort((a, b) => compareStrings(a.id, b.id)),
      routers: this.routers.map(({ entry, child }) => ({ ...entry, pid: child.pid })),
      ...(this.options.operator && { tls: this.options.operator }),
    };
  }

  /** What `cadastre agent ...` asks for. @throws CadastreError naming the id */
  async handle(request: AgentRequest): Promise<AgentEntry> {
    if (request.verb === 'agent-add') return this.addAgent(request);
    const agent = this.agents.get(request.id ?? '');
    if (!agent)
      throw new CadastreError('NOT_FOUND', `id: there is no agent "${request.id ?? ''}"`, {
        field: 'id',
        remedy: `use one of ${[...this.agents.keys()].join(', ')}`,
      });
    if (request.verb === 'agent-start') return this.startAgain(agent);
    agent.entry = { ...agent.entry, stopped: true };
    if (request.verb === 'agent-kill') await agent.child.kill();
    else await agent.child.stop(GRACE_MS.agent);
    this.options.say(
      `${agent.entry.id} was ${request.verb === 'agent-kill' ? 'killed' : 'stopped'} as asked; it stays down until: cadastre agent start ${agent.entry.id}`,
    );
    this.save();
    return { ...agent.entry };
  }

  private async startAgain(agent: RunningAgent): Promise<AgentEntry> {
    await this.begin(agent.child);
    const { stopped: _, ...entry } = agent.entry;
    agent.entry = entry;
    this.options.say(`${entry.id} was started as asked`);
    this.save();
    return { ...entry, pid: agent.child.pid };
  }

  private async addAgent(wish: AgentRequest): Promise<AgentEntry> {
    const { id, zone, rack } = wish;
    const places = [...this.agents.values()].map(({ entry }) => entry);
    const place = placeFor(places, this.options.topology, {
      ...(id !== undefined && { id }),
      ...(zone !== undefined && { zone }),
      ...(rack !== undefined && { rack }),
    });
    const agent = await this.startAgent(place, undefined, await this.agentPorts(place, []));
    this.options.say(`${place.id} was added in zone ${place.zone}, rack ${place.rack}, at ${agent.entry.address}`);
    this.save();
    return { ...agent.entry, pid: agent.child.pid };
  }

  /** Nothing begins once the end has begun. */
  private begin(child: ManagedChild): Promise<ReadyLine> {
    if (this.ending)
      throw new CadastreError('CANCELLED', 'the cluster is ending', { remedy: 'start it again with: cadastre up' });
    return child.start();
  }

  private startWatchdog(): void {
    this.watchdog = fork(this.options.programs.watchdog, [], { detached: true, stdio: 'ignore', execArgv: [] });
    this.watchdog.on('error', () =>
      this.options.say('the watchdog could not be started: after a kill -9 of this process its children would live on'),
    );
    this.watchdog.unref();
    this.watchdog.channel?.unref();
  }

  private choose(known: number | '' | undefined, usual: number): Promise<number> {
    return this.ports.choose(this.options.anyPorts ? undefined : known || usual);
  }

  private async metricsAt(known: string | undefined, usual: number): Promise<string> {
    return `127.0.0.1:${await this.choose(known && portOf(known), usual)}`;
  }

  private async startEtcd(before: ClusterFile | undefined): Promise<void> {
    const { etcdEndpoints, programs, folder, clock, say } = this.options;
    if (etcdEndpoints) {
      this.etcdEndpoints = etcdEndpoints;
      say(describeEtcd(etcdEndpoints, await askEtcdVersion(etcdEndpoints)));
      return;
    }
    const found = await programs.findEtcd((line) => say(line));
    const ports = {
      clientPort: await this.choose(before?.etcd.clientPort, DEFAULT_PORTS.etcdClient),
      peerPort: await this.choose(before?.etcd.peerPort, DEFAULT_PORTS.etcdPeer),
    };
    this.etcdSecurity = this.options.security?.etcd();
    const child = etcdChild(found, folder, ports, this.options.env, this.host, this.etcdSecurity);
    this.etcd = { child, ports, version: found.version };
    this.etcdEndpoints = [`${this.etcdSecurity ? 'https' : 'http'}://127.0.0.1:${ports.clientPort}`];
    await this.begin(child);
    await untilEtcdHealthy(this.etcdEndpoints[0]!, clock, child, this.etcdSecurity);
  }

  private async startControlPlanes(before: ClusterFile | undefined): Promise<void> {
    for (let i = 0; i < this.options.controlPlanes; i += 1) {
      const id = `cp${i + 1}`;
      const known = before?.controlPlanes.find((c) => c.id === id);
      const grpc = `127.0.0.1:${await this.choose(known && portOf(known.grpc), DEFAULT_PORTS.grpc + i)}`;
      const http = `127.0.0.1:${await this.choose(known && portOf(known.http), DEFAULT_PORTS.http + i)}`;
      const args = ['--id', id, '--grpc', grpc, '--http', http, '--etcd', this.etcdEndpoints.join(',')];
      if (this.options.accessFile) args.push('--access', 'required', '--access-file', this.options.accessFile);
      args.push('--audit-sink', join(this.options.folder, 'audit-checkpoints.jsonl'));
      args.push('--propose-after-ms', String(PROPOSE_AFTER_MS));
      args.push('--metrics-listen', await this.metricsAt(known?.metrics, METRICS_PORTS.controlPlane + i));
      args.push(...this.securityOf('control-plane', id), ...this.etcdSecurityArgs());
      this.controlPlanes.push({
        entry: { id, grpc, http },
        child: this.child(id, this.options.programs.controlPlane, args),
      });
    }
    await Promise.all(
      this.controlPlanes.map(async (plane) => {
        const ready = await this.begin(plane.child);
        plane.entry = {
          ...plane.entry,
          grpc: String(ready['grpc'] ?? plane.entry.grpc),
          http: String(ready['http'] ?? plane.entry.http),
          ...metricsOf(ready),
        };
      }),
    );
  }

  private async startAgents(before: ClusterFile | undefined): Promise<void> {
    const { topology, say } = this.options;
    const known: readonly AgentEntry[] = before?.agents ?? [];
    const agents = this.options.agents ?? (known.length || AGENTS_OF_A_NEW_CLUSTER);
    const places: Place[] = [...known];
    while (places.length < agents) places.push(placeFor(places, topology, {}));
    if (known.length > agents) say(`this cluster has ${known.length} agents, and keeps them: they hold its data`);
    const starts: Promise<unknown>[] = [];
    for (const place of places)
      starts.push(
        this.startAgent(
          place,
          known.find((k) => k.id === place.id),
          await this.agentPorts(place, known),
        ),
      );
    await Promise.all(starts);
  }

  private async agentPorts(place: Place, known: readonly AgentEntry[]): Promise<AgentPorts> {
    const held = known.find((k) => k.id === place.id);
    const turn = this.agents.size;
    return {
      listen: await this.choose(held && portOf(held.address), DEFAULT_PORTS.agent + turn),
      metrics: await this.metricsAt(held?.metrics, METRICS_PORTS.agent + turn),
    };
  }

  /** Nothing is waited for before the agent is in the list, where the next one looks for its place and its ports. */
  private async startAgent(place: Place, known: AgentEntry | undefined, ports: AgentPorts): Promise<RunningAgent> {
    const address = `127.0.0.1:${ports.listen}`;
    const { id, zone, rack } = place;
    const controlPlanes = this.controlPlanes.map(({ entry }) => entry.grpc).join(',');
    const data = join(this.options.folder, 'agents', id);
    mkdirSync(data, { recursive: true });
    const args = [
      '--id',
      id,
      '--data',
      data,
      '--listen',
      address,
      '--control-plane',
      controlPlanes,
      '--label',
      `zone=${zone}`,
      '--label',
      `rack=${rack}`,
      '--metrics-listen',
      ports.metrics,
      ...this.securityOf('agent', id),
    ];
    const agent: RunningAgent = {
      entry: { id, zone, rack, address, metrics: ports.metrics, ...(known?.stopped && { stopped: true }) },
      child: this.child(id, this.options.programs.storageAgent, args),
    };
    this.agents.set(id, agent);
    if (agent.entry.stopped) return agent;
    const ready = await this.begin(agent.child);
    if (typeof ready['address'] === 'string')
      agent.entry = { ...agent.entry, address: ready['address'], ...metricsOf(ready) };
    return agent;
  }

  private async startRouters(before: ClusterFile | undefined): Promise<void> {
    const folder = join(this.options.folder, 'routers');
    mkdirSync(folder, { recursive: true });
    const controlPlanes = this.controlPlanes.map(({ entry }) => entry.grpc).join(',');
    for (let i = 0; i < this.options.routers; i += 1) {
      const id = `router${i + 1}`;
      const known = before?.routers?.find((r) => r.id === id);
      const listen = `127.0.0.1:${await this.choose(known && portOf(known.address), DEFAULT_PORTS.router + i)}`;
      const files = ['--cache-file', join(folder, `${id}.map`)];
      const metrics = ['--metrics-listen', await this.metricsAt(known?.metrics, METRICS_PORTS.router + i)];
      const args = ['--id', id, '--listen', listen, '--control-plane', controlPlanes, ...files, ...metrics];
      args.push(...this.securityOf('router', id));
      this.routers.push({ entry: { id, address: listen }, child: this.child(id, this.options.programs.router, args) });
    }
    await Promise.all(
      this.routers.map(async (router) => {
        const ready = await this.begin(router.child);
        if (typeof ready['address'] === 'string')
          router.entry = { ...router.entry, address: ready['address'], ...metricsOf(ready) };
      }),
    );
  }

  private securityOf(role: PeerRole, name: string): string[] {
    return this.options.security?.argsOf(role, name) ?? ['--insecure'];
  }

  private etcdSecurityArgs(): string[] {
    const { security } = this.options;
    if (!security) return [];
    if (this.etcdSecurity) return security.etcdArgsOf(this.etcdSecurity.client);
    return this.etcdEndpoints.some((endpoint) => endpoint.startsWith('https:')) ? [] : ['--etcd-insecure'];
  }

  private child(
    name: string,
    program: { command: string; args: readonly string[] },
    args: readonly string[],
  ): ManagedChild {
    const logFile = join(this.options.folder, 'logs', `${name}.log`);
    return new ManagedChild(
      {
        name,
        command: program.command,
        args: [...program.args, ...args],
        logFile,
        readyEvent: 'listening',
      },
      this.host,
    );
  }

  private async untilReady(): Promise<void> {
    const { clock, isReady, readyTimeoutMs = 60_000, folder } = this.options;
    const deadline = clock.monotonicMs() + readyTimeoutMs;
    for (;;) {
      const wanted = [...this.agents.values()].filter(({ entry }) => !entry.stopped).length;
      if (
        await isReady(
          this.controlPlanes.map(({ entry }) => entry.grpc),
          wanted,
        )
      )
        return;
      if (clock.monotonicMs() > deadline) {
        throw new CadastreError(
          'UNAVAILABLE',
          `not all nodes are up, or no controller is active, after ${readyTimeoutMs} ms`,
          { remedy: `see ${join(folder, 'logs')}` },
        );
      }
      await delay(clock, 200);
    }
  }

  private anyRunning(): boolean {
    const children = [...this.agents.values(), ...this.controlPlanes, ...this.routers].map(({ child }) => child);
    return children.some((c) => c.running) || this.etcd?.child.running === true;
  }

  /** Whole states in order; the newest wins. Not before the start is complete: a failed start leaves the file as it was. */
  private save(): void {
    if (!this.started || this.ending) return;
    this.saving = this.saving
      .then(() => writeClusterFile(this.options.folder, this.state()))
      .then(() => writeMetricsTargets(this.options.folder, this.state()))
      .catch((error: Error) => this.options.say(`the cluster file cannot be written: ${error.message}`));
  }
}
