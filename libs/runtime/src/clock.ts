/** Milliseconds on a clock that never goes back and has no calendar. Deadlines and leases use only this. */
export type MonotonicMs = number;
/** Milliseconds since 1970; for people and records, never for safety. */
export type WallMs = number;

export interface Cancellable {
  cancel(): void;
}

/** The one door to time. The simulated world brings its own. */
export interface Clock {
  monotonicMs(): MonotonicMs;
  wallMs(): WallMs;
  /** Runs `task` once after `delayMs`; it does not keep the process alive when `background` is true. */
  after(delayMs: number, task: () => void, options?: { background?: boolean }): Cancellable;
  every(periodMs: number, task: () => void): Cancellable;
  /** Runs `task` once the I/O events at hand have been handled, so that what came together is worked off together. */
  soon(task: () => void): void;
}

export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  after(delayMs, task, options) {
    const timer = setTimeout(task, delayMs);
    if (options?.background) timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
  every(periodMs, task) {
    const timer = setInterval(task, periodMs);
    timer.unref();
    return { cancel: () => clearInterval(timer) };
  },
  soon: (task) => void setImmediate(task),
};

/** Resolves after `delayMs`, or at once when `signal` aborts. */
export const delay = (clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const timer = clock.after(delayMs, done);
    function done() {
      timer.cancel();
      signal?.removeEventListener('abort', done);
      resolve();
    }
    signal?.addEventListener('abort', done, { once: true });
  });
