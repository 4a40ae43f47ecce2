/**
 * A process of its own that ends the supervisor's children when the supervisor is gone without having done so (kill -9, a crash).
 * It is told each child's id when it begins and when it has ended. Its channel to the supervisor closes with the supervisor.
 */
const pids = new Set<number>();

process.on('message', ({ add, remove }: { add?: number; remove?: number }) => {
  if (add !== undefined) pids.add(add);
  if (remove !== undefined) pids.delete(remove);
});

const signalAll = (signal: NodeJS.Signals): void => {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      pids.delete(pid);
    }
  }
};

process.on('disconnect', () => {
  signalAll('SIGTERM');
  const waited = process.hrtime.bigint();
  const look = (): void => {
    const overdue = process.hrtime.bigint() - waited > 3_000_000_000n;
    signalAll(overdue ? 'SIGKILL' : ('SIGCONT' as NodeJS.Signals));
    if (overdue || pids.size === 0) process.exit(0);
    setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50));
    setImmediate(look);
  };
  look();
});

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
