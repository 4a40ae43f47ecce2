import { forbidOutside } from './outside.js';
import type { ScheduleResult } from './schedule.js';
import { runSchedule } from './schedule.js';
import { PLANTS } from './plants.mjs';

/** A child process that runs the seeds it is sent, one at a time. */
export interface Done extends Omit<ScheduleResult, 'trace'> {
  readonly trace: readonly string[];
  readonly cpuMs: number;
}

/** Bugs that show only under few kinds of faults are looked for under those. */
const plant = PLANTS.find((p) => p.name === process.env['CADASTRE_PLANT']);

const HANGS_AFTER_MS = 120_000;

// Most errors of a run are the answers of a cluster in trouble; where one came from, the replay of its seed shows.
Error.stackTraceLimit = 0;

const run = async (seed: number): Promise<Done> => {
  const before = process.cpuUsage();
  const restore = forbidOutside();
  try {
    const only = plant?.only;
    const result = await runSchedule(seed, only ? { only } : {});
    const { user, system } = process.cpuUsage(before);
    return { ...result, cpuMs: (user + system) / 1000 };
  } finally {
    restore();
  }
};

const serve = async (seed: number): Promise<void> => {
  const watchdog = setTimeout(() => {
    process.stderr.write(`seed ${seed} hangs\n`);
    process.exit(3);
  }, HANGS_AFTER_MS);
  try {
    process.send?.(await run(seed));
  } catch (error) {
    process.stderr.write(`seed ${seed}: ${String((error as Error).stack)}\n`);
    process.exit(2);
  }
  clearTimeout(watchdog);
};

process.on('message', (seed: number) => void serve(seed));
process.on('disconnect', () => process.exit(0));
process.send?.('ready');
