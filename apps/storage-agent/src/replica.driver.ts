import type {
  ContentMark,
  CopyState,
  LogOp,
  PartitionRecord,
  ReplicaAction,
  ReplicaEvent,
  ReplicatedEntry,
  WriteLatency,
  WriteOutcome,
} from '@cadastre/core';
import { CadastreError, checkRecord, leaderOf, ReplicaMachine } from '@cadastre/core';
import type { PartitionId, PartitionMeta, StorageEngine } from '@cadastre/engine';
import type { Clock, Logger } from '@cadastre/runtime';
import type { ChangeAnswer } from './in-sync-changes.js';
import type { AgentMeters } from './metrics/agent-meters.js';
import { keyOf, type PartitionKey } from './partition-key.js';

/** Entries applied in one go, so that one partition does not hold the event loop. */
const APPLY_STRIDE = 1000;
/** Entries of the log that are read again at start at most: enough to recognise retries and to compare logs. */
const REREAD_ENTRIES = 512 * 1024;
/** Of the newest write in the moving average. */
const LATENCY_WEIGHT = 0.1;
const READ_STRIDE = { maxEntries: 1000, maxBytes: 4 * 1024 * 1024 };

export type ChangeAction = Extract<ReplicaAction, { type: 'change-in-sync' }>;
type FollowerWord = Extract<ReplicaAction, { type: 'send-follow' | 'send-ack' | 'send-unfollow' | 'send-released' }>;
type LeaderWord = Extract<ReplicaAction, { type: 'send-truncate' | 'send-need-snapshot' | 'send-refused' }>;

/** Who waits for a write. */
export interface WriteCall {
  /** When the write came here, on the monotonic clock. */
  readonly sentAt: number;
  /** Once, later. @param at as `sentAt` */
  done(outcome: WriteOutcome, at: number): void;
}

type Append = Extract<ReplicaAction, { type: 'append' }>;

/** The world around a replica. */
export interface ReplicaSurroundings {
  readonly node: string;
  readonly engine: StorageEngine;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly inSyncTimeoutMs: number | undefined;
  /** Until when this node has granted each leader node a read lease. */
  readonly granted: ReadonlyMap<string, number>;
  /** Until when an earlier life of this process may have granted leases. */
  readonly grantedUntil: number;
  /** As follower, to the node that leads. */
  toLeader(replica: ReplicaDriver, word: FollowerWord): void;
  /** As leader, to a follower. */
  toFollower(replica: ReplicaDriver, word: LeaderWord): void;
  /** `replica.machine.pull(node)` has something. */
  stream(replica: ReplicaDriver, node: string): void;
  changeInSync(replica: ReplicaDriver, action: ChangeAction): Promise<ChangeAnswer>;
  minInSync(keyspace: string): number;
  /** This node has just ceased to lead it. */
  ceased(replica: ReplicaDriver): void;
  /** Whether it has something that ticks are needed for. */
  pending(replica: ReplicaDriver, pending: boolean): void;
  fill(replica: ReplicaDriver, from: string, anew: boolean): void;
  stopFill(replica: ReplicaDriver): void;
  onFatal(error: Error): void;
  readonly meters: AgentMeters;
}

/** Performs what the machine of one replica decides; decides nothing itself. */
export class ReplicaDriver {
  readonly key: PartitionKey;
  readonly machine: ReplicaMachine;
  private readonly queue: ReplicaEvent[] = [];
  /** Under way, the oldest first. */
  private readonly calls = new Map<number, WriteCall>();
  private readonly waiters = new Set<() => void>();
  private nextToken = 1;
  private busy = false;
  /** The queue holds writes that wait for others of the same turn. */
  private gathering = false;
  /** Entries decided on and not handed to the engine yet: those of writes that came together go in one append. */
  private appends: Append[] = [];
  /** At most what the engine has applied was asked for; 0 = not known. */
  private appliedSeq = 0;
  /** What is reported through it is watched already. */
  private watched: Promise<unknown> | undefined;
  private closed = false;
  private leadAskedAt: number | undefined;
  private confirming: Promise<WriteOutcome> | undefined;
  private confirmNext: Promise<WriteOutcome> | undefined;
  private measured: { readonly recentMs: number; readonly at: number } | undefined;

  constructor(
    readonly id: PartitionId,
    private readonly around: ReplicaSurroundings,
    state: CopyState,
  ) {
    this.key = keyOf(id);
    const { inSyncTimeoutMs } = around;
    this.machine = new ReplicaMachine(this.start(state), inSyncTimeoutMs === undefined ? {} : { inSyncTimeoutMs });
  }

  get meta(): PartitionMeta | undefined {
    return this.around.engine.meta(this.id);
  }

  private start(state: CopyState) {
    const { engine, node, grantedUntil } = this.around;
    const meta = engine.meta(this.id);
    if (!meta) return { node, state, promisedEpoch: 0, firstSeq: 1, lastSeq: 0, lastEpoch: 0, appliedSeq: 0, log: [] };
    const { promisedEpoch, lastSeq, lastEpoch, appliedSeq, asked } = meta;
    const firstSeq = Math.max(meta.firstSeq, lastSeq - REREAD_ENTRIES + 1);
    return {
      node,
      grantedUntil,
      ...(asked && { asked }),
      state,
      promisedEpoch,
      firstSeq,
      lastSeq,
      lastEpoch,
      appliedSeq,
      log: this.readAll(firstSeq, lastSeq),
    };
  }

  private *readAll(from: number, to: number): Generator<ReplicatedEntry> {
    for (let seq = from; seq <= to;) {
      const entries = this.around.engine.readLog(this.id, seq, READ_STRIDE);
      if (entries.length === 0) return;
      yield* entries;
      seq += entries.length;
    }
  }

  /** Handles the event and all that follows from it at once; events that come up meanwhile wait their turn. */
  dispatch(event: ReplicaEvent): void {
    if (this.closed) return;
    this.queue.push(event);
    this.workOff();
  }

  private workOff(): void {
    if (this.busy || this.closed) return;
    this.busy = true;
    try {
      this.work();
    } catch (error) {
      this.fail(error);
    } finally {
      this.busy = false;
    }
  }

  private work(): void {
    const before = this.machine.phase;
    const epoch = this.machine.record?.epoch;
    const { leader } = this;
    for (let event = this.queue.shift(); event; event = this.queue.shift()) {
      if (event.type === 'filled') this.appliedSeq = 0;
      const now = this.around.clock.monotonicMs();
      for (const action of this.machine.onEvent(event, now)) this.perform(action, now);
      if (this.queue.length === 0) this.flushAppends();
    }
    this.around.pending(this, this.machine.pending && !this.closed);
    if (leader === this.around.node && this.leader !== leader) this.around.ceased(this);
    if (before !== this.machine.phase || epoch !== this.machine.record?.epoch) this.changed();
  }

  /** Tells those who wait, and measures the pause of a change of leader. */
  private changed(): void {
    const { phase, record } = this.machine;
    const now = this.around.clock.monotonicMs();
    if (phase === 'sealing') this.leadAskedAt ??= now;
    if (phase === 'serving') {
      const pauseMs = Math.round((now - (this.leadAskedAt ?? now)) * 100) / 100;
      this.leadAskedAt = undefined;
      this.around.meters.leadPauseSeconds.observe(pauseMs / 1000);
      const committed = this.machine.appliedSeq;
      this.around.logger.info('serving', { event: 'serving', ...this.id, epoch: record?.epoch, committed, pauseMs });
    } else if (phase !== 'sealing') this.leadAskedAt = undefined;
    for (const wake of [...this.waiters]) wake();
  }

  /** Writes of one turn of the event loop are decided on together. */
  write(requestId: string, ops: readonly LogOp[], call: WriteCall): void {
    if (this.closed) return call.done({ kind: 'not-leader' }, call.sentAt);
    const token = this.nextToken;
    this.nextToken += 1;
    this.calls.set(token, call);
    this.queue.push({ type: 'write', token, requestId, ops });
    if (this.gathering) return undefined;
    this.gathering = true;
    return queueMicrotask(() => {
      this.gathering = false;
      this.workOff();
    });
  }

  /** For how long writes have stood still here: while this node is named leader and not ready, or the oldest write waits. */
  pausedMs(now: number): number {
    const [oldest] = this.calls.values();
    return now - Math.min(this.leadAskedAt ?? now, oldest?.sentAt ?? now);
  }

  /** Age of the oldest write that is not acknowledged yet. */
  oldestWriteMs(now: number): number {
    const [oldest] = this.calls.values();
    return oldest ? now - oldest.sentAt : 0;
  }

  private measure(sentAt: number, now: number): void {
    const took = now - sentAt;
    this.around.meters.commitSeconds.observe(took / 1000);
    const before = this.measured?.recentMs ?? took;
    this.measured = { recentMs: before + (took - before) * LATENCY_WEIGHT, at: now };
  }

  /** Of writes as this leader sees them; undefined before the first. */
  get writeLatency(): WriteLatency | undefined {
    const { measured } = this;
    return measured && { recentMs: measured.recentMs, ageMs: this.around.clock.monotonicMs() - measured.at };
  }

  /**
   * Resolves as a write that changes nothing: `done` says that this node led after the call. Calls that come meanwhile share the next
   * one, because one that was begun before them proves nothing to them.
   */
  confirm(): Promise<WriteOutcome> {
    if (this.confirming === undefined) return (this.confirming = this.beginConfirm());
    return (this.confirmNext ??= this.confirming.then(() => {
      this.confirmNext = undefined;
      return (this.confirming = this.beginConfirm());
    }));
  }

  private beginConfirm(): Promise<WriteOutcome> {
    const sentAt = this.around.clock.monotonicMs();
    const done: Promise<WriteOutcome> = new Promise<WriteOutcome>((resolve) =>
      this.write('', [], { sentAt, done: resolve }),
    ).finally(() => {
      if (this.confirming === done) this.confirming = undefined;
    });
    return done;
  }

  /** Resolves when phase or epoch change, or after `timeoutMs`. */
  change(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.around.clock.after(timeoutMs, () => done());
      const done = () => {
        timer.cancel();
        this.waiters.delete(done);
        resolve();
      };
      this.waiters.add(done);
    });
  }

  /** The partition is not this node's any more. */
  close(record: PartitionRecord | undefined): void {
    if (record) this.dispatch({ type: 'record', record, minInSync: 1, granted: this.around.granted });
    this.closed = true;
    this.around.pending(this, false);
    this.around.stopFill(this);
    // Which of them are in the log, and whether others have them, is not known any more.
    const now = this.around.clock.monotonicMs();
    for (const call of this.calls.values()) call.done({ kind: 'not-leader', appended: true }, now);
    this.calls.clear();
    for (const wake of [...this.waiters]) wake();
  }

  get isClosed(): boolean {
    return this.closed;
  }

  /** What `pull` names, as far as `limits` allow. */
  read(fromSeq: number, toSeq: number, limits: { maxEntries: number; maxBytes: number }): readonly ReplicatedEntry[] {
    if (toSeq < fromSeq) return [];
    return this.around.engine.readLog(this.id, fromSeq, {
      ...limits,
      maxEntries: Math.min(limits.maxEntries, toSeq - fromSeq + 1),
    });
  }

  mark(): ContentMark {
    const { seq, count, digest } = this.around.engine.digestAt(this.id);
    return { seq, records: count, digest };
  }

  private perform(action: ReplicaAction, now: number): void {
    const { around } = this;
    if (action.type !== 'stream' && action.type !== 'append') this.flushAppends();
    switch (action.type) {
      case 'promise':
        return this.whenDurable(around.engine.promise(this.id, action.epoch), {
          type: 'promised',
          epoch: action.epoch,
        });
      case 'mark-asked':
        return this.whenDurable(around.engine.markAsked(this.id, { epoch: action.epoch, node: action.node }), {
          ...action,
          type: 'asked-marked',
        });
      case 'append':
        return void this.appends.push(action);
      case 'apply':
        return this.apply(action.uptoSeq);
      case 'truncate':
        return this.whenDurable(around.engine.truncateAfter(this.id, action.seq), {
          type: 'truncated',
          cut: action.cut,
        });
      case 'trim':
        return this.whenDurable(around.engine.trimBefore(this.id, action.beforeSeq), undefined);
      case 'reply':
        return this.answer(action.token, action.outcome, now);
      case 'stream':
        return around.stream(this, action.to);
      case 'send-follow':
      case 'send-ack':
      case 'send-unfollow':
      case 'send-released':
        return around.toLeader(this, action);
      case 'send-truncate':
      case 'send-need-snapshot':
      case 'send-refused':
        return around.toFollower(this, action);
      case 'fill':
        return around.fill(this, action.from, action.anew);
      case 'stop-fill':
        return around.stopFill(this);
      case 'compare':
        return this.compare(action.mark);
      case 'change-in-sync':
        return void this.changeInSync(action);
      case 'trouble':
        return around.logger.error('replica in trouble', {
          event: 'replica-trouble',
          ...this.id,
          reason: action.reason,
        });
    }
  }

  private flushAppends(): void {
    const { appends } = this;
    if (appends.length === 0) return;
    this.appends = [];
    const entries = appends.length === 1 ? appends[0]!.entries : appends.flatMap((append) => append.entries);
    this.whenDurable(this.around.engine.append(this.id, entries), {
      type: 'durable',
      seq: entries.at(-1)!.seq,
      cut: appends[0]!.cut,
    });
  }

  private apply(uptoSeq: number): void {
    const { engine } = this.around;
    if (uptoSeq - this.appliedSeq > APPLY_STRIDE) this.appliedSeq = engine.meta(this.id)?.appliedSeq ?? 0;
    while (this.appliedSeq < uptoSeq) {
      this.appliedSeq = Math.min(uptoSeq, this.appliedSeq + APPLY_STRIDE);
      this.whenDurable(engine.apply(this.id, this.appliedSeq), undefined);
    }
  }

  private answer(token: number, outcome: WriteOutcome, now: number): void {
    const call = this.calls.get(token);
    if (!call) return;
    this.calls.delete(token);
    this.measure(call.sentAt, now);
    call.done(outcome, now);
  }

  private compare(mark: ContentMark): void {
    const own = this.mark();
    const equal = own.seq === mark.seq && own.records === mark.records && own.digest === mark.digest;
    if (!equal)
      this.around.logger.error('content differs', { event: 'content-differs', ...this.id, own, leader: mark });
    this.dispatch({ type: 'compared', equal });
  }

  /**
   * The record as somebody has it from the map that may know it earlier: the controller's answer, a peer. At the same epoch the map may
   * have told of a learner since, so only what is newer for certain is taken.
   */
  learn(record: PartitionRecord): void {
    if (record.partition !== this.id.partition || checkRecord(record) !== undefined) return;
    if (record.epoch <= (this.machine.record?.epoch ?? 0)) return;
    const { granted } = this.around;
    this.dispatch({ type: 'record', record, minInSync: this.around.minInSync(this.id.keyspace), granted });
  }

  private async changeInSync(action: ChangeAction): Promise<void> {
    const { record, outcome } = await this.around.changeInSync(this, action);
    if (record) this.learn(record);
    this.dispatch({ type: 'change-answered', id: action.id, outcome });
  }

  /** A failed write means that nobody knows what the disk has: the node must stop. */
  private whenDurable(done: Promise<unknown>, then: ReplicaEvent | undefined): void {
    if (!then && done === this.watched) return;
    this.watched = done;
    done.then(
      () => then && this.dispatch(then),
      (error: unknown) => this.fail(error),
    );
  }

  private fail(error: unknown): void {
    if (this.closed) return;
    const cause = CadastreError.from(error);
    this.around.logger.error('replica stops', { event: 'replica-failed', ...this.id, error: cause });
    this.around.onFatal(cause);
  }

  get leader(): string | undefined {
    return this.machine.record && leaderOf(this.machine.record);
  }
}
