import type { KeyspaceMap, MapDelta } from '@cadastre/core';
import { encodeDelta, encodeSnapshot } from '@cadastre/contracts';
import type { RingEntry } from './delta-ring.js';
import { DeltaRing, mergeDeltas } from './delta-ring.js';
import { nextStep } from './next-step.js';

interface CachedSnapshot {
  readonly seq: number;
  readonly chunks: readonly Buffer[];
}

/** A snapshot this many changes old plus those changes costs less than a new snapshot. */
const SNAPSHOT_REUSE = 64;

/** One keyspace as it is sent: its map, its last changes, and everything encoded at most once. */
export class Channel {
  readonly ring: DeltaRing;
  private snapshotCache: CachedSnapshot | undefined;
  private readonly merged = new Map<number, Buffer>();
  private nodesCache: { readonly map: KeyspaceMap; readonly bytes: Buffer } | undefined;

  constructor(
    /** Tells a keyspace from a later one of the same name. */
    readonly id: string,
    public map: KeyspaceMap,
    ringSize: number,
  ) {
    this.ring = new DeltaRing(ringSize);
  }

  apply(delta: MapDelta, map: KeyspaceMap): void {
    this.ring.push(delta, encodeDelta(delta));
    this.map = map;
    this.merged.clear();
  }

  replace(map: KeyspaceMap): void {
    this.ring.reset();
    this.map = map;
    this.merged.clear();
    this.snapshotCache = undefined;
  }

  /** A snapshot that is a little old serves as well, as long as what follows it is sent as changes: else a reader would be sent it again and again. */
  snapshot(): CachedSnapshot {
    const cached = this.snapshotCache;
    if (cached && this.ring.head - cached.seq <= SNAPSHOT_REUSE && this.leadsOn(cached.seq)) return cached;
    this.snapshotCache = { seq: this.ring.head, chunks: encodeSnapshot(this.map) };
    return this.snapshotCache;
  }

  private leadsOn(seq: number): boolean {
    return nextStep({ kind: 'at', seq }, this.ring, this.map.partitions).kind !== 'snapshot';
  }

  /** Readers that fell behind together share the bytes. */
  mergedBytes(entries: readonly RingEntry[]): Buffer {
    const { seq } = entries[0]!;
    const known = this.merged.get(seq);
    if (known) return known;
    const bytes = encodeDelta(mergeDeltas(entries));
    this.merged.set(seq, bytes);
    return bytes;
  }

  /**
   * All nodes, as a change from the generation a reader has to that same generation. A node's address can change without a
   * generation, so a reader that resumes is told the addresses anew.
   */
  nodesBytes(from: MapDelta['from']): Buffer {
    const { map } = this;
    const encode = () => encodeDelta({ keyspace: map.spec.name, from, to: from, records: [], nodes: map.nodes });
    if (from.number !== map.generation.number) return encode();
    if (this.nodesCache?.map !== map) this.nodesCache = { map, bytes: encode() };
    return this.nodesCache.bytes;
  }
}
