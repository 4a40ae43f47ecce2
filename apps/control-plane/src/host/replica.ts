import { CadastreError } from '@cadastre/core';
import type { RpcServer, Transport } from '@cadastre/contracts';
import { Health, listenHealth } from '@cadastre/contracts';
import type { Clock, Logger, NewId, Random, Readings } from '@cadastre/runtime';
import type { Compare, RegisterState, Store } from '@cadastre/store';
import { clusterPart, keys, Register, RegisterMirror } from '@cadastre/store';
import type { ControlPlaneConfig } from '../config.js';
import { Identity } from '../access/identify.js';
import type { OpenedAccess } from '../access/open-access.js';
import type { MayStill } from '../operations/ports.js';
import { openAccess } from '../access/open-access.js';
import { Controller } from '../controller/controller.js';
import { Observed } from '../controller/observed.js';
import { GrpcProber } from '../controller/prober.js';
import { ControlPlaneMeters } from '../metrics/control-plane-meters.js';
import type { CONTROL_PLANE_METRICS } from '../metrics/control-plane-metrics.js';
import { controlPlaneReadings } from '../metrics/control-plane-readings.js';
import { ClusterLoad } from '../load/cluster-load.js';
import { IntentsDriver } from '../operations/intents.driver.js';
import { Operations } from '../operations/operations.js';
import { fetchMapBy } from '../recovery/fetch-map.js';
import { RecoveryDriver } from '../recovery/recovery.driver.js';
import { recoveryConcern } from '../recovery/withheld.js';
import { PlanWatches } from '../operator/plan-watches.js';
import { EventStream } from '../rest/event-stream.js';
import type { Readiness } from '../rest/tokens.js';
import { SessionStreams } from '../sessions/agent.grpc.js';
import { SessionService } from '../sessions/session.service.js';
import type { WatcherView } from '../watch/watch-hub.js';
import { WatchHub } from '../watch/watch-hub.js';
import { AuditSink } from './audit-sink.js';
import { ControllerSlot } from './controller-slot.js';
import { GrpcHost } from './grpc-host.js';
import { splitAddress } from './host-port.js';
import type { StoreCare } from './store-care.driver.js';
import { reachStore } from './reach-store.js';
import { RegisterFeed } from './register-feed.js';
import { WriterLease } from './writer-lease.js';

/** Watchers and agents hold their streams for ever; so they spread over the replicas again after one was away. */
const CONNECTION_AGE_MS = 3_600_000;
const HEALTH_GRACE_MS = 1_000;
/** gRPC names of what is served, for health checks. */
const SERVICES = ['cadastre.v1.Map', 'cadastre.v1.Agent', 'cadastre.v1.Operator'];

/** What the HTTP side is made of. */
export interface HttpParts {
  readonly identity: Identity;
  readonly events: EventStream;
  readonly readiness: Readiness;
  readonly meters: ControlPlaneMeters;
}

export interface HttpSide {
  readonly address: string;
  close(): Promise<void>;
}

/** Everything outside of a replica. */
export interface ReplicaPorts {
  readonly store: Store;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
  readonly newId: NewId;
  readonly logger: Logger;
  /** Without it there is no HTTP. */
  readonly openHttp?: (parts: HttpParts) => Promise<HttpSide>;
  /** Standard output. */
  readonly writeOut?: (line: string) => void;
  /** Without it nothing is said of etcd's state. */
  readonly care?: StoreCare;
  /** The register is not the one it was, or cannot be watched any more: the process must end. */
  readonly onFatal: (error: Error) => void;
}

export interface ControlPlane {
  readonly grpcAddress: string;
  readonly httpAddress: string;
  readonly active: boolean;
  readonly state: RegisterState;
  /** What it says of itself and of the cluster, for who asks. */
  readonly readings: Readings<typeof CONTROL_PLANE_METRICS>;
  watchers(): WatcherView[];
  /** Stops taking calls, ends streams, hands leadership over, closes. */
  stop(): Promise<void>;
}

/**
 * One replica of the control plane without its HTTP side, which `openHttp` brings: all decisions and all of gRPC are here, so that the
 * simulated world runs this very class.
 */
export class Replica implements ControlPlane {
  grpcAddress = '';
  httpAddress = '';
  readonly readings: Readings<typeof CONTROL_PLANE_METRICS>;
  private readonly meters = new ControlPlaneMeters();
  private loaded = false;
  private stopped: Promise<void> | undefined;
  private etcdVersion = '';
  private http: HttpSide | undefined;
  private access: OpenedAccess | undefined;
  private readonly mayStill: MayStill = (...who) => this.access?.guarded.access.mayStill(...who) ?? true;
  private auditSink: AuditSink | undefined;
  private grpc: GrpcHost | undefined;
  private probed: RpcServer | undefined;
  private readonly health = new Health(SERVICES);
  private controller: Controller | undefined;
  private readonly store: Store;
  private readonly clock: Clock;
  private readonly logger: Logger;
  private readonly feed: RegisterFeed;
  private readonly mirror: RegisterMirror;
  private readonly writerLease: WriterLease;
  private readonly register: Register;
  private readonly observed = new Observed();
  private readonly load: ClusterLoad;
  private readonly slot = new ControllerSlot();
  private readonly hub: WatchHub;
  private readonly operations: Operations;
  private readonly intents: IntentsDriver;
  private readonly recovery: RecoveryDriver;
  private readonly planWatches: PlanWatches;
  private readonly events: EventStream;
  private readonly sessions: SessionStreams;

  constructor(
    private readonly config: ControlPlaneConfig,
    private readonly ports: ReplicaPorts,
  ) {
    const { store, clock, random, newId, logger } = ports;
    this.store = store;
    this.clock = clock;
    this.logger = logger;
    this.feed = new RegisterFeed(ports.onFatal);
    this.mirror = new RegisterMirror(store, logger, this.feed);
    this.writerLease = new WriterLease(store, clock, random, logger);
    this.register = new Register(store, this.mirror, { clock, random, newId, writerLease: this.writerLease.id });
    this.hub = new WatchHub({ clock, logger, catchUp: () => this.catchUp() });
    this.load = new ClusterLoad({ clock });
    this.operations = new Operations({
      store,
      register: this.register,
      observed: this.observed,
      load: this.load,
      clock,
      newId,
      replica: config.id,
      etcdVersion: () => this.etcdVersion,
      concerns: () => [...recoveryConcern(this.state), ...(ports.care?.concerns ?? [])],
      recovery: {
        view: () => (this.requireFence(), this.recovery.view()),
        act: async (act) => this.recovery.act(act, this.requireFence()),
      },
      watchers: () => this.hub.size,
      convergence: () => this.hub.convergence(),
      frozen: () => this.controller?.frozen,
      mayStill: this.mayStill,
    });
    this.intents = new IntentsDriver({
      operations: this.operations,
      register: this.register,
      observed: this.observed,
      clock,
      logger,
      isActive: () => this.active && this.controller?.frozen === undefined,
      quietMs: config.proposeAfterMs,
    });
    this.recovery = new RecoveryDriver({
      store,
      register: this.register,
      observed: this.observed,
      clock,
      logger,
      newId,
      fetchMap: fetchMapBy(ports.transport, clock),
    });
    this.planWatches = new PlanWatches({ operations: this.operations, clock });
    this.events = new EventStream({ clock });
    const sessions = new SessionService({ store, register: this.register, clock, logger, ttlMs: config.sessionTtlMs });
    this.sessions = new SessionStreams({
      sessions,
      clock,
      logger,
      onBroken: (node, why) => this.slot.suspect(config.id, [{ node, why }]),
    });
    this.readings = controlPlaneReadings({
      clock,
      register: this.register,
      observed: this.observed,
      hub: this.hub,
      operations: this.operations,
      load: this.load,
      meters: this.meters,
      ...(ports.care && { care: ports.care }),
      isActive: () => this.active,
      sessions: () => this.sessions.count,
    });
  }

  get active(): boolean {
    return this.controller?.active ?? false;
  }

  get state(): RegisterState {
    return this.mirror.state;
  }

  watchers(): WatcherView[] {
    return this.hub.watchers();
  }

  async start(signal: AbortSignal | undefined): Promise<void> {
    await this.openRegister(signal);
    await this.listen();
    this.startController();
    this.startAuditSink();
    this.intents.start();
    void this.ports.care?.start();
  }

  stop(): Promise<void> {
    this.stopped ??= this.stopInOrder();
    return this.stopped;
  }

  private async openRegister(signal: AbortSignal | undefined): Promise<void> {
    const { store, clock, logger, config, ports } = this;
    const { version } = await reachStore(store, {
      clock,
      random: ports.random,
      logger,
      endpoints: config.etcd,
      timeoutMs: config.startTimeoutMs,
      ...(signal && { signal }),
    });
    this.etcdVersion = version;
    this.feed.subscribe((change, state) => {
      this.hub.onRegisterChange(change, state);
      this.planWatches.onPlansChanged(change.plans);
      this.controller?.onRegisterChange(change);
      this.events.touch();
    });
    await this.loadMirror();
    if (this.state.restoring) throw restoreUnfinished();
    await this.writerLease.start();
    await this.register.commit((state) =>
      state.cluster
        ? { compare: [], ops: [], result: undefined }
        : { ...clusterPart(ports.newId()), result: undefined },
    );
    this.loaded = true;
  }

  /** etcd can answer and then be gone: a watch waits for it for ever, a start does not. */
  private async loadMirror(): Promise<void> {
    const { etcd: endpoints, startTimeoutMs: timeoutMs } = this.config;
    const late = new Promise<'late'>((resolve) =>
      this.clock.after(timeoutMs, () => resolve('late'), { background: true }),
    );
    if ((await Promise.race([this.mirror.start(), late])) === 'late') {
      throw new CadastreError(
        'UNAVAILABLE',
        `etcd at ${endpoints.join(', ')} did not give the register within ${timeoutMs} ms`,
        { field: '--etcd', remedy: 'see whether etcd is overloaded: etcdctl endpoint status' },
      );
    }
  }

  private async listen(): Promise<void> {
    const { operations, events, ports, config } = this;
    const readiness = { unreadyBecause: () => this.unreadyBecause() };
    const identity = new Identity({ operations, clock: this.clock, guarded: await this.openAccess() });
    this.http = await ports.openHttp?.({ identity, events, readiness, meters: this.meters });
    this.httpAddress = this.http?.address ?? '';
    const limits = { maxConnectionAgeMs: CONNECTION_AGE_MS, people: identity.guarded !== undefined };
    const grpc = new GrpcHost(ports.transport.server(limits), {
      hub: this.hub,
      replica: this.config.id,
      clock: this.clock,
      state: () => this.mirror.state,
      streams: this.sessions,
      controller: this.slot,
      identity,
      planWatches: this.planWatches,
      health: this.health,
      calls: this.meters.calls,
    });
    this.grpc = grpc;
    const { host, port } = splitAddress(config.grpc);
    this.grpcAddress = `${host}:${await grpc.listen(host, port)}`;
    if (config.health !== undefined) this.probed = await listenHealth(this.health, config.health, ports.transport);
    this.health.set('SERVING');
  }

  private async openAccess(): Promise<OpenedAccess['guarded'] | undefined> {
    const { access, accessFile, trustedProxy: trustedProxies } = this.config;
    if (access !== 'required' || accessFile === undefined) return undefined;
    const { store, register, clock, logger, ports } = this;
    const { newId, onFatal } = ports;
    this.access = await openAccess(accessFile, { store, register, clock, logger, newId, onFatal, trustedProxies });
    return this.access.guarded;
  }

  private startController(): void {
    const { store, register, observed, load, clock, logger, config, ports } = this;
    this.controller = new Controller({
      store,
      register,
      observed,
      load,
      clock,
      random: ports.random,
      newId: ports.newId,
      logger,
      identity: {
        id: config.id,
        address: config.advertise ?? this.grpcAddress,
        httpAddress: config.advertiseHttp ?? this.httpAddress,
      },
      prober: new GrpcProber(ports.transport, clock),
      recovery: this.recovery,
      meters: this.meters,
      mayStill: this.mayStill,
      electionTtlMs: config.electionTtlMs,
      detector: { settleMs: config.settleMs, silenceMs: config.silenceMs },
    });
    this.slot.fill(this.controller);
    this.controller.start();
  }

  private startAuditSink(): void {
    const { clock, logger, config, ports } = this;
    if (config.auditSink === undefined) return;
    const { writeOut = () => undefined } = ports;
    this.auditSink = new AuditSink({ to: config.auditSink, clock, logger, writeOut, state: () => this.mirror.state });
    this.auditSink.start();
  }

  private requireFence(): Compare {
    if (this.controller) return this.controller.requireFence();
    throw new CadastreError('NOT_ACTIVE', 'this replica is starting', { remedy: 'ask again in a moment' });
  }

  private unreadyBecause(): string | undefined {
    if (this.stopped) return 'this replica is stopping';
    return this.loaded ? undefined : 'the register is not loaded yet';
  }

  private async catchUp(): Promise<void> {
    const { revision } = await this.store.range(keys.cluster, { keysOnly: true });
    await this.mirror.reached(revision);
  }

  /** Leadership goes first, so that another replica acts while this one still drains its streams. */
  private async stopInOrder(): Promise<void> {
    const quiet = (what: string) => (error: unknown) =>
      this.logger.warn(`${what} did not stop cleanly`, { reason: CadastreError.from(error).message });
    this.health.set('NOT_SERVING');
    this.health.close();
    this.intents.stop();
    this.ports.care?.stop();
    this.events.close();
    this.hub.close();
    this.planWatches.close();
    this.sessions.close();
    await Promise.all([
      this.controller?.stop().catch(quiet('controller')),
      this.grpc?.stop().catch(quiet('gRPC server')),
      this.http?.close().catch(quiet('HTTP server')),
      this.probed?.stop(HEALTH_GRACE_MS),
    ]);
    await this.writerLease.stop();
    this.access?.close();
    this.auditSink?.stop();
    this.mirror.stop();
    this.store.close();
  }
}

const restoreUnfinished = (): CadastreError =>
  new CadastreError('FAILED_PRECONDITION', 'a restore into this etcd has not ended', {
    field: '--etcd',
    remedy: 'let it end; if it was broken off, start a new, empty etcd and restore into that',
  });
