import { CadastreError } from '@cadastre/core';
import type { Pair } from '../engine.js';
import type { Backing, Write } from './backing.js';
import { compareBytes } from './bytes.js';
import { nameOf, refuse } from './checks.js';
import { loadWrites } from './data-space.js';
import { newGroup, type Group } from './group-commit.js';
import { encodeFillProgress, fillKey } from './fill-progress.codec.js';
import type { Partition } from './partition.js';
import { ReadBack, type Held } from './read-back.js';
import type { Pace } from './slices.js';

/** One transaction of a fill takes no more, so that building it holds the event loop for no longer than ~10 ms. */
const LOAD_BYTES = 4 * 1024 * 1024;
const LOAD_WRITES = 8000;

interface Chunk {
  readonly pairs: readonly Pair[];
  readonly progress: Uint8Array;
  readonly upTo: Uint8Array;
  readonly bytes: number;
  readonly group: Group;
}

export interface FillLaneOptions {
  readonly backing: Backing;
  readonly pace: Pace;
  /** The partition's own record is durable: before that, nothing would own what is written. */
  readonly recorded: Promise<void>;
  /** Nobody knows what the disk has. */
  readonly onFailure: (error: CadastreError) => void;
}

/**
 * Pairs of a copy that fills, in key order and past the group commit and the journal to where they stay: until it is whole it counts
 * for nothing, so none of them needs the journal's quick flush. How far it is lies in the same transaction as the pairs, under a key of
 * its own that the journal never holds while the copy fills; so a replay cannot put an older one over it. What is durable is read back
 * as it goes, and the digest is of what was read.
 */
export class FillLane {
  private front: Uint8Array;
  private waiting: Chunk[] = [];
  private working: Promise<void> | undefined;
  private reading: Promise<void> = Promise.resolve();
  private readonly readBack: ReadBack;
  private stopped = false;

  constructor(
    private readonly partition: Partition,
    private readonly options: FillLaneOptions,
  ) {
    this.front = partition.filling?.resumeAfter ?? new Uint8Array(0);
    this.readBack = new ReadBack(options.backing, partition.number, options.pace);
  }

  /** @throws CadastreError FAILED_PRECONDITION, field `pairs`, when they do not ascend from where the copy ends */
  add(pairs: readonly Pair[], resumeAfter: Uint8Array): Promise<void> {
    const { partition } = this;
    const { front, bytes } = this.follow(pairs);
    this.front = compareBytes(resumeAfter, front) > 0 ? resumeAfter : front;
    partition.count += pairs.length;
    partition.bytes += bytes;
    partition.filling = { snapshotSeq: partition.baseSeq, ...partition.filling, resumeAfter };
    const progress = encodeFillProgress({ count: partition.count, bytes: partition.bytes, resumeAfter });
    const group = newGroup();
    this.waiting.push({ pairs, progress, upTo: this.front, bytes, group });
    this.working ??= this.work();
    return group.done;
  }

  private follow(pairs: readonly Pair[]): { front: Uint8Array; bytes: number } {
    let { front } = this;
    let bytes = 0;
    for (const [key, value] of pairs) {
      if (compareBytes(key, front) <= 0)
        throw refuse('pairs', `${nameOf(this.partition.id)}: a pair is not after the one before`, 'fill in key order');
      front = key;
      bytes += key.length + value.length;
    }
    return { front, bytes };
  }

  /** Resolves when what was added is durable, or was given up. */
  async settled(): Promise<void> {
    while (this.working) await this.working;
  }

  /** What the disk holds, read once all of it is there. */
  async held(): Promise<Held> {
    await this.settled();
    this.reading = this.reading.then(() => this.readBack.go(undefined));
    await this.reading;
    return this.readBack.held;
  }

  /** Nothing is begun any more; resolves when nothing is under way. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.readBack.stop();
    await this.settled();
    await this.reading.catch(() => undefined);
  }

  /** As a process that was killed: what waits is never settled. */
  halt(): void {
    this.waiting = [];
    this.stopped = true;
    this.readBack.stop();
  }

  private async work(): Promise<void> {
    try {
      await this.options.recorded;
      await new Promise<void>((resolve) => this.options.pace.turn(resolve));
      while (this.waiting.length > 0 && !this.stopped) await this.load(this.take());
    } catch (cause) {
      this.fail(CadastreError.from(cause));
    } finally {
      this.working = undefined;
    }
    if (this.stopped) this.giveUp();
  }

  private async load(chunks: readonly Chunk[]): Promise<void> {
    const { number } = this.partition;
    const writes: Write[] = [];
    const runs = chunks.map(({ pairs }) => pairs);
    loadWrites(this.options.backing, number, runs, writes);
    const last = chunks.at(-1)!;
    writes.push({ table: 'partitions', key: fillKey(number), value: last.progress });
    try {
      await this.options.backing.load(writes);
    } catch (cause) {
      const error = CadastreError.from(cause);
      for (const { group } of chunks) group.reject(error);
      throw error;
    }
    for (const { group } of chunks) group.resolve();
    this.reading = this.reading.then(() => this.readBack.go(last.upTo));
    this.reading.catch(() => undefined); // told by `held`
  }

  /** Whole chunks, at least one. */
  private take(): Chunk[] {
    let bytes = 0;
    let writes = 0;
    const fits = (chunk: Chunk) => {
      bytes += chunk.bytes;
      writes += chunk.pairs.length;
      return bytes <= LOAD_BYTES && writes <= LOAD_WRITES;
    };
    const end = this.waiting.findIndex((chunk, index) => !fits(chunk) && index > 0);
    return this.waiting.splice(0, end < 0 ? this.waiting.length : end);
  }

  private fail(error: CadastreError): void {
    for (const { group } of this.waiting.splice(0)) group.reject(error);
    this.options.onFailure(error);
  }

  private giveUp(): void {
    const gone = refuse('state', `${nameOf(this.partition.id)} is not filled any more`, 'begin again');
    for (const { group } of this.waiting.splice(0)) group.reject(gone);
  }
}
