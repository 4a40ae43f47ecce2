// Runs the static checks without the tests: `node tools/check.mjs`, with `--fix` after repairing what can be repaired.
import { checks, runCheck } from './support/checks.mjs';
import { root } from './support/paths.mjs';
import { capture } from './support/run.mjs';

const print = (line) => process.stdout.write(`${line}\n`);

if (process.argv.includes('--fix')) {
  // What a fixer could not repair is what its check then reports.
  for (const { name, fix } of checks.filter((check) => check.fix)) {
    print(`fixing: ${name}`);
    capture(fix[0], fix[1], { cwd: root });
  }
}
let failed = 0;
for (const check of checks) failed += (await runCheck(check, print)) ? 0 : 1;
process.exitCode = failed === 0 ? 0 : 1;
