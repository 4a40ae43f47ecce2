import type { Generation, KeyspaceGeneration } from '@cadastre/core';
import { CadastreError } from '@cadastre/core';
import { encodeProgress } from '@cadastre/contracts';
import type { Cancellable, Clock, Logger } from '@cadastre/runtime';
import type { RegisterChange, RegisterState } from '@cadastre/store';
import { Channel } from './channel.js';
import type { ReaderHost, Sink } from './reader.js';
import { Reader } from './reader.js';

export interface WatchHubOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Resolves once this replica shows all that the register had when it was called; rejects when the register is out of reach. */
  readonly catchUp: () => Promise<void>;
  /** Changes a keyspace kept for readers that come back, default 1,024. */
  readonly ringSize?: number;
  /** Default 20,000. */
  readonly maxReaders?: number;
  /** A reader that takes nothing for so long is cut, default 30,000. */
  readonly stalledMs?: number;
  /** Default 5,000. */
  readonly progressMs?: number;
}

export interface WatcherView {
  readonly name: string;
  readonly peer: string;
  readonly applied: readonly KeyspaceGeneration[];
  /** Changes that have not been written to it; Infinity while it needs a whole map. */
  readonly behind: number;
}

/** A reader with the way to end it. */
export interface Subscription {
  applied(known: readonly KeyspaceGeneration[]): void;
  close(): void;
}

/** Readers written to before the event loop gets its turn. */
const SLICE = 500;
const TICK_MS = 1_000;

/** Sends every change of the map to every reader: encoded once, each at its own pace, with bounded memory. */
export class WatchHub implements ReaderHost {
  readonly channels = new Map<string, Channel>();
  private readonly readers = new Map<Reader, (error: CadastreError) => void>();
  private clusterId = '';
  private markBytes: Buffer | undefined;
  private sweeping = false;
  private sweepAgain = false;
  private settling = false;
  private readonly tick: Cancellable;

  constructor(private readonly options: WatchHubOptions) {
    this.tick = options.clock.every(Math.min(TICK_MS, options.progressMs ?? TICK_MS), () => this.onTick());
  }

  get size(): number {
    return this.readers.size;
  }

  now(): number {
    return this.options.clock.monotonicMs();
  }

  mark(): Buffer {
    const current = [...this.channels].map(([keyspace, { map }]) => ({ keyspace, generation: map.generation }));
    this.markBytes ??= encodeProgress(this.clusterId, current);
    return this.markBytes;
  }

  onRegisterChange(change: RegisterChange, state: RegisterState): void {
    const clusterId = state.cluster?.value.clusterId ?? '';
    const { deltas, snapshots, dropped } = change;
    if (clusterId === this.clusterId && deltas.length + snapshots.length + dropped.length === 0) return;
    this.clusterId = clusterId;
    this.markBytes = undefined;
    for (const name of dropped) this.channels.delete(name);
    for (const name of snapshots) this.replace(name, state);
    for (const delta of deltas) {
      const view = state.keyspaces.get(delta.keyspace);
      if (view) this.channels.get(delta.keyspace)?.apply(delta, view.map);
    }
    this.sweep();
  }

  /** @param cut ends the reader's stream with a typed error */
  subscribe(
    name: string,
    known: readonly KeyspaceGeneration[],
    sink: Sink,
    cut: (error: CadastreError) => void,
  ): Subscription {
    const { maxReaders = 20_000 } = this.options;
    if (this.readers.size >= maxReaders) {
      throw new CadastreError('RESOURCE_EXHAUSTED', `this replica has ${maxReaders} watchers`, {
        limit: `${maxReaders} watchers a replica`,
        remedy: 'watch at another replica',
      });
    }
    const reader = new Reader(name, sink, this, known);
    this.readers.set(reader, cut);
    reader.pump();
    if (reader.isAhead) void this.settleAhead();
    return { applied: (generations) => this.onApplied(reader, generations), close: () => this.drop(reader) };
  }

  watchers(): WatcherView[] {
    return [...this.readers.keys()].map((reader) => ({
      name: reader.name,
      peer: reader.peer,
      applied: [...reader.applied].map(([keyspace, generation]) => ({ keyspace, generation })),
      behind: reader.behind,
    }));
  }

  /** Ends every stream: readers go to another replica and resume there. */
  close(): void {
    this.tick.cancel();
    const error = new CadastreError('UNAVAILABLE', 'this replica is stopping', { remedy: 'watch at another replica' });
    for (const [reader, cut] of [...this.readers]) {
      this.drop(reader);
      cut(error);
    }
  }

  private replace(name: string, state: RegisterState): void {
    const view = state.keyspaces.get(name);
    if (!view) return;
    const channel = this.channels.get(name);
    if (channel?.id === view.record.id) channel.replace(view.map);
    else this.channels.set(name, new Channel(view.record.id, view.map, this.options.ringSize ?? 1_024));
  }

  private sweep(): void {
    if (this.sweeping) {
      this.sweepAgain = true;
      return;
    }
    this.sweeping = true;
    this.slice([...this.readers.keys()], 0);
  }

  private slice(readers: readonly Reader[], from: number): void {
    const end = Math.min(readers.length, from + SLICE);
    for (let i = from; i < end; i += 1) readers[i]!.pump();
    if (end < readers.length) {
      this.options.clock.soon(() => this.slice(readers, end));
      return;
    }
    this.sweeping = false;
    if (!this.sweepAgain) return;
    this.sweepAgain = false;
    this.options.clock.soon(() => this.sweep());
  }

  private onApplied(reader: Reader, known: readonly KeyspaceGeneration[]): void {
    for (const { keyspace, generation } of known)
      if (this.channels.has(keyspace)) reader.applied.set(keyspace, generation);
  }

  private drop(reader: Reader): void {
    reader.close();
    this.readers.delete(reader);
  }

  private onTick(): void {
    const { stalledMs = 30_000, progressMs = 5_000 } = this.options;
    for (const [reader, cut] of [...this.readers]) {
      if (reader.isStalled(stalledMs)) this.cutStalled(reader, cut, stalledMs);
      else if (reader.isAhead) void this.settleAhead();
      else if (reader.isIdle(progressMs)) reader.requestMark();
    }
  }

  private cutStalled(reader: Reader, cut: (error: CadastreError) => void, stalledMs: number): void {
    this.options.logger.warn('a watcher takes nothing and is cut', { watcher: reader.name, peer: reader.peer });
    this.drop(reader);
    cut(
      new CadastreError('RESOURCE_EXHAUSTED', `nothing was read from this stream for ${stalledMs} ms`, {
        limit: `${stalledMs} ms without reading`,
        remedy: 'read the stream all the time; watch again from the generation that you have',
      }),
    );
  }

  private async settleAhead(): Promise<void> {
    if (this.settling) return;
    this.settling = true;
    try {
      await this.options.catchUp();
      for (const reader of [...this.readers.keys()]) reader.settleAhead();
    } catch (error) {
      this.options.logger.debug('not sure yet whether watchers know more than the register', {
        reason: CadastreError.from(error).message,
      });
    } finally {
      this.settling = false;
    }
  }
}

export type { Generation };
