import { CadastreError } from '@cadastre/core';
import type { Clock, Logger } from '@cadastre/runtime';
import { randomId, silentLogger, systemClock } from '@cadastre/runtime';
import type { RegisterState, Store } from '@cadastre/store';
import { clusterPart, EtcdStore, keys, Register, RegisterMirror } from '@cadastre/store';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { ControlPlaneConfig } from '../config.js';
import { Controller } from '../controller/controller.js';
import { Observed } from '../controller/observed.js';
import { Operations } from '../operations/operations.js';
import { PlanWatches } from '../operator/plan-watches.js';
import { EventStream } from '../rest/event-stream.js';
import { SessionStreams } from '../sessions/agent.grpc.js';
import { SessionService } from '../sessions/session.service.js';
import type { WatcherView } from '../watch/watch-hub.js';
import { WatchHub } from '../watch/watch-hub.js';
import { ControllerSlot } from './controller-slot.js';
import { GrpcHost } from './grpc-host.js';
import { createApp, listenHttp } from './http-host.js';
import { reachStore } from './reach-store.js';
import { RegisterFeed } from './register-feed.js';
import { WriterLease } from './writer-lease.js';

export interface ControlPlaneDependencies {
  /** Default: etcd at `config.etcd`. */
  readonly store?: Store;
  readonly clock?: Clock;
  readonly logger?: Logger;
  /** The register is not the one it was, or cannot be watched any more: the process must end. */
  readonly onFatal?: (error: Error) => void;
  readonly signal?: AbortSignal;
}

export interface ControlPlane {
  readonly grpcAddress: string;
  readonly httpAddress: string;
  readonly active: boolean;
  readonly state: RegisterState;
  watchers(): WatcherView[];
  /** Stops taking calls, ends streams, hands leadership over, closes. */
  stop(): Promise<void>;
}

/**
 * One replica of the control plane, serving when it resolves.
 * @throws CadastreError UNAVAILABLE when etcd does not answer within `config.startTimeoutMs` or a port is taken
 */
export const startControlPlane = async (
  config: ControlPlaneConfig,
  dependencies: ControlPlaneDependencies = {},
): Promise<ControlPlane> => {
  const clock = dependencies.clock ?? systemClock;
  const logger = dependencies.logger ?? silentLogger;
  const store = dependencies.store ?? new EtcdStore({ endpoints: config.etcd, clock, logger });
  const replica = new Replica(config, store, clock, logger, dependencies.onFatal ?? (() => undefined));
  try {
    await replica.start(dependencies.signal);
    return replica;
  } catch (error) {
    await replica.stop();
    throw error;
  }
};

const splitAddress = (address: string): { host: string; port: number } => {
  const at = address.lastIndexOf(':');
  return { host: address.slice(0, at).replace(/^\[(.*)\]$/, '$1'), port: Number(address.slice(at + 1)) };
};

const isLoopback = (host: string): boolean => host === 'localhost' || host === '::1' || host.startsWith('127.');

class Replica implements ControlPlane {
  grpcAddress = '';
  httpAddress = '';
  private loaded = false;
  private stopped: Promise<void> | undefined;
  private etcdVersion = '';
  private app: NestExpressApplication | undefined;
  private grpc: GrpcHost | undefined;
  private controller: Controller | undefined;
  private readonly feed: RegisterFeed;
  private readonly mirror: RegisterMirror;
  private readonly writerLease: WriterLease;
  private readonly register: Register;
  private readonly observed = new Observed();
  private readonly slot = new ControllerSlot();
  private readonly hub: WatchHub;
  private readonly operations: Operations;
  private readonly planWatches: PlanWatches;
  private readonly events: EventStream;
  private readonly sessions: SessionStreams;

  constructor(
    private readonly config: ControlPlaneConfig,
    private readonly store: Store,
    private readonly clock: Clock,
    private readonly logger: Logger,
    onFatal: (error: Error) => void,
  ) {
    this.feed = new RegisterFeed(onFatal);
    this.mirror = new RegisterMirror(store, logger, this.feed);
    this.writerLease = new WriterLease(store, clock, logger);
    this.register = new Register(store, this.mirror, { clock, writerLease: this.writerLease.id });
    this.hub = new WatchHub({ clock, logger, catchUp: () => this.catchUp() });
    this.operations = new Operations({
      store,
      register: this.register,
      observed: this.observed,
      clock,
      replica: config.id,
      etcdVersion: () => this.etcdVersion,
      watchers: () => this.hub.size,
      frozen: () => this.controller?.frozen,
    });
    this.planWatches = new PlanWatches({ operations: this.operations, clock });
    this.events = new EventStream({ operations: this.operations, clock });
    const sessions = new SessionService({ store, register: this.register, clock, logger, ttlMs: config.sessionTtlMs });
    this.sessions = new SessionStreams({ sessions, clock, logger });
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
  }

  stop(): Promise<void> {
    this.stopped ??= this.stopInOrder();
    return this.stopped;
  }

  private async openRegister(signal: AbortSignal | undefined): Promise<void> {
    const { store, clock, logger, config } = this;
    const { version } = await reachStore(store, {
      clock,
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
    await this.writerLease.start();
    await this.register.commit((state) =>
      state.cluster ? { compare: [], ops: [], result: undefined } : { ...clusterPart(randomId()), result: undefined },
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
    const http = splitAddress(this.config.http);
    const grpc = splitAddress(this.config.grpc);
    const app = await createApp(
      {
        operations: this.operations,
        events: this.events,
        readiness: { unreadyBecause: () => this.unreadyBecause() },
        grpc: {
          hub: this.hub,
          clock: this.clock,
          state: () => this.mirror.state,
          streams: this.sessions,
          controller: this.slot,
          operations: this.operations,
          planWatches: this.planWatches,
        },
      },
      isLoopback(http.host),
      this.logger,
    );
    this.app = app;
    this.httpAddress = `${hostOf(this.config.http)}:${await listenHttp(app, http.host, http.port)}`;
    const server = app.get(GrpcHost);
    this.grpc = server;
    this.grpcAddress = `${hostOf(this.config.grpc)}:${await server.listen(hostOf(this.config.grpc), grpc.port)}`;
  }

  private startController(): void {
    const { store, register, observed, clock, logger, config } = this;
    this.controller = new Controller({
      store,
      register,
      observed,
      clock,
      logger,
      identity: {
        id: config.id,
        address: config.advertise ?? this.grpcAddress,
        httpAddress: config.advertiseHttp ?? this.httpAddress,
      },
      electionTtlMs: config.electionTtlMs,
      settleMs: config.settleMs,
    });
    this.slot.fill(this.controller);
    this.controller.start();
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
    this.events.close();
    this.hub.close();
    this.planWatches.close();
    this.sessions.close();
    await Promise.all([
      this.controller?.stop().catch(quiet('controller')),
      this.grpc?.stop().catch(quiet('gRPC server')),
      this.app?.close().catch(quiet('HTTP server')),
    ]);
    await this.writerLease.stop();
    this.mirror.stop();
    this.store.close();
  }
}

const hostOf = (address: string): string => address.slice(0, address.lastIndexOf(':'));
