/**
 * What the storage agent asks of a storage engine: per partition a replicated log, and the key-value data that the log was applied to.
 *
 * Ground rules, true of every implementation:
 * - A promise that resolves means DURABLE. All writes requested in one event turn, or while a flush is under way, share one
 *   transaction and one sync. A promise may be left unhandled: the failure also shows on every later write.
 * - Everything that a call does in memory is done before it returns its promise, so `apply(); get()` sees the new value.
 * - After a flush failed nobody knows what reached the disk, so every later write is refused until the engine is opened again.
 * - Byte arrays passed in belong to the engine until the promise settles: do not change them. Those handed out are the caller's.
 * - Bad calls reject (or throw, for synchronous methods) with CadastreError: INVALID_ARGUMENT, NOT_FOUND (no such partition),
 *   FAILED_PRECONDITION (wrong state or order), RESOURCE_EXHAUSTED (disk full), INTERNAL (I/O error).
 */

import type { AskedFor, LogOp as Op, ReplicatedEntry as LogEntry } from '@cadastre/core';

export type { AskedFor, LogEntry, Op };

/** Longest key that Cadastre accepts, in bytes. */
export const MAX_KEY_BYTES = 4096;
/** Largest value that Cadastre accepts, in bytes. */
export const MAX_VALUE_BYTES = 1024 * 1024;

export interface PartitionId {
  readonly keyspace: string;
  readonly partition: number;
}

export type Pair = readonly [key: Uint8Array, value: Uint8Array];

export const PARTITION_STATES = ['active', 'filling', 'quarantined'] as const;
export type PartitionState = (typeof PARTITION_STATES)[number];

export interface FillProgress {
  /** Replay the log from the entry after this one. */
  readonly snapshotSeq: number;
  /** Last key that is durable here; ask the source for what comes after it. */
  readonly resumeAfter?: Uint8Array;
}

export interface PartitionMeta {
  readonly id: PartitionId;
  readonly promisedEpoch: number;
  /** As in `markAsked`. */
  readonly asked?: AskedFor;
  /** First log entry kept; `lastSeq + 1` when none is. */
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** Epoch of the entry at `lastSeq`, also when that entry was trimmed or came with a snapshot; 0 = none yet. */
  readonly lastEpoch: number;
  readonly appliedSeq: number;
  /** Live keys at `appliedSeq`. */
  readonly count: number;
  /** See {@link ContentDigest}. */
  readonly digest: string;
  readonly state: PartitionState;
  /** Wall clock, ms since 1970. */
  readonly quarantinedAt?: number;
  readonly filling?: FillProgress;
}

export interface ContentDigest {
  /** The content is what the log up to here makes of it. */
  readonly seq: number;
  readonly count: number;
  /** 32 hex digits: sum mod 2^128 over live pairs of the first 16 bytes of SHA-256(u32 BE key length | key | value). */
  readonly digest: string;
}

export interface ScanRange {
  /** Inclusive; absent = from the first key. */
  readonly start?: Uint8Array;
  /** Exclusive; absent = to the last key. */
  readonly end?: Uint8Array;
  readonly limit: number;
  /** Keys plus values. One pair is returned even if it alone is larger. */
  readonly maxBytes: number;
  /** From the last key of the range down. */
  readonly reverse?: boolean;
}

export interface ScanResult {
  readonly entries: Pair[];
  /** Where to go on: the next `start`, or in reverse the next `end`. Absent = the range is finished. */
  readonly next?: Uint8Array;
}

export interface SnapshotChunk {
  readonly pairs: Pair[];
  readonly lastKey: Uint8Array;
}

/** The partition exactly as it was at `seq`, whatever is written meanwhile. It pins disk pages: close it. */
export interface Snapshot extends ContentDigest {
  /** Epoch of the log entry at `seq`. */
  readonly epoch: number;
  readonly sizeBytes: number;
  chunks(options?: { maxBytes?: number }): AsyncIterable<SnapshotChunk>;
  close(): void;
}

export interface StorageEngine {
  /** @throws FAILED_PRECONDITION when another process or engine has the directory. Interrupted purges go on in the background. */
  open(): Promise<void>;
  /** Flushes what was applied, then lets go of the directory. Also the way out after a failed flush. */
  close(): Promise<void>;
  partitions(): PartitionMeta[];
  meta(id: PartitionId): PartitionMeta | undefined;

  /** An empty active partition. @throws ALREADY_EXISTS */
  create(id: PartitionId, options?: { epoch?: number }): Promise<void>;
  /** Never goes back. @throws FAILED_PRECONDITION, field `epoch`, for a lower one */
  promise(id: PartitionId, epoch: number): Promise<void>;
  /** Remembers the newest joiner that the register was asked for. */
  markAsked(id: PartitionId, asked: AskedFor): Promise<void>;
  /** `entries[0].seq` is `lastSeq + 1`. Also allowed while filling. Epochs are the caller's business. */
  append(id: PartitionId, entries: readonly LogEntry[]): Promise<void>;
  /**
   * Moves entries up to and including `uptoSeq` into the data: visible at once, durable after `applyFlushDelayMs` or `flush()`, together
   * with a group of appends. The log is durable before, so nobody has to wait for this promise. After a crash `appliedSeq` may be lower than before: apply again. Runs in one go: pass bounded ranges.
   */
  apply(id: PartitionId, uptoSeq: number): Promise<void>;
  /** Includes entries whose append is not durable yet. At least one entry if there is one. @throws FAILED_PRECONDITION below `firstSeq` */
  readLog(id: PartitionId, fromSeq: number, limits: { maxEntries: number; maxBytes: number }): LogEntry[];
  /** Drops entries after `seq`. @throws FAILED_PRECONDITION below `appliedSeq` */
  truncateAfter(id: PartitionId, seq: number): Promise<void>;
  /** Drops entries before `seq`. @throws FAILED_PRECONDITION above `appliedSeq + 1` */
  trimBefore(id: PartitionId, seq: number): Promise<void>;

  get(id: PartitionId, key: Uint8Array): Uint8Array | undefined;
  scan(id: PartitionId, range: ScanRange): ScanResult;
  /** The applied view, from memory. */
  digestAt(id: PartitionId): ContentDigest;
  /** Counts and hashes what one snapshot of the disk really holds, in slices that hold the event loop for at most ~10 ms. */
  recomputeDigest(id: PartitionId): Promise<ContentDigest>;
  /** Bytes of live keys and values. */
  sizeBytes(id: PartitionId): number;

  /** With `afterKey` it yields only later keys; `seq`, `count` and `digest` are always those of the whole partition. */
  snapshot(id: PartitionId, options?: { afterKey?: Uint8Array }): Promise<Snapshot>;
  /**
   * Wipes what is there (the promised epoch stays) and starts to fill. `snapshotSeq` and `epoch` are `seq` and `epoch` of the
   * source's FIRST snapshot; a fill resumed from a later snapshot keeps them, and the replay from `snapshotSeq + 1` makes it right.
   */
  beginFill(id: PartitionId, options: { snapshotSeq: number; epoch: number }): Promise<void>;
  /**
   * Pairs in key order, all after those that came before and after `resumeAfter` of the chunk before. Several chunks may wait at once:
   * they become durable in their order, in large transactions of their own, apart from all other writes.
   * @throws FAILED_PRECONDITION, field `pairs`, for others
   */
  fillChunk(id: PartitionId, pairs: readonly Pair[], resumeAfter: Uint8Array): Promise<void>;
  /**
   * Active, applied up to `snapshotSeq`. All that the disk holds was read once: the digest is of that.
   * @throws DATA_LOSS when it is not as many pairs and bytes as were written, or not what `expected` says; then it still fills
   */
  finishFill(id: PartitionId, expected?: { count: number; digest: string }): Promise<ContentDigest>;

  /** Keeps the copy for reading and refuses writes to it. */
  quarantine(id: PartitionId): Promise<void>;
  /** Back from quarantine to active, as it was. */
  reinstate(id: PartitionId): Promise<void>;
  /** Forgets the partition at once, resolves when its bytes are gone. Unknown partitions are no error. Survives a crash in the middle. */
  purge(id: PartitionId): Promise<void>;

  /** Makes everything requested or applied so far durable. */
  flush(): Promise<void>;
  /** As flush, and waits for background removal to end. */
  drain(): Promise<void>;
}
