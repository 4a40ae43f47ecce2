import type { Cancellable, Clock, MonotonicMs } from '@cadastre/runtime';

/**
 * One timer for many deadlines: it is set to the earliest that was told, and then asks `sweep` what is due. `sweep` returns the earliest
 * deadline that is left. A timer for each request would cost more than the request's own bookkeeping.
 */
export class DeadlineSweep {
  private timer: Cancellable | undefined;
  private dueAt: MonotonicMs = Infinity;

  constructor(
    private readonly clock: Clock,
    private readonly sweep: (now: MonotonicMs) => MonotonicMs | undefined,
  ) {}

  expect(deadline: MonotonicMs): void {
    if (deadline >= this.dueAt) return;
    this.timer?.cancel();
    this.dueAt = deadline;
    const inMs = Math.max(0, deadline - this.clock.monotonicMs());
    this.timer = this.clock.after(inMs, () => this.fire(), { background: true });
  }

  stop(): void {
    this.timer?.cancel();
    this.timer = undefined;
    this.dueAt = Infinity;
  }

  private fire(): void {
    this.stop();
    const next = this.sweep(this.clock.monotonicMs());
    if (next !== undefined) this.expect(next);
  }
}
