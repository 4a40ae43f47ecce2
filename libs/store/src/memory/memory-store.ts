import { invalid } from '@cadastre/core';
import { delay } from '@cadastre/runtime';
import type { Clock } from '@cadastre/runtime';
import { KeptLease } from '../lease.js';
import { checkTxn } from '../txn-limits.js';
import { leaseGone, unavailable, unknownOutcome } from '../store-errors.js';
import type {
  CallOptions,
  KeyValue,
  Lease,
  LeaseId,
  RangeOptions,
  RangeResult,
  Revision,
  Store,
  StoreStatus,
  Txn,
  TxnOutcome,
  Watch,
  WatchOptions,
} from '../store.js';
import type { MemoryDatabase } from './memory-database.js';
import { MemoryWatch } from './memory-watch.js';

/** One call as the fault hook sees it. */
export interface MemoryCall {
  readonly kind: 'txn' | 'read' | 'grant' | 'keepalive' | 'revoke' | 'compact' | 'status';
  readonly txn?: Txn;
}

/**
 * `refused`: it never reaches the database. `lost-request`: the same, but the caller cannot know. `lost-reply`: done, but the
 * caller cannot know. Where the caller of a txn cannot know it sees UNKNOWN_OUTCOME, of anything else UNAVAILABLE.
 */
export type MemoryFault = 'refused' | 'lost-request' | 'lost-reply' | undefined;

/**
 * Brings a call to the database and its answer back, in place of `latencyMs` and `fault`: `run` is done where and when the carrier says,
 * or never. It rejects as a `Store` does.
 */
export type MemoryCarrier = <T>(call: MemoryCall, run: () => T, options: CallOptions | undefined) => Promise<T>;

export interface MemoryStoreOptions {
  readonly database: MemoryDatabase;
  /** The client's clock: a simulation may pause or skew it apart from the database's. Default: the database's. */
  readonly clock?: Clock;
  readonly fault?: (call: MemoryCall) => MemoryFault;
  /** Milliseconds each way of a call, default 0. */
  readonly latencyMs?: () => number;
  readonly carry?: MemoryCarrier;
  readonly watchDelayMs?: () => number;
  readonly progressPeriodMs?: number;
}

/** The port over a MemoryDatabase, for tests and simulations: each instance is one client with its own connection and faults. */
export class MemoryStore implements Store {
  private readonly database: MemoryDatabase;
  private readonly clock: Clock;
  private readonly watches = new Set<MemoryWatch>();
  private readonly leases = new Set<Lease>();
  private connected = true;
  private closed = false;

  constructor(private readonly options: MemoryStoreOptions) {
    this.database = options.database;
    this.clock = options.clock ?? options.database.clock;
  }

  /** False cuts this client off: calls throw UNAVAILABLE, watches and keepalives stand still until it is true again. */
  setConnected(connected: boolean): void {
    this.connected = connected;
    if (connected) for (const watch of this.watches) watch.poke();
  }

  async txn(txn: Txn, options?: CallOptions): Promise<TxnOutcome> {
    checkTxn(txn);
    return this.call({ kind: 'txn', txn }, () => this.database.txn(txn), options);
  }

  get(key: string, options?: CallOptions): Promise<KeyValue | undefined> {
    return this.call({ kind: 'read' }, () => this.database.get(key), options);
  }

  range(prefix: string, options?: RangeOptions): Promise<RangeResult> {
    return this.call({ kind: 'read' }, () => this.database.range(prefix, options), options);
  }

  watch(prefix: string, options: WatchOptions): Watch {
    const watch = new MemoryWatch(
      {
        database: this.database,
        clock: this.clock,
        watchDelayMs: this.options.watchDelayMs ?? (() => 0),
        progressPeriodMs: this.options.progressPeriodMs ?? 5_000,
        isConnected: () => this.connected,
        onEnd: (ended) => this.watches.delete(ended),
      },
      prefix,
      options,
    );
    this.watches.add(watch);
    return watch;
  }

  async grantLease(ttlMs: number, options?: CallOptions): Promise<Lease> {
    if (!(ttlMs > 0)) throw invalid('ttlMs', `${ttlMs}`, 'give a positive number of milliseconds');
    const sentAt = this.clock.monotonicMs();
    const granted = await this.call({ kind: 'grant' }, () => this.database.grant(ttlMs), options);
    return this.keep(granted.id, granted.ttlMs, sentAt);
  }

  async adoptLease(id: LeaseId, options?: CallOptions): Promise<Lease> {
    const sentAt = this.clock.monotonicMs();
    const answer = await this.keepAliveOnce(id, options);
    if (answer === 'gone') throw leaseGone(id);
    return this.keep(id, answer.ttlMs, sentAt);
  }

  keepAliveOnce(id: LeaseId, options?: CallOptions): Promise<{ readonly ttlMs: number } | 'gone'> {
    return this.call({ kind: 'keepalive' }, () => this.database.keepAlive(id), options);
  }

  revokeLease(id: LeaseId, options?: CallOptions): Promise<void> {
    return this.call({ kind: 'revoke' }, () => this.database.revoke(id), options);
  }

  compact(revision: Revision, options?: CallOptions): Promise<void> {
    return this.call({ kind: 'compact' }, () => this.database.compact(revision), options);
  }

  status(options?: CallOptions): Promise<StoreStatus> {
    const { clusterId } = this.database;
    const status = {
      version: 'memory',
      clusterId,
      memberId: 'memory',
      leader: 'memory',
      dbSizeBytes: 0,
      dbSizeInUseBytes: 0,
      alarms: [],
      endpoint: 'memory',
    };
    return this.call({ kind: 'status' }, () => status, options);
  }

  close(): void {
    this.closed = true;
    for (const watch of [...this.watches]) watch.close();
    for (const lease of [...this.leases]) lease.release();
  }

  private keep(id: LeaseId, ttlMs: number, sentAt: number): Lease {
    const host = {
      clock: this.clock,
      keepAliveOnce: (lease: LeaseId, options: CallOptions) => this.keepAliveOnce(lease, options),
      revokeLease: (lease: LeaseId) => this.revokeLease(lease),
      onEnd: (ended: Lease) => this.leases.delete(ended),
    };
    const lease = new KeptLease(host, id, ttlMs, sentAt);
    this.leases.add(lease);
    return lease;
  }

  private async call<T>(call: MemoryCall, run: () => T, options?: CallOptions): Promise<T> {
    if (this.closed) throw unavailable('the store is closed');
    if (this.options.carry) return this.options.carry(call, run, options);
    if (!this.connected) throw unavailable('the store cannot be reached');
    const fault = this.options.fault?.(call);
    if (fault === 'refused') throw unavailable('injected: refused');
    await this.travel();
    if (fault === 'lost-request') throw this.lost(call, 'request');
    const result = run();
    await this.travel();
    if (fault === 'lost-reply' || !this.connected) throw this.lost(call, 'reply');
    return result;
  }

  private lost(call: MemoryCall, what: string): Error {
    return call.kind === 'txn' ? unknownOutcome(`the ${what} was lost`) : unavailable(`the ${what} was lost`);
  }

  private async travel(): Promise<void> {
    const ms = this.options.latencyMs?.() ?? 0;
    if (ms > 0) await delay(this.clock, ms);
  }
}
