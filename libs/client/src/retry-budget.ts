import type { MonotonicMs } from '@cadastre/runtime';

export interface RetryBudgetOptions {
  /** Retries earned by each request. */
  readonly share: number;
  readonly burst: number;
  /**
   * Retries earned by each second. Requests that all wait earn nothing: without a trickle a client whose every worker is
   * retrying could never find out that the trouble has passed.
   */
  readonly perSecond: number;
}

export const RETRY_BUDGET: RetryBudgetOptions = { share: 0.2, burst: 100, perSecond: 10 };

/** Token bucket that keeps a client's retries from multiplying the load of a cluster in trouble. */
export class RetryBudget {
  private tokens: number;
  private filledAt: MonotonicMs | undefined;

  constructor(private readonly options: RetryBudgetOptions = RETRY_BUDGET) {
    this.tokens = options.burst;
  }

  onRequest(): void {
    this.tokens = Math.min(this.options.burst, this.tokens + this.options.share);
  }

  /** @returns false when the retry has to wait */
  take(now: MonotonicMs): boolean {
    const elapsedMs = now - (this.filledAt ?? now);
    this.filledAt = now;
    this.tokens = Math.min(this.options.burst, this.tokens + (elapsedMs / 1000) * this.options.perSecond);
    if (this.tokens < 1) return false;
    this.tokens -= 1;
    return true;
  }
}
