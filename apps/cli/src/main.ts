import { userInfo } from 'node:os';
import { systemClock, systemRandom } from '@cadastre/runtime';
import type { Io } from './io.js';
import { run } from './program.js';

const userName = (): string => {
  try {
    return userInfo().username;
  } catch {
    return process.env['USER'] ?? 'unknown';
  }
};

const onInterrupt = (stop: () => void): (() => void) => {
  process.on('SIGINT', stop).on('SIGTERM', stop).on('SIGHUP', stop);
  return () => void process.off('SIGINT', stop).off('SIGTERM', stop).off('SIGHUP', stop);
};

/** The command line of this process. */
export const main = async (): Promise<void> => {
  const { stdout, stderr, stdin, env } = process;
  for (const stream of [stdout, stderr]) stream.on('error', endOnBrokenPipe);
  const io: Io = {
    stdout,
    stderr,
    stdin,
    env,
    cwd: process.cwd(),
    user: userName(),
    clock: systemClock,
    random: systemRandom,
    onInterrupt,
  };
  process.exitCode = await run(process.argv.slice(2), io);
  if (stdin.isTTY !== true) stdin.destroy();
};

/** `cadastre ... | head`: whoever reads has enough. */
const endOnBrokenPipe = (error: NodeJS.ErrnoException): void => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
};
