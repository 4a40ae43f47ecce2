import { checkScheme } from './check-scheme.js';
import { compileDirectory } from './directory.js';
import { compileHashRange } from './hash-range.js';
import { compileHashSlots } from './hash-slots.js';
import { compileRange } from './range.js';
import { compileRing } from './ring.js';
import type { Scheme } from './scheme.js';
import type { Token } from './token.js';

export { checkScheme, partitionCount } from './check-scheme.js';

/** Tokens from `start` up to but not `end`; undefined stands for the first and the last of the space. */
export interface TokenRange {
  readonly start: Token | undefined;
  readonly end: Token | undefined;
}

/** A compiled scheme. `partitionOf` allocates nothing; it is not to be called from within itself. */
export interface Partitioner {
  readonly scheme: Scheme;
  readonly partitions: number;
  /** The key's place in the token space: what a person reads. Slots: the slot (Riak: its 160-bit hash). */
  token(key: Uint8Array): Token;
  /** Partition number of a key, 0 to partitions - 1. Keys are bytes: never normalised, never assumed to be text. */
  partitionOf(key: Uint8Array): number;
  /** Exactly the partitions to ask for the keys in [start, end), in key order where the scheme keeps order; `end` undefined = to the end. */
  partitionsFor(start: Uint8Array, end: Uint8Array | undefined): number[];
  /** True when partition order is key order, so that a scan can go partition by partition. */
  readonly ordered: boolean;
  /** What a partition holds, in token order. A ring's first partition may wrap around; a directory's may hold many ranges of keys. */
  rangesOf(partition: number): TokenRange[];
  /** The node that the scheme itself names: on a ring. Elsewhere the map says who owns a partition. */
  ownerOf(partition: number): string | undefined;
}

/** @throws CadastreError INVALID_ARGUMENT naming the wrong field of the scheme */
export const createPartitioner = (scheme: Scheme): Partitioner => compile(checkScheme(scheme));

const compile = (scheme: Scheme): Partitioner => {
  if (scheme.kind === 'hash-slots') return compileHashSlots(scheme);
  if (scheme.kind === 'hash-range') return compileHashRange(scheme);
  if (scheme.kind === 'range') return compileRange(scheme);
  if (scheme.kind === 'ring') return compileRing(scheme);
  return compileDirectory(scheme, compile(scheme.fallback));
};
