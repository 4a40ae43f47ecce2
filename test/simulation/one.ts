import { forbidOutside } from './outside.js';
import { runSchedule } from './schedule.js';

// One seed with all that it did, for the reader of a failure.
forbidOutside();
const seed = Number(process.argv[2] ?? 1);
const print = (line: string): void => void process.stdout.write(`${line.slice(0, 400)}\n`);
const { violations, events, digest } = await runSchedule(seed, { print });
print(
  `seed ${seed}: ${events} events, digest ${digest}, ${violations.length === 0 ? 'nothing broken' : violations.join('; ')}`,
);
process.exit(violations.length === 0 ? 0 : 1);
