import { compareGenerations } from '@cadastre/core';
import { seededRandom } from '@cadastre/runtime';
import type { Logger, Random } from '@cadastre/runtime';
import {
  Links,
  Scheduler,
  SimDisk,
  SimEtcd,
  SimFiles,
  SimNetwork,
  SimProcess,
} from '../../libs/testkit/src/sim/index.js';
import { CadastreClient } from '@cadastre/client';
import type { Peer } from '@cadastre/contracts';
import { startAgent, type Agent } from '@cadastre/storage-agent';
import { Replica } from '../../apps/control-plane/src/host/replica.js';
import type { ControlPlaneConfig } from '../../apps/control-plane/src/config.js';
import { completeConfig } from '../../apps/control-plane/src/config.js';
import { SimEngine } from './engine.js';
import { Recorder } from './recorder.js';
import { Trace } from './trace.js';

export interface WorldOptions {
  readonly seed: number;
  readonly agents: number;
  readonly controlPlanes: number;
  readonly clients: number;
  /** Short terms of sessions and elections, so that more happens in the time; else those of production. */
  readonly fastTerms: boolean;
}

/** A storage node: its machine stays, its processes come and go. */
export interface NodeMachine {
  readonly id: string;
  disk: SimDisk;
  readonly files: SimFiles;
  process: SimProcess;
  agent: Agent | undefined;
  engine: SimEngine | undefined;
  /** How often its disks were lost. */
  wipes: number;
  readonly told: Map<string, { fills: number; seq: number }>;
  readonly incarnation: string;
  /** Held down by a fault; a process that ends by itself is started again by its supervisor. */
  down: boolean;
}

export interface PlaneMachine {
  readonly id: string;
  process: SimProcess;
  replica: Replica | undefined;
  down: boolean;
}

export interface ClientMachine {
  readonly id: string;
  process: SimProcess;
  client: CadastreClient | undefined;
}

const AGENT_PORT = 7000;
const PLANE_PORT = 7400;

/** One cluster in one process: the real control planes, agents and clients in a simulated network on simulated machines. */
export class World {
  readonly scheduler = new Scheduler();
  readonly random: Random;
  readonly links: Links;
  readonly network: SimNetwork;
  readonly etcd: SimEtcd;
  readonly trace: Trace;
  readonly nodes = new Map<string, NodeMachine>();
  readonly planes = new Map<string, PlaneMachine>();
  readonly clients = new Map<string, ClientMachine>();
  /** What must never happen and did. */
  readonly violations: string[] = [];
  /** Machines that a fault has touched, or whose process ended by itself. */
  readonly touched = new Set<string>();
  private lives = 0;
  readonly observer: SimProcess;
  private operatorProcess: SimProcess | undefined;
  /** Stands at every port call of every process: performs `task`, or not. */
  onPort: ((process: SimProcess, kind: string, to: string, task: () => void) => void) | undefined;
  readonly recorder: Recorder;

  constructor(readonly options: WorldOptions) {
    this.random = seededRandom(options.seed);
    this.trace = new Trace(this.scheduler);
    this.links = new Links(this.scheduler, seededRandom(options.seed ^ 0x11111111), {
      minMs: 0.1,
      maxMs: 2,
      lateShare: 0.01,
      lateMs: 50,
    });
    this.network = new SimNetwork(this.links, seededRandom(options.seed ^ 0x22222222));
    this.etcd = new SimEtcd(this.newProcess('etcd'), this.links, seededRandom(options.seed ^ 0x33333333));
    this.scheduler.onThrow = (error, label) => this.violation(`thrown in ${label}: ${String((error as Error).stack)}`);
    this.observer = this.newProcess('observer');
    this.recorder = new Recorder(this);
    this.etcd.onCall = (process, call) => call.txn && this.recorder.onTransaction(process.host, call.txn);
    for (let i = 1; i <= options.controlPlanes; i += 1) this.addPlane(`cp${i}`);
    for (let i = 1; i <= options.agents; i += 1) this.addNode(`n${i}`);
    for (let i = 1; i <= options.clients; i += 1) this.addClient(`c${i}`);
  }

  violation(what: string): void {
    this.trace.note(`VIOLATION ${what}`);
    this.violations.push(what);
    this.scheduler.stop();
  }

  get planeAddresses(): string[] {
    return [...this.planes.keys()].map((id) => `${id}:${PLANE_PORT}`);
  }

  /** Who is active, as the replicas themselves say. */
  get active(): PlaneMachine | undefined {
    return [...this.planes.values()].find((p) => p.process.alive && p.replica?.active);
  }

  /** Two replicas that both believe to be active; a frozen one believes nothing, and the fence stops it when it wakes. */
  checkActive(): void {
    const active = [...this.planes.values()].filter((p) => p.process.alive && !p.process.frozen && p.replica?.active);
    if (active.length > 1) this.violation(`two are active: ${active.map((p) => p.id).join(', ')}`);
  }

  startAll(): void {
    for (const id of this.planes.keys()) this.startPlane(id);
    for (const id of this.nodes.keys()) this.startNode(id);
    for (const id of this.clients.keys()) this.startClient(id);
  }

  addNode(id: string): NodeMachine {
    const disk = new SimDisk(this.scheduler, this.random, id);
    const machine: NodeMachine = {
      id,
      disk,
      files: new SimFiles(this.scheduler, this.random),
      process: this.newProcess(id),
      agent: undefined,
      engine: undefined,
      wipes: 0,
      told: new Map(),
      down: true,
      get incarnation() {
        return `${id}.${this.wipes}`;
      },
    };
    this.nodes.set(id, machine);
    return machine;
  }

  startNode(id: string): void {
    const node = this.nodes.get(id)!;
    node.process = this.newProcess(id);
    node.down = false;
    node.disk.owner = node.process;
    const { process } = node;
    this.trace.note(`start ${id}`);
    const engine = new SimEngine({ disk: node.disk, clock: process.clock }, node.told);
    engine.report = (event, place) =>
      this.recorder.add({
        ...event,
        ...place,
        node: id,
        incarnation: `${node.incarnation}${event.fills ? `#${event.fills}` : ''}`,
      });
    node.engine = engine;
    startAgent({
      id,
      dataDir: `/${id}`,
      host: id,
      port: AGENT_PORT,
      controlPlane: this.planeAddresses,
      labels: { zone: `z${id}` },
      logger: process.logger,
      clock: process.clock,
      random: process.random,
      newId: process.newId,
      transport: this.network.transport(process),
      files: node.files.of(process),
      engine,
      onFatal: (error) => this.onNodeFatal(node, process, error),
    }).then(
      (agent) => {
        if (node.process === process) node.agent = agent;
      },
      (error: Error) => this.onNodeFatal(node, process, error),
    );
  }

  /** The process ends; its supervisor starts it again after a while. */
  private onNodeFatal(node: NodeMachine, process: SimProcess, error: Error): void {
    if (node.process !== process || !process.alive) return;
    this.trace.note(`${node.id} ends: ${error.message}`);
    this.touched.add(node.id);
    // Not within its own call: as a process that has asked to be ended.
    this.scheduler.after(0, `${node.id} exits`, () => {
      if (node.process !== process || !process.alive) return;
      this.killNode(node.id, false);
      this.scheduler.after(1000, `${node.id} supervisor`, () => {
        if (!node.process.alive && node.down) this.startNode(node.id);
      });
    });
  }

  /** kill -9, or the machine loses its power (`silently`: nobody is told). */
  killNode(id: string, silently: boolean): void {
    const node = this.nodes.get(id)!;
    if (!node.process.alive) return;
    this.trace.note(`kill ${id}${silently ? ' silently' : ''}`);
    node.down = true;
    node.agent = undefined;
    node.process.kill();
    node.engine?.crash();
    this.network.onKilled(node.process, silently);
  }

  addPlane(id: string): void {
    this.planes.set(id, { id, process: this.newProcess(id), replica: undefined, down: true });
  }

  startPlane(id: string): void {
    const plane = this.planes.get(id)!;
    const process = this.newProcess(id);
    plane.process = process;
    plane.down = false;
    this.trace.note(`start ${id}`);
    const fatal = (error: Error): void => {
      if (plane.process !== process || !process.alive) return;
      this.trace.note(`${id} ends: ${error.message}`);
      this.scheduler.after(0, `${id} exits`, () => {
        if (plane.process !== process || !process.alive) return;
        this.killPlane(id, false);
        this.scheduler.after(1000, `${id} supervisor`, () => {
          if (!plane.process.alive && plane.down) this.startPlane(id);
        });
      });
    };
    const replica = new Replica(planeConfig(id, this.options.fastTerms), {
      store: this.etcd.storeOf(process),
      transport: this.network.transport(process),
      clock: process.clock,
      random: process.random,
      newId: process.newId,
      logger: process.logger,
      onFatal: fatal,
    });
    plane.replica = replica;
    replica.start(undefined).catch(fatal);
  }

  killPlane(id: string, silently: boolean): void {
    const plane = this.planes.get(id)!;
    if (!plane.process.alive) return;
    this.trace.note(`kill ${id}${silently ? ' silently' : ''}`);
    plane.down = true;
    plane.replica = undefined;
    plane.process.kill();
    this.etcd.onKilled(plane.process);
    this.network.onKilled(plane.process, silently);
  }

  addClient(id: string): void {
    this.clients.set(id, { id, process: this.newProcess(id), client: undefined });
  }

  startClient(id: string): void {
    const machine = this.clients.get(id)!;
    const process = this.newProcess(id);
    machine.process = process;
    CadastreClient.connect({
      controlPlanes: this.planeAddresses,
      name: id,
      logger: process.logger,
      clock: process.clock,
      random: process.random,
      newId: process.newId,
      transport: this.network.transport(process),
    }).then(
      (client) => {
        if (machine.process !== process || !process.alive) return;
        machine.client = client;
        this.onClientStarted(id);
      },
      (error: Error) => {
        this.trace.note(`${id} could not connect: ${error.message}`);
        this.scheduler.after(1000, `${id} again`, () => {
          if (machine.process === process && process.alive) this.startClient(id);
        });
      },
    );
  }

  /** Whatever runs at `host` ends as by kill -9, and its supervisor starts it again. The operator's machine is somebody's laptop. */
  crash(host: string): void {
    const [kill, start] = this.nodes.has(host)
      ? [() => this.killNode(host, false), () => this.nodes.get(host)!.process.alive || this.startNode(host)]
      : this.planes.has(host)
        ? [() => this.killPlane(host, false), () => this.planes.get(host)!.process.alive || this.startPlane(host)]
        : this.clients.has(host)
          ? [() => this.killClient(host), () => this.startClient(host)]
          : [() => this.killOperator(), () => undefined];
    this.touched.add(host);
    kill();
    this.scheduler.after(500, `${host} supervisor`, () => void start());
  }

  processAt(host: string): SimProcess | undefined {
    const machine = this.nodes.get(host) ?? this.planes.get(host) ?? this.clients.get(host);
    return machine?.process ?? (host === 'operator' ? this.operatorProcess : undefined);
  }

  private killOperator(): void {
    const process = this.operatorProcess;
    if (!process) return;
    process.kill();
    this.network.onKilled(process, false);
    this.operatorProcess = undefined;
  }

  onClientStarted: (id: string) => void = () => undefined;

  killClient(id: string): void {
    const machine = this.clients.get(id)!;
    if (!machine.process.alive) return;
    this.trace.note(`kill ${id}`);
    machine.process.kill();
    machine.client = undefined;
    this.network.onKilled(machine.process, false);
  }

  /** Whether a node or client has taken over the map as it is in the register. */
  actsOnLastMap(observer: string): boolean {
    for (const [name, { map }] of this.recorder.state.keyspaces) {
      const known = this.clients.get(observer)?.client?.map(name) ?? this.recorder.mapOf(observer, name);
      if (!known || compareGenerations(known.generation, map.generation) < 0) return false;
    }
    return true;
  }

  /** Nothing of it goes on. */
  close(): void {
    for (const machine of [...this.nodes.values(), ...this.planes.values(), ...this.clients.values()])
      machine.process.kill();
    this.etcd.database.close();
  }

  /** A connection to a control plane for an operator, from a machine that no fault touches. */
  operatorPeer(plane: string): Peer {
    return this.network.transport(this.operator).peer(`${plane}:${PLANE_PORT}`);
  }

  get operator(): SimProcess {
    this.operatorProcess ??= this.newProcess('operator');
    return this.operatorProcess;
  }

  freeze(process: SimProcess): void {
    this.trace.note(`freeze ${process.host}`);
    process.freeze();
    this.network.onLinksChanged();
    this.etcd.onLinksChanged();
  }

  thaw(process: SimProcess): void {
    if (!process.frozen) return;
    this.trace.note(`thaw ${process.host}`);
    process.thaw();
    this.etcd.onLinksChanged();
  }

  cut(from: string, to: string): void {
    this.trace.note(`cut ${from}>${to}`);
    this.links.cut(from, to);
    this.network.onLinksChanged();
    this.etcd.onLinksChanged();
  }

  heal(from: string, to: string): void {
    this.trace.note(`heal ${from}>${to}`);
    this.links.heal(from, to);
    this.etcd.onLinksChanged();
  }

  /** What agents tell of their replicas in their logs. */
  private onLog(host: string, event: string, fields: Record<string, unknown>): void {
    const { keyspace, partition, epoch, committed: seq } = fields as unknown as ServingFields;
    const node = this.nodes.get(host);
    if (event === 'serving' && node) this.recorder.onServing(host, keyspace, partition, epoch);
    if (event === 'serving' && node)
      this.recorder.add({ type: 'sealed', node: host, incarnation: node.incarnation, keyspace, partition, epoch, seq });
  }

  private newProcess(host: string): SimProcess {
    this.lives += 1;
    const seed = (this.options?.seed ?? 0) * 7919 + this.lives * 104_729;
    const drift = seededRandom(seed);
    const traits = { rate: 1 + (drift() - 0.5) * 0.0004, wallOffsetMs: (drift() - 0.5) * 1000 };
    const process = new SimProcess(
      this.scheduler,
      host,
      seed,
      traits,
      this.trace?.loggerOf(host, (event, fields) => this.onLog(host, event, fields)) ?? SILENT,
      this.lives,
    );
    process.onPort = (kind, to, task) => (this.onPort ? this.onPort(process, kind, to, task) : task());
    return process;
  }
}

interface ServingFields {
  readonly keyspace: string;
  readonly partition: number;
  readonly epoch: number;
  readonly committed: number;
}

const SILENT: Logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

const planeConfig = (id: string, fast: boolean): ControlPlaneConfig =>
  completeConfig({
    id,
    grpc: `${id}:${PLANE_PORT}`,
    http: `${id}:7480`,
    etcd: ['etcd:2379'],
    access: 'open-anywhere',
    ...(fast && { sessionTtlMs: 4_000, electionTtlMs: 2_000, settleMs: 4_000 }),
  });
