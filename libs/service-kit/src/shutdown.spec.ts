import { afterEach, describe, expect, it } from '@jest/globals';
import { silentLogger } from '@cadastre/runtime';
import { shutdownOnSignals } from './shutdown.js';

// Plan: send this process the signal it listens for, with an exit that is recorded instead of done: a good stop, a failed one, a slow one, a second signal.
describe('shutdownOnSignals', () => {
  let off = (): void => undefined;
  afterEach(() => off());

  const run = (stop: () => Promise<void>, timeoutMs = 5000): Promise<number> =>
    new Promise((resolve) => {
      off = shutdownOnSignals(stop, { timeoutMs, logger: silentLogger, exit: resolve });
      process.emit('SIGTERM', 'SIGTERM');
    });

  it('ends with 0 when all was stopped', async () => {
    expect(await run(() => Promise.resolve())).toBe(0);
  });

  it('ends with 1 when stopping failed', async () => {
    expect(await run(() => Promise.reject(new Error('disk')))).toBe(1);
  });

  it('ends with 1 when stopping takes too long', async () => {
    expect(await run(() => new Promise(() => undefined), 10)).toBe(1);
  });

  it('ends at once at the second signal', async () => {
    const ended = run(() => new Promise(() => undefined));
    process.emit('SIGTERM', 'SIGTERM');
    expect(await ended).toBe(1);
  });
});
