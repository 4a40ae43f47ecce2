import type { Clock, Logger, MonotonicMs } from '@cadastre/runtime';
import type { ReplicaDriver } from './replica.driver.js';

/** Far above the pause of a hand-off (tens of milliseconds), below the patience of clients. */
const PAUSE_MS = 1_000;
const ASK_EVERY_MS = 2_000;

export interface PauseWatchdogOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  replicas(): Iterable<ReplicaDriver>;
  /** Counts them. */
  readonly meters: { writePauses: number };
  /** Learns from the register who leads. */
  ask(): void;
}

/**
 * When writes of a partition stand still, a hand-off may have been committed or not, and word of it may be lost. It is never guessed: the
 * map is asked for anew, and what it says decides. Nothing is taken back or resumed here.
 */
export class PauseWatchdog {
  private askedAt: MonotonicMs = Number.NEGATIVE_INFINITY;

  constructor(private readonly options: PauseWatchdogOptions) {}

  look(): void {
    const { clock, logger, ask } = this.options;
    const now = clock.monotonicMs();
    if (now - this.askedAt < ASK_EVERY_MS) return;
    for (const replica of this.options.replicas()) {
      const pausedMs = replica.pausedMs(now);
      if (pausedMs < PAUSE_MS) continue;
      this.askedAt = now;
      this.options.meters.writePauses += 1;
      logger.warn('writes stand still; the register is asked who leads', {
        event: 'write-pause',
        ...replica.id,
        pausedMs: Math.round(pausedMs),
      });
      return ask();
    }
    return undefined;
  }
}
