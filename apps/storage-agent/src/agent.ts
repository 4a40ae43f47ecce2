import { join } from 'node:path';
import type { NodeEntry } from '@cadastre/core';
import { checkName } from '@cadastre/core';
import { LinkPool } from '@cadastre/client';
import type {
  DuplexCall,
  KvServe,
  KvSurface,
  Peer,
  RpcServer,
  Transport,
  Wire,
  WritableCall,
} from '@cadastre/contracts';
import {
  grpcTransport,
  Health,
  healthService,
  kvService,
  kvSurface,
  listenHealth,
  livenessService,
  mapService,
  streaming,
  tracedServe,
  transferService,
} from '@cadastre/contracts';
import type { PartitionId, StorageEngine } from '@cadastre/engine';
import { LmdbEngine } from '@cadastre/engine';
import type { Cancellable, Clock, Logger, Random, Readings } from '@cadastre/runtime';
import { randomId, silentLogger, systemClock, systemRandom } from '@cadastre/runtime';
import type { AgentConfig } from './agent-config.js';
import { ControlPlane, Peers } from './control-plane.js';
import { Fills } from './fill.driver.js';
import type { Files } from './files.js';
import { systemFiles } from './files.js';
import { FollowerStreams } from './follower-streams.js';
import { Forwarder } from './forwarder.js';
import { Gate } from './gate.js';
import { identityOfData, readIdentity } from './identity.js';
import { InSyncChanges } from './in-sync-changes.js';
import { KvService } from './kv-service.js';
import { LeaderLinks } from './leader-links.js';
import { LEASE_MS } from './lease.js';
import { LoadBook } from './load-book.js';
import { Readiness } from './readiness.js';
import { Reads } from './reads.js';
import { livenessHandlers } from './liveness-service.js';
import { MapFile } from './map-file.js';
import { mapHandlers } from './map-service.js';
import { MapWatch } from './map-watch.driver.js';
import { AgentMeters } from './metrics/agent-meters.js';
import type { AGENT_METRICS } from './metrics/agent-metrics.js';
import { agentReadings } from './metrics/agent-readings.js';
import { keyOf } from './partition-key.js';
import type { ReplicaSurroundings } from './replica.driver.js';
import { ReplicaSet } from './replica-set.driver.js';
import { Reporter } from './reporter.driver.js';
import { requestLog } from './request-log.js';
import { Session } from './session.driver.js';
import { sendSnapshot } from './snapshot-source.js';
import { PauseWatchdog } from './pause-watchdog.driver.js';
import type { TransferRates } from './byte-rate.js';
import { ByteRate } from './byte-rate.js';
import { BrokenLinks } from './broken-links.driver.js';

const TICK_MS = 100;
const HOLD_MAX = 10_000;
/** A copy waits for nobody's answer: enough on its way that neither side idles while the other one works for some milliseconds. */
const BULK_WINDOW_BYTES = 4 * 1024 * 1024;
const GRACE_MS = 1000;
/** gRPC names of what is served, for health checks. */
const SERVICES = ['cadastre.v1.Kv'];

const engineDir = ({ dataDir }: AgentConfig): string => join(dataDir, 'engine');

/** A running storage agent. */
export interface Agent {
  readonly id: string;
  /** host:port that it listens on. */
  readonly address: string;
  readonly engine: StorageEngine;
  /** What it says of itself, for who asks. */
  readonly readings: Readings<typeof AGENT_METRICS>;
  /** Says goodbye, lets calls in flight end for a short while, flushes and lets go of the directory. Within 3 s. */
  stop(): Promise<void>;
}

/** Wires one agent; holds no decision of its own. */
class StorageAgent implements Agent {
  readonly id: string;
  readonly engine: StorageEngine;
  address = '';
  readonly readings: Readings<typeof AGENT_METRICS>;
  private readonly meters = new AgentMeters();
  private readonly clock: Clock;
  private readonly logger: Logger;
  private readonly random: Random;
  private readonly peers: Peers;
  private readonly controlPlane: ControlPlane;
  private readonly server: RpcServer;
  private readonly replicas: ReplicaSet;
  private readonly broken: BrokenLinks;
  private readonly inSyncChanges: InSyncChanges;
  private readonly links: LeaderLinks;
  /** Until when this node has granted each leader node a read lease. */
  private readonly granted = new Map<string, number>();
  private readonly followers: FollowerStreams;
  private readonly fills: Fills;
  private readonly rates: TransferRates;
  private readonly loads = new LoadBook();
  private readonly watchdog: PauseWatchdog;
  private readonly gate: Gate;
  private readonly kv: KvSurface;
  private readonly toOthers: LinkPool;
  private readonly watch: MapWatch;
  private readonly health = new Health(SERVICES);
  private readonly readiness: Readiness;
  private probed: RpcServer | undefined;
  private session: Session | undefined;
  private reporter: Reporter | undefined;
  private ticker: Cancellable | undefined;
  private stopping = false;

  constructor(
    private readonly config: AgentConfig,
    private readonly incarnation: string,
    files: Files,
  ) {
    const { clock = systemClock, random = systemRandom, logger = silentLogger, transport = grpcTransport } = config;
    this.id = config.id;
    this.clock = clock;
    this.random = random;
    this.logger = logger;
    this.peers = new Peers(transport);
    this.server = transport.server();
    this.engine = config.engine ?? new LmdbEngine({ directory: engineDir(config) });
    this.controlPlane = new ControlPlane(config.controlPlane, this.peers, random);
    const mapOf = (keyspace: string) => this.watch.get(keyspace);
    const peerOf = (node: string) => this.peerOf(node);
    const replica = (key: string) => this.replicas.get(key);
    const replicas = () => this.replicas.all();
    const common = { node: this.id, engine: this.engine, clock, random, logger };
    this.inSyncChanges = new InSyncChanges({
      node: this.id,
      controlPlane: this.controlPlane,
      clock,
      meters: this.meters,
    });
    this.replicas = new ReplicaSet({ ...common, mapOf, around: this.surroundings() });
    this.readiness = new Readiness({ node: this.id, clock, health: this.health, mapOf, copies: replicas });
    this.broken = new BrokenLinks({ ...common, controlPlane: this.controlPlane });
    const onLink = (node: string, up: boolean) => this.broken.onLink(node, up);
    this.links = new LeaderLinks({ ...common, incarnation, peerOf, replica, replicas, onLink, granted: this.granted });
    const partners = () => this.links.nodes;
    const waiting = () => this.replicas.waiting();
    this.followers = new FollowerStreams({ clock, logger, replica, replicas, waiting, partners, onLink });
    this.rates = { out: new ByteRate(clock), in: new ByteRate(clock) };
    const connect = (node: string) => this.bulkPeerOf(node, transport);
    this.fills = new Fills({ ...common, connect, in: this.rates.in, onFatal: (error) => this.fatal(error) });
    this.watchdog = new PauseWatchdog({
      clock,
      logger,
      replicas,
      meters: this.meters,
      ask: () => this.watch.askAnew(),
    });
    const { holdMax = HOLD_MAX } = config;
    this.gate = new Gate({ ...common, mapOf, replica, holdMax });
    this.toOthers = new LinkPool({
      transport,
      clock,
      maps: () => [...this.watch.all()],
    });
    const own = new KvService({ gate: this.gate, engine: this.engine, clock, reads: this.reads(), loads: this.loads });
    const forwarder = new Forwarder({
      ...common,
      mapOf,
      links: this.toOthers,
      serve: (op, caller) => own.serve(op, caller),
    });
    const serve: KvServe = (op, caller) => forwarder.serve(op, caller);
    const { tracer } = config;
    const traced = tracer ? tracedServe(serve, tracer, { name: 'agent', roots: false }) : serve;
    const log = requestLog(logger);
    this.kv = kvSurface(clock, traced, (op, tookMs, error, traceId) => {
      this.meters.kv.note(op, tookMs, error);
      log(op, tookMs, error, traceId);
    });
    this.watch = new MapWatch({
      watcher: this.id,
      controlPlane: this.controlPlane,
      file: new MapFile(config.dataDir, logger, files),
      clock,
      random,
      logger,
      listener: (keyspace, map, partitions) => {
        this.replicas.onMap(keyspace, map, partitions);
        this.links.changed();
        this.toOthers.mapChanged();
      },
      onSynced: () => this.replicas.setAsideUnknown(),
    });
    this.readings = this.readingsOf(holdMax);
  }

  private readingsOf(holdMax: number): Readings<typeof AGENT_METRICS> {
    return agentReadings({
      meters: this.meters,
      clock: this.clock,
      engine: this.engine,
      replicas: this.replicas,
      rates: this.rates,
      holdMax,
      inFlight: () => this.kv.frames.inFlight,
      held: () => this.gate.waiting,
      fills: () => this.fills.count,
      followers: () => this.followers.count,
      sessionUp: () => this.session?.up ?? false,
      maps: () => this.watch.all(),
    });
  }

  async start(): Promise<this> {
    await this.engine.open();
    this.addServices();
    const port = await this.server.listen({ host: this.config.host, port: this.config.port });
    this.address = `${this.config.host}:${port}`;
    const { health, transport = grpcTransport } = this.config;
    if (health !== undefined) this.probed = await listenHealth(this.health, health, transport);
    const known = await this.watch.load();
    // A map from before shows that the data is from before too. Without one, the control plane first decides who this node is.
    if (known > 0) this.act();
    this.watch.connect();
    this.join();
    this.ticker = this.clock.every(TICK_MS, () => this.tick());
    return this;
  }

  async stop(): Promise<void> {
    if (this.stopping) return;
    this.stopping = true;
    this.readiness.stop();
    this.health.close();
    this.gate.stop();
    this.kv.frames.drain();
    this.broken.stop();
    this.reporter?.stop();
    this.ticker?.cancel();
    const served = Promise.all([this.server.stop(GRACE_MS), this.probed?.stop(GRACE_MS)]);
    await this.session?.stop();
    this.fills.stopAll();
    this.links.stop();
    this.followers.stop();
    await this.watch.stop();
    this.replicas.close();
    await served;
    await this.engine.close();
    this.peers.close();
    this.toOthers.close();
  }

  private join(): void {
    const { config, clock, random, logger, controlPlane, incarnation } = this;
    const node: NodeEntry = {
      id: this.id,
      address: config.advertise ?? this.address,
      labels: config.labels ?? {},
      weight: config.weight ?? 1,
    };
    const onWelcome = () => this.act();
    this.session = new Session({
      node,
      capacity: config.capacity ?? {},
      incarnation,
      controlPlane,
      clock,
      random,
      logger,
      onWelcome,
      onFatal: (error) => this.fatal(error),
    });
    this.session.connect();
    this.reporter = new Reporter({
      node: this.id,
      incarnation,
      engine: this.engine,
      replicas: this.replicas,
      fills: this.fills,
      rates: this.rates,
      loads: this.loads,
      controlPlane,
      clock,
      logger,
      applied: () => this.watch.applied(),
      mapsSaved: () => this.watch.saved(),
    });
    this.reporter.start();
  }

  private act(): void {
    this.watch.keep();
    this.replicas.startActing(this.watch.keyspaces());
    this.links.changed();
    this.readiness.startActing();
  }

  private tick(): void {
    this.watchdog.look();
    this.replicas.tick(this.followers.heard());
    this.links.tick();
    this.followers.tick();
    this.readiness.tick();
  }

  private addServices(): void {
    const { transport = grpcTransport } = this.config;
    this.server.add(livenessService, livenessHandlers(this.id, this.incarnation, this.clock, transport));
    this.server.add(healthService, this.health.handlers);
    this.server.add(kvService, this.kv.handlers);
    this.server.add(mapService, mapHandlers(this.watch) as never);
    this.server.add(transferService, {
      replicate: streaming((call: DuplexCall<Wire.FollowerMessage__Output, Wire.LeaderMessage>) =>
        this.followers.handle(call),
      ) as never,
      snapshot: streaming((call: WritableCall<Wire.SnapshotRequest__Output, Wire.SnapshotFrame>) =>
        sendSnapshot(call, this.replicas.get(keyOf(call.request)), {
          engine: this.engine,
          clock: this.clock,
          out: this.rates.out,
        }),
      ) as never,
    });
  }

  private reads(): Reads {
    return new Reads({
      node: this.id,
      clock: this.clock,
      leases: () => this.followers.leases,
      staleness: (replica) => this.links.staleness(replica),
    });
  }

  private surroundings(): ReplicaSurroundings {
    return {
      node: this.id,
      engine: this.engine,
      clock: this.clock,
      logger: this.logger,
      inSyncTimeoutMs: this.config.inSyncTimeoutMs,
      granted: this.granted,
      grantedUntil: this.clock.monotonicMs() + LEASE_MS,
      toLeader: (replica, word) => this.links.send(replica, word),
      toFollower: (replica, word) => this.followers.send(replica, word),
      stream: (replica, node) => this.followers.offer(replica, node),
      changeInSync: (replica, action) => this.inSyncChanges.ask(replica.id, action),
      minInSync: (keyspace) => this.watch.get(keyspace)?.spec.minInSync ?? 1,
      ceased: (replica) => this.tellWhoLeads(replica.id),
      pending: (replica, pending) => this.replicas.pending(replica, pending),
      fill: (replica, from, anew) => this.fills.start(replica, from, anew),
      stopFill: (replica) => this.fills.stop(replica),
      onFatal: (error) => this.fatal(error),
      meters: this.meters,
    };
  }

  /** Who asks here learns it before the next request goes astray. */
  private tellWhoLeads({ keyspace, partition }: PartitionId): void {
    const map = this.watch.get(keyspace);
    if (!map || partition >= map.partitions) return;
    const target = { keyspace, partition, epoch: map.epochOf(partition) };
    this.kv.frames.tell(keyspace, partition, this.gate.notOwner(target, map));
  }

  /** The address that any of the maps gives for a node. */
  private addressOf(node: string): string | undefined {
    for (const keyspace of this.watch.keyspaces()) {
      const address = this.watch.get(keyspace)?.node(node)?.address;
      if (address) return address;
    }
    return undefined;
  }

  private peerOf(node: string): Peer | undefined {
    const address = this.addressOf(node);
    return address ? this.peers.at(address) : undefined;
  }

  private bulkPeerOf(node: string, transport: Transport): Peer | undefined {
    const address = this.addressOf(node);
    return address ? transport.peer(address, { windowBytes: BULK_WINDOW_BYTES }) : undefined;
  }

  private fatal(error: Error): void {
    if (this.stopping) return;
    this.config.onFatal?.(error);
  }
}

/** @throws CadastreError INVALID_ARGUMENT, FAILED_PRECONDITION (the directory is another node's or in use), UNAVAILABLE (the port is taken) */
export const startAgent = async (config: AgentConfig): Promise<Agent> => {
  checkName('id', config.id);
  const { dataDir, id, files = systemFiles, newId = randomId } = config;
  const ports = { files, newId };
  const incarnation = await (config.engine
    ? readIdentity(dataDir, id, ports)
    : identityOfData(dataDir, engineDir(config), id, ports));
  const agent = new StorageAgent(config, incarnation, files);
  try {
    return await agent.start();
  } catch (error) {
    await agent.stop().catch(() => undefined);
    throw error;
  }
};
