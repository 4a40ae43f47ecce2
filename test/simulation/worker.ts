import { forbidOutside } from './outside.js';
import type { CrashPoint, Operation } from './crash-points.js';
import { casesOf, runCrashPoint } from './crash-points.js';
import { runSchedule } from './schedule.js';
import { PLANTS } from './plants.mjs';

/** Bugs that show only under few kinds of faults are looked for under those. */
const plant = PLANTS.find((p) => p.name === process.env['CADASTRE_PLANT']);

/** A child process that does the jobs it is sent, one at a time. */
const HANGS_AFTER_MS = 120_000;

// Most errors of a run are the answers of a cluster in trouble; where one came from, the replay of its seed shows.
Error.stackTraceLimit = 0;

/** One schedule, the calls of an operation, or one crash in it. */
interface Job {
  readonly seed: number;
  /** As `ScheduleOptions`. */
  readonly only?: readonly string[];
  readonly golden?: Operation;
  readonly crash?: CrashPoint;
}

const perform = async ({ seed, only = plant?.only, golden, crash }: Job): Promise<object> => {
  if (golden) {
    const { calls, ...result } = await runCrashPoint(golden);
    return { ...result, seed, calls: calls.length, cases: casesOf(golden, calls) };
  }
  if (!crash) return runSchedule(seed, only ? { only } : {});
  const { calls, ...result } = await runCrashPoint(crash.operation, crash);
  return { ...result, seed, crash, call: calls.at(-1) };
};

const run = async (job: Job): Promise<object> => {
  const before = process.cpuUsage();
  const restore = forbidOutside();
  try {
    const result = await perform(job);
    const { user, system } = process.cpuUsage(before);
    return { ...result, cpuMs: (user + system) / 1000 };
  } finally {
    restore();
  }
};

const serve = async (job: Job): Promise<void> => {
  const { seed } = job;
  const watchdog = setTimeout(() => {
    process.stderr.write(`seed ${seed} hangs\n`);
    process.exit(3);
  }, HANGS_AFTER_MS);
  try {
    process.send?.(await run(job));
  } catch (error) {
    process.stderr.write(`seed ${seed}: ${String((error as Error).stack)}\n`);
    process.exit(2);
  }
  clearTimeout(watchdog);
};

process.on('message', (job: Job) => void serve(job));
process.on('disconnect', () => process.exit(0));
process.send?.('ready');
