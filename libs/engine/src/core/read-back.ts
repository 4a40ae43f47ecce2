import type { ReadView } from './backing.js';
import { Digest128 } from './digest.js';
import { nextTurn, slice, type Pace } from './slices.js';

/** As much as may be hashed before others get their turn. */
const SLICE_BYTES = 256 * 1024;

export interface Held {
  readonly count: number;
  readonly bytes: number;
  readonly digest: Digest128;
}

/** Counts and hashes what the disk holds of a partition, in key order, as far as it is told each time. */
export class ReadBack {
  private after: Uint8Array | undefined;
  private count = 0;
  private bytes = 0;
  private readonly digest = new Digest128();
  private stopped = false;

  constructor(
    private readonly view: ReadView,
    private readonly number: number,
    private readonly pace: Pace,
  ) {}

  get held(): Held {
    return { count: this.count, bytes: this.bytes, digest: this.digest };
  }

  stop(): void {
    this.stopped = true;
  }

  /** Up to and with `upTo`; undefined = to the end. Pairs up to there are durable and do not change meanwhile. */
  async go(upTo: Uint8Array | undefined): Promise<void> {
    const end = upTo && Buffer.concat([upTo, Buffer.of(0)]);
    while (!this.stopped) {
      const pairs = slice(this.view, this.number, { after: this.after, end, maxBytes: SLICE_BYTES }, this.pace.clock);
      const last = pairs.at(-1);
      if (last === undefined) return;
      for (const [key, value] of pairs) {
        this.digest.add(key, value);
        this.bytes += key.length + value.length;
      }
      this.count += pairs.length;
      this.after = last[0];
      await nextTurn(this.pace);
    }
  }
}
