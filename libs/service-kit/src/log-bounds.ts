import type { Clock, MonotonicMs } from '@cadastre/runtime';

/**
 * Lines a second that are written in the long run, and at once after a quiet time: a failover of ten thousand partitions says one line of
 * each. Errors have as many of their own.
 */
const RATE = 200;
const BURST = 10_000;
const TEXT_MAX = 4_096;
const VALUE_MAX = 16_384;

/** What leaves the register for the log is the only copy of it: whole, and always. */
const WHOLE: readonly unknown[] = ['audit-export', 'plan-export'];

export const isWhole = (event: unknown): boolean => WHOLE.includes(event);

class Bucket {
  private tokens = BURST;
  private filledAt: MonotonicMs;

  constructor(private readonly clock: Clock) {
    this.filledAt = clock.monotonicMs();
  }

  take(): boolean {
    const now = this.clock.monotonicMs();
    this.tokens = Math.min(BURST, this.tokens + ((now - this.filledAt) / 1000) * RATE);
    this.filledAt = now;
    if (this.tokens < 1) return false;
    this.tokens -= 1;
    return true;
  }
}

/** A fault that repeats must not fill a disk or hold up the process: so many lines, and how many were left out. */
export class LogBounds {
  /** Lines that were not written since the start. */
  dropped = 0;
  private untold = 0;
  private readonly errors: Bucket;
  private readonly others: Bucket;

  constructor(clock: Clock) {
    this.errors = new Bucket(clock);
    this.others = new Bucket(clock);
  }

  admit(level: string): boolean {
    if ((level === 'error' ? this.errors : this.others).take()) return true;
    this.dropped += 1;
    this.untold += 1;
    return false;
  }

  /** How many were left out since this was last asked. */
  takeUntold(): number {
    const { untold } = this;
    this.untold = 0;
    return untold;
  }
}

const cut = (text: string, most: number): string =>
  text.length <= most ? text : `${text.slice(0, most)}… (${text.length} characters)`;

/** A value as it is written: long texts are cut, and what is large as a whole becomes a text that is. */
export const bounded = (value: unknown): unknown => {
  if (typeof value === 'string') return cut(value, TEXT_MAX);
  if (typeof value !== 'object' || value === null) return value;
  const text = JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? String(part) : part));
  return text !== undefined && text.length > VALUE_MAX ? cut(text, TEXT_MAX) : value;
};
