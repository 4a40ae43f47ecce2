import type { PartitionRecord } from '../map/records.js';
import { inSyncOf, leaderOf } from '../map/records.js';
import type { ReplicaCore } from './replica-core.js';
import type { CallToken, ContentMark, Pull, ReplicaAction, ReplicaEvent, WriteOutcome } from './replication-types.js';

/**
 * On the way into the in-sync set. From the first stage on its acknowledgement is required, because an in-sync replica must hold
 * every write that was acknowledged at any moment at which the map may already name it.
 */
type Join =
  | { readonly stage: 'catching'; readonly from: number }
  /** The next entries carry the content mark. */
  | { readonly stage: 'marking' }
  /** An acknowledgement of `barrier` says that the mark was found equal: entries that came with an unequal one are never appended. */
  | { readonly stage: 'comparing'; readonly barrier: number; readonly mark: ContentMark }
  | { readonly stage: 'asking'; readonly mark: ContentMark };

interface Peer {
  readonly node: string;
  inSync: boolean;
  attached: boolean;
  nextSeq: number;
  acked: number;
  sentCommit: number;
  /** Since when it owes something: an acknowledgement or a stream. Only progress resets it, so that coming and going does not. */
  owesSince: number;
  join: Join | undefined;
  joinNotBefore: number;
  /** How often in a row the register would not let it join. */
  refusals: number;
  /** Log position that its fill will go on from. */
  copyFloor: number | undefined;
  /** When it was last told that it is not attached. */
  nudgedAt: number;
  /** It said that it cannot go on with its copy. */
  cannot: boolean;
  /** An earlier life asked the register to take it in, and nobody knows with what outcome. */
  owed: boolean;
}

/** A read lease that this node granted to a leader; without a holder it is not known any more to whom. */
export interface GrantedLease {
  readonly holder: string | undefined;
  /** Own monotonic clock, ms. */
  readonly until: number;
  /** The holder can have led under epochs before this one only. */
  readonly before: number;
}

/** The holder has said itself that it leads under no such epoch any more. */
export const isReleased = ({ holder, before }: GrantedLease, from: string, epoch: number): boolean =>
  holder === from && epoch >= before;

interface Change {
  readonly action: Extract<ReplicaAction, { type: 'change-in-sync' }>;
  /** An attempt ended without an answer, so it may still take effect. */
  unknown: boolean;
  retryAt: number;
}

type FollowEvent = Extract<ReplicaEvent, { type: 'follow' }>;
/** Calls that wait for one entry: retries whose callers are gone must not pile up. */
const CALLS_AN_ENTRY = 8;
/** Each doubles the wait for the next attempt to join, from `inSyncTimeoutMs` up to 8 times that. */
const REFUSALS_COUNTED = 3;

/**
 * One tenure: the epochs from `base` on that follow each other without a gap and all name this node as leader, within one life of
 * its process. A new tenure is a new object: nothing that was learned in an older one counts.
 *
 * Why an epoch may rise within a tenure without sealing again (INV-3, INV-4; PacificA's reconfiguration under the same primary):
 * - Sealing `base` made every in-sync replica promise it. Whoever promised `base` refuses all leaders before it, and between `base`
 *   and now there was no other leader, because each epoch is one change of the record and none of them was missed.
 * - What a follower acknowledged in the tenure it holds durably, under whichever of its epochs it was sent. It could only lose it
 *   to a later leader, which then is an in-sync replica that acknowledged everything that was committed, so it has it too.
 * - Who is waited for is always what the newest known record says and whoever was asked to join, so a set that has grown meanwhile
 *   was waited for before the register could name it, and of one that has shrunk more was waited for than needed.
 * - The promise of the new epoch goes into the same log before the first entry that bears it, so it is durable before any such
 *   entry counts.
 * A record that skips an epoch may hide another leader in between: that is a new tenure and is sealed.
 */
export class LeaderRole {
  readonly kind = 'leader';
  phase: 'sealing' | 'serving' = 'sealing';
  readonly base: number;
  commitSeq: number;
  /** A follower has promised this newer epoch: nothing more can be committed here until the map says what is. */
  private fencedBy = 0;
  private readonly sealSeq: number;
  private peers = new Map<string, Peer>();
  /** Replicas in sync, this one counted: asked for at every write. */
  private inSync = 0;
  private change: Change | undefined;
  private changes = 0;

  constructor(
    private readonly core: ReplicaCore,
    private record: PartitionRecord,
    private minInSync: number,
    /** Calls that wait for an entry; carried over from the epoch before when this node led then. */
    readonly waiting: Map<number, CallToken[]>,
    now: number,
    /** Leaders before may serve reads by the leases that this node granted them, so until then nothing is served here. */
    private leases: readonly GrantedLease[] = [],
    /** No entry of `base` can be in anybody's log: see `takesWrites`. */
    private readonly fresh = false,
  ) {
    this.base = record.epoch;
    this.commitSeq = core.appliedSeq;
    this.sealSeq = core.log.lastSeq;
    this.update(record, minInSync, now);
    const owed = core.asked?.epoch === record.epoch && this.peers.get(core.asked.node);
    if (owed && !owed.inSync) owed.owed = true;
    this.advance(now);
  }

  get epoch(): number {
    return this.record.epoch;
  }

  /**
   * While it seals, too, so that a hand-over costs one trip to the disks and not two: what is appended now is committed with the seal or
   * after it. Not where an earlier life may have given entries of this epoch to others that are not in the log here: their places would be
   * taken a second time. For the same reason nothing is sent before the promise is on the disk.
   */
  get takesWrites(): boolean {
    return !this.fenced && (this.phase === 'serving' || this.fresh);
  }

  private get isPromised(): boolean {
    return this.core.durablyPromised >= this.base;
  }

  promised(now: number): void {
    this.advance(now);
    for (const peer of this.peers.values()) this.offer(peer);
  }

  get fenced(): boolean {
    return this.fencedBy > this.epoch;
  }

  /** The same epoch with other learners or another minInSync. */
  update(record: PartitionRecord, minInSync: number, now: number): void {
    this.record = record;
    this.inSync = inSyncOf(record).length;
    this.minInSync = minInSync;
    const peers = new Map<string, Peer>();
    for (const { node, inSync } of record.replicas) {
      if (node !== this.core.node) peers.set(node, this.peers.get(node) ?? newPeer(node, inSync, now));
    }
    const added = this.change?.action.add;
    if (added && !peers.has(added.node)) this.change = undefined;
    this.peers = peers;
  }

  /** The next epoch of the tenure. A change that was asked for under the old one can take effect no more: its compare fails. */
  raise(record: PartitionRecord, minInSync: number, now: number): void {
    const refused = sameInSync(this.record, record) ? this.change?.action.add?.node : undefined;
    this.change = undefined;
    this.update(record, minInSync, now);
    for (const { node, inSync } of record.replicas) {
      const peer = this.peers.get(node);
      if (!peer) continue;
      if (peer.inSync && !inSync) this.dropOut(peer, now);
      if (peer.inSync !== inSync) peer.owesSince = now;
      peer.inSync = inSync;
      if (inSync || !peer.attached) peer.join = undefined;
      if (inSync) peer.refusals = 0;
      if (node === refused) this.joinLater(peer, now);
      peer.owed = false;
    }
    this.advance(now);
    for (const peer of this.peers.values()) this.offer(peer);
  }

  /**
   * The epoch rose for nothing but to say that this peer may not join: the register does not see it. Each such answer costs an epoch, so
   * it is asked for less and less often.
   */
  private joinLater(peer: Peer, now: number): void {
    peer.join = undefined;
    peer.joinNotBefore = now + this.core.options.inSyncTimeoutMs * 2 ** Math.min(peer.refusals, REFUSALS_COUNTED);
    peer.refusals += 1;
  }

  /** Before it may join again it has to show that it is there. */
  private dropOut(peer: Peer, now: number): void {
    peer.attached = false;
    peer.join = undefined;
    this.nudge(peer, now);
  }

  /** To those who believe that they are attached, from before. */
  askToFollow(now: number): void {
    for (const peer of this.peers.values()) this.nudge(peer, now);
  }

  private nudge(peer: Peer, now: number): void {
    peer.nudgedAt = now;
    this.core.act({ type: 'send-refused', to: peer.node, epoch: this.epoch, reason: 'follow first' });
  }

  write({ token, requestId, ops }: Extract<ReplicaEvent, { type: 'write' }>, now: number): void {
    if (!this.takesWrites) return this.core.reply(token, { kind: 'not-leader' });
    const known = this.core.recent.find(requestId);
    const tooFew = this.tooFew();
    if (tooFew) return this.core.reply(token, known ? { ...tooFew, appended: true } : tooFew);
    if (known && known.seq <= this.commitSeq)
      return this.core.reply(token, { kind: 'done', epoch: known.epoch, seq: known.seq });
    if (known) return this.wait(known.seq, token);
    const uncommitted = this.core.log.lastSeq - this.commitSeq;
    if (uncommitted >= Math.min(this.core.options.uncommittedMax, this.core.entriesMax()))
      return this.core.reply(token, { kind: 'busy', uncommitted });
    this.wait(this.append(requestId, ops, now), token);
    return undefined;
  }

  private tooFew(): Extract<WriteOutcome, { kind: 'too-few' }> | undefined {
    const { inSync, minInSync } = this;
    return inSync < minInSync ? { kind: 'too-few', inSync, minInSync } : undefined;
  }

  /**
   * Whether nobody else can have acknowledged anything: each that may come to lead (the in-sync followers, and whoever was asked to
   * join) follows here and has granted a lease that has not run out. A successor is one of them, and waits until its own grant has run
   * out or this node follows it. Only rates of monotonic clocks are assumed to agree (see the driver's LEASE), never their readings.
   */
  mayRead(now: number, leases: ReadonlyMap<string, number>): boolean {
    if (this.phase !== 'serving' || this.fenced) return false;
    for (const peer of this.peers.values()) {
      if (!isRequired(peer)) continue;
      if (!peer.attached || (leases.get(peer.node) ?? Number.NEGATIVE_INFINITY) <= now) return false;
    }
    return true;
  }

  released(from: string, epoch: number, now: number): void {
    this.leases = this.leases.filter((lease) => !isReleased(lease, from, epoch));
    this.advance(now);
  }

  serves(node: string): boolean {
    return this.peers.get(node)?.attached ?? false;
  }

  durable(now: number): void {
    for (const peer of this.peers.values()) if (!peer.inSync) this.offer(peer);
    this.advance(now);
  }

  follow(event: FollowEvent, now: number): void {
    const peer = this.peers.get(event.from);
    if (!peer)
      return this.core.act({ type: 'send-refused', to: event.from, epoch: this.epoch, reason: 'not a replica' });
    if (peer.inSync && event.appliedSeq > this.core.log.lastSeq) return this.lostOwnData(event);
    this.detach(peer);
    peer.acked = Math.min(peer.acked, event.lastSeq); // what it does not have any more does not count
    const verdict = this.compareLogs(event);
    peer.cannot = verdict === 'need-snapshot';
    if (verdict === 'need-snapshot')
      return this.core.act({ type: 'send-need-snapshot', to: peer.node, epoch: this.epoch });
    if (verdict !== 'equal')
      return this.core.act({ type: 'send-truncate', to: peer.node, epoch: this.epoch, seq: verdict });
    peer.attached = true;
    peer.copyFloor = undefined;
    peer.nextSeq = event.lastSeq + 1;
    peer.sentCommit = -1; // an answer even when there is nothing to tell: it says that the Follow was accepted
    // Its log is a part of this one, so what it has of it durably counts at once.
    if (event.durableSeq !== undefined) peer.acked = Math.max(peer.acked, Math.min(event.durableSeq, event.lastSeq));
    peer.owesSince = now;
    // It follows, so it leads no more: that releases its lease at once.
    this.leases = this.leases.filter(({ holder }) => holder !== event.from);
    this.offer(peer);
    return this.advance(now);
  }

  /** Only what was committed is applied, and this node held all of that: leading on would make the loss final. */
  private lostOwnData({ from, appliedSeq }: FollowEvent): void {
    if (!this.fenced)
      this.core.act({
        type: 'trouble',
        reason: `${from} has applied ${appliedSeq}, the log here ends at ${this.core.log.lastSeq}: this disk has lost acknowledged writes`,
      });
    this.fencedBy = Number.POSITIVE_INFINITY;
    this.core.act({ type: 'send-refused', to: from, epoch: this.epoch, reason: 'this leader has lost data' });
  }

  /** `equal`, or the seq after which the follower's log must be cut, or `need-snapshot`. */
  private compareLogs({ lastSeq, lastEpoch, appliedSeq }: FollowEvent): 'equal' | 'need-snapshot' | number {
    const { log } = this.core;
    const cut = (seq: number) => (seq < appliedSeq || seq < log.firstSeq - 1 ? 'need-snapshot' : seq);
    if (lastSeq > log.lastSeq) return cut(log.lastSeq);
    if (lastSeq < log.firstSeq - 1) return 'need-snapshot';
    const epoch = log.epochAt(lastSeq);
    // Only just before a trimmed log is the epoch unknown; what the follower has applied was committed and is therefore here too.
    if (epoch === undefined) return appliedSeq === lastSeq ? 'equal' : 'need-snapshot';
    if (epoch === lastEpoch) return 'equal';
    return cut(Math.min(lastSeq - 1, log.lastUpToEpoch(lastEpoch)));
  }

  ack(event: Extract<ReplicaEvent, { type: 'ack' }>, now: number): void {
    const peer = this.peers.get(event.from);
    if (!peer?.attached)
      return this.core.act({ type: 'send-refused', to: event.from, epoch: this.epoch, reason: 'follow first' });
    if (event.durableSeq <= peer.acked) return undefined;
    peer.acked = Math.min(event.durableSeq, this.core.log.lastSeq);
    peer.owesSince = now;
    this.progressJoin(peer, now);
    return this.advance(now);
  }

  gone(node: string, now: number): void {
    const peer = this.peers.get(node);
    if (peer) this.detach(peer);
    this.advance(now);
  }

  unfollow(event: Extract<ReplicaEvent, { type: 'unfollow' }>, now: number): void {
    this.fencedBy = Math.max(this.fencedBy, event.epoch);
    const peer = this.peers.get(event.from);
    if (peer) peer.cannot = true;
    this.gone(event.from, now);
  }

  copying(node: string, seq: number): void {
    const peer = this.peers.get(node);
    if (peer) peer.copyFloor = Math.max(peer.copyFloor ?? 0, seq);
  }

  pull(node: string): Pull | undefined {
    const peer = this.peers.get(node);
    if (!peer?.attached || this.fenced || !this.isPromised) return undefined;
    if (peer.nextSeq < this.core.log.firstSeq) return undefined;
    const toSeq = Math.max(peer.nextSeq - 1, this.limitOf(peer));
    if (toSeq < peer.nextSeq && peer.sentCommit >= this.commitSeq) return undefined;
    const entries = toSeq >= peer.nextSeq;
    return {
      epoch: this.epoch,
      fromSeq: peer.nextSeq,
      toSeq,
      commitSeq: this.commitSeq,
      mark: entries && peer.join?.stage === 'marking',
      urgent: entries || peer.sentCommit < 0,
    };
  }

  /** What of a pull really went out: entries up to `seq`, the commit, and the mark if there was one. */
  sent(node: string, seq: number, commitSeq: number, mark: ContentMark | undefined): void {
    const peer = this.peers.get(node);
    if (!peer?.attached) return;
    peer.nextSeq = seq + 1;
    peer.sentCommit = commitSeq;
    if (mark && peer.join?.stage === 'marking') peer.join = { stage: 'comparing', barrier: seq, mark };
  }

  /**
   * An entry that is not durable here could be given to another write after a crash, under the same epoch and seq. In-sync followers
   * are all asked before this node serves again, so only they may have it early.
   */
  private limitOf(peer: Peer): number {
    return peer.inSync ? this.core.log.lastSeq : this.core.durableSeq;
  }

  /**
   * How far the last of the followers is behind: those that writes wait for, and those that are connected. `ms`: since when it has got
   * nowhere while it had something to do.
   */
  lag(now: number): { readonly entries: number; readonly ms: number } {
    const most = { entries: 0, ms: 0 };
    for (const peer of this.peers.values()) {
      const entries = this.core.log.lastSeq - Math.max(0, peer.acked);
      if (entries === 0 || !(peer.attached || isRequired(peer))) continue;
      most.entries = Math.max(most.entries, entries);
      most.ms = Math.max(most.ms, now - peer.owesSince);
    }
    return most;
  }

  get pending(): boolean {
    if (this.phase === 'sealing' || this.change || this.core.trimDue) return true;
    for (const peer of this.peers.values()) {
      if (peer.join || peer.owed || (peer.inSync ? !peer.attached : peer.attached)) return true;
      if (peer.inSync && peer.acked < this.core.log.lastSeq) return true;
    }
    return false;
  }

  tick(now: number, { heardAt, pausedMs = 0 }: Extract<ReplicaEvent, { type: 'tick' }>): void {
    for (const peer of this.peers.values()) {
      // When this process stood still, the followers are not to blame.
      peer.owesSince = Math.min(now, peer.owesSince + pausedMs);
      if (peer.attached && peer.acked >= this.core.log.lastSeq) peer.owesSince = now;
      if (peer.inSync && !peer.attached && now - peer.nudgedAt >= this.core.options.refollowMs) this.nudge(peer, now);
      this.giveUpJoin(peer, now);
      this.startJoin(peer, now);
    }
    if (this.phase === 'sealing') this.advance(now);
    this.trim(now);
    if (this.change && this.change.retryAt <= now) this.sendChange();
    if (!this.change) this.nextChange(now, heardAt);
  }

  changeAnswered({ id, outcome }: Extract<ReplicaEvent, { type: 'change-answered' }>, now: number): void {
    const { change } = this;
    if (!change || change.action.id !== id) return;
    if (outcome === 'unknown') change.unknown = true;
    // A refusal does not undo an earlier attempt that may still be under way, so the requirement stays until the epoch rises.
    const settled = outcome === 'refused' && !(change.unknown && change.action.add);
    if (!settled) {
      change.retryAt = now + this.core.options.changeRetryMs;
      return;
    }
    this.change = undefined;
    const peer = change.action.add && this.peers.get(change.action.add.node);
    if (peer) {
      peer.join = undefined;
      peer.joinNotBefore = now + 4 * this.core.options.changeRetryMs;
    }
    for (const node of change.action.remove) this.giveTime(node, now);
    this.advance(now);
  }

  private giveTime(node: string, now: number): void {
    const peer = this.peers.get(node);
    if (peer) peer.owesSince = now - this.core.options.inSyncTimeoutMs + 4 * this.core.options.changeRetryMs;
  }

  private startJoin(peer: Peer, now: number): void {
    if (
      peer.inSync ||
      peer.join ||
      !peer.attached ||
      this.phase !== 'serving' ||
      this.fenced ||
      now < peer.joinNotBefore
    )
      return;
    if (peer.acked < this.core.log.lastSeq - this.core.options.joinLagEntries || peer.acked < 0) return;
    peer.join = { stage: 'catching', from: this.core.log.lastSeq };
    this.progressJoin(peer, now);
  }

  /** Only once the register was asked may a joiner not be let go. */
  private giveUpJoin(peer: Peer, now: number): void {
    if (!peer.join || peer.join.stage === 'asking' || now - peer.owesSince <= this.core.options.inSyncTimeoutMs) return;
    peer.join = undefined;
    peer.joinNotBefore = now + this.core.options.inSyncTimeoutMs;
    this.advance(now);
  }

  private progressJoin(peer: Peer, now: number): void {
    const { join } = peer;
    if (join?.stage === 'catching' && peer.acked >= join.from) {
      peer.join = { stage: 'marking' };
      this.append('', [], now); // the mark travels with entries, so that their acknowledgement answers it
    } else if (join?.stage === 'comparing' && peer.acked >= join.barrier) {
      peer.join = { stage: 'asking', mark: join.mark };
      if (!this.change) this.askToJoin();
    }
  }

  private nextChange(now: number, heardAt?: ReadonlyMap<string, number>): void {
    if (this.fenced) return undefined;
    const late = [...this.peers.values()].filter((peer) => peer.inSync && this.isLate(peer, now, heardAt));
    if (late.length > 0)
      return this.propose({
        remove: late.map((p) => p.node),
        reason: `no acknowledgement for ${this.core.options.inSyncTimeoutMs} ms`,
      });
    if ([...this.peers.values()].some((peer) => peer.owed))
      return this.propose({ remove: [], reason: 'what was asked for before a restart shall not count any more' });
    return this.askToJoin();
  }

  private askToJoin(): void {
    if (this.fenced) return undefined;
    for (const peer of this.peers.values()) {
      if (peer.join?.stage === 'asking')
        return this.propose({
          add: { node: peer.node, ...peer.join.mark },
          remove: [],
          reason: 'caught up, same content',
        });
    }
    return undefined;
  }

  /** Judged by its node: one that is heard of is busy with other partitions, unless it said that it cannot go on with this one. */
  private isLate(peer: Peer, now: number, heardAt: ReadonlyMap<string, number> | undefined): boolean {
    if (peer.attached && peer.acked >= this.core.log.lastSeq) return false;
    const { inSyncTimeoutMs, busyTimeoutMs } = this.core.options;
    const owes = now - peer.owesSince;
    if (owes <= inSyncTimeoutMs) return false;
    const heard = heardAt?.get(peer.node);
    const alive = heard !== undefined && now - heard <= inSyncTimeoutMs;
    return !alive || peer.cannot || owes > Math.max(inSyncTimeoutMs, busyTimeoutMs);
  }

  private propose(what: Pick<Change['action'], 'add' | 'remove' | 'reason'>): void {
    this.changes += 1;
    this.change = {
      action: { type: 'change-in-sync', id: this.changes, epoch: this.epoch, ...what },
      unknown: false,
      retryAt: 0,
    };
    this.sendChange();
  }

  /** Before the register is asked to take a joiner in, that is written down: see `AskedFor`. */
  private sendChange(): void {
    if (!this.change) return;
    this.change.retryAt = Number.POSITIVE_INFINITY; // until it is answered
    const { add, epoch } = this.change.action;
    const { asked } = this.core;
    if (!add || (asked?.epoch === epoch && asked.node === add.node)) return this.core.act(this.change.action);
    return this.core.act({ type: 'mark-asked', epoch, node: add.node });
  }

  askedMarked({ epoch, node }: Extract<ReplicaEvent, { type: 'asked-marked' }>): void {
    this.core.asked = { epoch, node };
    if (this.change?.action.epoch === epoch && this.change.action.add?.node === node) this.sendChange();
  }

  private detach(peer: Peer): void {
    peer.attached = false;
    // Once an add was sent it may take effect, so a peer that is asked for stays required until the outcome is known.
    if (this.change?.action.add?.node !== peer.node) peer.join = undefined;
  }

  private wait(seq: number, token: CallToken): void {
    const tokens = this.waiting.get(seq);
    if (!tokens) return void this.waiting.set(seq, [token]);
    tokens.push(token);
    if (tokens.length > CALLS_AN_ENTRY)
      this.core.reply(tokens.shift()!, { kind: 'busy', uncommitted: tokens.length, appended: true });
  }

  private append(requestId: string, ops: Extract<ReplicaEvent, { type: 'write' }>['ops'], now: number): number {
    for (const peer of this.peers.values())
      if (peer.attached && peer.acked >= this.core.log.lastSeq) peer.owesSince = now;
    const seq = this.core.append([{ epoch: this.epoch, seq: this.core.log.lastSeq + 1, requestId, ops }], now);
    for (const peer of this.peers.values()) if (peer.inSync) this.offer(peer);
    return seq;
  }

  private offer(peer: Peer): void {
    if (this.pull(peer.node)) this.core.act({ type: 'stream', to: peer.node });
  }

  private advance(now: number): void {
    let floor = this.core.durableSeq;
    for (const peer of this.peers.values()) if (isRequired(peer)) floor = Math.min(floor, peer.acked);
    if (this.phase === 'sealing') {
      if (!this.isPromised || floor < this.sealSeq || this.leases.some(({ until }) => now < until)) return;
      this.leases = [];
      this.phase = 'serving';
    } else if (floor <= this.commitSeq) return;
    this.commit(Math.max(floor, this.commitSeq));
    for (const peer of this.peers.values()) this.startJoin(peer, now);
  }

  private commit(seq: number): void {
    const before = this.core.appliedSeq;
    this.commitSeq = seq;
    this.core.apply(seq);
    for (let s = before + 1; s <= seq && this.waiting.size > 0; s += 1) this.answer(s);
    for (const peer of this.peers.values()) this.offer(peer);
  }

  private answer(seq: number): void {
    const tokens = this.waiting.get(seq);
    if (!tokens) return;
    this.waiting.delete(seq);
    const epoch = this.core.log.epochAt(seq) ?? this.epoch;
    const tooFew = this.tooFew();
    for (const token of tokens)
      this.core.reply(token, tooFew ? { ...tooFew, appended: true } : { kind: 'done', epoch, seq });
  }

  private trim(now: number): void {
    const { log, options, appliedSeq } = this.core;
    let before = appliedSeq - options.keepEntries;
    for (const peer of this.peers.values()) {
      const needs = peer.copyFloor ?? (peer.acked >= 0 ? peer.acked : undefined);
      if (needs !== undefined) before = Math.min(before, needs);
    }
    this.core.trim(Math.max(before, log.lastSeq - this.core.entriesMax()), now);
    for (const peer of this.peers.values()) if (peer.attached && peer.nextSeq < log.firstSeq) this.lost(peer);
  }

  private lost(peer: Peer): void {
    peer.attached = false;
    peer.join = this.change?.action.add?.node === peer.node ? peer.join : undefined;
    this.core.act({ type: 'send-need-snapshot', to: peer.node, epoch: this.epoch });
  }
}

const sameInSync = (a: PartitionRecord, b: PartitionRecord): boolean =>
  leaderOf(a) === leaderOf(b) && inSyncOf(a).sort().join() === inSyncOf(b).sort().join();

/** Nothing is committed without it. */
const isRequired = (peer: Peer): boolean => peer.inSync || peer.join !== undefined || peer.owed;

const newPeer = (node: string, inSync: boolean, now: number): Peer => ({
  node,
  inSync,
  attached: false,
  nextSeq: 0,
  acked: -1,
  sentCommit: -1,
  owesSince: now,
  join: undefined,
  joinNotBefore: 0,
  refusals: 0,
  copyFloor: undefined,
  nudgedAt: now,
  cannot: false,
  owed: false,
});
