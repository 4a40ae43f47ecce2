import type { MonotonicMs } from '@cadastre/runtime';

/** The store's own version number: one for the whole register, one step per writing transaction. Opaque outside this library. */
export type Revision = bigint;
/** 64-bit lease number; 0n means "no lease". */
export type LeaseId = bigint;
export const NO_LEASE: LeaseId = 0n;

export interface KeyValue {
  readonly key: string;
  readonly value: Uint8Array;
  /** Writes since the key was created; 0n in a delete event. */
  readonly version: bigint;
  readonly createRevision: Revision;
  readonly modRevision: Revision;
  readonly leaseId: LeaseId;
}

export type CompareOperator = '=' | '!=' | '>' | '<';

/** A missing key counts as 0n for the number targets, and fails every `value` compare. */
export type Compare =
  | {
      readonly target: 'modRevision' | 'createRevision' | 'version' | 'lease';
      readonly key: string;
      readonly op: CompareOperator;
      readonly value: bigint;
    }
  | { readonly target: 'value'; readonly key: string; readonly op: CompareOperator; readonly value: Uint8Array };

/** One key, or every key that begins with `prefix`. */
export type Target = { readonly key: string } | { readonly prefix: string };
export type PutOp = {
  readonly kind: 'put';
  readonly key: string;
  readonly value: Uint8Array;
  readonly leaseId?: LeaseId;
};
export type DeleteOp = { readonly kind: 'delete' } & Target;
export type GetOp = { readonly kind: 'get' } & Target;
export type Op = PutOp | DeleteOp | GetOp;

export interface Txn {
  readonly compare: readonly Compare[];
  /** Done when every compare holds, in order, at one revision. */
  readonly success: readonly Op[];
  readonly failure?: readonly Op[];
}

export type OpResult =
  | { readonly kind: 'put' }
  | { readonly kind: 'delete'; readonly deleted: number }
  | { readonly kind: 'get'; readonly kvs: readonly KeyValue[] };

export interface TxnOutcome {
  readonly kind: 'committed' | 'conflict';
  readonly revision: Revision;
  /** One per op of the branch that ran: `success` when committed, `failure` when in conflict. */
  readonly results: readonly OpResult[];
}

export interface CallOptions {
  /** Milliseconds until the call gives up; a store has a default. */
  readonly deadlineMs?: number;
}

export interface RangeOptions extends CallOptions {
  readonly limit?: number;
  /** Values come back empty. */
  readonly keysOnly?: boolean;
  /** Only keys after this one: how a long prefix is read page by page, at one `revision`. */
  readonly after?: string;
  /** Read the past. A compacted revision throws FAILED_PRECONDITION, see `isCompacted`. */
  readonly revision?: Revision;
}

export interface RangeResult {
  readonly revision: Revision;
  /** In the order of the keys' bytes. */
  readonly kvs: readonly KeyValue[];
}

export interface WatchEvent {
  readonly type: 'put' | 'delete';
  /** For a delete: the key, `modRevision` of the deletion, an empty value. */
  readonly kv: KeyValue;
}

/** All events of one revision under the prefix, never split. */
export interface WatchBatch {
  readonly revision: Revision;
  readonly events: readonly WatchEvent[];
}

/** The whole state under the prefix. A consumer replaces what it has by `kvs`. */
export interface Resync {
  readonly reason: 'start' | 'compacted';
  readonly revision: Revision;
  readonly kvs: readonly KeyValue[];
  /** Keys whose modRevision is not the one this watch delivered last. */
  readonly changed: readonly KeyValue[];
  /** Keys this watch delivered and that are gone. A watch begun with `fromRevision` knows only the keys it saw change. */
  readonly deleted: readonly string[];
}

export interface WatchOptions {
  /** First revision to deliver. Without it the watch reads the prefix first and delivers it as a Resync of reason `start`. */
  readonly fromRevision?: Revision;
  onBatch(batch: WatchBatch): void;
  onResync(resync: Resync): void;
  /** Every event up to and including `revision` has been delivered. */
  onProgress?(revision: Revision): void;
  /** The watch is over: the register is not the one it was (`isRegisterChanged`), access was refused, or a callback threw. Lost connections are not errors. */
  onError(error: Error): void;
}

export interface Watch {
  /** No callback runs after it. */
  close(): void;
}

/** `deadline`: our own clock says that it may be over; `gone`: the store says so; `released`, `revoked`: by us. */
export type LeaseLoss = 'deadline' | 'gone' | 'released' | 'revoked';

/** Kept alive by itself every third of its TTL until it is lost. A lost lease never comes back. */
export interface Lease {
  readonly id: LeaseId;
  readonly ttlMs: number;
  /** Send time of the last acknowledged keepalive + TTL - 20 %. Stop acting before it. */
  expiresAt(): MonotonicMs;
  isAlive(): boolean;
  /** Called once, at once when it is lost already. Returns a function that forgets the callback. */
  onLost(callback: (reason: LeaseLoss) => void): () => void;
  /** Deletes the lease and its keys. Lost locally before the store is asked. */
  revoke(): Promise<void>;
  /** Stops keeping it alive and leaves it to another process or to its TTL. */
  release(): void;
}

export interface StoreStatus {
  readonly version: string;
  readonly clusterId: string;
  readonly memberId: string;
  /** Undefined when the member that answered knows no leader. */
  readonly leader: string | undefined;
  /** Allocated on disk, of the member that answered; what its quota limits. */
  readonly dbSizeBytes: number;
  /** The rest is free, and given back by defragmenting. */
  readonly dbSizeInUseBytes: number;
  /** Of all members: `NOSPACE@member`. */
  readonly alarms: readonly string[];
  readonly endpoint: string;
}

/**
 * The port of the register. Every call throws CadastreError: UNAVAILABLE when surely nothing changed, INVALID_ARGUMENT before
 * anything is sent, and FAILED_PRECONDITION (`isRegisterChanged`) when the answer comes from another or an older register.
 */
export interface Store {
  /** Sent at most once, never retried. Throws UNKNOWN_OUTCOME when it may have happened (see `settle`), NOT_FOUND for a lease that is gone. */
  txn(txn: Txn, options?: CallOptions): Promise<TxnOutcome>;
  /** Linearizable. */
  get(key: string, options?: CallOptions): Promise<KeyValue | undefined>;
  /** Linearizable, whole at one revision whatever its size. */
  range(prefix: string, options?: RangeOptions): Promise<RangeResult>;
  watch(prefix: string, options: WatchOptions): Watch;
  /** `ttlMs` is rounded up to whole seconds, and to the store's minimum: read `lease.ttlMs`. */
  grantLease(ttlMs: number, options?: CallOptions): Promise<Lease>;
  /** Keeps alive a lease that another process was granted. Throws NOT_FOUND when it is gone. */
  adoptLease(id: LeaseId, options?: CallOptions): Promise<Lease>;
  keepAliveOnce(id: LeaseId, options?: CallOptions): Promise<{ readonly ttlMs: number } | 'gone'>;
  /** A lease that is gone already is no error. */
  revokeLease(id: LeaseId, options?: CallOptions): Promise<void>;
  /** Forgets history before `revision`. */
  compact(revision: Revision, options?: CallOptions): Promise<void>;
  status(options?: CallOptions): Promise<StoreStatus>;
  /** Ends watches and keepalives; leases are left to their TTL. */
  close(): void;
}
