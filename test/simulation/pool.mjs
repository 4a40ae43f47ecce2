// Runs many schedules over child processes: one seed at a time each, so that a hang or a crash names its seed.
import { fork } from 'node:child_process';
import { constants, setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';

const here = (name) => fileURLToPath(new URL(name, import.meta.url));

/**
 * @param {{ seeds: Iterable<number | { seed: number, only?: readonly string[], golden?: string, crash?: object }>, workers: number, plant?: string, endAt?: number, onDone?: (result: any) => boolean | void }} options
 *   `onDone` ends the run by returning true. A worker that dies counts as a violation of the seed it had.
 */
export const runSeeds = async ({ seeds, workers, plant = '', endAt = Infinity, onDone = () => false }) => {
  const queue = seeds[Symbol.iterator]();
  let over = false;
  const next = () => {
    if (over || Date.now() > endAt) return undefined;
    const { value, done } = queue.next();
    return done ? undefined : value;
  };
  const one = () =>
    new Promise((resolve) => {
      const child = fork(here('worker.ts'), [], {
        execArgv: ['--import', here('hooks.mjs'), '--max-semi-space-size=64'],
        env: { ...process.env, CADASTRE_PLANT: plant },
        stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
      });
      // Simulated time waits for nobody: what else runs on the machine goes first.
      if (child.pid) setPriority(child.pid, constants.priority.PRIORITY_LOW);
      let seed;
      let words = '';
      child.stderr.on('data', (text) => (words += text));
      const give = () => {
        const job = next();
        seed = typeof job === 'object' ? job.seed : job;
        if (job === undefined) child.disconnect();
        else child.send(typeof job === 'object' ? job : { seed });
      };
      child.on('message', (message) => {
        if (message !== 'ready' && onDone(message)) over = true;
        give();
      });
      child.on('exit', (code) => {
        if (code !== 0 || seed !== undefined) {
          const what = `the process ended with ${code}: ${words.slice(-2000)}`;
          if (
            onDone({
              seed,
              violations: [what],
              faults: [],
              trace: [],
              events: 0,
              cpuMs: 0,
              virtualMs: 0,
              acknowledged: 0,
              moves: 0,
            })
          )
            over = true;
        }
        resolve(code);
      });
    });
  const slot = async () => {
    let failures = 0;
    for (let code = await one(); code !== 0 && !over && failures < 20; code = await one()) failures += 1;
  };
  await Promise.all(Array.from({ length: workers }, slot));
};
