import type { Generation, KeyspaceMap, MapDelta, PartitionRecord } from '@cadastre/core';
import { compareGenerations, replicaOn } from '@cadastre/core';
import type { SharedMessage } from '@cadastre/contracts';
import type { MonotonicMs } from '@cadastre/runtime';

export interface RingEntry {
  /** Counts the changes of one keyspace that this replica has seen; generations do not, for a node may change without one. */
  readonly seq: number;
  readonly delta: MapDelta;
  /** Encoded once for all readers. */
  readonly message: SharedMessage;
  readonly at: MonotonicMs;
  /** For each record of the delta the nodes that lost their replica by it; undefined when none did. */
  readonly gone: readonly (readonly string[])[] | undefined;
}

/** The last changes of one keyspace's map, bounded. Each begins where the one before it ended. */
export class DeltaRing {
  private readonly entries: RingEntry[] = [];
  private next = 0;

  constructor(private readonly capacity: number) {}

  /** The number that the next change will have: a reader at `head` has all. */
  get head(): number {
    return this.next;
  }

  push(change: Omit<RingEntry, 'seq'>): RingEntry {
    const entry = { ...change, seq: this.next };
    this.entries.push(entry);
    this.next += 1;
    if (this.entries.length > this.capacity) this.entries.shift();
    return entry;
  }

  /** Forgets all, because what comes does not continue what was: every reader needs a snapshot. */
  reset(): void {
    this.entries.length = 0;
    this.next += 1;
  }

  /** Where a reader that has `known` goes on; undefined when the ring does not reach back that far. */
  seqAfter(known: Generation, current: Generation): number | undefined {
    const first = this.entries[this.firstFrom(known)];
    if (first && compareGenerations(first.delta.from, known) === 0) return first.seq;
    return compareGenerations(known, current) === 0 ? this.next : undefined;
  }

  /** All changes from `seq` on; undefined when some of them are forgotten. */
  since(seq: number): readonly RingEntry[] | undefined {
    if (seq === this.next) return [];
    const oldest = this.entries[0]?.seq;
    if (oldest === undefined || seq < oldest || seq > this.next) return undefined;
    return this.entries.slice(seq - oldest);
  }

  /** When this replica saw the change that made `generation`; undefined when the ring does not reach back that far. */
  seenAt(generation: Generation): MonotonicMs | undefined {
    const at = this.firstFrom(generation) - 1;
    for (let i = at; i >= 0; i -= 1) {
      const { delta, at: seen } = this.entries[i]!;
      const ahead = compareGenerations(delta.to, generation);
      if (ahead < 0) return undefined;
      // A change of nodes alone ends at the generation that it began at, and made none.
      if (ahead === 0 && compareGenerations(delta.from, generation) < 0) return seen;
    }
    return undefined;
  }

  /** Place of the first change that begins at `generation` or later. */
  private firstFrom(generation: Generation): number {
    let low = 0;
    let high = this.entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compareGenerations(this.entries[middle]!.delta.from, generation) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** One change that does what `entries` do one after the other: of each partition and node only the last word counts. */
export const mergeDeltas = (entries: readonly RingEntry[]): MapDelta => {
  const first = entries[0]!.delta;
  const records = new Map(entries.flatMap((e) => e.delta.records.map((r) => [r.partition, r])));
  const nodes = new Map(entries.flatMap((e) => e.delta.nodes.map((n) => [n.id, n])));
  return {
    keyspace: first.keyspace,
    from: first.from,
    to: entries.at(-1)!.delta.to,
    records: [...records.values()],
    nodes: [...nodes.values()],
  };
};

/** Who lost a replica by `delta`. @param before the map that the delta begins at */
export const goneBy = (delta: MapDelta, before: KeyspaceMap): RingEntry['gone'] => {
  const gone = delta.records.map((record) =>
    before
      .record(record.partition)
      .replicas.filter((r) => !replicaOn(record, r.node))
      .map((r) => r.node),
  );
  return gone.some((nodes) => nodes.length > 0) ? gone : undefined;
};

/**
 * `entries` merged, as one that is told only of what `node` holds sees them: records in which it has a replica, and those in which it
 * had one until then, without their replicas. Undefined when there is nothing of the kind.
 * @param from the generation that was written to the reader last
 */
export const mergeFor = (node: string, from: Generation, entries: readonly RingEntry[]): MapDelta | undefined => {
  const records = new Map<number, PartitionRecord>();
  for (const { delta, gone } of entries) {
    delta.records.forEach((record, i) => {
      const held = replicaOn(record, node) !== undefined;
      if (held) records.set(record.partition, record);
      else if (gone?.[i]?.includes(node) || records.has(record.partition))
        records.set(record.partition, { ...record, replicas: [] });
    });
  }
  const nodes = new Map(entries.flatMap((e) => e.delta.nodes.map((n) => [n.id, n])));
  if (records.size + nodes.size === 0) return undefined;
  const last = entries.at(-1)!.delta;
  return { keyspace: last.keyspace, from, to: last.to, records: [...records.values()], nodes: [...nodes.values()] };
};
