import { CadastreError } from '@cadastre/core';
import type { Cancellable, Clock } from '@cadastre/runtime';
import type {
  AskedFor,
  ContentDigest,
  LogEntry,
  Pair,
  PartitionId,
  PartitionMeta,
  PartitionState,
  ScanRange,
  ScanResult,
  Snapshot,
  StorageEngine,
} from '../engine.js';
import type { Backing, ReadSnapshot, Write } from './backing.js';
import { checkEntries, checkId, checkKey, checkNumber, checkPair, checkState, nameOf, refuse } from './checks.js';
import { pairWrites, readPair } from './data-space.js';
import { GroupCommit, newGroup, type Group, type Turn } from './group-commit.js';
import { encodeLogEntry, logKey } from './log-entry.codec.js';
import {
  ALL_RECORDS,
  decodeRecord,
  doomedKey,
  encodeRecord,
  isDoomedKey,
  liveKey,
  numberOfKey,
} from './partition-record.codec.js';
import { Digest128 } from './digest.js';
import { Partition } from './partition.js';
import type { Held } from './read-back.js';
import { endOfLog, epochAt, readApplied, readEntries, scanApplied } from './reading.js';
import { digestOf, snapshotOf } from './slices.js';
import { Sweeper } from './sweeper.js';
import { toBinary } from './bytes.js';
import { FillLane } from './fill-lane.js';
import { decodeFillProgress, fillKey, isFillKey, type StoredFill } from './fill-progress.codec.js';

export interface CoreEngineOptions {
  readonly clock: Clock;
  readonly turn: Turn;
  /** Longest time that applied writes wait for a flush when nothing else asks for one. */
  readonly applyFlushDelayMs?: number;
}

/** Longer waits gain little throughput and make the flush that ends them hold up appends for longer. */
const DEFAULT_APPLY_FLUSH_DELAY_MS = 5;
/** Applied writes of one partition that wait for a flush; more starts one. */
const OVERLAY_BYTES = 4 * 1024 * 1024;
/** Log entries removed in one transaction by a trim. */
const TRIM_BATCH = 2000;
const CLOSED = new CadastreError('FAILED_PRECONDITION', 'the engine is not open', { remedy: 'open it first' });

/** The engine over any backing: bookkeeping in memory, all bytes in the backing, all writes through one group commit. */
export class CoreEngine implements StorageEngine {
  private readonly lanes = new Map<Partition, FillLane>();
  private readonly byName = new Map<string, Partition>();
  /** Partitions whose pairs or record have changed since the last flush. */
  private readonly dirty = new Set<Partition>();
  /** Partitions whose log has grown since the last flush. */
  private readonly grown = new Set<Partition>();
  /**
   * Partitions with applied writes that may wait. Their log is durable already, and pages of data written once for many groups
   * cost less than with each: a group of appends alone is a few sequential pages.
   */
  private readonly applied = new Set<Partition>();
  /** Partitions of which not all is applied that was asked for: see `applySoon`. */
  private readonly behind = new Set<Partition>();
  private lazy: { done: Group; timer: Cancellable } | undefined;
  /** The next group takes `applied` along. */
  private due = false;
  private readonly views = new Set<ReadSnapshot>();
  private nextNumber = 1;
  private group: GroupCommit | undefined;
  private sweeper: Sweeper | undefined;

  constructor(
    protected readonly backing: Backing,
    private readonly options: CoreEngineOptions,
  ) {}

  // --- life ---

  async open(): Promise<void> {
    if (this.group !== undefined)
      throw new CadastreError('FAILED_PRECONDITION', 'the engine is open already', { remedy: 'close it first' });
    await this.backing.open();
    const group = new GroupCommit({
      turn: this.options.turn,
      commit: (writes) => this.backing.commit(writes),
      assemble: (writes, done) => this.assemble(writes, done),
    });
    this.sweeper = new Sweeper(this.backing, (writes) => group.request(writes));
    this.group = group;
    try {
      this.recover(this.sweeper);
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    const { group, sweeper } = this;
    if (group === undefined || sweeper === undefined) return;
    await sweeper.stop();
    await this.flushIfHealthy(group);
    group.shut(CLOSED);
    await Promise.all([...this.lanes.values()].map((lane) => lane.stop()));
    this.lazy?.done.reject(CLOSED);
    this.abandon();
    await this.backing.close();
  }

  /** Lets go of all state without writing anything or telling anybody. */
  protected abandon(): void {
    this.group?.halt(CLOSED);
    this.group = undefined;
    this.sweeper = undefined;
    for (const view of this.views) view.close();
    this.views.clear();
    for (const lane of this.lanes.values()) lane.halt();
    this.lanes.clear();
    this.byName.clear();
    this.dirty.clear();
    this.grown.clear();
    this.applied.clear();
    this.behind.clear();
    this.lazy?.timer.cancel();
    this.lazy = undefined;
    this.due = false;
  }

  private async flushIfHealthy(group: GroupCommit): Promise<void> {
    try {
      await this.flush();
      await group.settled();
    } catch {
      // Whoever asked for those writes has been told; what counts now is to let go of the directory.
    }
  }

  private recover(sweeper: Sweeper): void {
    const fills = new Map<number, StoredFill>();
    for (const { key, value } of this.backing.range('partitions', ALL_RECORDS)) {
      const number = numberOfKey(key);
      this.nextNumber = Math.max(this.nextNumber, number + 1);
      const fill = isFillKey(key) ? decodeFillProgress(value) : undefined;
      if (fill) fills.set(number, fill);
      else if (isDoomedKey(key)) void sweeper.start(number);
      else if (!isFillKey(key)) this.adopt(decodeRecord(number, value), fills);
    }
    if (this.backing.damaged && this.backing.damaged.size > 0) this.giveUp(this.backing.damaged);
  }

  /**
   * A copy with a write missing is no copy: it goes, and is filled again from another node. Where it is not known whose write is
   * missing, that is true of all of them.
   */
  private giveUp(damaged: ReadonlySet<number>): void {
    const lost = [...this.byName.values()].filter((partition) => damaged.has(partition.number));
    if (lost.length < damaged.size)
      throw new CadastreError('DATA_LOSS', 'the journal is damaged where it names no partition', {
        remedy: 'start with an empty directory: replicas are filled again from others',
      });
    for (const { id } of lost) this.purge(id).catch(() => undefined);
  }

  private adopt(partition: Partition, fills: ReadonlyMap<number, StoredFill>): void {
    if (partition.state === 'filling') this.resumeFill(partition, fills.get(partition.number));
    const end = endOfLog(this.backing, partition.number);
    partition.lastSeq = end?.seq ?? partition.baseSeq;
    partition.lastEpoch = end?.epoch ?? partition.baseEpoch;
    this.byName.set(nameOf(partition.id), partition);
  }

  /** The record may have been written later than the last pairs: how far the fill is, only what lies with the pairs tells. */
  private resumeFill(partition: Partition, stored: StoredFill | undefined): void {
    partition.count = stored?.count ?? 0;
    partition.bytes = stored?.bytes ?? 0;
    partition.digest = new Digest128();
    partition.filling = {
      snapshotSeq: partition.filling?.snapshotSeq ?? partition.baseSeq,
      ...(stored && { resumeAfter: stored.resumeAfter }),
    };
    this.openLane(partition, Promise.resolve());
  }

  partitions(): PartitionMeta[] {
    this.catchUpAll();
    return [...this.byName.values()].map((partition) => partition.meta());
  }

  meta(id: PartitionId): PartitionMeta | undefined {
    const partition = this.byName.get(nameOf(id));
    if (partition) this.catchUp(partition);
    return partition?.meta();
  }

  flush(): Promise<void> {
    const flushed = this.flushGroup();
    if (this.lanes.size === 0) return flushed;
    return flushed.then(async () => {
      await Promise.all([...this.lanes.values()].map((lane) => lane.settled()));
      this.commits().assertOpen();
    });
  }

  private flushGroup(): Promise<void> {
    return attempt(() => {
      const group = this.commits();
      if (this.lazy === undefined) return group.settled();
      this.due = true;
      return group.request([]);
    });
  }

  async drain(): Promise<void> {
    await this.sweeper?.idle();
    await this.flush();
  }

  // --- log ---

  create(id: PartitionId, { epoch = 0 }: { epoch?: number } = {}): Promise<void> {
    return attempt(() => {
      checkId(id);
      checkNumber('epoch', epoch);
      this.commits().assertOpen();
      if (this.byName.has(nameOf(id)))
        throw new CadastreError('ALREADY_EXISTS', `${nameOf(id)} exists`, {
          field: 'partition',
          remedy: 'purge it first',
        });
      const partition = this.born(id);
      partition.promisedEpoch = epoch;
      return this.save(partition);
    });
  }

  promise(id: PartitionId, epoch: number): Promise<void> {
    return attempt(() => {
      checkNumber('epoch', epoch);
      const partition = this.writable(id, 'active', 'filling', 'quarantined');
      if (epoch < partition.promisedEpoch)
        throw refuse(
          'epoch',
          `${nameOf(id)}: epoch ${epoch} is older than the promised ${partition.promisedEpoch}`,
          'learn the current epoch from the map',
        );
      if (epoch === partition.promisedEpoch) return this.commits().settled();
      partition.promisedEpoch = epoch;
      return this.save(partition);
    });
  }

  markAsked(id: PartitionId, asked: AskedFor): Promise<void> {
    return attempt(() => {
      const partition = this.writable(id, 'active');
      partition.asked = asked;
      return this.save(partition);
    });
  }

  append(id: PartitionId, entries: readonly LogEntry[]): Promise<void> {
    return attempt(() => {
      const partition = this.writableLog(id, 'active', 'filling');
      checkEntries(partition, entries);
      const writes = entries.map((entry): Write => {
        const value = encodeLogEntry(entry);
        partition.appended(entry, value.length);
        return { table: 'log', key: logKey(partition.number, entry.seq), value };
      });
      this.grown.add(partition);
      return this.commits().request(writes);
    });
  }

  apply(id: PartitionId, uptoSeq: number): Promise<void> {
    return attempt(() => {
      const partition = this.writableLog(id, 'active');
      if (uptoSeq > partition.lastSeq)
        throw refuse(
          'uptoSeq',
          `${nameOf(id)}: the log ends at ${partition.lastSeq}, before ${uptoSeq}`,
          'append the entries first',
        );
      if (uptoSeq <= Math.max(partition.appliedSeq, partition.dueSeq))
        return this.lazy?.done.done ?? this.commits().settled();
      partition.dueSeq = uptoSeq;
      this.applySoon(partition);
      return this.lazily(partition);
    });
  }

  /**
   * Nobody waits for the work itself: whoever looks at a partition has it done first, so it looks as if it had been done at once. Put off
   * beyond the I/O of this turn, it does not keep those waiting whose writes are durable.
   */
  private applySoon(partition: Partition): void {
    const { turn } = this.options;
    this.behind.add(partition);
    if (this.behind.size === 1) turn(() => turn(() => this.applyAll()));
  }

  private applyAll(): void {
    try {
      this.catchUpAll();
    } catch (error) {
      this.lazy?.done.reject(CadastreError.from(error));
    }
  }

  private catchUpAll(): void {
    for (const partition of this.behind) this.catchUp(partition);
  }

  private catchUp(partition: Partition): void {
    if (!this.behind.delete(partition)) return;
    for (const { entry } of readEntries(this.backing, partition, partition.appliedSeq + 1)) {
      if (entry.seq > partition.dueSeq) break;
      this.applyEntry(partition, entry);
    }
    if (partition.overlay.waitingBytes > OVERLAY_BYTES) this.flushLazy();
  }

  private lazily(partition: Partition): Promise<void> {
    const { clock, applyFlushDelayMs = DEFAULT_APPLY_FLUSH_DELAY_MS } = this.options;
    this.applied.add(partition);
    this.lazy ??= { done: newGroup(), timer: clock.after(applyFlushDelayMs, () => this.flushLazy()) };
    return this.lazy.done.done;
  }

  private flushLazy(): void {
    this.flushGroup().catch((error: unknown) => this.lazy?.done.reject(CadastreError.from(error)));
  }

  readLog(
    id: PartitionId,
    fromSeq: number,
    { maxEntries, maxBytes }: { maxEntries: number; maxBytes: number },
  ): LogEntry[] {
    const partition = this.knownLog(id);
    if (fromSeq <= partition.baseSeq)
      throw refuse(
        'fromSeq',
        `${nameOf(id)}: the log begins at ${partition.baseSeq + 1}, after ${fromSeq}`,
        'fill from a snapshot instead',
      );
    const entries: LogEntry[] = [];
    let sum = 0;
    for (const { entry, bytes } of readEntries(this.backing, partition, fromSeq)) {
      sum += bytes;
      if (entries.length >= maxEntries || (entries.length > 0 && sum > maxBytes)) break;
      entries.push(entry);
    }
    return entries;
  }

  truncateAfter(id: PartitionId, seq: number): Promise<void> {
    return attempt(() => {
      const partition = this.writable(id, 'active', 'filling');
      const least = Math.max(partition.appliedSeq, partition.baseSeq);
      if (seq < least)
        throw refuse(
          'seq',
          `${nameOf(id)}: cannot truncate after ${seq}, ${least} is applied`,
          `truncate after ${least} or later`,
        );
      const writes: Write[] = [];
      for (let last = partition.lastSeq; last > seq; last -= 1)
        writes.push({ table: 'log', key: logKey(partition.number, last), value: undefined });
      if (writes.length === 0) return this.commits().settled();
      partition.lastEpoch = epochAt(this.backing, partition, seq);
      partition.truncated(seq);
      return this.commits().request(writes);
    });
  }

  async trimBefore(id: PartitionId, seq: number): Promise<void> {
    for (;;) {
      const partition = this.writable(id, 'active', 'filling');
      if (seq > partition.appliedSeq + 1)
        throw refuse(
          'seq',
          `${nameOf(id)}: cannot trim before ${seq}, only ${partition.appliedSeq} is applied`,
          'apply first',
        );
      if (seq <= partition.baseSeq + 1) return this.commits().settled();
      await this.trimBatch(partition, Math.min(seq - 1, partition.baseSeq + TRIM_BATCH));
    }
  }

  private trimBatch(partition: Partition, baseSeq: number): Promise<void> {
    const writes: Write[] = [];
    for (let seq = partition.baseSeq + 1; seq <= baseSeq; seq += 1)
      writes.push({ table: 'log', key: logKey(partition.number, seq), value: undefined });
    partition.baseEpoch = epochAt(this.backing, partition, baseSeq);
    partition.baseSeq = baseSeq;
    return this.save(partition, writes);
  }

  // --- data ---

  get(id: PartitionId, key: Uint8Array): Uint8Array | undefined {
    checkKey(key);
    return readApplied(this.backing, this.known(id), key);
  }

  scan(id: PartitionId, range: ScanRange): ScanResult {
    checkNumber('limit', range.limit, 1);
    return scanApplied(this.backing, this.known(id), range);
  }

  digestAt(id: PartitionId): ContentDigest {
    const { appliedSeq, count, digest } = this.known(id);
    return { seq: appliedSeq, count, digest: digest.toHex() };
  }

  sizeBytes(id: PartitionId): number {
    return this.known(id).bytes;
  }

  async recomputeDigest(id: PartitionId): Promise<ContentDigest> {
    this.known(id);
    if (this.backing.settle) {
      await this.commits().settled();
      await this.backing.settle();
    }
    const { view, stored } = await this.viewOf(id);
    try {
      return await digestOf(view, stored, this.options);
    } finally {
      view.close();
    }
  }

  async snapshot(id: PartitionId, { afterKey }: { afterKey?: Uint8Array } = {}): Promise<Snapshot> {
    await this.flushGroup();
    const { view, stored } = await this.viewOf(id);
    return snapshotOf(view, stored, afterKey, this.options);
  }

  /** A view of the disk and the partition as that view has it; waits for a partition that was only just created. */
  private async viewOf(id: PartitionId): Promise<{ view: ReadSnapshot; stored: Partition }> {
    for (;;) {
      const { number } = this.known(id);
      const view = this.openView();
      const record = view.get('partitions', liveKey(number));
      if (record !== undefined) return { view, stored: decodeRecord(number, record) };
      view.close();
      await this.flushGroup();
    }
  }

  private openView(): ReadSnapshot {
    const view = this.backing.snapshot();
    const tracked: ReadSnapshot = {
      get: (table, key) => view.get(table, key),
      range: (table, range) => view.range(table, range),
      close: () => {
        if (this.views.delete(tracked)) view.close();
      },
    };
    this.views.add(tracked);
    return tracked;
  }

  // --- filling, quarantine, removal ---

  beginFill(id: PartitionId, { snapshotSeq, epoch }: { snapshotSeq: number; epoch: number }): Promise<void> {
    return attempt(() => {
      checkId(id);
      checkNumber('snapshotSeq', snapshotSeq);
      checkNumber('epoch', epoch);
      this.commits().assertOpen();
      const old = this.byName.get(nameOf(id));
      const writes = old === undefined ? [] : this.doom(old);
      const partition = this.born(id);
      partition.promisedEpoch = Math.max(old?.promisedEpoch ?? 0, epoch);
      partition.state = 'filling';
      partition.filling = { snapshotSeq };
      partition.baseSeq = partition.lastSeq = snapshotSeq;
      partition.baseEpoch = partition.lastEpoch = epoch;
      const done = this.save(partition, writes);
      this.openLane(partition, done);
      if (old !== undefined) this.sweepAfter(done, old);
      return done;
    });
  }

  fillChunk(id: PartitionId, pairs: readonly Pair[], resumeAfter: Uint8Array): Promise<void> {
    return attempt(() => {
      const partition = this.writable(id, 'filling');
      checkKey(resumeAfter);
      for (const [key, value] of pairs) checkPair(key, value);
      return this.laneOf(partition).add(pairs, resumeAfter);
    });
  }

  finishFill(id: PartitionId, expected?: { count: number; digest: string }): Promise<ContentDigest> {
    return attempt(async () => {
      const lane = this.laneOf(this.writable(id, 'filling'));
      const held = await lane.held();
      const partition = this.writable(id, 'filling');
      if (this.laneOf(partition) !== lane) throw refuse('state', `${nameOf(id)} was begun anew`, 'fill it first');
      checkHeld(partition, held, expected);
      this.lanes.delete(partition);
      partition.digest = held.digest;
      partition.appliedSeq = partition.filling?.snapshotSeq ?? partition.baseSeq;
      partition.appliedEpoch = partition.baseEpoch;
      partition.state = 'active';
      partition.filling = undefined;
      const digest = this.digestAt(id);
      await this.save(partition, [{ table: 'partitions', key: fillKey(partition.number), value: undefined }]);
      return digest;
    });
  }

  private openLane(partition: Partition, recorded: Promise<void>): void {
    const onFailure = (error: CadastreError) => this.group?.shut(error);
    this.lanes.set(
      partition,
      new FillLane(partition, { backing: this.backing, pace: this.options, recorded, onFailure }),
    );
  }

  private laneOf(partition: Partition): FillLane {
    const lane = this.lanes.get(partition);
    if (lane === undefined) throw new Error(`${nameOf(partition.id)} fills without a lane`);
    return lane;
  }

  quarantine(id: PartitionId): Promise<void> {
    return attempt(() => {
      const partition = this.writable(id, 'active', 'filling', 'quarantined');
      if (partition.state === 'quarantined') return this.commits().settled();
      if (partition.state === 'filling')
        throw refuse('state', `${nameOf(id)} is still filling`, 'purge it: it was never whole');
      partition.state = 'quarantined';
      partition.quarantinedAt = this.options.clock.wallMs();
      return this.save(partition);
    });
  }

  reinstate(id: PartitionId): Promise<void> {
    return attempt(() => {
      const partition = this.writable(id, 'active', 'quarantined');
      partition.state = 'active';
      partition.quarantinedAt = undefined;
      return this.save(partition);
    });
  }

  async purge(id: PartitionId): Promise<void> {
    const group = this.commits();
    group.assertOpen();
    const partition = this.byName.get(nameOf(id));
    if (partition === undefined) return group.settled();
    const done = group.request(this.doom(partition));
    this.byName.delete(nameOf(id));
    await this.sweepAfter(done, partition);
  }

  private doom(partition: Partition): Write[] {
    this.dirty.delete(partition);
    this.grown.delete(partition);
    this.applied.delete(partition);
    this.behind.delete(partition);
    return [
      { table: 'partitions', key: liveKey(partition.number), value: undefined },
      { table: 'partitions', key: doomedKey(partition.number), value: Buffer.of(1) },
    ];
  }

  private sweepAfter(doomed: Promise<void>, partition: Partition): Promise<void> {
    const lane = this.lanes.get(partition);
    this.lanes.delete(partition);
    const swept = Promise.all([doomed, lane?.stop()]).then(() => this.sweeper?.start(partition.number));
    swept.catch(() => undefined);
    return swept;
  }

  // --- inside ---

  private commits(): GroupCommit {
    if (this.group === undefined) throw CLOSED;
    return this.group;
  }

  private known(id: PartitionId): Partition {
    const partition = this.knownLog(id);
    this.catchUp(partition);
    return partition;
  }

  /** For who uses nothing of it but its log. */
  private knownLog(id: PartitionId): Partition {
    this.commits();
    const partition = this.byName.get(nameOf(id));
    if (partition === undefined)
      throw new CadastreError('NOT_FOUND', `${nameOf(id)} is not stored here`, {
        field: 'partition',
        remedy: 'create or fill it first',
      });
    return partition;
  }

  private writable(id: PartitionId, ...states: PartitionState[]): Partition {
    const partition = this.writableLog(id, ...states);
    this.catchUp(partition);
    return partition;
  }

  private writableLog(id: PartitionId, ...states: PartitionState[]): Partition {
    const partition = this.knownLog(id);
    this.commits().assertOpen();
    checkState(partition, ...states);
    return partition;
  }

  private born(id: PartitionId): Partition {
    const partition = new Partition({ keyspace: id.keyspace, partition: id.partition }, this.nextNumber);
    this.nextNumber += 1;
    this.byName.set(nameOf(id), partition);
    return partition;
  }

  private save(partition: Partition, writes: readonly Write[] = []): Promise<void> {
    this.dirty.add(partition);
    return this.commits().request(writes);
  }

  private applyEntry(partition: Partition, entry: LogEntry): void {
    for (const op of entry.ops) this.exchange(partition, op.key, op.kind === 'put' ? op.value : undefined);
    partition.appliedSeq = entry.seq;
    partition.appliedEpoch = entry.epoch;
  }

  private exchange(partition: Partition, key: Uint8Array, value: Uint8Array | undefined): void {
    const { overlay, number } = partition;
    const name = toBinary(key);
    const old = overlay.has(name) ? overlay.get(name) : readPair(this.backing, number, key);
    if (old === undefined && value === undefined) return;
    partition.exchanged(key, old, value);
    overlay.set(name, value);
  }

  /** Every partition that changed in memory goes to disk whole: its pairs and the record that counts them, in one transaction. */
  private assemble(writes: Write[], done: Promise<void>): () => void {
    const lazy = this.due ? this.takeApplied() : undefined;
    if (lazy !== undefined) done.then(lazy.resolve, lazy.reject);
    const changed = [...this.dirty];
    for (const partition of changed) {
      pairWrites(this.backing, partition.number, partition.overlay.take(), writes);
      writes.push({ table: 'partitions', key: liveKey(partition.number), value: encodeRecord(partition) });
    }
    const releases = [...new Set([...changed, ...this.grown])].map((partition) => partition.releaseWhenDurable());
    this.dirty.clear();
    this.grown.clear();
    return () => {
      for (const partition of changed) partition.overlay.settle();
      for (const release of releases) release();
    };
  }

  private takeApplied(): Group | undefined {
    for (const partition of this.applied) {
      this.catchUp(partition);
      this.dirty.add(partition);
    }
    this.applied.clear();
    this.due = false;
    const { lazy } = this;
    lazy?.timer.cancel();
    this.lazy = undefined;
    return lazy?.done;
  }
}

const checkHeld = (
  { id, count, bytes }: Partition,
  held: Held,
  expected: { count: number; digest: string } | undefined,
): void => {
  const digest = held.digest.toHex();
  const asWritten = held.count === count && held.bytes === bytes;
  if (asWritten && (!expected || (expected.count === count && expected.digest === digest))) return;
  const wanted = expected ? `${expected.count} of digest ${expected.digest}` : `${count} of ${bytes} bytes`;
  throw new CadastreError(
    'DATA_LOSS',
    `${nameOf(id)}: the disk holds ${held.count} pairs of ${held.bytes} bytes, digest ${digest}, not ${wanted}`,
    { field: 'digest', remedy: 'begin the fill anew' },
  );
};

/** Errors of synchronous checks become rejections; a promise comes back as it is, so that one failure is one promise. */
const attempt = <T>(task: () => Promise<T>): Promise<T> => {
  try {
    return task();
  } catch (error) {
    return Promise.reject(error);
  }
};
