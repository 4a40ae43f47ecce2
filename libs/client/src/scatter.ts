import type { KeyspaceMap } from '@cadastre/core';
import { CadastreError, compareBytes, invalid } from '@cadastre/core';
import type { Entry } from './merge.js';
import { Gate, mergeSorted } from './merge.js';
import type { ReadPage, ScanOptions, ScanRange } from './scan.js';
import { compileRange, PAGE, pages } from './scan.js';

export interface ScatterOptions extends ScanOptions {
  /** Partitions that are asked at the same time; 16 unless told. */
  readonly concurrency?: number;
  /** `stop` (the default) throws at the first partition that fails; `continue` goes on with the others and reports it. */
  readonly onFailure?: 'stop' | 'continue';
}

export interface ScatterEntry extends Entry {
  readonly partition: number;
}

export interface ScatterFailure {
  readonly partition: number;
  readonly error: CadastreError;
  /** The last key that this partition gave; undefined when it gave none. */
  readonly after: Uint8Array | undefined;
}

/** What has become of it so far; whole once the iteration has ended. Comes as `info` with the error of one that stopped. */
export interface ScatterReport {
  /** All that hold a key of the range. */
  readonly partitions: readonly number[];
  readonly complete: readonly number[];
  readonly failed: readonly ScatterFailure[];
  readonly entries: number;
}

const CONCURRENCY = 16;

export interface CompiledScatter {
  readonly range: ScanRange;
  readonly concurrency: number;
  readonly stops: boolean;
}

/** @throws CadastreError INVALID_ARGUMENT naming the option */
export const compileScatter = ({
  concurrency = CONCURRENCY,
  onFailure = 'stop',
  ...scan
}: ScatterOptions): CompiledScatter => {
  if (!Number.isInteger(concurrency) || concurrency < 1 || concurrency > 1024)
    throw invalid('concurrency', `${concurrency} is no count`, 'give a whole number', '1 to 1024');
  if (onFailure !== 'stop' && onFailure !== 'continue')
    throw invalid('onFailure', `"${String(onFailure)}" is unknown`, 'use stop or continue');
  return { range: compileRange(scan), concurrency, stops: onFailure === 'stop' };
};

interface Held {
  readonly map: KeyspaceMap;
  readonly read: ReadPage;
}

/**
 * One question to all partitions that a range of keys touches. Iterate it for entries in key order over all partitions, or `unordered()`
 * for entries as they come, sooner and without a merge. Nothing is read that is not consumed, but for one page ahead of each partition
 * under way. Each page is as of its own moment: a scatter is no snapshot. To be iterated once.
 */
export class Scatter implements AsyncIterable<Entry> {
  private partitions: readonly number[] = [];
  private readonly complete: number[] = [];
  private readonly failed: ScatterFailure[] = [];
  private entries = 0;
  private begun = false;

  constructor(
    private readonly options: CompiledScatter,
    private readonly begin: () => Promise<Held>,
  ) {}

  report(): ScatterReport {
    return {
      partitions: this.partitions,
      complete: [...this.complete],
      failed: [...this.failed],
      entries: this.entries,
    };
  }

  /** In key order, whatever the scheme. @throws CadastreError with `info: ScatterReport` when it stops at a failure */
  async *[Symbol.asyncIterator](): AsyncGenerator<Entry> {
    const { map, read } = await this.start();
    if (map.ordered) return yield* this.counted(this.inSequence(read));
    const gate = new Gate(this.options.concurrency);
    const gated: ReadPage = (...page) => gate.run(() => read(...page));
    return yield* this.counted(mergeSorted(this.partitions.map((partition) => this.watched(partition, gated))));
  }

  /** As they come: each partition's own entries in key order, the partitions in any. */
  async *unordered(): AsyncGenerator<ScatterEntry> {
    const { read } = await this.start();
    yield* this.counted(this.interleaved(read));
  }

  private async start(): Promise<Held> {
    if (this.begun)
      throw new CadastreError('FAILED_PRECONDITION', 'this scatter has been iterated before', {
        remedy: 'make another one: each is one reading',
      });
    this.begun = true;
    const held = await this.begin();
    const { start, end } = this.options.range;
    const empty = end !== undefined && compareBytes(start, end) >= 0;
    this.partitions = empty ? [] : held.map.partitionsFor(start, end);
    return held;
  }

  private async *counted<E extends Entry>(source: AsyncIterable<E>): AsyncGenerator<E> {
    const { limit } = this.options.range;
    if (limit === 0) return;
    for await (const entry of source) {
      this.entries += 1;
      yield entry;
      if (this.entries >= limit) return;
    }
  }

  private async *inSequence(read: ReadPage): AsyncGenerator<Entry> {
    for (const partition of this.partitions) yield* this.watched(partition, read);
  }

  /** A partition's entries; its failure ends all of it, or only this partition. */
  private async *watched(partition: number, read: ReadPage): AsyncGenerator<Entry> {
    const { range } = this.options;
    let after: Uint8Array | undefined;
    try {
      for await (const entry of pages(partition, range, Math.min(PAGE, range.limit), read)) {
        yield entry;
        after = entry.key;
      }
      this.complete.push(partition);
    } catch (thrown) {
      const error = CadastreError.from(thrown);
      this.failed.push({ partition, error, after });
      if (this.options.stops) throw this.stopped(partition, error);
    }
  }

  private async *interleaved(read: ReadPage): AsyncGenerator<ScatterEntry> {
    const waiting = [...this.partitions].reverse();
    const lanes = new Map<number, { source: AsyncGenerator<Entry[]>; next: Promise<Turn> }>();
    const open = (): void => {
      const partition = waiting.pop();
      if (partition === undefined) return;
      const source = this.watchedPages(partition, read);
      lanes.set(partition, { source, next: turn(partition, source) });
    };
    for (let i = 0; i < this.options.concurrency; i += 1) open();
    try {
      while (lanes.size > 0) {
        const { partition, page } = await Promise.race([...lanes.values()].map(({ next }) => next));
        const lane = lanes.get(partition)!;
        if (page) {
          for (const entry of page) yield { ...entry, partition };
          lane.next = turn(partition, lane.source);
        } else {
          lanes.delete(partition);
          open();
        }
      }
    } finally {
      for (const { next } of lanes.values()) next.catch(() => undefined);
    }
  }

  private async *watchedPages(partition: number, read: ReadPage): AsyncGenerator<Entry[]> {
    const { start, end, limit } = this.options.range;
    let after: Uint8Array | undefined;
    try {
      for (let from: Uint8Array | undefined = start; from;) {
        const page = await read(partition, from, end, Math.min(PAGE, limit));
        yield [...page.entries];
        after = page.entries.at(-1)?.key ?? after;
        from = page.next;
      }
      this.complete.push(partition);
    } catch (thrown) {
      const error = CadastreError.from(thrown);
      this.failed.push({ partition, error, after });
      if (this.options.stops) throw this.stopped(partition, error);
    }
  }

  private stopped(partition: number, error: CadastreError): CadastreError {
    return new CadastreError(error.code, `partition ${partition}: ${error.message}`, {
      remedy: 'see info for what was read; onFailure "continue" goes on with the other partitions',
      info: this.report(),
      cause: error,
    });
  }
}

interface Turn {
  readonly partition: number;
  /** Undefined when the partition has no more. */
  readonly page: Entry[] | undefined;
}

const turn = async (partition: number, source: AsyncGenerator<Entry[]>): Promise<Turn> => {
  const { done, value } = await source.next();
  return { partition, page: done ? undefined : value };
};
