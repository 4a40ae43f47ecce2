import type { Generation, MapDelta } from '@cadastre/core';
import { compareGenerations } from '@cadastre/core';

export interface RingEntry {
  /** Counts the changes of one keyspace that this replica has seen; generations do not, for a node may change without one. */
  readonly seq: number;
  readonly delta: MapDelta;
  /** Encoded once for all readers. */
  readonly bytes: Buffer;
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

  push(delta: MapDelta, bytes: Buffer): void {
    this.entries.push({ seq: this.next, delta, bytes });
    this.next += 1;
    if (this.entries.length > this.capacity) this.entries.shift();
  }

  /** Forgets all, because what comes does not continue what was: every reader needs a snapshot. */
  reset(): void {
    this.entries.length = 0;
    this.next += 1;
  }

  /** Where a reader that has `known` goes on; undefined when the ring does not reach back that far. */
  seqAfter(known: Generation, current: Generation): number | undefined {
    const first = this.entries.find((entry) => compareGenerations(entry.delta.from, known) >= 0);
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
