import type { KeyspaceMap } from '@cadastre/core';
import { CadastreError, checkKey, printable } from '@cadastre/core';
import type { KvKind, KvReplies, ReceivedOp } from '@cadastre/contracts';
import type { CachedMaps } from './cache-file.js';
import type { Bytes } from './bytes.js';
import { toBytes } from './bytes.js';
import { CacheWriter, readCache } from './cache-file.js';
import type { Explanation } from './explain.js';
import { explainKey } from './explain.js';
import { KeyspaceClient } from './keyspace-client.js';
import type { LatencySummary } from './latency.js';
import type { MapFollowerStatus } from './map-follower.js';
import { MapFollower } from './map-follower.js';
import type { ClientOptions, CompiledOptions } from './options.js';
import { compileOptions } from './options.js';
import { LinkPool } from './link/link-pool.js';
import type { RelayOptions } from './relay.js';
import { Relay } from './relay.js';
import type { ClientCounters, OperationCounters, RequestOptions } from './router.js';
import { Router } from './router.js';
import type { ClientListener, Gauges } from './telemetry.js';
import { Telemetry } from './telemetry.js';

/** How long a start waits for a control plane before it believes the cache file. */
const CACHE_AFTER_MS = 500;
/** A keyspace may have been made a moment ago: how long a request waits for it to appear in the map. */
const UNKNOWN_GRACE_MS = 500;

export interface ClientStats extends Readonly<ClientCounters> {
  /** Of whole requests, retries included. */
  readonly latency: LatencySummary;
  readonly operations: Readonly<OperationCounters>;
  readonly channels: number;
  /** That wait or are under way. */
  readonly requestsUnderWay: number;
  readonly map: MapFollowerStatus;
}

/** Brings each key to the node that owns it, in one hop. Holds a live copy of the map; works on from it when control planes are gone. */
export class CadastreClient {
  /** "name-random": unique per instance, the first half of each request id. */
  readonly id: string;
  private requestNumber = 0;
  private readonly follower: MapFollower;
  private readonly links: LinkPool;
  private readonly telemetry: Telemetry;
  private readonly router: Router;
  private readonly relay: Relay;
  private readonly cache: CacheWriter | undefined;
  private readonly keyspaces = new Map<string, KeyspaceClient>();

  private constructor(private readonly options: CompiledOptions) {
    const { clock, random, logger, controlPlanes, cacheFile, transport } = options;
    this.id = `${options.name}-${options.newId(6)}`;
    this.follower = new MapFollower({
      controlPlanes,
      nodes: options.nodes,
      watcher: options.name,
      transport,
      clock,
      random,
      logger,
    });
    this.telemetry = new Telemetry(options.meter, this.gauges(), logger);
    this.links = new LinkPool({
      transport,
      clock,
      limits: options.limits,
      maps: () => this.follower.maps(),
      onNews: (info) => void this.follower.heal(info),
      onOpen: (address) => this.telemetry.event({ kind: 'channel-opened', address }),
      onClose: (address) => this.telemetry.event({ kind: 'channel-closed', address }),
    });
    this.router = new Router(this.follower, this.links, options, this.telemetry);
    this.relay = new Relay({
      router: this.router,
      current: (keyspace) => this.follower.current(keyspace),
      mapOf: this.mapOf.bind(this),
      nextRequestId: this.nextRequestId.bind(this),
    });
    this.cache = cacheFile === undefined ? undefined : new CacheWriter(cacheFile, () => this.cached(), clock, logger);
    this.follower.onChange(() => this.links.mapChanged());
  }

  /**
   * Resolves when a control plane has answered, or after 500 ms when there is a cache file to start from.
   * @throws CadastreError UNAVAILABLE when neither is the case within `requestTimeoutMs`; INVALID_ARGUMENT naming the option
   */
  static async connect(options: ClientOptions): Promise<CadastreClient> {
    const client = new CadastreClient(compileOptions(options));
    try {
      await client.begin();
      return client;
    } catch (error) {
      await client.close();
      throw error;
    }
  }

  keyspace(name: string): KeyspaceClient {
    const held = this.keyspaces.get(name);
    if (held) return held;
    const host = {
      router: this.router,
      current: () => this.follower.current(name),
      mapOf: this.mapOf.bind(this),
      nextRequestId: this.nextRequestId.bind(this),
    };
    const made = new KeyspaceClient(name, host);
    this.keyspaces.set(name, made);
    return made;
  }

  /** For routers: a request that somebody else has put into words, brought to its leader as one of this client's own. */
  ask(op: ReceivedOp, options: RelayOptions = {}): Promise<KvReplies[KvKind]> {
    return this.relay.ask(op, options);
  }

  /** All maps as this client knows them now. */
  maps(): readonly KeyspaceMap[] {
    return this.follower.maps();
  }

  /** The map as this client knows it now. */
  map(keyspace: string): KeyspaceMap | undefined {
    return this.follower.current(keyspace);
  }

  /** Why a key goes where it goes: scheme, token, partition, epoch, replicas, and the node a request would be sent to. */
  async explain(keyspace: string, key: Bytes, options: RequestOptions = {}): Promise<Explanation> {
    const bytes = toBytes('key', key);
    checkKey(bytes);
    return explainKey(await this.mapOf(keyspace, options), bytes, this.follower.status());
  }

  /** @returns a function that ends the subscription */
  onMapChange(listener: (keyspace: string, map: KeyspaceMap | undefined) => void): () => void {
    return this.follower.onChange(listener);
  }

  /** Redirections, retries, hedges, channels as they happen. @returns a function that ends the subscription */
  onEvent(listener: ClientListener): () => void {
    return this.telemetry.onEvent(listener);
  }

  stats(): ClientStats {
    return {
      ...this.router.counters,
      latency: this.router.latency.summary(),
      operations: { ...this.router.operations },
      channels: this.links.size,
      requestsUnderWay: this.links.busy,
      map: this.follower.status(),
    };
  }

  /** Begins a new measurement of latencies. */
  resetLatency(): void {
    this.router.latency.reset();
  }

  async close(): Promise<void> {
    this.options.credentials?.stop();
    this.follower.stop();
    this.links.close();
    await this.cache?.flush();
  }

  private async begin(): Promise<void> {
    const { requestTimeoutMs, controlPlanes, cacheFile, logger } = this.options;
    const cached = cacheFile === undefined ? undefined : await readCache(cacheFile, logger);
    this.options.credentials?.start();
    this.follower.start();
    const waitMs = cached ? CACHE_AFTER_MS : requestTimeoutMs;
    const answered = await this.within(waitMs, undefined, (signal) => this.follower.reached('told', signal));
    if (!answered && cached) {
      logger.warn(`no control plane has answered within ${waitMs} ms: starting from the map in ${cacheFile}`);
      this.follower.seed(cached.clusterId, cached.maps);
    } else if (!answered) {
      throw new CadastreError(
        'UNAVAILABLE',
        `no control plane has answered within ${waitMs} ms: ${controlPlanes.join(', ')}`,
        {
          field: 'controlPlanes',
          remedy: 'check the addresses, or give a cacheFile to be able to start without them',
        },
      );
    }
    if (this.cache) this.follower.onChange(() => this.cache?.changed());
    if (answered) this.cache?.changed();
  }

  private async mapOf(
    keyspace: string,
    { signal, timeoutMs = this.options.requestTimeoutMs }: RequestOptions,
  ): Promise<KeyspaceMap> {
    const held = this.follower.current(keyspace);
    if (held) return held;
    const map = await this.within(timeoutMs, signal, (until) => this.appearance(keyspace, until));
    if (map) return map;
    if (signal?.aborted)
      throw new CadastreError('CANCELLED', 'cancelled by the caller before it was sent', {
        remedy: 'call again if it is still wanted',
      });
    throw this.follower.status().answered ? unknownKeyspace(keyspace, this.follower.maps()) : noMap(keyspace);
  }

  /** Once all keyspaces have been told, one that is missing is given a short grace. */
  private async appearance(keyspace: string, until: AbortSignal): Promise<KeyspaceMap | undefined> {
    const synced = this.follower.reached('synced', until).then(() => undefined);
    const map = await Promise.race([this.follower.ready(keyspace, until), synced]);
    return map ?? this.within(UNKNOWN_GRACE_MS, until, (grace) => this.follower.ready(keyspace, grace));
  }

  private nextRequestId(): string {
    this.requestNumber += 1;
    return `${this.id}:${this.requestNumber}`;
  }

  private gauges(): Gauges {
    return {
      channels: () => this.links.size,
      requestsUnderWay: () => this.links.busy,
      mapGenerations: () => this.follower.maps().map((map) => [map.spec.name, map.generation.number] as const),
    };
  }

  private cached(): CachedMaps {
    return { clusterId: this.follower.status().clusterId ?? '', maps: this.follower.maps() };
  }

  /** Runs `task` with a signal that aborts after `waitMs`, or with `signal`. */
  private async within<T>(
    waitMs: number,
    signal: AbortSignal | undefined,
    task: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const controller = new AbortController();
    const abort = () => controller.abort();
    const timer = this.options.clock.after(waitMs, abort);
    signal?.addEventListener('abort', abort, { once: true });
    if (signal?.aborted) abort();
    try {
      return await task(controller.signal);
    } finally {
      timer.cancel();
      signal?.removeEventListener('abort', abort);
      abort(); // whatever still listens is let go
    }
  }
}

const unknownKeyspace = (name: string, maps: readonly KeyspaceMap[]): CadastreError => {
  const names = maps.map((m) => m.spec.name).sort();
  const known =
    names.length === 0
      ? 'there are none yet'
      : `there are ${names.slice(0, 5).join(', ')}${names.length > 5 ? ' and others' : ''}`;
  return new CadastreError('NOT_FOUND', `keyspace: "${printable(name)}" does not exist; ${known}`, {
    field: 'keyspace',
    remedy: `make it first: cadastre keyspace create ${printable(name)}`,
  });
};

const noMap = (name: string): CadastreError =>
  new CadastreError(
    'UNAVAILABLE',
    `keyspace: no control plane has answered yet, and the cached map does not have "${printable(name)}"`,
    {
      field: 'keyspace',
      remedy: 'try again once a control plane can be reached',
    },
  );
