import type { ReplicaAction } from '@cadastre/core';
import type { Peer, Wire } from '@cadastre/contracts';
import { encodeRecord } from '@cadastre/contracts';
import type { Cancellable, Clock, Logger, Random } from '@cadastre/runtime';
import { Backoff } from '@cadastre/runtime';
import { decodeEntry, decodeMark } from './entries.codec.js';
import { LEASE_MS } from './lease.js';
import { keyOf, type PartitionKey } from './partition-key.js';
import type { ReplicaDriver } from './replica.driver.js';

type FollowerWord = Extract<ReplicaAction, { type: 'send-follow' | 'send-ack' | 'send-unfollow' | 'send-released' }>;
type Stream = ReturnType<Wire.TransferClient['replicate']>;

export interface LeaderLinksOptions {
  readonly node: string;
  readonly incarnation: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  peerOf(node: string): Peer | undefined;
  replica(key: PartitionKey): ReplicaDriver | undefined;
  replicas(): Iterable<ReplicaDriver>;
  /** Filled here: until when this node has granted each leader node a read lease. */
  readonly granted: Map<string, number>;
  /** The connection to a node that is followed is up, or broke. */
  onLink?(leader: string, up: boolean): void;
}

const IDLE_TICKS = 20;

/** The stream to one node that leads, or may come to lead, partitions which this node has. */
class LeaderLink {
  private readonly backoff: Backoff;
  private readonly acks = new Map<PartitionKey, Wire.Ack>();
  private stream: Stream | undefined;
  private retry: Cancellable | undefined;
  private flushing = false;
  /** The leader reads the acknowledgements of many partitions in one message. */
  private combined = false;
  private closed = false;
  private address = '';
  /** Own monotonic clock: what the leader had committed then is here. */
  private freshAt = 0;
  /** Partitions that the leader did not vouch for at `freshAt`, and when it last did. */
  private unsure: ReadonlyMap<PartitionKey, number> = new Map();
  /** Ticks since any partition was shared with it. */
  idleTicks = 0;

  constructor(
    readonly leader: string,
    private readonly options: LeaderLinksOptions,
  ) {
    this.backoff = new Backoff({ initialMs: 20, maxMs: 1000 }, options.random);
  }

  send(message: Wire.FollowerMessage): void {
    this.flushAcks();
    this.stream?.write(message);
  }

  /** Only the newest of a partition counts, so those of one turn become one. */
  ack(key: PartitionKey, ack: Wire.Ack): void {
    this.acks.set(key, ack);
    if (this.flushing) return;
    this.flushing = true;
    this.options.clock.soon(() => {
      this.flushing = false;
      this.flushAcks();
    });
  }

  /**
   * How old, at most, what is applied here of a partition can be, in ms: all that was committed when this node sent the beat that
   * the leader's last one answers has come since. `since`: when the partition was asked for on this stream.
   */
  staleness(key: PartitionKey, since: number): number {
    const at = this.unsure.get(key) ?? this.freshAt;
    return this.stream && at > since ? this.options.clock.monotonicMs() - at : Number.POSITIVE_INFINITY;
  }

  /** The grant begins before the answer goes. */
  private beat(stream: Stream, { sentMs, echoMs, unsure, combined }: Wire.LeaderBeat__Output): void {
    this.combined = combined;
    const now = this.options.clock.monotonicMs();
    this.options.granted.set(this.leader, now + LEASE_MS);
    stream.write({ beat: { echoMs: sentMs, sentMs: Math.floor(now) } });
    if (echoMs <= this.freshAt) return;
    const before = this.freshAt;
    this.unsure = new Map(unsure.map((id) => [keyOf(id), this.unsure.get(keyOf(id)) ?? before]));
    this.freshAt = echoMs;
  }

  private flushAcks(): void {
    if (this.acks.size > 1 && this.combined) this.stream?.write({ acks: { acks: [...this.acks.values()] } });
    else for (const ack of this.acks.values()) this.stream?.write({ ack });
    this.acks.clear();
  }

  close(): void {
    this.closed = true;
    this.retry?.cancel();
    this.stream?.end();
    this.stream?.cancel();
    this.stream = undefined;
  }

  /** A node that moved to another address is not waited for at the old one. */
  checkAddress(): void {
    const peer = this.options.peerOf(this.leader);
    if (peer && this.stream && peer.address !== this.address) this.lost(this.stream);
  }

  connect(): void {
    if (this.closed) return;
    const peer = this.options.peerOf(this.leader);
    if (!peer) return this.later();
    this.address = peer.address;
    this.combined = false;
    const stream = peer.transfer.replicate();
    this.stream = stream;
    stream.on('data', (message: Wire.LeaderMessage__Output) => this.receive(stream, message));
    stream.on('error', () => this.lost(stream));
    stream.on('end', () => this.lost(stream));
    stream.write({ hello: { node: this.options.node, incarnation: this.options.incarnation, combined: true } });
    this.tell(true);
  }

  /** A message that is not one ends the stream: what comes after it could not be trusted either. */
  private receive(stream: Stream, message: Wire.LeaderMessage__Output): void {
    if (stream !== this.stream) return;
    try {
      if (message.beat) this.beat(stream, message.beat);
      else this.take(message);
    } catch (error) {
      this.options.logger.warn('message of a leader refused', {
        event: 'leader-message-refused',
        from: this.leader,
        error,
      });
      this.lost(stream);
    }
  }

  private lost(stream: Stream): void {
    if (stream !== this.stream) return;
    this.stream = undefined;
    this.acks.clear();
    stream.cancel();
    this.tell(false);
    this.later();
  }

  private later(): void {
    if (this.closed) return;
    this.retry = this.options.clock.after(this.backoff.nextMs(), () => this.connect(), { background: true });
  }

  private tell(up: boolean): void {
    if (!up) this.options.onLink?.(this.leader, false);
    for (const replica of this.options.replicas())
      if (replica.machine.leaderFollowed === this.leader) replica.dispatch({ type: 'link', to: this.leader, up });
  }

  private take(message: Wire.LeaderMessage__Output): void {
    this.backoff.reset();
    this.options.onLink?.(this.leader, true);
    for (const part of message.many?.parts ?? []) this.takeEntries(part);
    if (message.entries) return this.takeEntries(message.entries);
    const word = message.truncate ?? message.needSnapshot ?? message.refused;
    if (!word) return;
    const replica = this.options.replica(keyOf(word));
    if (!replica) return;
    const from = this.leader;
    const { epoch } = word;
    if (message.truncate) replica.dispatch({ type: 'truncate', from, epoch, seq: message.truncate.seq });
    else if (message.needSnapshot) replica.dispatch({ type: 'need-snapshot', from, epoch });
    else replica.dispatch({ type: 'refused', from, epoch, reason: message.refused?.reason ?? '' });
  }

  private takeEntries(part: Wire.Entries__Output): void {
    const mark = decodeMark(part);
    this.options.replica(keyOf(part))?.dispatch({
      type: 'entries',
      from: this.leader,
      epoch: part.epoch,
      entries: part.entries.map(decodeEntry),
      commitSeq: part.commitSeq,
      ...(mark && { mark }),
    });
  }
}

/** One stream to each node that partitions are shared with; it ends when none are any more. */
export class LeaderLinks {
  private readonly byLeader = new Map<string, LeaderLink>();
  private partners: ReadonlySet<string> = new Set();
  private stale = true;

  constructor(private readonly options: LeaderLinksOptions) {}

  send(replica: ReplicaDriver, word: FollowerWord): void {
    const { keyspace, partition } = replica.id;
    const head = { keyspace, partition, epoch: word.epoch };
    const link = this.byLeader.get(word.to);
    if (word.type === 'send-ack') link?.ack(replica.key, { ...head, durableSeq: word.durableSeq });
    else if (word.type === 'send-unfollow') link?.send({ unfollow: { ...head, ...recordOf(replica, word.epoch) } });
    else if (word.type === 'send-released') link?.send({ released: { ...head, ...recordOf(replica, word.epoch) } });
    else if (link)
      link.send({
        follow: {
          ...head,
          lastSeq: word.lastSeq,
          lastEpoch: word.lastEpoch,
          appliedSeq: word.appliedSeq,
          durableSeq: word.durableSeq,
        },
      });
    else this.open(word.to); // its first word to the replicas is that the link is up, and they ask again
  }

  private open(leader: string): void {
    const link = new LeaderLink(leader, this.options);
    this.byLeader.set(leader, link); // before it connects, because that makes replicas send
    link.connect();
  }

  get nodes(): readonly string[] {
    return [...this.partners];
  }

  staleness(replica: ReplicaDriver): number {
    const followed = replica.machine.followed;
    const link = followed && this.byLeader.get(followed.leader);
    return link ? link.staleness(replica.key, followed.since) : Number.POSITIVE_INFINITY;
  }

  /** Records have changed, so the nodes that this one shares partitions with may have. */
  changed(): void {
    this.stale = true;
  }

  /** A stream to every node that may come to lead what is here, before it does: a hand-over then waits for no connection. */
  tick(): void {
    if (this.stale) this.partners = this.findPartners();
    this.stale = false;
    for (const node of this.partners) if (!this.byLeader.has(node) && this.options.peerOf(node)) this.open(node);
    for (const [leader, link] of this.byLeader) {
      link.idleTicks = this.partners.has(leader) ? 0 : link.idleTicks + 1;
      if (link.idleTicks === 0) link.checkAddress();
      // Between two epochs nothing is shared for a moment.
      if (link.idleTicks > IDLE_TICKS) {
        this.byLeader.delete(leader);
        link.close();
      }
    }
  }

  private findPartners(): Set<string> {
    const partners = new Set<string>();
    for (const { machine } of this.options.replicas())
      for (const { node } of machine.record?.replicas ?? []) partners.add(node);
    partners.delete(this.options.node);
    return partners;
  }

  stop(): void {
    for (const link of this.byLeader.values()) link.close();
    this.byLeader.clear();
  }
}

/** A change of leader reaches those concerned over different ways at different times: who hears of it first tells the others. */
const recordOf = ({ machine: { record } }: ReplicaDriver, epoch: number): Pick<Wire.Unfollow, 'record'> =>
  record?.epoch === epoch ? { record: encodeRecord(record) } : {};
