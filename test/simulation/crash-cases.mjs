// The crashes of crash-points.ts, over child processes.
import { runSeeds } from './pool.mjs';

/** How many port calls and crashes each operation has: whoever adds a call sees it here. */
export const RECORDED = new URL('crash-points.json', import.meta.url);

const OPERATIONS = ['write', 'failover', 'migrate', 'drain', 'approve', 'pause', 'abort', 'purge'];

/** Runs each operation once without a crash. @param {number} workers */
export const findCases = async (workers) => {
  const found = new Map();
  await runSeeds({
    seeds: OPERATIONS.map((golden, seed) => ({ seed, golden })),
    workers,
    onDone: (result) => {
      if (result.violations.length > 0 || !result.finished)
        throw new Error(`${OPERATIONS[result.seed]} without a crash: ${result.violations.join('; ') || 'did not end'}`);
      found.set(OPERATIONS[result.seed], result);
    },
  });
  const counts = {};
  for (const name of OPERATIONS) counts[name] = { calls: found.get(name).calls, crashes: found.get(name).cases.length };
  return { counts, cases: OPERATIONS.flatMap((name) => found.get(name).cases) };
};

/**
 * @param {readonly object[]} cases
 * @param {number} workers
 * @param {(result: any) => void} onDone
 */
export const runCases = (cases, workers, onDone) =>
  runSeeds({ seeds: cases.map((crash, seed) => ({ seed, crash })), workers, onDone });
