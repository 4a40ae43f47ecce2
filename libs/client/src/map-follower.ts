import type { KeyspaceMap, NodeEntry } from '@cadastre/core';
import { CadastreError } from '@cadastre/core';
import type { OwnerInfo, Peer, Transport, Wire } from '@cadastre/contracts';
import { decodeDelta, encodeKnown, fromServiceError, KNOWN_FORMS, SnapshotAssembler } from '@cadastre/contracts';
import type { Cancellable, Clock, Logger, Random } from '@cadastre/runtime';
import { AppliedReports } from './applied-reports.js';
import { newestOfNodes } from './node-maps.js';
import type { SyncAction, SyncEvent, SyncState, SyncStep } from './map-sync.machine.js';
import { initialSync, onAdvance, onEvent } from './map-sync.machine.js';

export interface MapFollowerOptions {
  readonly controlPlanes: readonly string[];
  readonly watcher: string;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Nodes to ask for the map while no control plane answers and no map names any: host:port. */
  readonly nodes?: readonly string[];
  /** Only these keyspaces; default all. */
  readonly keyspaces?: readonly string[];
}

export interface MapFollowerStatus {
  readonly connectedTo: string | undefined;
  readonly clusterId: string | undefined;
  /** A control plane has answered at least once; before that, maps come from a file. */
  readonly answered: boolean;
  /** A control plane has told of all keyspaces at least once. */
  readonly synced: boolean;
}

/** A map of a million partitions has 5 MiB: through HTTP/2's own 64 KiB it would take eighty round trips. */
const MAP_WINDOW_BYTES = 2 * 1024 * 1024;

type ChangeListener = (keyspace: string, map: KeyspaceMap | undefined) => void;

interface OpenStream {
  readonly peer: Peer;
  readonly reports: AppliedReports;
  readonly call: { write(message: Wire.WatchMapRequest): boolean; cancel(): void };
}

/** Performs what `map-sync.machine.ts` decides: keeps one WatchMap stream open and the newest map at hand. */
export class MapFollower {
  private state: SyncState;
  private readonly streams = new Map<number, OpenStream>();
  private readonly listeners = new Set<ChangeListener>();
  private readonly milestoneListeners = new Set<() => void>();
  private timer: Cancellable | undefined;
  private asking = false;

  constructor(private readonly options: MapFollowerOptions) {
    this.state = initialSync(shuffled(options.controlPlanes, options.random));
  }

  start(): void {
    this.feed({ kind: 'start' });
  }

  stop(): void {
    this.feed({ kind: 'stop' });
    this.listeners.clear();
  }

  /** Maps of a file, used until a control plane answers. */
  seed(clusterId: string, maps: readonly KeyspaceMap[]): void {
    this.feed({ kind: 'seed', clusterId, maps });
  }

  current(keyspace: string): KeyspaceMap | undefined {
    return this.state.maps.get(keyspace);
  }

  maps(): KeyspaceMap[] {
    return [...this.state.maps.values()];
  }

  status(): MapFollowerStatus {
    const { connection, cluster, answered, synced } = this.state;
    return {
      connectedTo: connection.kind === 'open' ? connection.address : undefined,
      clusterId: cluster?.id,
      answered,
      synced,
    };
  }

  /** @returns a function that ends the subscription */
  onChange(listener: ChangeListener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Resolves with the map as soon as there is one, or with undefined when `signal` aborts first. */
  ready(keyspace: string, signal: AbortSignal): Promise<KeyspaceMap | undefined> {
    const map = this.current(keyspace);
    if (map || signal.aborted) return Promise.resolve(map);
    return new Promise((resolve) => {
      const done = (value: KeyspaceMap | undefined) => {
        off();
        signal.removeEventListener('abort', aborted);
        resolve(value);
      };
      const aborted = () => done(undefined);
      const off = this.onChange((changed, value) => {
        if (changed === keyspace && value) done(value);
      });
      signal.addEventListener('abort', aborted, { once: true });
    });
  }

  /** Resolves with true once `milestone` is reached, with false when `signal` aborts first. */
  reached(milestone: 'answered' | 'synced' | 'told', signal: AbortSignal): Promise<boolean> {
    if (this.state[milestone] || signal.aborted) return Promise.resolve(this.state[milestone]);
    return new Promise((resolve) => {
      const look = () => {
        if (!this.state[milestone] && !signal.aborted) return;
        this.milestoneListeners.delete(look);
        signal.removeEventListener('abort', look);
        resolve(this.state[milestone]);
      };
      this.milestoneListeners.add(look);
      signal.addEventListener('abort', look, { once: true });
    });
  }

  /** Takes over what an owner said of a partition. @returns true when that was news */
  heal(info: OwnerInfo): boolean {
    const before = this.current(info.keyspace);
    if (!before) return false;
    this.feed({ kind: 'healed', keyspace: info.keyspace, record: info.record, nodes: nodesNamedBy(info, before) });
    return this.current(info.keyspace) !== before;
  }

  private feed(event: SyncEvent): void {
    this.perform(this.decide(event));
  }

  /** A record that breaks an invariant is a damaged message, whoever sent it: the last good map stays. */
  private decide(event: SyncEvent): SyncStep {
    const now = this.options.clock.monotonicMs();
    try {
      return onEvent(this.state, event, now);
    } catch (error) {
      const { message } = CadastreError.from(error);
      if (!('stream' in event)) {
        this.options.logger.warn('refused a record', { why: message });
        return { state: this.state, actions: [], wakeAt: undefined };
      }
      return onEvent(
        this.state,
        {
          kind: 'damaged',
          stream: event.stream,
          keyspace: keyspaceOf(event),
          why: message,
          jitter: this.options.random(),
        },
        now,
      );
    }
  }

  private perform({ state, actions, wakeAt }: SyncStep): void {
    const { answered, synced, told } = this.state;
    this.state = state;
    for (const action of actions) this.act(action);
    if (answered !== state.answered || synced !== state.synced || told !== state.told)
      for (const listener of [...this.milestoneListeners]) listener();
    if (wakeAt !== undefined) this.wake(wakeAt);
  }

  private wake(at: number): void {
    this.timer?.cancel();
    if (this.state.connection.kind === 'stopped') return;
    const inMs = Math.max(0, at - this.options.clock.monotonicMs());
    this.timer = this.options.clock.after(
      inMs,
      () => this.perform(onAdvance(this.state, this.options.clock.monotonicMs(), this.options.random())),
      { background: true },
    );
  }

  private act(action: SyncAction): void {
    switch (action.kind) {
      case 'open':
        return this.open(action);
      case 'close':
        return this.close(action.stream);
      case 'applied':
        return this.streams.get(action.stream)?.reports.add(action.applied);
      case 'ask-nodes':
        return void this.askNodes();
      case 'changed':
        for (const listener of [...this.listeners]) listener(action.keyspace, this.state.maps.get(action.keyspace));
        return undefined;
      case 'warn':
        this.options.logger.warn(action.message, { watcher: this.options.watcher });
        return undefined;
    }
  }

  private open({ stream, address, known }: Extract<SyncAction, { kind: 'open' }>): void {
    const peer = this.options.transport.peer(address, { windowBytes: MAP_WINDOW_BYTES });
    const call = peer.map.WatchMap();
    const assembler = new SnapshotAssembler();
    const { clock, random } = this.options;
    const spreadMs = () => this.state.spreadMs;
    const reports = new AppliedReports(clock, random, spreadMs, (applied) => void call.write({ applied }));
    this.streams.set(stream, { peer, call, reports });
    call.on('data', (event: Wire.MapEvent__Output) => this.feed(this.translate(stream, assembler, event)));
    call.on('error', (error) =>
      this.feed({
        kind: 'ended',
        stream,
        why: fromServiceError(error as never).message,
        jitter: this.options.random(),
      }),
    );
    call.on('end', () =>
      this.feed({ kind: 'ended', stream, why: 'ended by the server', jitter: this.options.random() }),
    );
    const { watcher, keyspaces = [] } = this.options;
    call.write({
      subscribe: { watcher, known: encodeKnown(known), forms: [...KNOWN_FORMS], keyspaces: [...keyspaces] },
    });
  }

  private async askNodes(): Promise<void> {
    if (this.asking) return;
    this.asking = true;
    const addresses = this.nodeAddresses();
    const { transport, random, keyspaces = [] } = this.options;
    try {
      const answer = await newestOfNodes(addresses, { transport, random, keyspaces, held: this.maps() });
      if (answer && this.state.connection.kind !== 'stopped') this.feed({ kind: 'copy', ...answer });
    } finally {
      this.asking = false;
    }
  }

  private nodeAddresses(): string[] {
    const held = this.maps().flatMap((map) => map.nodes.map((node) => node.address));
    return [...new Set([...held, ...(this.options.nodes ?? [])])].filter((address) => address !== '');
  }

  private close(stream: number): void {
    const open = this.streams.get(stream);
    this.streams.delete(stream);
    open?.reports.stop();
    open?.call.cancel();
    open?.peer.close();
    if (this.state.connection.kind === 'stopped') this.timer?.cancel();
  }

  private translate(stream: number, assembler: SnapshotAssembler, event: Wire.MapEvent__Output): SyncEvent {
    try {
      if (event.snapshot) {
        const map = assembler.add(event.snapshot);
        return map ? { kind: 'snapshot', stream, map } : { kind: 'heard', stream };
      }
      if (event.delta) return { kind: 'delta', stream, delta: decodeDelta(event.delta) };
      if (event.dropped) return { kind: 'dropped', stream, keyspace: event.dropped.keyspace };
      if (event.progress)
        return { kind: 'progress', stream, clusterId: event.progress.clusterId, spreadMs: event.progress.spreadMs };
      return { kind: 'heard', stream };
    } catch (error) {
      const keyspace = event.snapshot?.keyspace ?? event.delta?.keyspace;
      return {
        kind: 'damaged',
        stream,
        keyspace,
        why: CadastreError.from(error).message,
        jitter: this.options.random(),
      };
    }
  }
}

const keyspaceOf = (event: SyncEvent): string | undefined => {
  if (event.kind === 'delta') return event.delta.keyspace;
  return event.kind === 'snapshot' ? event.map.spec.name : undefined;
};

/** The leader's address comes with the record; nodes that the map does not know yet get an entry without an address until it does. */
const nodesNamedBy = (info: OwnerInfo, map: KeyspaceMap): NodeEntry[] => {
  const leader = info.record.replicas.find((r) => r.role === 'leader')?.node;
  return info.record.replicas.flatMap(({ node }): NodeEntry[] => {
    const held = map.node(node);
    const address = node === leader && info.leaderAddress ? info.leaderAddress : (held?.address ?? '');
    if (held?.address === address) return [];
    return [{ ...(held ?? { id: node, labels: {}, weight: 1 }), address }];
  });
};

const shuffled = (addresses: readonly string[], random: Random): string[] => {
  const result = [...addresses];
  for (let i = result.length - 1; i > 0; i -= 1) {
    const j = Math.floor(random() * (i + 1));
    [result[i], result[j]] = [result[j]!, result[i]!];
  }
  return result;
};
