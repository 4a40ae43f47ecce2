import type { Clock, MonotonicMs } from '@cadastre/runtime';
import { delay } from '@cadastre/runtime';

/** A waiting taker looks again this often, so that a changed limit holds at once. */
const LOOK_MS = 100;
/** Credit that may be saved up, as time: a burst after a pause. */
const SAVED_MS = 100;

/** Bytes a second for all who take from it together; the limit may change at any time. 0 = no limit. */
export class ByteRate {
  /** Bytes taken since the start. */
  total = 0;
  private limit = 0;
  private owed = 0;
  private countedAt: MonotonicMs;

  constructor(private readonly clock: Clock) {
    this.countedAt = clock.monotonicMs();
  }

  get bytesPerSecond(): number {
    return this.limit;
  }

  set(bytesPerSecond: number): void {
    this.count();
    this.limit = bytesPerSecond;
  }

  /** Books `bytes` that have gone, and resolves when the next may go. */
  async take(bytes: number, signal?: AbortSignal): Promise<void> {
    this.total += bytes;
    this.count();
    if (this.limit === 0) return;
    this.owed += bytes;
    while (this.owed > 0 && this.limit > 0 && !signal?.aborted) {
      await delay(this.clock, Math.min(LOOK_MS, (this.owed / this.limit) * 1000), signal);
      this.count();
    }
  }

  private count(): void {
    const now = this.clock.monotonicMs();
    const paid = (this.limit * (now - this.countedAt)) / 1000;
    this.owed = this.limit === 0 ? 0 : Math.max(-(this.limit * SAVED_MS) / 1000, this.owed - paid);
    this.countedAt = now;
  }
}

/** What this node may send and take of copies. */
export interface TransferRates {
  readonly out: ByteRate;
  readonly in: ByteRate;
}
