import { CadastreError } from '@cadastre/core';
import type { Cancellable, Clock } from '@cadastre/runtime';
import type { Backing, KeyRange, ReadSnapshot, Table, Write } from '../core/backing.js';
import { fromBinary } from '../core/bytes.js';
import type { Turn } from '../core/group-commit.js';
import { Journal } from './journal.js';
import type { JournalDevice } from './journal-device.js';
import { getThrough, rangeThrough } from './layered-view.js';
import { MemTable } from './mem-table.js';

/** In table `partitions`, below all records: the segment from which on the journal is not in the store yet, as a double. */
const CHECKPOINT_KEY = Buffer.of(0);
/** Handed to the store in one transaction: what it costs the event loop stays under two milliseconds. */
const SLICE_WRITES = 500;
const MOST_LAYERS = 8;

export interface JournaledBackingOptions {
  readonly clock: Clock;
  readonly turn: Turn;
  /** Journalled bytes that start a checkpoint. More in one checkpoint cost the store fewer pages, and a restart more time. */
  readonly checkpointBytes?: number;
  readonly checkpointMs?: number;
}

const DEFAULTS = { checkpointBytes: 16 * 1024 * 1024, checkpointMs: 30_000 };

/**
 * A store behind one sequential journal. A commit is one write in sequence; the store takes the writes over later and in bulk, where
 * many that touch one page cost one. Until then they are read from memory. Handing over twice does no harm: writes name whole values.
 */
export class JournaledBacking implements Backing {
  private readonly journal: Journal;
  /** Oldest first; the last one takes new writes. */
  private layers: MemTable[] = [new MemTable()];
  private timer: Cancellable | undefined;
  private checkpoint: Promise<void> | undefined;
  private failure: CadastreError | undefined;
  /** A commit and the cut of a checkpoint never overlap, so that each write is before the cut or behind it. */
  private turn: Promise<unknown> = Promise.resolve();
  private closing = false;
  damaged: ReadonlySet<number> = new Set();

  constructor(
    private readonly store: Backing,
    device: JournalDevice,
    private readonly options: JournaledBackingOptions,
  ) {
    this.journal = new Journal(device);
  }

  async open(): Promise<void> {
    await this.store.open();
    this.closing = false;
    this.failure = undefined;
    this.layers = [new MemTable()];
    try {
      const stored = this.store.get('partitions', CHECKPOINT_KEY);
      const from = stored === undefined ? 1 : Buffer.from(stored).readDoubleBE(0);
      const { writes, damaged } = await this.journal.open(from);
      for (const write of writes) this.young.add(write);
      this.damaged = damaged;
      if (this.young.size > 0) await this.settle();
    } catch (error) {
      await this.journal.close().catch(() => undefined);
      await this.store.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    if (this.failure === undefined) await this.settle().catch(() => undefined);
    this.die();
    await this.checkpoint?.catch(() => undefined);
    await this.journal.close().catch(() => undefined);
    await this.store.close();
  }

  /** Stops handing over, as a process that was killed. */
  die(): void {
    this.closing = true;
    this.timer?.cancel();
    this.timer = undefined;
  }

  get(table: Table, key: Uint8Array): Uint8Array | undefined {
    return getThrough(this.layers, this.store, table, key);
  }

  range(table: Table, range: KeyRange): Iterable<{ key: Uint8Array; value: Uint8Array }> {
    return this.covers(table, range)
      ? rangeThrough(this.layers, this.store, table, range)
      : this.store.range(table, range);
  }

  keys(table: Table, range: KeyRange, limit: number): Uint8Array[] {
    if (!this.covers(table, range)) return this.store.keys(table, range, limit);
    const keys: Uint8Array[] = [];
    for (const { key } of rangeThrough(this.layers, this.store, table, range)) if (keys.push(key) >= limit) break;
    return keys;
  }

  private covers(table: Table, range: KeyRange): boolean {
    return this.layers.some((layer) => layer.between(table, range).length > 0);
  }

  /** The layers are shared with it, so new writes go to a new one. */
  snapshot(): ReadSnapshot {
    const view = this.store.snapshot();
    const layers = this.young.size > 0 || this.layers.length > 1 ? [...this.layers] : [];
    if (this.young.size > 0) this.layers.push(new MemTable());
    if (this.layers.length > MOST_LAYERS) this.startCheckpoint();
    return {
      get: (table, key) => getThrough(layers, view, table, key),
      range: (table, range) => rangeThrough(layers, view, table, range),
      close: () => view.close(),
    };
  }

  async commit(writes: readonly Write[]): Promise<void> {
    if (this.failure) throw this.failure;
    const held = this.heldBytes();
    if (held > 4 * this.limitBytes) await this.checkpoint;
    if (this.failure) throw this.failure;
    await this.exclusively(async () => {
      await this.journal.append(writes);
      for (const write of writes) this.young.add(write);
    });
    if (this.young.bytes > this.limitBytes) this.startCheckpoint();
    else
      this.timer ??= this.options.clock.after(
        this.options.checkpointMs ?? DEFAULTS.checkpointMs,
        () => this.startCheckpoint(),
        { background: true },
      );
  }

  async load(writes: readonly Write[]): Promise<void> {
    if (this.failure) throw this.failure;
    await this.store.load(writes);
  }

  /** All that was committed before is in the store. */
  async settle(): Promise<void> {
    await this.checkpoint;
    this.startCheckpoint();
    await this.checkpoint;
    if (this.failure) throw this.failure;
  }

  private get young(): MemTable {
    return this.layers.at(-1)!;
  }

  private get limitBytes(): number {
    return this.options.checkpointBytes ?? DEFAULTS.checkpointBytes;
  }

  private heldBytes(): number {
    return this.layers.reduce((sum, layer) => sum + layer.bytes, 0);
  }

  private startCheckpoint(): void {
    this.timer?.cancel();
    this.timer = undefined;
    if (this.checkpoint || this.closing || this.layers.every((layer) => layer.size === 0)) return;
    this.checkpoint = this.exclusively(async () => {
      const segment = await this.journal.cut();
      const old = [...this.layers];
      this.layers.push(new MemTable());
      return { old, segment };
    })
      .then(({ old, segment }) => this.handOver(old, segment))
      .then(
        () => {
          this.checkpoint = undefined;
          if (this.young.bytes > this.limitBytes) this.startCheckpoint();
        },
        (error: unknown) => {
          // Nobody knows what the store has; the journal still has it all, for the next start.
          this.failure = CadastreError.from(error);
          this.checkpoint = undefined;
        },
      );
  }

  private exclusively<T>(task: () => Promise<T>): Promise<T> {
    const done = this.turn.then(task, task);
    this.turn = done.catch(() => undefined);
    return done;
  }

  private async handOver(old: readonly MemTable[], segment: number): Promise<void> {
    for (const layer of old) {
      let slice: Write[] = [];
      for (const { table, name, value } of layer.writes()) {
        slice.push({ table, key: fromBinary(name), value });
        if (slice.length < SLICE_WRITES) continue;
        await this.store.commit(slice);
        if (this.closing) return;
        slice = [];
        await new Promise<void>((resolve) => this.options.turn(resolve));
      }
      if (slice.length > 0) await this.store.commit(slice);
      if (this.closing) return;
    }
    const at = Buffer.alloc(8);
    at.writeDoubleBE(segment, 0);
    await this.store.commit([{ table: 'partitions', key: CHECKPOINT_KEY, value: at }]);
    this.layers = this.layers.slice(old.length);
    await this.journal.release(segment);
  }
}
