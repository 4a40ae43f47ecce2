import type { PartitionRecord } from '../map/records.js';
import { replicaOn } from '../map/records.js';
import type { ReplicaCore } from './replica-core.js';
import type { ReplicaEvent } from './replication-types.js';

type EntriesEvent = Extract<ReplicaEvent, { type: 'entries' }>;

/**
 * It asks to follow as soon as it knows whom, while the promise of the epoch, or a cut of its log, is still on its way to the disk, and
 * says nothing of its log that would count before that is there: the answer, and the leader's first entries, come meanwhile.
 *
 * Following one leader through the epochs of its tenure from `base` on (see LeaderRole); a learner is a follower that is not in sync.
 * Whoever of the two learns of the next epoch first, the stream goes on: the leader of both is the same.
 */
export class FollowerRole {
  readonly kind = 'follower';
  readonly base: number;
  epoch: number;
  private attached = false;
  private askedAt = Number.NEGATIVE_INFINITY;
  private ackSent = -1;
  private asked = false;
  private inSync: boolean;
  /** Entries that wait for the comparison of the mark they came with. */
  private compared: EntriesEvent | undefined;
  /** Why this copy cannot go on until the map no longer counts on it. */
  private trouble: string | undefined;

  constructor(
    private readonly core: ReplicaCore,
    record: PartitionRecord,
    readonly leader: string,
    now: number,
  ) {
    this.inSync = replicaOn(record, core.node)?.inSync ?? false;
    this.base = record.epoch;
    this.epoch = record.epoch;
    if (core.state === 'active') this.ask(now);
    else core.act({ type: 'fill', from: leader, epoch: record.epoch, anew: false });
  }

  update(record: PartitionRecord): void {
    this.inSync = replicaOn(record, this.core.node)?.inSync ?? false;
    if (this.trouble && this.core.state === 'active') this.fillAnew();
  }

  /** A later epoch of the same tenure, told by the map or by the leader itself. */
  raise(epoch: number, now: number): void {
    if (epoch <= this.epoch) return;
    this.epoch = epoch;
    if (this.core.state !== 'active') return;
    this.core.act({ type: 'promise', epoch });
    if (!this.attached) this.ask(now);
  }

  link(up: boolean, now: number): void {
    this.attached = false;
    this.compared = undefined;
    if (up && this.core.state === 'active') this.ask(now);
  }

  get followed(): { readonly leader: string; readonly since: number; readonly epoch: number } | undefined {
    if (!this.attached || !this.inSync || this.trouble !== undefined || this.core.state !== 'active') return undefined;
    return { leader: this.leader, since: this.askedAt, epoch: this.epoch };
  }

  get pending(): boolean {
    if (this.core.state !== 'active') return false;
    return (!this.attached && this.trouble === undefined) || this.core.trimDue;
  }

  tick(now: number): void {
    if (this.core.state !== 'active') return;
    if (!this.attached && now - this.askedAt >= this.core.options.refollowMs) this.ask(now);
    const { log, options, appliedSeq } = this.core;
    this.core.trim(Math.max(appliedSeq - options.keepEntries, log.lastSeq - this.core.entriesMax()), now);
  }

  entries(event: EntriesEvent, now: number): void {
    if (this.core.state !== 'active' || this.trouble) return;
    if (!this.attached) this.ackSent = -1;
    this.attached = true;
    if (!event.mark) return this.accept(event, now);
    this.core.apply(Math.min(event.commitSeq, this.core.log.lastSeq));
    if (this.core.appliedSeq !== event.mark.seq) return this.refollow(now);
    this.compared = event;
    return this.core.act({ type: 'compare', mark: event.mark });
  }

  comparison(equal: boolean, now: number): void {
    const event = this.compared;
    this.compared = undefined;
    if (!event) return;
    if (equal) return this.accept(event, now);
    this.core.act({ type: 'send-unfollow', to: this.leader, epoch: this.epoch });
    this.core.act({ type: 'trouble', reason: `content at seq ${event.mark?.seq} differs from the leader's` });
    this.fillAnew();
  }

  private accept(event: EntriesEvent, now: number): void {
    const { log } = this.core;
    const news = event.entries.filter((entry) => entry.seq > log.lastSeq);
    if (news.length > 0 && news[0]!.seq !== log.lastSeq + 1) return this.refollow(now);
    if (news.length > 0) this.core.append(news, now);
    this.core.apply(Math.min(event.commitSeq, log.lastSeq));
    return this.acknowledge();
  }

  acknowledge(): void {
    if (!this.attached || !this.counts || this.core.durableSeq <= this.ackSent) return;
    this.ackSent = this.core.durableSeq;
    this.core.act({ type: 'send-ack', to: this.leader, epoch: this.epoch, durableSeq: this.ackSent });
  }

  /**
   * What is on the disk says nothing before the promise is there too, nor while entries that were cut off may come back by a crash: a
   * leader that was started anew under its epoch gives their places to other entries, and epoch and seq would not tell them apart. It
   * serves only once the word of all counts who hold what it may have lost.
   */
  private get counts(): boolean {
    return this.core.durablyPromised >= this.base && !this.core.truncating;
  }

  /** A promise or a cut is on the disk. */
  settled(now: number): void {
    if (this.attached) this.acknowledge();
    else if (this.core.state === 'active' && !this.asked) this.ask(now);
  }

  truncate(seq: number, now: number): void {
    if (this.core.state !== 'active') return;
    if (seq < this.core.appliedSeq)
      return this.cannotGoOn(`the leader's log ends at ${seq}, before what is applied here (${this.core.appliedSeq})`);
    this.core.truncate(seq);
    this.ask(now);
  }

  needSnapshot(): void {
    if (this.core.state === 'active') this.cannotGoOn("the leader's log does not reach back to this copy");
  }

  refused(now: number): void {
    this.attached = false;
    this.askedAt = now - this.core.options.refollowMs + Math.min(100, this.core.options.refollowMs);
  }

  /** The fill is done: go on from its log position. */
  filled(now: number): void {
    this.trouble = undefined;
    this.ask(now);
  }

  private cannotGoOn(reason: string): void {
    this.attached = false;
    if (!this.trouble) this.core.act({ type: 'trouble', reason });
    this.fillAnew();
  }

  /** A copy that the map counts as in sync is never wiped: the leader proposes its removal first, and then it is. */
  private fillAnew(): void {
    this.attached = false;
    this.trouble = 'waits to be filled anew';
    if (this.inSync) return;
    this.core.state = 'filling';
    this.core.act({ type: 'fill', from: this.leader, epoch: this.epoch, anew: true });
  }

  private refollow(now: number): void {
    this.attached = false;
    this.ask(now);
  }

  private ask(now: number): void {
    this.attached = false;
    if (this.trouble) return;
    const { log, appliedSeq } = this.core;
    // On the wire a durable seq of 0 is not said only where there is a log.
    this.asked = this.counts || log.lastSeq > 0;
    if (!this.asked) return;
    this.askedAt = now;
    this.core.act({
      type: 'send-follow',
      to: this.leader,
      epoch: this.epoch,
      lastSeq: log.lastSeq,
      lastEpoch: log.lastEpoch,
      appliedSeq,
      durableSeq: this.counts ? this.core.durableSeq : 0,
    });
  }
}
