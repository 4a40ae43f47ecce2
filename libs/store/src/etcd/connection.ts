import { delay } from '@cadastre/runtime';
import type { Clock } from '@cadastre/runtime';
import { ConnectionPool } from 'etcd3/lib/connection-pool.js';
import { unavailable } from '../store-errors.js';
import { asRpcError, isStaleToken, toStoreError } from './etcd-errors.js';
import type { RpcError } from './etcd-errors.js';

export interface EtcdTls {
  /** PEM. */
  readonly rootCertificate: Uint8Array;
  readonly privateKey?: Uint8Array;
  readonly certChain?: Uint8Array;
}

export interface ConnectionOptions {
  readonly endpoints: readonly string[];
  readonly auth: { readonly username: string; readonly password: string } | undefined;
  readonly tls: EtcdTls | undefined;
  readonly clock: Clock;
  /** How long one endpoint may take to connect before the next is tried. */
  readonly connectTimeoutMs: number;
}

export type ServiceName = 'KV' | 'Watch' | 'Lease' | 'Maintenance' | 'Auth';

export interface Endpoint {
  readonly address: string;
  pool: ConnectionPool;
  readonly services: Map<ServiceName, Opened>;
}

/** A bidirectional stream of gRPC as far as it is used here. */
export interface RpcStream {
  write(message: object): boolean;
  cancel(): void;
  on(event: 'data', listener: (message: never) => void): this;
  on(event: 'error', listener: (error: Error) => void): this;
  on(event: 'end', listener: () => void): this;
}

type Metadata = { set(key: string, value: string): void; clone(): Metadata };
type UnaryCallback = (error: Error | null, reply: unknown) => void;
interface Opened {
  readonly client: RawClient;
  /** To be cloned for each call. */
  readonly metadata: Metadata;
}
interface RawClient {
  getChannel(): { getConnectivityState(connect: boolean): number };
  waitForReady(deadline: Date, callback: (error?: Error) => void): void;
  [method: string]: unknown;
}
interface Attempt {
  readonly endpoint: Endpoint;
  readonly service: ServiceName;
  readonly method: string;
  readonly payload: object;
  readonly timeoutMs: number;
}

export interface UnaryCall {
  readonly service: ServiceName;
  readonly method: string;
  readonly payload: object;
  readonly deadlineMs: number;
  /** Sent at most once; what fails without a clear refusal is an unknown outcome. */
  readonly mutates: boolean;
}

/** The package's own retries and circuit breaker are switched off: a retried transaction can be applied twice. */
const noPolicy = { execute: (run: (context: object) => unknown) => Promise.resolve(run({})) };
const CHANNEL_OPTIONS = {
  'grpc.enable_retries': 0,
  'grpc.enable_channelz': 0,
  'grpc.max_receive_message_length': -1,
  'grpc.max_send_message_length': -1,
  // etcd closes connections that ping more often than every 5 s.
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5_000,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.min_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1_000,
};
/** grpc.connectivityState.READY */
const READY = 2;
/** A read is tried elsewhere after this long without an answer. */
const READ_ATTEMPT_MS = 2_000;

/** Connections to all endpoints: picks one, logs in, sends raw calls with a deadline on the monotonic clock. */
export class EtcdConnection {
  private readonly endpoints: readonly Endpoint[];
  private preferred = 0;
  private token: Promise<string> | undefined;
  private closed = false;

  constructor(private options: ConnectionOptions) {
    this.endpoints = options.endpoints.map((address) => ({
      address,
      pool: makePool(address, options),
      services: new Map(),
    }));
  }

  /** Calls start at the next endpoint from now on, unless another caller has moved on already. */
  avoid(endpoint: Endpoint): void {
    if (this.endpoints[this.preferred] === endpoint) this.preferred = (this.preferred + 1) % this.endpoints.length;
  }

  /** New connections are made with these credentials. Streams of the old ones go on until they break; calls under way end as they would. */
  renewTls(tls: EtcdTls): void {
    this.options = { ...this.options, tls };
    for (const endpoint of this.endpoints) {
      const old = endpoint.pool;
      endpoint.pool = makePool(endpoint.address, this.options);
      endpoint.services.clear();
      old.close();
    }
  }

  close(): void {
    this.closed = true;
    for (const endpoint of this.endpoints) endpoint.pool.close();
  }

  async unary<T>(call: UnaryCall): Promise<T> {
    const giveUpAt = this.options.clock.monotonicMs() + call.deadlineMs;
    for (;;) {
      const endpoint = await this.ready(call.service, giveUpAt);
      const left = giveUpAt - this.options.clock.monotonicMs();
      const timeoutMs = call.mutates ? left : Math.min(left, READ_ATTEMPT_MS);
      const error = await this.attempt<T>({ ...call, endpoint, timeoutMs }).then(
        (reply) => ({ reply }),
        (cause: RpcError) => toStoreError(cause, endpoint.address, call.mutates),
      );
      if ('reply' in error) return error.reply;
      if (error.code !== 'UNAVAILABLE' && error.code !== 'UNKNOWN_OUTCOME') throw error;
      this.avoid(endpoint);
      if (call.mutates || this.options.clock.monotonicMs() >= giveUpAt) throw error;
      await delay(this.options.clock, 20);
    }
  }

  /** Opens a bidirectional stream on a connected endpoint. @throws CadastreError UNAVAILABLE */
  async stream(
    service: ServiceName,
    method: string,
    deadlineMs: number,
  ): Promise<{ endpoint: Endpoint; stream: RpcStream }> {
    const endpoint = await this.ready(service, this.options.clock.monotonicMs() + deadlineMs);
    const { client, metadata } = await this.open(endpoint, service, true);
    const stream = (client[method] as (metadata: Metadata) => RpcStream).call(client, metadata);
    return { endpoint, stream };
  }

  /** The server version of one member. */
  async versionOf(endpoint: Endpoint): Promise<string> {
    const attempt = {
      endpoint,
      service: 'Maintenance' as const,
      method: 'status',
      payload: {},
      timeoutMs: READ_ATTEMPT_MS,
    };
    return (await this.attempt<{ version: string }>(attempt)).version;
  }

  /** The next stream or call logs in anew. */
  forgetToken(): void {
    this.token = undefined;
  }

  /** One attempt on one endpoint; a stale token is renewed once, for etcd refuses it before anything is done. */
  private async attempt<T>(attempt: Attempt): Promise<T> {
    try {
      return await this.send<T>(attempt, true);
    } catch (error) {
      if (!this.options.auth || !isStaleToken(error as RpcError)) throw error;
      this.forgetToken();
      return this.send<T>(attempt, true);
    }
  }

  private async send<T>({ endpoint, service, method, payload, timeoutMs }: Attempt, withToken: boolean): Promise<T> {
    const { client, metadata } = await this.open(endpoint, service, withToken).catch((error: unknown) => {
      throw asRpcError(error);
    });
    return new Promise((resolve, reject) => {
      const run = client[method] as (
        payload: object,
        metadata: Metadata,
        options: object,
        callback: UnaryCallback,
      ) => { cancel(): void };
      const call = run.call(client, payload, metadata, {}, (error, reply) => {
        timer.cancel();
        if (error) reject(asRpcError(error));
        else resolve(reply as T);
      });
      // Our own timer instead of gRPC's deadline, which follows the wall clock.
      const timer = this.options.clock.after(Math.max(0, timeoutMs), () => {
        reject({ code: 4, details: `no answer in ${Math.round(timeoutMs)} ms` } satisfies RpcError);
        call.cancel();
      });
    });
  }

  private async open(endpoint: Endpoint, service: ServiceName, withToken: boolean): Promise<Opened> {
    const { client, metadata: common } = endpoint.services.get(service) ?? (await this.openService(endpoint, service));
    const metadata = common.clone();
    if (withToken && this.options.auth) metadata.set('token', await this.login(endpoint));
    return { client, metadata };
  }

  private async openService(endpoint: Endpoint, service: ServiceName): Promise<Opened> {
    const { pool } = endpoint;
    const opened = await pool.withConnection(service, ({ client, metadata }) => ({
      client: client as unknown as RawClient,
      metadata: metadata as Metadata,
    }));
    if (endpoint.pool !== pool) return this.openService(endpoint, service); // renewed meanwhile
    // A member that has lost its leader refuses at once instead of letting us hang.
    opened.metadata.set('hasleader', 'true');
    endpoint.services.set(service, opened);
    return opened;
  }

  private login(endpoint: Endpoint): Promise<string> {
    const { username, password } = this.options.auth as { username: string; password: string };
    const attempt = {
      endpoint,
      service: 'Auth' as const,
      method: 'authenticate',
      payload: { name: username, password },
      timeoutMs: READ_ATTEMPT_MS,
    };
    this.token ??= this.send<{ token: string }>(attempt, false).then(({ token }) => token);
    const { token } = this;
    token.catch(() => {
      if (this.token === token) this.token = undefined;
    });
    return token;
  }

  /** Tries the endpoints in turn until one is connected. Nothing of the call has been sent when it throws UNAVAILABLE. */
  private async ready(service: ServiceName, giveUpAt: number): Promise<Endpoint> {
    const { clock, connectTimeoutMs } = this.options;
    for (;;) {
      if (this.closed) throw unavailable('the store is closed');
      const endpoint = this.endpoints[this.preferred] as Endpoint;
      const left = giveUpAt - clock.monotonicMs();
      if (left <= 0) throw unavailable(`no etcd endpoint can be reached: ${this.options.endpoints.join(', ')}`);
      if (await this.connects(endpoint, service, Math.min(left, connectTimeoutMs))) return endpoint;
      this.avoid(endpoint);
    }
  }

  private async connects(endpoint: Endpoint, service: ServiceName, timeoutMs: number): Promise<boolean> {
    const opened = endpoint.services.get(service) ?? (await this.openService(endpoint, service).catch(() => undefined));
    if (!opened) return false;
    const { client } = opened;
    if (client.getChannel().getConnectivityState(false) === READY) return true;
    return new Promise((resolve) => {
      const timer = this.options.clock.after(timeoutMs, () => resolve(false));
      client.waitForReady(new Date(this.options.clock.wallMs() + timeoutMs), (error) => {
        timer.cancel();
        resolve(!error);
      });
    });
  }
}

function makePool(address: string, { tls }: ConnectionOptions): ConnectionPool {
  const host = {
    hosts: address,
    grpcOptions: CHANNEL_OPTIONS,
    faultHandling: { global: noPolicy, host: () => noPolicy },
  };
  const credentials = tls && {
    credentials: {
      rootCertificate: Buffer.from(tls.rootCertificate),
      ...(tls.privateKey && { privateKey: Buffer.from(tls.privateKey) }),
      ...(tls.certChain && { certChain: Buffer.from(tls.certChain) }),
    },
  };
  return new ConnectionPool({ ...host, ...credentials } as unknown as ConstructorParameters<typeof ConnectionPool>[0]);
}
