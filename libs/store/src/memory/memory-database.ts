import { invalid } from '@cadastre/core';
import type { Cancellable, Clock, MonotonicMs } from '@cadastre/runtime';
import { badRevision, compacted, leaseGone } from '../store-errors.js';
import { NO_LEASE } from '../store.js';
import type {
  Compare,
  KeyValue,
  LeaseId,
  Op,
  OpResult,
  PutOp,
  RangeOptions,
  RangeResult,
  Revision,
  Txn,
  TxnOutcome,
  WatchBatch,
  WatchEvent,
} from '../store.js';
import { History } from './history.js';

const NOTHING = new Uint8Array(0);

interface StoredLease {
  readonly ttlMs: number;
  readonly keys: Set<string>;
  expiresAt: MonotonicMs;
  timer: Cancellable;
}

/** One register in memory, shared by any number of MemoryStores. Behaves as etcd does; deterministic under an injected clock. */
export class MemoryDatabase {
  clusterId: string;
  private current: Revision = 1n;
  private compactedAt: Revision = 0n;
  private readonly history = new History();
  private log: WatchBatch[] = [];
  private readonly leases = new Map<LeaseId, StoredLease>();
  private nextLease: LeaseId = 0x1000n;
  private readonly listeners = new Set<() => void>();

  constructor(
    readonly clock: Clock,
    options: { readonly clusterId?: string } = {},
  ) {
    this.clusterId = options.clusterId ?? 'memory';
  }

  get revision(): Revision {
    return this.current;
  }

  get compactRevision(): Revision {
    return this.compactedAt;
  }

  onCommit(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  txn(txn: Txn): TxnOutcome {
    const holds = txn.compare.every((item) => this.holds(item));
    const ops = holds ? txn.success : (txn.failure ?? []);
    for (const change of ops) this.checkLease(change);
    const { results, revision } = this.write(ops);
    return { kind: holds ? 'committed' : 'conflict', revision, results };
  }

  get(key: string): KeyValue | undefined {
    return this.history.get(key);
  }

  range(prefix: string, options: RangeOptions = {}): RangeResult {
    const { revision, limit, keysOnly, after } = options;
    if (revision !== undefined && revision > this.current) throw badRevision(revision, this.current);
    if (revision !== undefined && revision < this.compactedAt) throw compacted(revision);
    const kvs: KeyValue[] = [];
    for (const kv of this.history.scan(prefix, revision)) {
      if (limit !== undefined && limit > 0 && kvs.length >= limit) break;
      if (after !== undefined && Buffer.compare(Buffer.from(kv.key), Buffer.from(after)) <= 0) continue;
      kvs.push(keysOnly ? { ...kv, value: NOTHING } : kv);
    }
    return { revision: revision ?? this.current, kvs };
  }

  /** Whole batches from `from` on; undefined when some of them have been compacted away. */
  batchesFrom(from: Revision): readonly WatchBatch[] | undefined {
    if (from <= this.compactedAt) return undefined;
    let index = this.log.length;
    while (index > 0 && (this.log[index - 1] as WatchBatch).revision >= from) index -= 1;
    return this.log.slice(index);
  }

  compact(revision: Revision): void {
    if (revision > this.current) throw badRevision(revision, this.current);
    if (revision <= this.compactedAt) throw compacted(revision);
    this.compactedAt = revision;
    this.history.compact(revision);
    this.log = this.log.filter((batch) => batch.revision > revision);
  }

  grant(ttlMs: number): { id: LeaseId; ttlMs: number } {
    if (!(ttlMs > 0)) throw invalid('ttlMs', `${ttlMs}`, 'give a positive number of milliseconds');
    const id = this.nextLease++;
    const rounded = Math.ceil(ttlMs / 1000) * 1000;
    const timer = this.clock.after(rounded, () => this.expire(id), { background: true });
    this.leases.set(id, { ttlMs: rounded, keys: new Set(), expiresAt: this.clock.monotonicMs() + rounded, timer });
    return { id, ttlMs: rounded };
  }

  keepAlive(id: LeaseId): { ttlMs: number } | 'gone' {
    const lease = this.leases.get(id);
    if (!lease) return 'gone';
    lease.expiresAt = this.clock.monotonicMs() + lease.ttlMs;
    return { ttlMs: lease.ttlMs };
  }

  revoke(id: LeaseId): void {
    const lease = this.leases.get(id);
    if (!lease) return;
    lease.timer.cancel();
    this.leases.delete(id);
    this.write([...lease.keys].sort().map((key) => ({ kind: 'delete', key })));
  }

  /** Cancels the timers of all leases. */
  close(): void {
    for (const lease of this.leases.values()) lease.timer.cancel();
    this.listeners.clear();
  }

  private expire(id: LeaseId): void {
    const lease = this.leases.get(id);
    if (!lease) return;
    const left = lease.expiresAt - this.clock.monotonicMs();
    if (left <= 0) return this.revoke(id);
    lease.timer = this.clock.after(Math.ceil(left), () => this.expire(id), { background: true });
  }

  private holds(item: Compare): boolean {
    const kv = this.history.get(item.key);
    if (item.target === 'value') return kv !== undefined && ordered(Buffer.compare(kv.value, item.value), item.op);
    const actual = kv === undefined ? 0n : item.target === 'lease' ? kv.leaseId : kv[item.target];
    return ordered(actual < item.value ? -1 : actual > item.value ? 1 : 0, item.op);
  }

  private checkLease(change: Op): void {
    if (change.kind !== 'put' || !change.leaseId || this.leases.has(change.leaseId)) return;
    throw leaseGone(change.leaseId);
  }

  private write(ops: readonly Op[]): { results: OpResult[]; revision: Revision } {
    const revision = this.current + 1n;
    const events: WatchEvent[] = [];
    const results = ops.map((change) => this.apply(change, revision, events));
    if (events.length > 0) {
      this.current = revision;
      this.log.push({ revision, events });
      for (const listener of this.listeners) listener();
    }
    return { results, revision: this.current };
  }

  private apply(change: Op, revision: Revision, events: WatchEvent[]): OpResult {
    const kvs = change.kind === 'put' ? [] : this.select(change);
    if (change.kind === 'get') return { kind: 'get', kvs };
    if (change.kind === 'put') {
      this.put(change, revision, events);
      return { kind: 'put' };
    }
    for (const kv of kvs) this.remove(kv, revision, events);
    return { kind: 'delete', deleted: kvs.length };
  }

  private select(target: { readonly key: string } | { readonly prefix: string }): KeyValue[] {
    if ('prefix' in target) return [...this.history.scan(target.prefix)];
    const kv = this.history.get(target.key);
    return kv ? [kv] : [];
  }

  private put({ key, value, leaseId = NO_LEASE }: PutOp, revision: Revision, events: WatchEvent[]): void {
    const prev = this.history.get(key);
    const kv = {
      key,
      value: value.slice(),
      version: (prev?.version ?? 0n) + 1n,
      createRevision: prev?.createRevision ?? revision,
      modRevision: revision,
      leaseId,
    };
    if (prev) this.leases.get(prev.leaseId)?.keys.delete(key);
    this.leases.get(leaseId)?.keys.add(key);
    this.history.write(key, revision, kv);
    events.push({ type: 'put', kv });
  }

  private remove(prev: KeyValue, revision: Revision, events: WatchEvent[]): void {
    this.leases.get(prev.leaseId)?.keys.delete(prev.key);
    this.history.write(prev.key, revision, undefined);
    const kv = {
      key: prev.key,
      value: NOTHING,
      version: 0n,
      createRevision: 0n,
      modRevision: revision,
      leaseId: NO_LEASE,
    };
    events.push({ type: 'delete', kv });
  }
}

function ordered(sign: number, op: Compare['op']): boolean {
  if (op === '=') return sign === 0;
  if (op === '!=') return sign !== 0;
  return op === '>' ? sign > 0 : sign < 0;
}
