import type { Generation, KeyspaceGeneration } from '@cadastre/core';
import { CadastreError, compareGenerations } from '@cadastre/core';
import type { SharedMessage, SnapshotForm } from '@cadastre/contracts';
import { encodeProgress, shareMessage } from '@cadastre/contracts';
import type { Cancellable, Clock, Logger, MonotonicMs, Histogram } from '@cadastre/runtime';
import type { RegisterChange, RegisterState } from '@cadastre/store';
import { Channel } from './channel.js';
import type { Convergence } from './convergence.js';
import type { RingEntry } from './delta-ring.js';
import type { Position } from './next-step.js';
import { Pacer } from './pacer.js';
import { PeerCounts } from './peer-counts.js';
import type { ReaderHost, Sink, Wish } from './reader.js';
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
  /** Over one connection, default 1,000. */
  readonly maxReadersPerPeer?: number;
  /** A reader that takes nothing for so long is cut, default 30,000. */
  readonly stalledMs?: number;
  /** Default 5,000. */
  readonly progressMs?: number;
  /** What the hub may take of one turn of the event loop, default 6. */
  readonly sliceMs?: number;
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
  /** @param heldMs how long ago it was applied */
  applied(known: readonly KeyspaceGeneration[], heldMs?: number): void;
  close(): void;
}

/** Two words a stream, where closures would take ten. */
class Handle implements Subscription {
  constructor(
    private readonly hub: WatchHub,
    private readonly reader: Reader,
  ) {}

  applied(known: readonly KeyspaceGeneration[], heldMs = 0): void {
    this.hub.onApplied(this.reader, known, heldMs);
  }

  close(): void {
    this.hub.drop(this.reader);
  }
}

const viewOf = (reader: Reader): WatcherView => ({
  name: reader.name,
  peer: reader.peer,
  applied: reader.applied(),
  behind: reader.behind,
});

type Cut = (error: CadastreError) => void;

const TICK_MS = 1_000;
/** Watchers that may come back in a second without being felt; the rest are asked to spread. */
const RETURNS_PER_SECOND = 2_000;
/** A mark is made anew only when the spread has changed by so much. */
const SPREAD_STEP_MS = 250;

/** Sends every change of the map to every reader: encoded once, each at its own pace, with bounded memory, in slices of time. */
export class WatchHub implements ReaderHost {
  readonly channels = new Map<string, Channel>();
  private readonly readers = new Map<Reader, Cut>();
  private readonly peers: PeerCounts;
  private readonly pacer: Pacer;
  private clusterId = '';
  private markMessage: SharedMessage | undefined;
  private markSpreadMs = 0;
  /** Readers that the last change has not been written to yet, and the place of the next one. */
  private sweep: readonly Reader[] = [];
  private sweepAt = 0;
  private sweepAgain = false;
  /** Readers that came or can take more, first come first served. */
  private awake: Reader[] = [];
  private awakeAt = 0;
  private owedMarks: Reader[] = [];
  private settling = false;
  private lately: MonotonicMs;
  /** What the sweep under way is about, when it is one change of one keyspace. */
  private single: { readonly channel: Channel; readonly entry: RingEntry; readonly after: Position } | undefined;
  private readonly waiting = new Map<Channel, (() => void)[]>();
  private readonly tick: Cancellable;

  constructor(private readonly options: WatchHubOptions) {
    const { clock, sliceMs = 6, progressMs = TICK_MS } = options;
    this.lately = clock.monotonicMs();
    this.peers = new PeerCounts(options.maxReaders ?? 20_000, options.maxReadersPerPeer ?? 1_000);
    this.pacer = new Pacer(clock, sliceMs, [
      () => this.sweepOne(),
      () => this.wakeOne(),
      () => this.buildSome(),
      () => this.markOne(),
    ]);
    this.tick = clock.every(Math.min(TICK_MS, progressMs), () => this.onTick());
  }

  get size(): number {
    return this.readers.size;
  }

  /** The longest that the hub held one turn of the event loop since this was last asked, in milliseconds. */
  takeLongestHoldMs(): number {
    return this.pacer.takeLongestMs();
  }

  /** Taken at each change, each coming and each tick: readers are judged by the second. */
  now(): number {
    return this.lately;
  }

  mark(): SharedMessage {
    const spreadMs = this.spreadMs();
    if (this.markMessage && Math.abs(spreadMs - this.markSpreadMs) < SPREAD_STEP_MS) return this.markMessage;
    const current = [...this.channels].map(([keyspace, { map }]) => ({ keyspace, generation: map.generation }));
    this.markSpreadMs = spreadMs;
    this.markMessage = shareMessage(encodeProgress(this.clusterId, current, spreadMs));
    return this.markMessage;
  }

  wake(reader: Reader): void {
    this.awake.push(reader);
    this.pacer.run();
  }

  onRegisterChange(change: RegisterChange, state: RegisterState): void {
    const clusterId = state.cluster?.value.clusterId ?? '';
    const { deltas, snapshots, dropped } = change;
    if (clusterId === this.clusterId && deltas.length + snapshots.length + dropped.length === 0) return;
    this.clusterId = clusterId;
    this.markMessage = undefined;
    const now = this.look();
    for (const name of dropped) this.channels.delete(name);
    for (const name of snapshots) this.replace(name, state);
    let single: WatchHub['single'];
    for (const delta of deltas) {
      const view = state.keyspaces.get(delta.keyspace);
      const channel = this.channels.get(delta.keyspace);
      const entry = view && channel?.apply(delta, view.map, now);
      if (entry) single = { channel: channel!, entry, after: { kind: 'at', seq: entry.seq + 1 } };
    }
    this.startSweep(deltas.length === 1 && snapshots.length + dropped.length === 0 ? single : undefined);
  }

  /**
   * @param cut ends the reader's stream with a typed error
   * @throws CadastreError RESOURCE_EXHAUSTED above the limits of this replica or of one connection
   */
  subscribe(name: string, { known, ...wish }: Wish, sink: Sink, cut: Cut): Subscription {
    this.peers.add(sink.peer);
    this.look();
    const reader = new Reader(name, sink, this, wish, known);
    this.readers.set(reader, cut);
    this.wake(reader);
    if (reader.isAhead) void this.settleAhead();
    return new Handle(this, reader);
  }

  /** @internal */
  onApplied(reader: Reader, known: readonly KeyspaceGeneration[], heldMs: number): void {
    for (const { keyspace, generation } of known) {
      const channel = this.channels.get(keyspace);
      if (!channel) continue;
      reader.onApplied(keyspace, generation);
      const seenAt = channel.ring.seenAt(generation);
      if (seenAt !== undefined) channel.lags.add(this.options.clock.monotonicMs() - heldMs - seenAt);
    }
  }

  /** @internal */
  drop(reader: Reader): void {
    reader.close();
    if (this.readers.delete(reader)) this.peers.remove(reader.peer);
  }

  /** The chunks of a whole map as it is now; undefined when there is no such keyspace. Encoded once for all who ask. */
  async snapshotOf(keyspace: string, form: SnapshotForm): Promise<readonly SharedMessage[] | undefined> {
    for (;;) {
      const channel = this.channels.get(keyspace);
      const ready = channel?.snapshot(form);
      if (!channel || ready) return ready?.messages;
      await new Promise<void>((resolve) => {
        this.waiting.set(channel, [...(this.waiting.get(channel) ?? []), resolve]);
        this.pacer.run();
      });
    }
  }

  watchers(): WatcherView[] {
    return [...this.readers.keys()].map(viewOf);
  }

  /** From a change to a reader's having applied it, by keyspace. */
  *lagHistograms(): Iterable<readonly [keyspace: string, seconds: Histogram]> {
    for (const [keyspace, { lags }] of this.channels) yield [keyspace, lags.seconds];
  }

  convergence(): Convergence[] {
    return [...this.channels].map(([keyspace, { map, lags }]) => {
      const watching = [...this.readers.keys()].filter((r) => r.wants(keyspace));
      const has = (applied: Generation | undefined) => applied && compareGenerations(applied, map.generation) >= 0;
      return {
        keyspace,
        generation: map.generation,
        watchers: watching.length,
        converged: watching.filter((r) => has(r.appliedOf(keyspace))).length,
        lagMs: lags.summary(),
      };
    });
  }

  /** Readers that have not reported the newest generation of all they watch, the furthest behind first. */
  laggards(max: number): WatcherView[] {
    const current = [...this.channels].map(([keyspace, { map }]) => ({ keyspace, generation: map.generation }));
    const lags = (reader: Reader): boolean =>
      current.some(({ keyspace, generation }) => {
        const applied = reader.appliedOf(keyspace);
        return reader.wants(keyspace) && (!applied || compareGenerations(applied, generation) < 0);
      });
    const found = [...this.readers.keys()].filter(lags).map(viewOf);
    return found.sort((a, b) => b.behind - a.behind || 0).slice(0, max);
  }

  /** Ends every stream: readers go to another replica and resume there. */
  close(): void {
    this.tick.cancel();
    this.pacer.stop();
    const error = new CadastreError('UNAVAILABLE', 'this replica is stopping', { remedy: 'watch at another replica' });
    for (const [reader, cut] of [...this.readers]) {
      this.drop(reader);
      cut(error);
    }
    for (const resolves of this.waiting.values()) for (const resolve of resolves) resolve();
  }

  private spreadMs(): number {
    return Math.round((this.readers.size / RETURNS_PER_SECOND) * 1_000);
  }

  private replace(name: string, state: RegisterState): void {
    const view = state.keyspaces.get(name);
    if (!view) return;
    const channel = this.channels.get(name);
    if (channel?.id === view.record.id) channel.replace(view.map);
    else this.channels.set(name, new Channel(view.record.id, view.map, this.options.ringSize ?? 1_024));
  }

  private look(): MonotonicMs {
    this.lately = this.options.clock.monotonicMs();
    return this.lately;
  }

  private startSweep(single: WatchHub['single']): void {
    if (this.sweepAt < this.sweep.length) this.sweepAgain = true;
    else this.renewSweep(single);
    this.pacer.run();
  }

  private renewSweep(single?: WatchHub['single']): void {
    this.single = single;
    this.sweep = [...this.readers.keys()];
    this.sweepAt = 0;
    this.sweepAgain = false;
  }

  private sweepOne(): boolean {
    if (this.sweepAt >= this.sweep.length && this.sweepAgain) this.renewSweep();
    const reader = this.sweep[this.sweepAt];
    if (!reader) return false;
    this.sweepAt += 1;
    const { single } = this;
    if (!single || !reader.offer(single.channel, single.entry, single.after)) reader.pump();
    if (this.sweepAt === this.sweep.length) this.sweep = [];
    return true;
  }

  private wakeOne(): boolean {
    const reader = this.awake[this.awakeAt];
    if (!reader) return false;
    this.awakeAt += 1;
    reader.pump();
    if (this.awakeAt === this.awake.length) {
      this.awake = [];
      this.awakeAt = 0;
    }
    return true;
  }

  private markOne(): boolean {
    const reader = this.owedMarks.pop();
    reader?.requestMark();
    return reader !== undefined;
  }

  private buildSome(): boolean {
    for (const channel of this.channels.values()) {
      const built = channel.build();
      if (built === 'nothing') continue;
      if (built === 'done') this.onBuilt(channel);
      return true;
    }
    return false;
  }

  private onBuilt(channel: Channel): void {
    const resolves = this.waiting.get(channel) ?? [];
    this.waiting.delete(channel);
    for (const resolve of resolves) resolve();
    if (this.sweepAt < this.sweep.length) this.sweepAgain = true;
    else this.renewSweep();
  }

  private onTick(): void {
    const { stalledMs = 30_000, progressMs = 5_000 } = this.options;
    this.look();
    const owed: Reader[] = [];
    for (const [reader, cut] of this.readers) {
      if (reader.isStalled(stalledMs)) this.cutStalled(reader, cut, stalledMs);
      else if (reader.isAhead) void this.settleAhead();
      else if (reader.isIdle(progressMs)) owed.push(reader);
    }
    this.owedMarks = owed;
    if (owed.length > 0) this.pacer.run();
  }

  private cutStalled(reader: Reader, cut: Cut, stalledMs: number): void {
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
      for (const [reader, cut] of [...this.readers]) {
        const keyspace = reader.settleAhead();
        if (keyspace !== undefined) this.refuseFuture(reader, cut, keyspace);
      }
    } catch (error) {
      this.options.logger.debug('not sure yet whether watchers know more than the register', {
        reason: CadastreError.from(error).message,
      });
    } finally {
      this.settling = false;
    }
  }

  /** The incarnation rises whenever a register is restored; one that is lower than what is known is older, and nothing of it is sent (INV-2). */
  private refuseFuture(reader: Reader, cut: Cut, keyspace: string): void {
    this.options.logger.warn('a watcher knows a later incarnation of the register', {
      watcher: reader.name,
      peer: reader.peer,
      keyspace,
    });
    this.drop(reader);
    cut(
      new CadastreError(
        'FAILED_PRECONDITION',
        `${keyspace}: the register here is of an older incarnation than the one known`,
        {
          field: 'subscribe.known',
          remedy:
            'raise the incarnation of a register that was restored from a backup, or watch the cluster that has the newer one',
        },
      ),
    );
  }
}

export type { Generation };
