import type { Generation, KeyspaceGeneration } from '@cadastre/core';
import { compareGenerations } from '@cadastre/core';
import type { SharedMessage, SharedWriter, SnapshotForm } from '@cadastre/contracts';
import { encodeDelta, encodeDropped, shareMessage } from '@cadastre/contracts';
import type { MonotonicMs } from '@cadastre/runtime';
import type { Channel } from './channel.js';
import { mergeFor } from './delta-ring.js';
import type { RingEntry } from './delta-ring.js';
import type { Position } from './next-step.js';
import { nextStep, positionOf } from './next-step.js';

/** Where a reader's bytes go: one gRPC stream, or a recorder in tests. */
export interface Sink {
  /** host:port of the connection. */
  readonly peer: string;
  readonly write: SharedWriter;
}

/** What a reader asks for. */
export interface Wish {
  readonly known: readonly KeyspaceGeneration[];
  readonly form: SnapshotForm;
  /** Undefined: all. */
  readonly keyspaces: ReadonlySet<string> | undefined;
  /** Only what this node holds; undefined: everything. */
  readonly node: string | undefined;
}

/** What a reader needs of the hub. */
export interface ReaderHost {
  readonly channels: ReadonlyMap<string, Channel>;
  now(): MonotonicMs;
  /** "You have all there is", encoded once. */
  mark(): SharedMessage;
  /** Its window is open again: it is to be pumped as soon as there is time. */
  wake(reader: Reader): void;
}

/** Bytes and messages that may be under way to one reader; what is beyond waits as a position, never as a queue. */
const WINDOW_BYTES = 1024 * 1024;
const WINDOW_MESSAGES = 16;

interface Place {
  readonly channel: Channel;
  position: Position;
  /** Of a reader that is told of one node's partitions only: it is not written to at every change, so its generation lags. */
  written: Generation | undefined;
  /** What the reader says it has. */
  applied: Generation | undefined;
}

const NOTHING: readonly SharedMessage[] = [];

/**
 * One reader. It holds a number per keyspace (what was written) and at most one batch of bytes that all readers share; when the
 * window opens again, what it needs next is worked out from where the map is by then.
 */
export class Reader {
  private readonly places = new Map<string, Place>();
  private batch = NOTHING;
  private batchAt = 0;
  private readonly underWay: number[] = [];
  private bytesUnderWay = 0;
  private lastFlushAt: MonotonicMs;
  private lastWriteAt: MonotonicMs;
  private owesMark = true;
  /** The window was full when more was to be written. */
  private full = false;
  private closed = false;

  constructor(
    readonly name: string,
    private readonly sink: Sink,
    private readonly host: ReaderHost,
    private readonly wish: Omit<Wish, 'known'>,
    known: readonly KeyspaceGeneration[],
  ) {
    this.lastFlushAt = this.lastWriteAt = host.now();
    this.resume(known);
  }

  get peer(): string {
    return this.sink.peer;
  }

  get isAhead(): boolean {
    for (const { position } of this.places.values()) if (position.kind === 'ahead') return true;
    return false;
  }

  get isClosed(): boolean {
    return this.closed;
  }

  /** Changes not yet written, over all keyspaces; Infinity while it needs a whole map. */
  get behind(): number {
    let behind = this.batch.length - this.batchAt;
    for (const channel of this.host.channels.values()) {
      if (!this.wants(channel.map.spec.name)) continue;
      const place = this.placeOf(channel);
      if (!place || place.position.kind === 'nothing') return Infinity;
      if (place.position.kind === 'at') behind += channel.ring.head - place.position.seq;
    }
    return behind;
  }

  wants(keyspace: string): boolean {
    return this.wish.keyspaces?.has(keyspace) ?? true;
  }

  applied(): KeyspaceGeneration[] {
    return [...this.places].flatMap(([keyspace, { applied }]) => (applied ? [{ keyspace, generation: applied }] : []));
  }

  appliedOf(keyspace: string): Generation | undefined {
    return this.places.get(keyspace)?.applied;
  }

  onApplied(keyspace: string, generation: Generation): void {
    const place = this.places.get(keyspace);
    if (place) place.applied = generation;
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
    this.batch = NOTHING;
    this.batchAt = 0;
  }

  /**
   * Writes the change that has just come, when it is all that this reader lacks: the way of nearly every reader at nearly every change.
   * @param after the position behind it, one object for all readers
   * @returns false when it lacks more, or takes no more now: then it is to be pumped
   */
  offer(channel: Channel, { seq, message }: RingEntry, after: Position): boolean {
    const place = this.places.get(channel.map.spec.name);
    if (place?.channel !== channel || place.position.kind !== 'at' || place.position.seq !== seq) return false;
    if (this.closed || this.wish.node !== undefined || this.batchAt < this.batch.length) return false;
    if (this.bytesUnderWay >= WINDOW_BYTES || this.underWay.length >= WINDOW_MESSAGES) return false;
    place.position = after;
    this.write(message);
    return true;
  }

  /** Writes what is missing until the window is full. */
  pump(): void {
    while (!this.closed) {
      this.full = this.bytesUnderWay >= WINDOW_BYTES || this.underWay.length >= WINDOW_MESSAGES;
      const message = this.full ? undefined : this.take();
      if (!message) return;
      this.write(message);
    }
  }

  /**
   * This replica has caught up with the register: whoever still knows more knows a world that is gone.
   * @returns the keyspace of which it knows a later incarnation of the register than this one is: no answer could be believed
   */
  settleAhead(): string | undefined {
    for (const [keyspace, place] of this.places) {
      if (place.position.kind !== 'ahead') continue;
      const { channel } = place;
      const position = positionOf(place.position.known, channel.ring, channel.map.generation);
      if (position.kind === 'ahead') {
        if (position.known.incarnation > channel.map.generation.incarnation) return keyspace;
        this.enqueue([shareMessage(encodeDropped(keyspace))]);
      }
      place.position = position.kind === 'ahead' ? { kind: 'nothing' } : position;
    }
    this.host.wake(this);
    return undefined;
  }

  private resume(known: readonly KeyspaceGeneration[]): void {
    for (const { keyspace, generation } of known) {
      if (!this.wants(keyspace)) continue;
      const channel = this.host.channels.get(keyspace);
      if (!channel) this.enqueue([shareMessage(encodeDropped(keyspace))]);
      else this.resumeAt(channel, keyspace, generation);
    }
  }

  private resumeAt(channel: Channel, keyspace: string, known: Generation): void {
    const position = positionOf(known, channel.ring, channel.map.generation);
    this.places.set(keyspace, { channel, position, written: known, applied: known });
    if (position.kind === 'at') this.enqueue([channel.nodesMessage(known)]);
  }

  private enqueue(messages: readonly SharedMessage[]): void {
    this.batch = [...this.batch.slice(this.batchAt), ...messages];
    this.batchAt = 0;
  }

  private placeOf(channel: Channel): Place | undefined {
    const place = this.places.get(channel.map.spec.name);
    return place?.channel === channel ? place : undefined;
  }

  private take(): SharedMessage | undefined {
    if (this.batchAt >= this.batch.length) {
      this.batch = this.nextBatch();
      this.batchAt = 0;
    }
    const message = this.batch[this.batchAt];
    if (message) {
      this.batchAt += 1;
      if (this.batchAt === this.batch.length) this.forgetBatch();
      return message;
    }
    if (!this.owesMark || !this.isCurrent()) return undefined;
    this.owesMark = false;
    return this.host.mark();
  }

  /** Nothing is kept of bytes that were written: a snapshot may be many megabytes. */
  private forgetBatch(): void {
    this.batch = NOTHING;
    this.batchAt = 0;
  }

  /** A mark says "you have all": not while a whole map is still to come. */
  private isCurrent(): boolean {
    for (const { position } of this.places.values()) if (position.kind !== 'at') return false;
    return true;
  }

  private nextBatch(): readonly SharedMessage[] {
    for (const [keyspace, place] of this.places) {
      if (this.host.channels.get(keyspace)?.id === place.channel.id) continue;
      this.places.delete(keyspace);
      return [shareMessage(encodeDropped(keyspace))];
    }
    for (const [keyspace, channel] of this.host.channels) {
      if (!this.wants(keyspace)) continue;
      const messages = this.nextOf(keyspace, channel);
      if (messages) return messages;
    }
    return NOTHING;
  }

  private nextOf(keyspace: string, channel: Channel): readonly SharedMessage[] | undefined {
    const place = this.places.get(keyspace) ?? this.newPlace(keyspace, channel);
    if (place.position.kind === 'ahead') place.position = this.caughtUp(place.position, channel);
    const step = nextStep(place.position, channel.ring, channel.map.partitions);
    if (step.kind === 'wait') return undefined;
    if (step.kind === 'current') return this.markOf(place);
    if (step.kind === 'snapshot') return this.snapshotOf(place, channel);
    place.position = { kind: 'at', seq: channel.ring.head };
    if (this.wish.node !== undefined) return this.ofNode(place, this.wish.node, step.entries);
    return step.kind === 'merge' ? [channel.mergedMessage(step.entries)] : step.entries.map((e) => e.message);
  }

  private newPlace(keyspace: string, channel: Channel): Place {
    const place: Place = { channel, position: { kind: 'nothing' }, written: undefined, applied: undefined };
    this.places.set(keyspace, place);
    return place;
  }

  private snapshotOf(place: Place, channel: Channel): readonly SharedMessage[] | undefined {
    const snapshot = channel.snapshot(this.wish.form, this.wish.node);
    if (!snapshot) {
      place.position = { kind: 'nothing' };
      return undefined;
    }
    place.position = { kind: 'at', seq: snapshot.seq };
    place.written = snapshot.generation;
    return snapshot.messages;
  }

  private ofNode(place: Place, node: string, entries: readonly RingEntry[]): readonly SharedMessage[] | undefined {
    const delta = mergeFor(node, place.written!, entries);
    if (!delta) return this.markOf(place);
    place.written = delta.to;
    return [shareMessage(encodeDelta(delta))];
  }

  /** Before a mark, one that was told of nothing for a while is told that nothing concerned it, up to here. */
  private markOf(place: Place): readonly SharedMessage[] | undefined {
    const { generation, spec } = place.channel.map;
    if (!this.owesMark || this.wish.node === undefined || !place.written) return undefined;
    if (compareGenerations(place.written, generation) === 0) return undefined;
    const delta = { keyspace: spec.name, from: place.written, to: generation, records: [], nodes: [] };
    place.written = generation;
    return [shareMessage(encodeDelta(delta))];
  }

  private caughtUp(position: Extract<Position, { kind: 'ahead' }>, channel: Channel): Position {
    return positionOf(position.known, channel.ring, channel.map.generation);
  }

  private write(message: SharedMessage): void {
    const now = this.host.now();
    if (this.underWay.length === 0) this.lastFlushAt = now;
    this.underWay.push(message.payload.length);
    this.bytesUnderWay += message.payload.length;
    this.lastWriteAt = now;
    this.sink.write(message, this.onFlushed);
  }

  private readonly onFlushed = (): void => {
    this.bytesUnderWay -= this.underWay.shift() ?? 0;
    this.lastFlushAt = this.host.now();
    if (this.full && this.underWay.length <= WINDOW_MESSAGES / 2) this.host.wake(this);
  };
}
