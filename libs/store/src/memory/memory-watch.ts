import { CadastreError } from '@cadastre/core';
import type { Cancellable, Clock } from '@cadastre/runtime';
import { KnownKeys } from '../known-keys.js';
import { errorMessage } from '../store-errors.js';
import type { Revision, Watch, WatchBatch, WatchOptions } from '../store.js';
import type { MemoryDatabase } from './memory-database.js';

export interface MemoryWatchHost {
  readonly database: MemoryDatabase;
  readonly clock: Clock;
  readonly watchDelayMs: () => number;
  readonly progressPeriodMs: number;
  isConnected(): boolean;
  onEnd(watch: MemoryWatch): void;
}

/** Delivers from the database's log, never inside the writer's call; while disconnected it waits, and catches up later. */
export class MemoryWatch implements Watch {
  private next: Revision | undefined;
  private closed = false;
  private flushing: Cancellable | undefined;
  private readonly forget: () => void;
  private readonly progress: Cancellable;
  private readonly known = new KnownKeys();

  constructor(
    private readonly host: MemoryWatchHost,
    private readonly prefix: string,
    private readonly options: WatchOptions,
  ) {
    this.next = options.fromRevision;
    this.forget = host.database.onCommit(() => this.poke());
    this.progress = host.clock.every(host.progressPeriodMs, () => this.report());
    this.poke();
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.forget();
    this.progress.cancel();
    this.flushing?.cancel();
    this.host.onEnd(this);
  }

  /** Something may have to be delivered. */
  poke(): void {
    if (this.closed || this.flushing) return;
    this.flushing = this.host.clock.after(this.host.watchDelayMs(), () => {
      this.flushing = undefined;
      this.guarded(() => this.flush());
    });
  }

  private flush(): void {
    if (!this.host.isConnected()) return;
    const batches = this.next === undefined ? undefined : this.host.database.batchesFrom(this.next);
    if (!batches) return this.resync();
    for (const batch of batches) {
      if (this.closed) return;
      this.next = batch.revision + 1n;
      this.deliver(batch);
    }
  }

  private deliver(batch: WatchBatch): void {
    const events = batch.events.filter((event) => event.kv.key.startsWith(this.prefix));
    if (events.length === 0) return;
    const own = { revision: batch.revision, events };
    this.known.apply(own);
    this.options.onBatch(own);
  }

  private resync(): void {
    const reason = this.next === undefined ? 'start' : 'compacted';
    const { revision, kvs } = this.host.database.range(this.prefix);
    this.next = revision + 1n;
    this.options.onResync(this.known.resync(reason, revision, kvs));
  }

  private report(): void {
    if (this.next === undefined || this.flushing || !this.host.isConnected()) return;
    // The log says what happened up to its end, also where nothing of it was under our prefix.
    const { revision } = this.host.database;
    if (revision < this.next - 1n) return;
    this.next = revision + 1n;
    this.guarded(() => this.options.onProgress?.(revision));
  }

  private guarded(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.close();
      this.options.onError(new CadastreError('INTERNAL', `watch callback: ${errorMessage(error)}`, { cause: error }));
    }
  }
}
