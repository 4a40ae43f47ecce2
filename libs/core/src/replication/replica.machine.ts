import type { PartitionRecord } from '../map/records.js';
import { leaderOf, replicaOn } from '../map/records.js';
import { FollowerRole } from './follower-role.js';
import { type GrantedLease, isReleased, LeaderRole } from './leader-role.js';
import { ReplicaCore } from './replica-core.js';
import type {
  CallToken,
  ContentMark,
  Pull,
  ReplicaAction,
  ReplicaEvent,
  ReplicaPhase,
  ReplicaStart,
  ReplicationOptions,
} from './replication-types.js';
import { REPLICATION_DEFAULTS } from './replication-types.js';
import { RECENT_REQUESTS } from './recent-requests.js';

type Follow = Extract<ReplicaEvent, { type: 'follow' }>;

/**
 * One replica of one partition: primary-backup replication with the configuration kept elsewhere (PacificA, Microsoft Research
 * TR-2008-25). Pure and deterministic: no clock, no I/O; a driver performs the actions in order and feeds what comes of them.
 * Feed a `tick` at least every 250 ms while it is `pending`.
 */
export class ReplicaMachine {
  private readonly core: ReplicaCore;
  private role: LeaderRole | FollowerRole | undefined;
  private known: PartitionRecord | undefined;
  private minInSync = 1;
  /** Nothing of an older epoch is taken; in memory at once, on disk with the next group. */
  private promised: number;
  /** Writes appended as leader and not answered yet. */
  private waiting = new Map<number, CallToken[]>();
  /** Followers that learned of an epoch before this node did. */
  private readonly early = new Map<string, Follow>();
  private troubled = false;
  private leases: readonly GrantedLease[] = [];
  /** Before which epoch a node has said that it does not lead any more. */
  private readonly released = new Map<string, number>();
  /** Led until the record that is entered next. */
  private relead = false;

  constructor(start: ReplicaStart, options: Partial<ReplicationOptions> = {}) {
    this.core = new ReplicaCore(start, { ...REPLICATION_DEFAULTS, ...options });
    this.promised = start.promisedEpoch;
    if (start.grantedUntil !== undefined) this.leases = [{ holder: undefined, until: start.grantedUntil, before: 0 }];
  }

  get record(): PartitionRecord | undefined {
    return this.known;
  }

  /** As it is on the disk. */
  get promisedEpoch(): number {
    return this.core.durablyPromised;
  }

  get appliedSeq(): number {
    return this.core.appliedSeq;
  }

  get lastSeq(): number {
    return this.core.log.lastSeq;
  }

  get phase(): ReplicaPhase {
    if (this.role?.kind === 'leader') return this.role.fenced ? 'sealing' : this.role.phase;
    if (this.core.state !== 'active') return this.role ? 'filling' : 'idle';
    return this.role ? 'following' : 'idle';
  }

  /** Follows this node now, or undefined. */
  get leaderFollowed(): string | undefined {
    return this.role?.kind === 'follower' ? this.role.leader : undefined;
  }

  /** Leads, or is about to with nothing in the way: what is written now is answered once it is sealed. */
  get takesWrites(): boolean {
    return this.role?.kind === 'leader' && this.role.takesWrites;
  }

  /** Waits for something that only a tick can find out. */
  get pending(): boolean {
    return this.role?.pending ?? false;
  }

  /** Leader: whether a read may be answered from what is applied here, by leases alone. */
  mayRead(now: number, leases: ReadonlyMap<string, number>): boolean {
    return this.role?.kind === 'leader' && this.role.mayRead(now, leases);
  }

  /** Leader: see there. */
  lag(now: number): ReturnType<LeaderRole['lag']> | undefined {
    return this.role?.kind === 'leader' ? this.role.lag(now) : undefined;
  }

  /** Leads, and `node` follows on its stream. */
  serves(node: string): boolean {
    return this.role?.kind === 'leader' && this.role.serves(node);
  }

  /** In-sync follower on a stream: since when, and under whom. */
  get followed(): { readonly leader: string; readonly since: number; readonly epoch: number } | undefined {
    return this.role?.kind === 'follower' ? this.role.followed : undefined;
  }

  onEvent(event: ReplicaEvent, now: number): ReplicaAction[] {
    this.handle(event, now);
    return this.core.take();
  }

  pull(node: string): Pull | undefined {
    return this.role?.kind === 'leader' ? this.role.pull(node) : undefined;
  }

  sent(node: string, epoch: number, seq: number, commitSeq: number, mark?: ContentMark): void {
    if (this.role?.kind === 'leader' && this.role.epoch === epoch) this.role.sent(node, seq, commitSeq, mark);
  }

  /**
   * Where the log of a copy taken at `seq` shall begin: some way back, so that the copy's log also names the recent requests.
   * Replaying them over newer data is harmless, because an entry writes whole values and later entries follow.
   */
  copyBase(seq: number, epoch: number): { seq: number; epoch: number } {
    const { log } = this.core;
    const base = Math.max(log.firstSeq, Math.min(seq - RECENT_REQUESTS, this.core.forgotten));
    const known = base < seq ? log.epochAt(base) : undefined;
    return known === undefined ? { seq, epoch } : { seq: base, epoch: known };
  }

  private handle(event: ReplicaEvent, now: number): void {
    switch (event.type) {
      case 'record':
        return this.onRecord(event, now);
      case 'promised':
        return this.onPromised(event.epoch, now);
      case 'asked-marked':
        return this.role?.kind === 'leader' ? this.role.askedMarked(event) : undefined;
      case 'durable':
        return this.onDurable(event.seq, event.cut, now);
      case 'truncated':
        if (event.cut !== this.core.cut) return undefined;
        this.core.truncating = false;
        return this.role?.kind === 'follower' ? this.role.settled(now) : undefined;
      case 'filled':
        return this.onFilled(event.seq, event.epoch, now);
      case 'follow':
        return this.onFollow(event, now);
      case 'tick':
        return this.role?.tick(now, event);
      case 'write':
        return this.role?.kind === 'leader'
          ? this.role.write(event, now)
          : this.core.reply(event.token, { kind: 'not-leader' });
      case 'ack':
      case 'unfollow':
      case 'follower-gone':
      case 'copying':
      case 'change-answered':
        return this.toLeader(event, now);
      case 'released':
        return this.onReleased(event.from, event.epoch, now);
      case 'compared':
        return this.role?.kind === 'follower' ? this.role.comparison(event.equal, now) : undefined;
      case 'link':
        return this.role?.kind === 'follower' && this.role.leader === event.to
          ? this.role.link(event.up, now)
          : undefined;
      case 'entries':
      case 'truncate':
      case 'need-snapshot':
      case 'refused':
        return this.toFollower(event, now);
    }
  }

  private toLeader(
    event: Extract<ReplicaEvent, { type: 'ack' | 'unfollow' | 'follower-gone' | 'copying' | 'change-answered' }>,
    now: number,
  ): void {
    const { role } = this;
    if (event.type === 'follower-gone') this.early.delete(event.from);
    if (role?.kind !== 'leader') return;
    if (event.type === 'follower-gone') role.gone(event.from, now);
    else if (event.type === 'copying') role.copying(event.to, event.seq);
    else if (event.type === 'change-answered') role.changeAnswered(event, now);
    else if (event.type === 'unfollow' && event.epoch >= role.base) role.unfollow(event, now);
    else if (event.type === 'ack' && event.epoch >= role.base) role.ack(event, now);
  }

  private toFollower(
    event: Extract<ReplicaEvent, { type: 'entries' | 'truncate' | 'need-snapshot' | 'refused' }>,
    now: number,
  ): void {
    if (event.type === 'refused') {
      if (this.role?.kind === 'follower' && this.role.leader === event.from) this.role.refused(now);
      return;
    }
    const { role } = this;
    if (role?.kind !== 'follower' || role.leader !== event.from || event.epoch < role.base) {
      // INV-3: nothing of an older epoch is taken once a newer one is promised; the sender is told which.
      if (event.epoch < this.promised) this.core.act({ type: 'send-unfollow', to: event.from, epoch: this.promised });
      return;
    }
    this.raiseFollower(role, event.epoch, now);
    if (event.type === 'entries') role.entries(event, now);
    else if (event.type === 'truncate') role.truncate(event.seq, now);
    else role.needSnapshot();
  }

  private raiseFollower(role: FollowerRole, epoch: number, now: number): void {
    role.raise(epoch, now);
    if (this.core.state === 'active') this.promised = Math.max(this.promised, epoch);
  }

  private onFollow(event: Follow, now: number): void {
    const { role } = this;
    if (role?.kind === 'leader' && event.epoch >= role.base && event.epoch <= role.epoch)
      return role.follow(event, now);
    if (event.epoch >= this.promised && event.epoch >= (this.known?.epoch ?? 0)) {
      this.early.set(event.from, event);
      return;
    }
    this.core.act({ type: 'send-refused', to: event.from, epoch: this.promised, reason: 'newer epoch promised' });
  }

  private onDurable(seq: number, cut: number, now: number): void {
    if (cut !== this.core.cut || seq <= this.core.durableSeq) return;
    this.core.durableSeq = seq;
    if (this.role?.kind === 'leader') this.role.durable(now);
    else this.role?.acknowledge();
  }

  private onFilled(seq: number, epoch: number, now: number): void {
    this.core.filled(seq, epoch);
    if (!this.known) return;
    if (this.promised >= this.known.epoch && this.role?.kind === 'follower') return this.role.filled(now);
    this.enter(now);
  }

  private onRecord({ record, minInSync, granted }: Extract<ReplicaEvent, { type: 'record' }>, now: number): void {
    if (this.known && record.epoch < this.known.epoch) return;
    const goesOn = this.goesOn(record);
    const led = this.role?.kind === 'leader';
    if (!goesOn) this.leaveTenure(record, granted, now);
    if (led && leaderOf(record) !== this.core.node) this.release(record);
    this.known = record;
    this.minInSync = minInSync;
    if (goesOn) return this.updateRole(record, minInSync, now);
    this.leaveRole();
    if (record.epoch < this.promised) return; // an old map; the newer record is on its way
    this.relead = led;
    this.enter(now);
  }

  /**
   * What was granted so far is all that the old leader can have for this partition: the word that this node has left comes before
   * any later grant on the same stream, and on a new stream it is not attached.
   */
  private leaveTenure(next: PartitionRecord, granted: ReadonlyMap<string, number> | undefined, now: number): void {
    const holder = this.known && leaderOf(this.known);
    const until = holder === undefined || holder === this.core.node ? undefined : granted?.get(holder);
    this.leases = this.leases.filter((lease) => lease.until > now);
    if (holder !== undefined && until !== undefined && (this.released.get(holder) ?? 0) < next.epoch)
      this.leases = [...this.leases, { holder, until, before: next.epoch }];
    if (this.role?.kind === 'follower' && this.role.leader !== leaderOf(next))
      this.core.act({ type: 'send-unfollow', to: this.role.leader, epoch: next.epoch });
  }

  /**
   * Whoever comes to lead need not wait for the leases that it has granted to this node to run out, although this node may never follow
   * it: when its copy goes as soon as it has handed over, nothing else would say so.
   */
  private release(record: PartitionRecord): void {
    for (const { node } of record.replicas)
      if (node !== this.core.node) this.core.act({ type: 'send-released', to: node, epoch: record.epoch });
  }

  private onReleased(from: string, epoch: number, now: number): void {
    this.released.set(from, Math.max(epoch, this.released.get(from) ?? 0));
    this.leases = this.leases.filter((lease) => !isReleased(lease, from, epoch));
    if (this.role?.kind === 'leader') this.role.released(from, epoch, now);
  }

  /** The role goes on under this record: the same epoch, or the next one of the same tenure. */
  private goesOn(record: PartitionRecord): boolean {
    const { known, role } = this;
    if (known === undefined || record.epoch === known.epoch) return known !== undefined;
    if (!role || !replicaOn(record, this.core.node)) return false;
    const leader = leaderOf(record);
    if (leader === undefined || leader !== leaderOf(known)) return false;
    // What the leader said itself stands for the records that were missed.
    return record.epoch === known.epoch + 1 || (role.kind === 'follower' && record.epoch <= role.epoch);
  }

  private updateRole(record: PartitionRecord, minInSync: number, now: number): void {
    const { role } = this;
    if (role?.kind === 'leader') {
      if (record.epoch > role.epoch) this.raiseLeader(role, record, minInSync, now);
      else role.update(record, minInSync, now);
      this.admitEarly(now);
    } else if (role) {
      this.raiseFollower(role, record.epoch, now);
      role.update(record);
    }
  }

  /** The promise first: it is on disk before any entry that bears the new epoch. */
  private raiseLeader(role: LeaderRole, record: PartitionRecord, minInSync: number, now: number): void {
    this.promised = Math.max(this.promised, record.epoch);
    this.core.act({ type: 'promise', epoch: record.epoch });
    role.raise(record, minInSync, now);
  }

  /** The old role ends before the promise: from here on nothing of the old epoch is sent or acknowledged. */
  private leaveRole(): void {
    if (this.role?.kind === 'follower' && this.core.state !== 'active') this.core.act({ type: 'stop-fill' });
    this.role = undefined;
    if (this.leads()) return;
    for (const tokens of this.waiting.values())
      for (const token of tokens) this.core.reply(token, { kind: 'not-leader', appended: true });
    this.waiting.clear();
  }

  private leads(): boolean {
    return this.known !== undefined && leaderOf(this.known) === this.core.node;
  }

  private onPromised(epoch: number, now: number): void {
    this.core.durablyPromised = Math.max(this.core.durablyPromised, epoch);
    if (this.role?.kind === 'leader') this.role.promised(now);
    else this.role?.settled(now);
  }

  /**
   * From here on nothing of an older epoch is taken. The role begins at once; what it may say before the promise is on the disk is its own
   * business.
   * @returns whether this epoch was not promised before, in this life or an earlier one
   */
  private promise(epoch: number): boolean {
    if (this.core.state !== 'active' || epoch <= this.promised) return false;
    this.promised = epoch;
    this.core.act({ type: 'promise', epoch });
    return true;
  }

  private enter(now: number): void {
    const record = this.known!;
    const fresh = this.promise(record.epoch);
    const self = replicaOn(record, this.core.node);
    const leader = leaderOf(record);
    if (!self || leader === undefined) return;
    if (leader !== this.core.node) {
      this.role = new FollowerRole(this.core, record, leader, now);
      return;
    }
    if (this.core.state !== 'active') return this.refuseToLead();
    const role = new LeaderRole(
      this.core,
      record,
      this.minInSync,
      this.waiting,
      now,
      record.epoch > 1 ? this.leases : [],
      // Of the first epoch nobody can say so: it is led from an empty disk, and one that was wiped looks the same.
      fresh && record.epoch > 1,
    );
    this.role = role;
    // After a missed record followers may believe that they are attached, because they saw each of them.
    if (this.relead) role.askToFollow(now);
    this.admitEarly(now);
  }

  /** The map counts on data that is not here: leading would make the loss final. */
  private refuseToLead(): void {
    if (this.troubled) return;
    this.troubled = true;
    this.core.act({ type: 'trouble', reason: 'named as leader without a whole copy; waits for another leader' });
  }

  private admitEarly(now: number): void {
    const { role } = this;
    if (role?.kind !== 'leader') return;
    for (const [node, follow] of this.early) {
      if (follow.epoch > role.epoch) continue;
      this.early.delete(node);
      if (follow.epoch >= role.base) role.follow(follow, now);
    }
  }
}
