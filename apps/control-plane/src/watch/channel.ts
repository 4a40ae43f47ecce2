import type { Generation, KeyspaceMap, MapColumns, MapDelta } from '@cadastre/core';
import type { SharedMessage, SnapshotForm } from '@cadastre/contracts';
import { encodeDelta, shareMessage, snapshotSteps } from '@cadastre/contracts';
import type { MonotonicMs } from '@cadastre/runtime';
import { LagBook } from './convergence.js';
import type { RingEntry } from './delta-ring.js';
import { DeltaRing, goneBy, mergeDeltas } from './delta-ring.js';
import { nextStep } from './next-step.js';

export interface CachedSnapshot {
  readonly seq: number;
  readonly generation: Generation;
  readonly messages: readonly SharedMessage[];
}

interface Build {
  readonly key: string;
  readonly seq: number;
  readonly generation: Generation;
  readonly steps: Iterator<undefined, Buffer[]>;
}

/** A snapshot this many changes old plus those changes costs less than a new snapshot. */
const SNAPSHOT_REUSE = 64;
/** Snapshots kept of one keyspace: one of each form, and some of what single nodes hold. */
const SNAPSHOTS_KEPT = 16;

/** One keyspace as it is sent: its map, its last changes, and everything encoded at most once. */
export class Channel {
  readonly ring: DeltaRing;
  readonly lags = new LagBook();
  private readonly snapshots = new Map<string, CachedSnapshot>();
  private readonly builds = new Map<string, Build>();
  private readonly merged = new Map<number, SharedMessage>();
  private nodesCache: { readonly map: KeyspaceMap; readonly message: SharedMessage } | undefined;

  constructor(
    /** Tells a keyspace from a later one of the same name. */
    readonly id: string,
    public map: KeyspaceMap,
    ringSize: number,
  ) {
    this.ring = new DeltaRing(ringSize);
  }

  apply(delta: MapDelta, map: KeyspaceMap, at: MonotonicMs): RingEntry {
    const message = shareMessage(encodeDelta(delta));
    const entry = this.ring.push({ delta, message, at, gone: goneBy(delta, this.map) });
    this.map = map;
    this.merged.clear();
    return entry;
  }

  replace(map: KeyspaceMap): void {
    this.ring.reset();
    this.map = map;
    this.merged.clear();
    this.snapshots.clear();
    this.builds.clear();
  }

  /**
   * A snapshot that is a little old serves as well, as long as what follows it is sent as changes: else a reader would be sent it again
   * and again. Undefined while it is being encoded: see `build`.
   */
  snapshot(form: SnapshotForm, node = ''): CachedSnapshot | undefined {
    const key = `${form} ${node}`;
    const cached = this.snapshots.get(key);
    if (cached && this.ring.head - cached.seq <= SNAPSHOT_REUSE && this.leadsOn(cached.seq)) return cached;
    if (!this.builds.has(key)) {
      const { map } = this;
      const columns = node === '' ? map : heldBy(map, node);
      const steps = snapshotSteps(columns, form);
      this.builds.set(key, { key, seq: this.ring.head, generation: map.generation, steps });
    }
    return undefined;
  }

  get building(): boolean {
    return this.builds.size > 0;
  }

  /** Encodes a slice of what was asked for. @returns 'done' when a snapshot has become ready by it */
  build(): 'nothing' | 'more' | 'done' {
    const [first] = this.builds.values();
    if (!first) return 'nothing';
    const { done, value } = first.steps.next();
    if (!done) return 'more';
    this.builds.delete(first.key);
    const { seq, generation } = first;
    this.snapshots.delete(first.key);
    this.snapshots.set(first.key, { seq, generation, messages: value.map(shareMessage) });
    for (const key of this.snapshots.keys()) if (this.snapshots.size > SNAPSHOTS_KEPT) this.snapshots.delete(key);
    return 'done';
  }

  private leadsOn(seq: number): boolean {
    return nextStep({ kind: 'at', seq }, this.ring, this.map.partitions).kind !== 'snapshot';
  }

  /** Readers that fell behind together share the bytes. */
  mergedMessage(entries: readonly RingEntry[]): SharedMessage {
    const { seq } = entries[0]!;
    const known = this.merged.get(seq);
    if (known) return known;
    const message = shareMessage(encodeDelta(mergeDeltas(entries)));
    this.merged.set(seq, message);
    return message;
  }

  /**
   * All nodes, as a change from the generation a reader has to that same generation. A node's address can change without a
   * generation, so a reader that resumes is told the addresses anew.
   */
  nodesMessage(from: Generation): SharedMessage {
    const { map } = this;
    const encode = () =>
      shareMessage(encodeDelta({ keyspace: map.spec.name, from, to: from, records: [], nodes: map.nodes }));
    if (from.number !== map.generation.number) return encode();
    if (this.nodesCache?.map !== map) this.nodesCache = { map, message: encode() };
    return this.nodesCache.message;
  }
}

/** The map with only what `node` holds; every other partition is without replicas. */
const heldBy = (map: KeyspaceMap, node: string): MapColumns => {
  const { spec, generation, nodes, partitions, stride, epochs } = map;
  const own = nodes.findIndex((n) => n.id === node);
  const replicaNodes = map.replicaNodes.slice();
  const replicaFlags = map.replicaFlags.slice();
  for (let from = 0; from < replicaNodes.length; from += stride) {
    if (own >= 0 && replicaNodes.subarray(from, from + stride).includes(own)) continue;
    replicaNodes.fill(-1, from, from + stride);
    replicaFlags.fill(0, from, from + stride);
  }
  return { spec, generation, nodes, partitions, stride, epochs, replicaNodes, replicaFlags };
};
