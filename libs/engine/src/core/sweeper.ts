import type { Backing, Table, Write } from './backing.js';
import { prefixOf } from './bytes.js';
import { fillKey } from './fill-progress.codec.js';
import { doomedKey } from './partition-record.codec.js';

/** Keys removed in one transaction: long enough to be quick, short enough that appends in the same group hardly wait. */
const BATCH_KEYS = 1000;
const SWEPT: readonly Table[] = ['log', 'data', 'long'];

/**
 * Removes what is left of partitions that were given up, in bounded batches that share the group commit.
 * A record in table `partitions` marks a number as doomed until its last byte is gone, so a crash only delays it.
 */
export class Sweeper {
  private readonly running = new Map<number, Promise<void>>();
  private stopped = false;

  constructor(
    private readonly backing: Backing,
    private readonly request: (writes: readonly Write[]) => Promise<void>,
  ) {}

  /** Call it when the doomed record is durable. */
  start(number: number): Promise<void> {
    const known = this.running.get(number);
    if (known !== undefined) return known;
    const work = this.sweep(number).finally(() => this.running.delete(number));
    work.catch(() => undefined);
    this.running.set(number, work);
    return work;
  }

  async idle(): Promise<void> {
    while (this.running.size > 0) await Promise.all(this.running.values());
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await Promise.allSettled(this.running.values());
  }

  private async sweep(number: number): Promise<void> {
    const range = { start: prefixOf(number), end: prefixOf(number + 1) };
    for (const table of SWEPT) {
      for (let more = true; more && !this.stopped;) {
        const keys = this.backing.keys(table, range, BATCH_KEYS);
        more = keys.length > 0;
        if (more) await this.request(keys.map((key) => ({ table, key, value: undefined })));
      }
    }
    if (this.stopped) return;
    await this.request(
      [fillKey(number), doomedKey(number)].map((key) => ({ table: 'partitions', key, value: undefined })),
    );
  }
}
