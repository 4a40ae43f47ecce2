import type { Clock } from '@cadastre/runtime';
import { count, duration, plural } from '../format.js';

const REASONS_KEPT = 5;

/** Counts of a long run over records, and the first reasons of what failed. */
export class Tally {
  records = 0;
  failed = 0;
  /** Requests that failed since the last one that succeeded. */
  failedInARow = 0;
  readonly reasons: string[] = [];
  private readonly startedAt: number;

  constructor(private readonly clock: Clock) {
    this.startedAt = clock.monotonicMs();
  }

  get elapsedMs(): number {
    return Math.max(1, this.clock.monotonicMs() - this.startedAt);
  }

  get perSecond(): number {
    return Math.round((this.records * 1000) / this.elapsedMs);
  }

  fail(at: string, why: string): void {
    this.failed += 1;
    if (this.reasons.length < REASONS_KEPT) this.reasons.push(`${at}: ${why}`);
  }

  line(verb: string): string {
    return `${verb} ${plural(this.records, 'record')} in ${duration(this.elapsedMs)} (${count(this.perSecond)} a second), ${plural(this.failed, 'failure')}`;
  }
}
