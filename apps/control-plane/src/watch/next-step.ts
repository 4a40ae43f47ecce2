import type { Generation } from '@cadastre/core';
import { compareGenerations } from '@cadastre/core';
import type { DeltaRing, RingEntry } from './delta-ring.js';

/** What a reader has of one keyspace, as far as was written to it. */
export type Position =
  | { readonly kind: 'nothing' }
  /** Everything before `seq` was written. */
  | { readonly kind: 'at'; readonly seq: number }
  /** It has a generation that this replica has not seen: the replica lags, or the register was set back. */
  | { readonly kind: 'ahead'; readonly known: Generation };

export type NextStep =
  | { readonly kind: 'current' }
  | { readonly kind: 'wait' }
  | { readonly kind: 'deltas'; readonly entries: readonly RingEntry[] }
  | { readonly kind: 'merge'; readonly entries: readonly RingEntry[] }
  | { readonly kind: 'snapshot'; readonly because: 'has-nothing' | 'too-old' | 'smaller-than-deltas' };

/** Up to here a reader is given the very bytes that all others get; beyond, one merged change is shorter. */
const SINGLE_DELTAS = 8;

/** What reader R needs next. Pure: the whole policy of the hub is here. */
export const nextStep = (position: Position, ring: DeltaRing, partitions: number): NextStep => {
  if (position.kind === 'nothing') return { kind: 'snapshot', because: 'has-nothing' };
  if (position.kind === 'ahead') return { kind: 'wait' };
  const entries = ring.since(position.seq);
  if (!entries) return { kind: 'snapshot', because: 'too-old' };
  if (entries.length === 0) return { kind: 'current' };
  if (entries.length <= SINGLE_DELTAS) return { kind: 'deltas', entries };
  const touched = new Set(entries.flatMap((e) => e.delta.records.map((r) => r.partition)));
  // A record in a delta takes about three times what it takes as columns.
  return touched.size * 3 > partitions
    ? { kind: 'snapshot', because: 'smaller-than-deltas' }
    : { kind: 'merge', entries };
};

/** Where a reader stands that says what it has. `known` is undefined when it has nothing. */
export const positionOf = (known: Generation | undefined, ring: DeltaRing, current: Generation): Position => {
  if (!known) return { kind: 'nothing' };
  if (compareGenerations(known, current) > 0) return { kind: 'ahead', known };
  if (known.incarnation !== current.incarnation) return { kind: 'nothing' };
  const seq = ring.seqAfter(known, current);
  return seq === undefined ? { kind: 'nothing' } : { kind: 'at', seq };
};
