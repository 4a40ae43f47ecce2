import type { Random } from './random.js';

export interface BackoffOptions {
  readonly initialMs: number;
  readonly maxMs: number;
  readonly factor?: number;
}

/** Exponential backoff with full jitter (AWS Architecture Blog, 2015): a herd of retries spreads over the whole interval. */
export class Backoff {
  private attempt = 0;

  constructor(
    private readonly options: BackoffOptions,
    private readonly random: Random,
  ) {}

  nextMs(): number {
    const { initialMs, maxMs, factor = 2 } = this.options;
    const ceiling = Math.min(maxMs, initialMs * factor ** this.attempt);
    this.attempt += 1;
    return Math.max(initialMs / 4, ceiling * this.random());
  }

  reset(): void {
    this.attempt = 0;
  }
}
