import type { Clock, MonotonicMs } from '@cadastre/runtime';

/** Of its own cost, how long a figure rests before it is made anew: at most a fiftieth of the time goes into it. */
const REST = 50;
const LEAST_REST_MS = 1_000;

/** A figure that costs something, made anew when it is asked for and has rested. */
export class Rested<T> {
  private value: T | undefined;
  private dueAt: MonotonicMs = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly clock: Clock,
    private readonly make: () => T,
  ) {}

  get(): T {
    const beganAt = this.clock.monotonicMs();
    if (this.value !== undefined && beganAt < this.dueAt) return this.value;
    this.value = this.make();
    const now = this.clock.monotonicMs();
    this.dueAt = now + Math.max(LEAST_REST_MS, (now - beganAt) * REST);
    return this.value;
  }
}
