// npm run sim -- --seeds N [--from S] [--minutes M] [--workers W] [--trace SEED] [--plant NAME]
// npm run sim -- --crash-points [--workers W] [--record]: every port call of every operation, somebody dies at it
import { parseArgs } from 'node:util';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { crashPoints } from './crash-run.mjs';
import { runSeeds } from './pool.mjs';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '200' },
    from: { type: 'string', default: '1' },
    minutes: { type: 'string' },
    workers: { type: 'string', default: '2' },
    trace: { type: 'string' },
    plant: { type: 'string', default: '' },
    'crash-points': { type: 'boolean', default: false },
    record: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
if (values.trace !== undefined) {
  const { status } = spawnSync(process.execPath, ['--import', here('hooks.mjs'), here('one.ts'), values.trace], {
    stdio: 'inherit',
    env: { ...process.env, CADASTRE_PLANT: values.plant },
  });
  process.exit(status ?? 1);
}

if (values['crash-points']) process.exit(await crashPoints(Number(values.workers), values.record));

const from = Number(values.from);
const count = Number(values.seeds);
const workers = Number(values.workers);
const print = (line) => process.stdout.write(`${line}\n`);
const total = { schedules: 0, bad: 0, events: 0, faults: 0, acknowledged: 0, moves: 0, cpuMs: 0, virtualMs: 0 };
const kinds = new Map();
const began = Date.now();
await runSeeds({
  seeds: Array.from({ length: count }, (_, i) => from + i),
  workers,
  plant: values.plant,
  ...(values.minutes && { endAt: began + Number(values.minutes) * 60_000 }),
  onDone: (result) => {
    total.schedules += 1;
    for (const name of ['events', 'acknowledged', 'moves', 'cpuMs', 'virtualMs']) total[name] += result[name];
    total.faults += result.faults.length;
    for (const kind of result.faults) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    if (result.violations.length > 0) {
      total.bad += 1;
      print(`seed ${result.seed}: ${result.violations.map((v) => v.slice(0, 500)).join('\n  ')}`);
      for (const line of result.trace.slice(-25)) print(`    ${line.slice(0, 200)}`);
      print(`  again, with everything it did: npm run sim -- --trace ${result.seed}`);
    } else if (total.schedules % 1000 === 0) print(`${total.schedules} schedules, ${total.bad} bad`);
  },
});
const seconds = (Date.now() - began) / 1000;
const summary = {
  schedules: total.schedules,
  bad: total.bad,
  events: total.events,
  faults: total.faults,
  faultKinds: kinds.size,
  acknowledgedWrites: total.acknowledged,
  moves: total.moves,
  simulatedHours: Math.round(total.virtualMs / 36_000) / 100,
  seconds: Math.round(seconds),
  schedulesPerSecond: Math.round((total.schedules / seconds) * 10) / 10,
  schedulesPerSecondPerCore: Math.round((total.schedules / (total.cpuMs / 1000)) * 10) / 10,
};
print(
  values.json
    ? JSON.stringify(summary)
    : Object.entries(summary)
        .map(([k, v]) => `${k} ${v}`)
        .join(', '),
);
process.exitCode = total.bad === 0 && total.schedules > 0 ? 0 : 1;
