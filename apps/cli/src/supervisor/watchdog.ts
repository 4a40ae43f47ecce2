import { systemClock } from '@cadastre/runtime';

/**
 * A process of its own that ends the supervisor's children when the supervisor is gone without having done so (kill -9, a crash).
 * It is told each child's id when it begins and when it has ended. Its channel to the supervisor closes with the supervisor.
 */
const GRACE_MS = 3_000;
const pids = new Set<number>();

const signalAll = (signal: NodeJS.Signals | 0): void => {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      pids.delete(pid);
    }
  }
};

const untilGone = (deadline: number): void => {
  signalAll(0);
  const overdue = systemClock.monotonicMs() > deadline;
  if (overdue) signalAll('SIGKILL');
  if (overdue || pids.size === 0) process.exit(0);
  systemClock.after(50, () => untilGone(deadline));
};

process.on('message', ({ add, remove }: { add?: number; remove?: number }) => {
  if (add !== undefined) pids.add(add);
  if (remove !== undefined) pids.delete(remove);
});
let ending = false;
const end = (): void => {
  if (ending) return;
  ending = true;
  signalAll('SIGTERM');
  untilGone(systemClock.monotonicMs() + GRACE_MS);
};
process.on('disconnect', end);
// The supervisor may be gone before this process was ready to hear of it; what it said is still delivered, its end is not.
systemClock.after(100, () => {
  if (!process.connected) end();
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
