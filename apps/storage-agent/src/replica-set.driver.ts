import type { CopyState, KeyspaceMap, PartitionRecord } from '@cadastre/core';
import { compareGenerations, replicaOn } from '@cadastre/core';
import type { Generation } from '@cadastre/core';
import type { PartitionId, StorageEngine } from '@cadastre/engine';
import type { Clock, Logger } from '@cadastre/runtime';
import { keyOf, type PartitionKey } from './partition-key.js';
import { ReplicaDriver, type ReplicaSurroundings } from './replica.driver.js';

/** A tick that is later than this shows that the process stood still; the others are not to blame for it. */
const LATE_TICK_MS = 300;

export interface ReplicaSetOptions {
  readonly node: string;
  readonly clock: Clock;
  readonly engine: StorageEngine;
  readonly logger: Logger;
  readonly around: ReplicaSurroundings;
  mapOf(keyspace: string): KeyspaceMap | undefined;
}

/**
 * What the map says of this node against what the disk has, level-triggered: a partition that the map gives it is run, one that
 * it does not give it is kept aside until it is granted that it may go.
 */
export class ReplicaSet {
  private readonly byKey = new Map<PartitionKey, ReplicaDriver>();
  private readonly due = new Set<ReplicaDriver>();
  private lastTick: number | undefined;
  /** Copies that the map does not give this node. */
  private readonly strays = new Map<PartitionKey, PartitionId>();
  /** Until the node is known to the cluster, or has a map of its own from before, a record cannot be told from a mistake. */
  private acting = false;

  constructor(private readonly options: ReplicaSetOptions) {}

  get(key: PartitionKey): ReplicaDriver | undefined {
    return this.byKey.get(key);
  }

  get size(): number {
    return this.byKey.size;
  }

  all(): IterableIterator<ReplicaDriver> {
    return this.byKey.values();
  }

  allStrays(): IterableIterator<PartitionId> {
    return this.strays.values();
  }

  /** What an answer of the controller told of a partition before the map did; after a restore nobody else may know. */
  newerThanMap({ id, machine }: ReplicaDriver): PartitionRecord | undefined {
    const map = this.options.mapOf(id.keyspace);
    const { record } = machine;
    return record && map && id.partition < map.partitions && record.epoch > map.epochOf(id.partition)
      ? record
      : undefined;
  }

  startActing(keyspaces: Iterable<string>): void {
    if (this.acting) return;
    this.acting = true;
    for (const keyspace of keyspaces) this.onMap(keyspace, this.options.mapOf(keyspace), undefined);
  }

  /** @param partitions those in which this map differs from the one before; undefined = all are to be looked at */
  onMap(keyspace: string, map: KeyspaceMap | undefined, partitions: readonly number[] | undefined): void {
    if (!this.acting) return;
    if (map && partitions) return partitions.forEach((partition) => this.onPartition(keyspace, map, partition));
    for (const id of this.held(keyspace)) if (!map || !this.named(map, id.partition)) this.setAside(id, map);
    if (map) for (const partition of this.mine(map)) this.onRecord(keyspace, map, map.record(partition));
  }

  private onPartition(keyspace: string, map: KeyspaceMap, partition: number): void {
    const record = map.record(partition);
    if (replicaOn(record, this.options.node)) this.onRecord(keyspace, map, record);
    else this.setAside({ keyspace, partition }, map);
  }

  /** Copies of keyspaces that nobody knows any more. Only once the whole picture is there. */
  setAsideUnknown(): void {
    for (const { id } of this.options.engine.partitions())
      if (!this.options.mapOf(id.keyspace)) this.setAside(id, undefined);
  }

  pending(replica: ReplicaDriver, pending: boolean): void {
    if (pending) this.due.add(replica);
    else this.due.delete(replica);
  }

  /** Those that ticks are needed for. */
  waiting(): Iterable<ReplicaDriver> {
    return this.due;
  }

  /** Only those that wait for something: ten thousand partitions at rest cost nothing. `heardAt`: see the machine's event. */
  tick(heardAt: ReadonlyMap<string, number>): void {
    const now = this.options.clock.monotonicMs();
    const pausedMs = this.lastTick === undefined ? 0 : Math.max(0, now - this.lastTick - LATE_TICK_MS);
    this.lastTick = now;
    for (const replica of [...this.due]) replica.dispatch({ type: 'tick', heardAt, pausedMs });
  }

  /** Golden rule (INV-5): only what is set aside, only when this node has applied the map without it, only when that map still says so. */
  async purge(id: PartitionId, granted: Generation): Promise<boolean> {
    const key = keyOf(id);
    const map = this.options.mapOf(id.keyspace);
    if (!this.strays.has(key) || this.byKey.has(key)) return false;
    if (map && (compareGenerations(map.generation, granted) < 0 || this.named(map, id.partition))) return false;
    this.strays.delete(key);
    await this.options.engine.purge(id);
    this.options.logger.info('purged', { event: 'purged', ...id });
    return true;
  }

  close(): void {
    for (const replica of this.byKey.values()) replica.close(undefined);
    this.byKey.clear();
  }

  private held(keyspace: string): PartitionId[] {
    const ids = new Map<PartitionKey, PartitionId>();
    for (const { id } of this.options.engine.partitions()) if (id.keyspace === keyspace) ids.set(keyOf(id), id);
    for (const { id, key } of this.byKey.values()) if (id.keyspace === keyspace) ids.set(key, id);
    return [...ids.values()];
  }

  private named(map: KeyspaceMap, partition: number): boolean {
    return partition < map.partitions && replicaOn(map.record(partition), this.options.node) !== undefined;
  }

  /** By the columns, because a map may have very many partitions of which few are here. */
  private mine(map: KeyspaceMap): number[] {
    const self = map.nodes.findIndex((node) => node.id === this.options.node);
    const result: number[] = [];
    if (self < 0) return result;
    for (let cell = map.replicaNodes.indexOf(self); cell >= 0; cell = map.replicaNodes.indexOf(self, cell + 1))
      result.push(Math.floor(cell / map.stride));
    return result;
  }

  /** The record names this node. */
  private onRecord(keyspace: string, map: KeyspaceMap, record: PartitionRecord): void {
    const id = { keyspace, partition: record.partition };
    const first = map.spec.firstEpoch ?? 1;
    this.endOlder(id, first);
    const replica = this.byKey.get(keyOf(id)) ?? this.adopt(id, record, first);
    const { granted } = this.options.around;
    replica.dispatch({ type: 'record', record, minInSync: map.spec.minInSync, granted });
  }

  private adopt(id: PartitionId, record: PartitionRecord, first: number): ReplicaDriver {
    const key = keyOf(id);
    this.strays.delete(key);
    const replica = new ReplicaDriver(id, this.options.around, this.prepare(id, record, first));
    this.byKey.set(key, replica);
    return replica;
  }

  /** The engine does in memory at once what it is asked for, so what follows may count on it. */
  private prepare(id: PartitionId, record: PartitionRecord, first: number): CopyState {
    const { engine, node } = this.options;
    this.forgetIfOlder(id, first);
    const meta = engine.meta(id);
    if (meta?.state === 'filling') return 'filling';
    if (meta?.state === 'quarantined')
      void engine.reinstate(id).catch((error: unknown) => this.options.around.onFatal(error as Error));
    if (meta) return 'active';
    // Only under its first record is a partition empty by right; later an empty in-sync copy would be a lost one.
    if (record.epoch !== first || !replicaOn(record, node)?.inSync) return 'absent';
    void engine
      .create(id, { epoch: first > 1 ? first : 0 })
      .catch((error: unknown) => this.options.around.onFatal(error as Error));
    return 'active';
  }

  /** The keyspace was dropped and made anew while this node did not hear of it. */
  private endOlder(id: PartitionId, first: number): void {
    const running = this.byKey.get(keyOf(id));
    if (!running || (running.machine.record?.epoch ?? first) >= first) return;
    this.byKey.delete(keyOf(id));
    running.close(undefined);
  }

  /** A copy that has promised less than the keyspace began with is of one of the same name that a person dropped. */
  private forgetIfOlder(id: PartitionId, first: number): void {
    const { engine, logger } = this.options;
    const promised = engine.meta(id)?.promisedEpoch;
    if (promised === undefined || promised >= first || first === 1) return;
    logger.info('copy of a dropped keyspace removed', { event: 'purged', ...id, promised, first });
    void engine.purge(id).catch((error: unknown) => this.options.around.onFatal(error as Error));
  }

  private setAside(id: PartitionId, map: KeyspaceMap | undefined): void {
    const key = keyOf(id);
    const replica = this.byKey.get(key);
    if (this.strays.has(key) && !replica) return;
    this.byKey.delete(key);
    replica?.close(map && id.partition < map.partitions ? map.record(id.partition) : undefined);
    const state = this.options.engine.meta(id)?.state;
    if (!state) return;
    this.strays.set(key, id);
    this.options.logger.info('set aside', { event: 'quarantined', ...id });
    // A copy that was still being filled was never whole; there is nothing in it to keep readable.
    if (state === 'active')
      void this.options.engine.quarantine(id).catch((error: unknown) => this.options.around.onFatal(error as Error));
  }
}
