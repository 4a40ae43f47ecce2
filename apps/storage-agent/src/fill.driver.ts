import type { ErrorCode } from '@cadastre/core';
import { CadastreError } from '@cadastre/core';
import type { Peer, Wire } from '@cadastre/contracts';
import { fromServiceError } from '@cadastre/contracts';
import type { Pair, StorageEngine } from '@cadastre/engine';
import type { Clock, Logger, Random } from '@cadastre/runtime';
import { Backoff, delay } from '@cadastre/runtime';
import type { ByteRate } from './byte-rate.js';
import { checkFrame } from './frames.codec.js';
import type { ReplicaDriver } from './replica.driver.js';

/** Bad frames that a copy gets over by going on after the last good key; then it starts anew. */
const BAD_FRAMES_MAX = 5;
const AT_ONCE = 4;
/** As the engine says it; what a stream says comes as a status of gRPC. */
const DISK_FAILED: readonly ErrorCode[] = ['RESOURCE_EXHAUSTED', 'INTERNAL'];
/** Frames of a copy that may be on their way to the disk, 16 MiB: one transaction is written while the next one gathers. */
const STORING_MAX = 64;

export interface FillProgress {
  readonly filledBytes: number;
  readonly totalBytes: number;
}

export interface FillOptions {
  readonly node: string;
  readonly engine: StorageEngine;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Of all copies into this node. */
  readonly in: ByteRate;
  /** A connection of its own to a node: what a copy has on its way must not stand before what is replicated. */
  connect(node: string): Peer | undefined;
  onFatal(error: Error): void;
}

class Fill {
  readonly stop = new AbortController();
  filledBytes = 0;
  totalBytes = 0;
  private badFrames = 0;
  /** What the source says the whole copy is; unknown for one that came from several snapshots. */
  private expected: { count: number; digest: string } | undefined;
  /** Frames on their way to the disk. */
  private readonly storing: Promise<void>[] = [];
  private readonly backoff: Backoff;

  constructor(
    private readonly replica: ReplicaDriver,
    private readonly from: string,
    private anew: boolean,
    private readonly options: FillOptions,
    /** Copies whose last frame has come and that are not handed over yet; a fill that is stopped then need not begin again. */
    private readonly whole: Set<ReplicaDriver>,
  ) {
    this.backoff = new Backoff({ initialMs: 50, maxMs: 2000 }, options.random);
  }

  async run(): Promise<void> {
    const { clock, logger } = this.options;
    while (!this.stop.signal.aborted) {
      try {
        const complete = (!this.anew && this.whole.has(this.replica)) || (await this.attempt());
        if (complete && !this.stop.signal.aborted) return await this.finish();
      } catch (error) {
        if (this.stop.signal.aborted) return;
        // Nobody knows what the disk has: as for every other write, the node must stop.
        if (error instanceof CadastreError && DISK_FAILED.includes(error.code)) return this.options.onFatal(error);
        const cause = error instanceof CadastreError ? error : fromServiceError(error as never);
        if (cause.code === 'DATA_LOSS') this.refused();
        logger.warn('fill interrupted', {
          event: 'fill-interrupted',
          ...this.replica.id,
          from: this.from,
          error: cause,
        });
      }
      await delay(clock, this.backoff.nextMs(), this.stop.signal);
    }
  }

  private refused(): void {
    this.badFrames += 1;
    if (this.badFrames < BAD_FRAMES_MAX) return;
    this.badFrames = 0;
    this.anew = true;
  }

  private resumeAfter(): Uint8Array | undefined {
    const meta = this.replica.meta;
    return this.anew || meta?.state !== 'filling' ? undefined : meta.filling?.resumeAfter;
  }

  /** @returns whether the last frame came */
  private async attempt(): Promise<boolean> {
    const epoch = this.replica.machine.record?.epoch;
    const peer = epoch === undefined ? undefined : this.options.connect(this.from);
    if (!peer || epoch === undefined) return false;
    try {
      return await this.copy(peer, epoch);
    } finally {
      peer.close();
    }
  }

  private async copy(peer: Peer, epoch: number): Promise<boolean> {
    let after = this.resumeAfter();
    this.expected = undefined;
    const call = peer.transfer.snapshot({
      ...this.replica.id,
      epoch,
      node: this.options.node,
      after: after ?? Buffer.alloc(0),
      resume: after !== undefined,
      packed: true,
    });
    call.on('error', () => undefined); // one that comes after the reading has ended concerns nobody
    const abort = () => call.cancel();
    this.stop.signal.addEventListener('abort', abort, { once: true });
    try {
      let index = 0;
      for await (const frame of call as AsyncIterable<Wire.SnapshotFrame__Output>) {
        if (this.stop.signal.aborted) return false;
        const pairs = checkFrame(frame, index, after);
        if (index === 0 && after === undefined) await this.begin(frame);
        if (this.stop.signal.aborted) return false;
        index += 1;
        this.totalBytes = frame.totalBytes;
        const last = pairs.at(-1)?.[0];
        if (last) {
          after = last;
          await this.store(pairs, last);
        }
        if (frame.last) {
          await this.stored();
          return true;
        }
      }
      await this.stored();
      return false;
    } finally {
      await this.stored();
      this.stop.signal.removeEventListener('abort', abort);
      call.cancel();
    }
  }

  /** Frames become durable in their order, a few at a time; reading waits while too many have not. */
  private async store(pairs: readonly Pair[], last: Uint8Array): Promise<void> {
    const bytes = pairs.reduce((sum, [key, value]) => sum + key.length + value.length, 0);
    const done = this.options.engine.fillChunk(this.replica.id, pairs, last).then(() => {
      this.filledBytes += bytes;
    });
    done.catch(() => undefined); // told by `stored`
    this.storing.push(done);
    await this.options.in.take(bytes, this.stop.signal);
    if (this.storing.length >= STORING_MAX) await this.storing.shift();
  }

  private async stored(): Promise<void> {
    for (const done of this.storing.splice(0)) await done;
  }

  private async begin(frame: Wire.SnapshotFrame__Output): Promise<void> {
    this.filledBytes = 0;
    this.whole.delete(this.replica);
    await this.options.engine.beginFill(this.replica.id, { snapshotSeq: frame.seq, epoch: Number(frame.epochAtSeq) });
    this.anew = false;
    this.expected = frame.digest === '' ? undefined : { count: frame.records, digest: frame.digest };
  }

  /** Before a filled copy may count for anything, what the disk really holds is read back once: the engine does. */
  private async finish(): Promise<void> {
    const { engine, logger } = this.options;
    const { id } = this.replica;
    try {
      if (engine.meta(id)?.state === 'filling') await engine.finishFill(id, this.expected);
    } catch (error) {
      if (!(error instanceof CadastreError) || error.code !== 'DATA_LOSS') throw error;
      logger.error('filled copy reads back differently', { event: 'fill-unreadable', ...id, error });
      this.anew = true;
      return this.run();
    }
    this.whole.add(this.replica);
    if (this.stop.signal.aborted) return;
    const records = engine.digestAt(id).count;
    logger.info('filled', { event: 'filled', ...id, from: this.from, bytes: this.filledBytes, records });
    const meta = engine.meta(id);
    this.whole.delete(this.replica);
    if (meta) this.replica.dispatch({ type: 'filled', seq: meta.lastSeq, epoch: meta.lastEpoch });
  }
}

/** Fills of this node; a few at once, so that they do not crowd out what serves. */
export class Fills {
  private readonly running = new Map<ReplicaDriver, Fill>();
  private readonly waiting = new Map<ReplicaDriver, Fill>();
  private readonly whole = new Set<ReplicaDriver>();
  /** How far each got last: what a finished copy has moved is still asked for. */
  private readonly last = new WeakMap<ReplicaDriver, FillProgress>();

  constructor(private readonly options: FillOptions) {}

  start(replica: ReplicaDriver, from: string, anew: boolean): void {
    this.stop(replica);
    this.waiting.set(replica, new Fill(replica, from, anew, this.options, this.whole));
    this.next();
  }

  stop(replica: ReplicaDriver): void {
    this.waiting.delete(replica);
    this.running.get(replica)?.stop.abort();
    this.running.delete(replica);
    this.next();
  }

  /** Copies under way or waiting for their turn. */
  get count(): number {
    return this.running.size + this.waiting.size;
  }

  progress(replica: ReplicaDriver): FillProgress | undefined {
    return this.running.get(replica) ?? this.last.get(replica);
  }

  stopAll(): void {
    this.waiting.clear();
    for (const fill of this.running.values()) fill.stop.abort();
    this.running.clear();
  }

  private next(): void {
    for (const [replica, fill] of this.waiting) {
      if (this.running.size >= AT_ONCE) return;
      this.waiting.delete(replica);
      this.running.set(replica, fill);
      this.last.set(replica, fill);
      void fill.run().then(
        () => this.ended(replica, fill),
        (error: unknown) => {
          this.options.logger.error('fill failed', { event: 'fill-failed', ...replica.id, error });
          this.ended(replica, fill);
        },
      );
    }
  }

  private ended(replica: ReplicaDriver, fill: Fill): void {
    if (this.running.get(replica) === fill) this.running.delete(replica);
    this.next();
  }
}
