import type { Cancellable, Clock } from '@cadastre/runtime';

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly task: () => void;
}

/** Time that moves only by `advance`; timers run in the order of their times. */
export class ManualClock implements Clock {
  private now = 1_000;
  private order = 0;
  private readonly timers = new Set<Timer>();

  monotonicMs(): number {
    return this.now;
  }

  wallMs(): number {
    return this.now;
  }

  after(delayMs: number, task: () => void): Cancellable {
    const timer = { at: this.now + Math.max(0, delayMs), order: this.order++, task };
    this.timers.add(timer);
    return { cancel: () => this.timers.delete(timer) };
  }

  every(periodMs: number, task: () => void): Cancellable {
    let current = this.after(periodMs, run);
    const again = () => this.after(periodMs, run);
    function run() {
      current = again();
      task();
    }
    return { cancel: () => current.cancel() };
  }

  soon(task: () => void): void {
    this.after(0, task);
  }

  /** Jumps without running timers, as a suspended process does. */
  jump(ms: number): void {
    this.now += ms;
  }

  /** Runs everything due in the next `ms`, and lets promises settle between timers. */
  async advance(ms: number): Promise<void> {
    const end = this.now + ms;
    await settlePromises();
    for (let next = this.due(end); next; next = this.due(end)) {
      this.timers.delete(next);
      this.now = Math.max(this.now, next.at);
      next.task();
      await settlePromises();
    }
    this.now = Math.max(this.now, end);
  }

  private due(end: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.timers) {
      if (timer.at <= end && (!first || timer.at < first.at || (timer.at === first.at && timer.order < first.order)))
        first = timer;
    }
    return first;
  }
}

const settlePromises = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
};
