import type { Generation, KeyspaceGeneration } from '@cadastre/core';
import { encodeDropped } from '@cadastre/contracts';
import type { MonotonicMs } from '@cadastre/runtime';
import type { Channel } from './channel.js';
import type { Position } from './next-step.js';
import { nextStep, positionOf } from './next-step.js';

/** Where a reader's bytes go: one gRPC stream, or a recorder in tests. */
export interface Sink {
  readonly peer: string;
  /** `flushed` is called once the bytes have left this process. */
  write(bytes: Buffer, flushed: () => void): void;
}

/** What a reader needs of the hub. */
export interface ReaderHost {
  readonly channels: ReadonlyMap<string, Channel>;
  now(): MonotonicMs;
  /** "You have all there is", encoded once. */
  mark(): Buffer;
}

/** Bytes and messages that may be under way to one reader; what is beyond waits as a position, never as a queue. */
const WINDOW_BYTES = 1024 * 1024;
const WINDOW_MESSAGES = 16;

interface Place {
  readonly channel: Channel;
  position: Position;
}

/**
 * One reader. It holds a number per keyspace (what was written) and at most one batch of bytes that all readers share; when the
 * window opens again, what it needs next is worked out from where the map is by then.
 */
export class Reader {
  readonly applied = new Map<string, Generation>();
  private readonly places = new Map<string, Place>();
  private batch: { readonly bytes: readonly Buffer[]; next: number } = { bytes: [], next: 0 };
  private readonly underWay: number[] = [];
  private bytesUnderWay = 0;
  private lastFlushAt: MonotonicMs;
  private lastWriteAt: MonotonicMs;
  private owesMark = true;
  private closed = false;

  constructor(
    readonly name: string,
    private readonly sink: Sink,
    private readonly host: ReaderHost,
    known: readonly KeyspaceGeneration[],
  ) {
    this.lastFlushAt = this.lastWriteAt = host.now();
    this.resume(known);
  }

  get peer(): string {
    return this.sink.peer;
  }

  get isAhead(): boolean {
    return [...this.places.values()].some((p) => p.position.kind === 'ahead');
  }

  /** Changes not yet written, over all keyspaces; Infinity while it needs a whole map. */
  get behind(): number {
    let behind = this.batch.bytes.length - this.batch.next;
    for (const channel of this.host.channels.values()) {
      const place = this.placeOf(channel);
      if (!place || place.position.kind === 'nothing') return Infinity;
      if (place.position.kind === 'at') behind += channel.ring.head - place.position.seq;
    }
    return behind;
  }

  isStalled(afterMs: number): boolean {
    return this.underWay.length > 0 && this.host.now() - this.lastFlushAt > afterMs;
  }

  isIdle(forMs: number): boolean {
    return this.underWay.length === 0 && this.host.now() - this.lastWriteAt >= forMs;
  }

  requestMark(): void {
    this.owesMark = true;
    this.pump();
  }

  close(): void {
    this.closed = true;
    this.batch = { bytes: [], next: 0 };
  }

  /** Writes what is missing until the window is full. */
  pump(): void {
    while (!this.closed && this.bytesUnderWay < WINDOW_BYTES && this.underWay.length < WINDOW_MESSAGES) {
      const bytes = this.take();
      if (!bytes) return;
      this.write(bytes);
    }
  }

  /** This replica has caught up with the register: whoever still knows more knows a world that is gone. */
  settleAhead(): void {
    for (const [keyspace, place] of this.places) {
      if (place.position.kind !== 'ahead') continue;
      const { channel } = place;
      const position = positionOf(place.position.known, channel.ring, channel.map.generation);
      if (position.kind === 'ahead') this.enqueue([encodeDropped(keyspace)]);
      place.position = position.kind === 'ahead' ? { kind: 'nothing' } : position;
    }
    this.pump();
  }

  private resume(known: readonly KeyspaceGeneration[]): void {
    for (const { keyspace, generation } of known) {
      const channel = this.host.channels.get(keyspace);
      if (!channel) this.enqueue([encodeDropped(keyspace)]);
      else this.resumeAt(channel, keyspace, generation);
    }
  }

  private resumeAt(channel: Channel, keyspace: string, known: Generation): void {
    const position = positionOf(known, channel.ring, channel.map.generation);
    this.places.set(keyspace, { channel, position });
    if (position.kind === 'at') this.enqueue([channel.nodesBytes(known)]);
  }

  private enqueue(bytes: readonly Buffer[]): void {
    this.batch = { bytes: [...this.batch.bytes.slice(this.batch.next), ...bytes], next: 0 };
  }

  private placeOf(channel: Channel): Place | undefined {
    const place = this.places.get(channel.map.spec.name);
    return place?.channel === channel ? place : undefined;
  }

  private take(): Buffer | undefined {
    if (this.batch.next >= this.batch.bytes.length) this.fill();
    const bytes = this.batch.bytes[this.batch.next];
    if (bytes) {
      this.batch.next += 1;
      return bytes;
    }
    if (!this.owesMark || this.isAhead) return undefined;
    this.owesMark = false;
    return this.host.mark();
  }

  private fill(): void {
    this.batch = { bytes: this.nextBatch(), next: 0 };
  }

  private nextBatch(): readonly Buffer[] {
    for (const keyspace of this.places.keys()) {
      if (this.host.channels.get(keyspace)?.id === this.places.get(keyspace)!.channel.id) continue;
      this.places.delete(keyspace);
      return [encodeDropped(keyspace)];
    }
    for (const [keyspace, channel] of this.host.channels) {
      const bytes = this.nextOf(keyspace, channel);
      if (bytes) return bytes;
    }
    return [];
  }

  private nextOf(keyspace: string, channel: Channel): readonly Buffer[] | undefined {
    const place = this.places.get(keyspace) ?? { channel, position: { kind: 'nothing' } };
    this.places.set(keyspace, place);
    if (place.position.kind === 'ahead') place.position = this.caughtUp(place.position, channel);
    const step = nextStep(place.position, channel.ring, channel.map.partitions);
    if (step.kind === 'current' || step.kind === 'wait') return undefined;
    if (step.kind === 'snapshot') {
      const { seq, chunks } = channel.snapshot();
      place.position = { kind: 'at', seq };
      return chunks;
    }
    place.position = { kind: 'at', seq: channel.ring.head };
    return step.kind === 'merge' ? [channel.mergedBytes(step.entries)] : step.entries.map((e) => e.bytes);
  }

  private caughtUp(position: Extract<Position, { kind: 'ahead' }>, channel: Channel): Position {
    return positionOf(position.known, channel.ring, channel.map.generation);
  }

  private write(bytes: Buffer): void {
    if (this.underWay.length === 0) this.lastFlushAt = this.host.now();
    this.underWay.push(bytes.length);
    this.bytesUnderWay += bytes.length;
    this.lastWriteAt = this.host.now();
    this.sink.write(bytes, this.onFlushed);
  }

  private readonly onFlushed = (): void => {
    this.bytesUnderWay -= this.underWay.shift() ?? 0;
    this.lastFlushAt = this.host.now();
    if (this.underWay.length <= WINDOW_MESSAGES / 2) this.pump();
  };
}
