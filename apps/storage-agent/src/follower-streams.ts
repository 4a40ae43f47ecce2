import type { Wire, DuplexCall } from '@cadastre/contracts';
import { decodeRecord } from '@cadastre/contracts';
import { invalid } from '@cadastre/core';
import type { ReplicaAction } from '@cadastre/core';
import type { Cancellable, Clock, Logger } from '@cadastre/runtime';
import { encodeEntry } from './entries.codec.js';
import { BEAT_TICKS, HELD_MS } from './lease.js';
import { keyOf, type PartitionKey } from './partition-key.js';
import type { ReplicaDriver } from './replica.driver.js';

/** A commit alone waits so long for a message that it can travel with, of any partition: under load that halves the messages. */
const COMMIT_DELAY_MS = 40;
const BATCH = { maxEntries: 500, maxBytes: 256 * 1024 };
/** Partitions of one message, and entries after which it takes no more of them: it is one piece of work for who receives it. */
const MESSAGE = { maxParts: 256, maxEntries: 500 };

type Call = DuplexCall<Wire.FollowerMessage__Output, Wire.LeaderMessage>;
type LeaderWord = Extract<ReplicaAction, { type: 'send-truncate' | 'send-need-snapshot' | 'send-refused' }>;

/** One follower node's stream: partitions with something to send take turns, and nothing is read from the log while it is full. */
class FollowerStream {
  private readonly due = new Set<ReplicaDriver>();
  private readonly commits = new Set<ReplicaDriver>();
  private commitTimer: Cancellable | undefined;
  private full = false;
  private scheduled = false;
  open = true;
  heardAt: number;
  /** sent_ms of its newest beat. */
  private theirMs = 0;

  constructor(
    readonly node: string,
    /** The follower reads the entries of many partitions in one message. */
    private readonly combined: boolean,
    private readonly call: Call,
    private readonly clock: Clock,
    /** The log could not be read; the follower begins again on a new stream. */
    private readonly onBroken: (error: unknown) => void,
  ) {
    this.heardAt = clock.monotonicMs();
    call.on('drain', () => {
      this.full = false;
      this.schedule();
    });
  }

  offer(replica: ReplicaDriver): void {
    if (replica.machine.pull(this.node)?.urgent) {
      this.due.add(replica);
      return this.schedule();
    }
    this.commits.add(replica);
    this.commitTimer ??= this.clock.after(COMMIT_DELAY_MS, () => this.sendCommits(), { background: true });
    return undefined;
  }

  private sendCommits(): void {
    this.takeCommits();
    this.schedule();
  }

  private takeCommits(): void {
    for (const replica of this.commits) this.due.add(replica);
    this.commits.clear();
    this.commitTimer?.cancel();
    this.commitTimer = undefined;
  }

  /** After the event at hand, so that writes which came together travel together. */
  private schedule(): void {
    if (this.scheduled || this.full || !this.open) return;
    this.scheduled = true;
    this.clock.soon(() => {
      this.scheduled = false;
      try {
        this.pump();
      } catch (error) {
        this.onBroken(error);
      }
    });
  }

  private pump(): void {
    if (this.due.size > 0) this.takeCommits();
    while (!this.full && this.open && this.due.size > 0) {
      const parts = this.nextParts();
      if (parts.length === 1) this.write({ entries: parts[0]! });
      else if (parts.length > 1) this.write({ many: { parts } });
    }
  }

  private nextParts(): Wire.Entries[] {
    const parts: Wire.Entries[] = [];
    let entries = 0;
    const maxParts = this.combined ? MESSAGE.maxParts : 1;
    while (parts.length < maxParts && entries < MESSAGE.maxEntries) {
      const [replica] = this.due;
      if (!replica) break;
      this.due.delete(replica);
      const part = this.partOf(replica);
      if (!part) continue;
      parts.push(part);
      entries += part.entries!.length;
      // Its turn comes again after the others.
      if (replica.machine.pull(this.node)?.urgent) this.due.add(replica);
    }
    return parts;
  }

  private partOf(replica: ReplicaDriver): Wire.Entries | undefined {
    const pull = replica.isClosed ? undefined : replica.machine.pull(this.node);
    if (!pull) return undefined;
    const entries = replica.read(pull.fromSeq, pull.toSeq, BATCH);
    const mark = pull.mark && entries.length > 0 ? replica.mark() : undefined;
    const { keyspace, partition } = replica.id;
    replica.machine.sent(this.node, pull.epoch, pull.fromSeq + entries.length - 1, pull.commitSeq, mark);
    return {
      keyspace,
      partition,
      epoch: pull.epoch,
      entries: entries.map(encodeEntry),
      commitSeq: pull.commitSeq,
      ...(mark && { digestSeq: mark.seq, records: mark.records, digest: mark.digest }),
    };
  }

  write(message: Wire.LeaderMessage): void {
    if (this.open && !this.call.write(message)) this.full = true;
  }

  /** What is due goes first, so that the beat can vouch for it. */
  beat(unsure: () => Wire.UnsurePartition[]): void {
    const { theirMs } = this;
    this.takeCommits();
    this.pump();
    const echoMs = this.due.size === 0 ? theirMs : 0;
    this.write({
      beat: {
        sentMs: Math.floor(this.clock.monotonicMs()),
        echoMs,
        unsure: echoMs === 0 ? [] : unsure(),
        combined: true,
      },
    });
  }

  answered({ sentMs }: Wire.Beat__Output): void {
    this.theirMs = Math.max(this.theirMs, sentMs);
  }

  close(): void {
    this.open = false;
    this.commitTimer?.cancel();
    this.commits.clear();
    this.due.clear();
    this.call.end();
  }
}

export interface FollowerStreamsOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  replica(key: PartitionKey): ReplicaDriver | undefined;
  /** All replicas here, for what concerns a node as a whole. */
  replicas(): Iterable<ReplicaDriver>;
  /** Those of them that wait for something: see `ReplicaMachine.pending`. */
  waiting(): Iterable<ReplicaDriver>;
  /** Nodes that partitions are shared with. */
  partners(): readonly string[];
  /** A node that follows is connected, or its stream ended. */
  onLink?(follower: string, up: boolean): void;
}

/** The leader's side of Replicate: one stream from each node that follows anything here. */
export class FollowerStreams {
  private readonly byNode = new Map<string, FollowerStream>();
  private readonly leased = new Map<string, number>();
  private ticks = 0;

  constructor(private readonly options: FollowerStreamsOptions) {}

  /** Until when each node has granted this one a read lease, on the own monotonic clock. */
  get leases(): ReadonlyMap<string, number> {
    return this.leased;
  }

  /** Nodes that follow here. */
  get count(): number {
    return this.byNode.size;
  }

  tick(): void {
    this.ticks += 1;
    if (this.ticks % BEAT_TICKS !== 0) return;
    for (const stream of [...this.byNode.values()]) {
      try {
        stream.beat(() => this.unsure(stream.node));
      } catch (error) {
        this.broken(stream, error);
      }
    }
  }

  /** While all streams have leases only those that wait for something can lack one: a leader that still seals vouches for nothing. */
  private unsure(node: string): Wire.UnsurePartition[] {
    const now = this.options.clock.monotonicMs();
    const leased = this.options.partners().every((partner) => (this.leased.get(partner) ?? 0) > now);
    const unsure: Wire.UnsurePartition[] = [];
    for (const { id, machine } of leased ? this.options.waiting() : this.options.replicas())
      if (machine.serves(node) && !machine.mayRead(now, this.leased)) unsure.push(id);
    return unsure;
  }

  handle(call: Call): void {
    let stream: FollowerStream | undefined;
    const end = () => stream && this.end(stream);
    call.on('cancelled', end);
    call.on('close', end);
    call.on('end', end);
    call.on('data', (message: Wire.FollowerMessage__Output) => {
      // A beat shows a process and no disk: only what took work counts as a sign of life here.
      if (stream && !message.beat) stream.heardAt = this.options.clock.monotonicMs();
      if (message.hello) stream = this.begin(message.hello, call);
      else if (!stream)
        call.emit('error', { code: 3, details: invalid('hello', 'is missing', 'begin the stream with hello').message });
      else if (stream.open) this.take(stream, message);
    });
  }

  offer(replica: ReplicaDriver, node: string): void {
    this.byNode.get(node)?.offer(replica);
  }

  send(replica: ReplicaDriver, word: LeaderWord): void {
    const { keyspace, partition } = replica.id;
    const head = { keyspace, partition, epoch: word.epoch };
    const stream = this.byNode.get(word.to);
    if (word.type === 'send-truncate') stream?.write({ truncate: { ...head, seq: word.seq } });
    else if (word.type === 'send-need-snapshot') stream?.write({ needSnapshot: head });
    else stream?.write({ refused: { ...head, reason: word.reason } });
  }

  /** When each node that is connected last acknowledged or asked for anything. */
  heard(): ReadonlyMap<string, number> {
    return new Map([...this.byNode.values()].map(({ node, heardAt }) => [node, heardAt]));
  }

  stop(): void {
    for (const stream of this.byNode.values()) stream.close();
    this.byNode.clear();
  }

  /** A newer stream of the same node ends the older one first, so that a late end cannot undo what the newer one began. */
  private begin({ node, combined }: Wire.FollowerHello__Output, call: Call): FollowerStream {
    const old = this.byNode.get(node);
    if (old) this.end(old);
    const stream: FollowerStream = new FollowerStream(node, combined, call, this.options.clock, (error) =>
      this.broken(stream, error),
    );
    this.byNode.set(node, stream);
    this.options.onLink?.(node, true);
    this.options.logger.debug('follower node connected', { event: 'follower-connected', from: node });
    return stream;
  }

  private broken(stream: FollowerStream, error: unknown): void {
    const { node } = stream;
    this.options.logger.error('stream to a follower broken', { event: 'follower-stream-broken', to: node, error });
    this.end(stream);
  }

  private end(stream: FollowerStream): void {
    if (!stream.open) return;
    stream.close();
    if (this.byNode.get(stream.node) === stream) {
      this.byNode.delete(stream.node);
      this.options.onLink?.(stream.node, false);
    }
    for (const replica of this.options.replicas()) replica.dispatch({ type: 'follower-gone', from: stream.node });
  }

  private take(stream: FollowerStream, message: Wire.FollowerMessage__Output): void {
    const from = stream.node;
    if (message.beat) {
      stream.answered(message.beat);
      const until = message.beat.echoMs + HELD_MS;
      if (until > (this.leased.get(from) ?? 0)) this.leased.set(from, until);
      return;
    }
    for (const ack of message.acks?.acks ?? []) this.takeAck(from, ack);
    if (message.ack) this.takeAck(from, message.ack);
    const word = message.follow ?? message.unfollow ?? message.released;
    if (!word) return;
    const replica = this.options.replica(keyOf(word));
    if (!replica) {
      if (message.follow)
        stream.write({
          refused: { keyspace: word.keyspace, partition: word.partition, epoch: 0, reason: 'no such replica' },
        });
      return;
    }
    if (message.follow) {
      const { epoch, lastSeq, lastEpoch, appliedSeq, durableSeq } = message.follow;
      replica.dispatch({
        type: 'follow',
        from,
        epoch,
        lastSeq,
        lastEpoch,
        appliedSeq,
        ...((durableSeq > 0 || lastSeq === 0) && { durableSeq }),
      });
      return;
    }
    const { record } = message.released ?? message.unfollow ?? {};
    if (record) this.learn(stream, replica, record);
    replica.dispatch({ type: message.released ? 'released' : 'unfollow', from, epoch: word.epoch });
  }

  private learn(stream: FollowerStream, replica: ReplicaDriver, record: Wire.PartitionRecord__Output): void {
    try {
      replica.learn(decodeRecord(record));
    } catch (error) {
      this.broken(stream, error);
    }
  }

  private takeAck(from: string, ack: Wire.Ack__Output): void {
    const { epoch, durableSeq } = ack;
    this.options.replica(keyOf(ack))?.dispatch({ type: 'ack', from, epoch, durableSeq });
  }
}
