import type { Clock, Logger } from '@cadastre/runtime';
import { systemClock } from '@cadastre/runtime';

export interface ShutdownOptions {
  /** How long `stop` may take before the process ends without it. */
  readonly timeoutMs: number;
  readonly logger: Logger;
  readonly clock?: Clock;
  /** Injected by tests. */
  readonly exit?: (code: number) => void;
}

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

/**
 * Runs `stop` once at the first SIGTERM or SIGINT and ends the process: code 0 when it went well, 1 when it threw or took too long.
 * A second signal ends it at once. @returns a function that takes the handlers off again
 */
export const shutdownOnSignals = (stop: () => Promise<void>, options: ShutdownOptions): (() => void) => {
  const { timeoutMs, logger, clock = systemClock, exit = (code: number) => process.exit(code) } = options;
  let stopping = false;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (stopping) return exit(1);
    stopping = true;
    logger.info('stopping', { event: 'stopping', signal });
    const timer = clock.after(
      timeoutMs,
      () => {
        logger.error('did not stop in time', { event: 'stop-timeout', timeoutMs });
        exit(1);
      },
      { background: true },
    );
    stop().then(
      () => {
        timer.cancel();
        logger.info('stopped', { event: 'stopped' });
        exit(0);
      },
      (error: unknown) => {
        logger.error('stopping failed', { event: 'stop-failed', error });
        exit(1);
      },
    );
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return () => {
    for (const signal of SIGNALS) process.off(signal, onSignal);
  };
};
