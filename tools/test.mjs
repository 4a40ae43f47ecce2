// Everything that must hold: static checks, then unit tests, then tests against real processes. Further arguments go to
// jest as patterns (`npm test -- libs/core`). The last line is always `N passed, N failed`, over all of them.
import { checks, runCheck } from './support/checks.mjs';
import { runJest } from './support/jest-runner.mjs';

const minutes = 60_000;
const patterns = process.argv.slice(2);
const print = (line) => process.stdout.write(`${line}\n`);
const total = { passed: 0, failed: 0 };
let tests = 0;

const verdicts = new Map();
for (const check of checks) {
  const ok = await runCheck(check, print);
  verdicts.set(check.name, ok);
  total[ok ? 'passed' : 'failed'] += 1;
}

add(await runJest({ project: 'unit', flags: ['--maxWorkers=2'], patterns, limitMs: 15 * minutes }));
if (verdicts.get('build')) {
  // Most of them wait for other processes, so two at a time; the simulation takes what they leave (see its pool).
  add(await runJest({ project: 'real', flags: ['--maxWorkers=2'], patterns, limitMs: 45 * minutes }));
} else {
  // They start what the build made: on an old build their verdict would be about other code.
  add({ passed: 0, failed: 1, notes: ['real: not run, because the build failed'] });
}

if (tests === 0) print('no test ran');
process.exitCode = total.failed === 0 && tests > 0 ? 0 : 1;
print(`${total.passed} passed, ${total.failed} failed`);

function add({ passed, failed, notes }) {
  total.passed += passed;
  total.failed += failed;
  tests += passed + failed;
  for (const note of notes) print(note);
}
