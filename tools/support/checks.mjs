import { join } from 'node:path';
import { build } from '../build.mjs';
import { checkImports, describeViolation, readSources } from '../check-imports.mjs';
import { root } from './paths.mjs';
import { capture } from './run.mjs';

const bin = (name) => join(root, 'node_modules', '.bin', name);

/**
 * The checks that run no code of ours, in order; each counts as one test. `run()` resolves to `{ ok, output }`, output
 * being what a person needs to repair it; `fix`, where there is one, is the command that repairs what it can.
 */
export const checks = [
  { name: 'import rules', run: runImportRules },
  { name: 'lint', run: () => command('oxlint', []), fix: [bin('oxlint'), ['--fix']] },
  { name: 'format', run: () => command('oxfmt', ['--check']), fix: [bin('oxfmt'), []] },
  { name: 'build', run: () => build() },
  // They use what the build made.
  { name: 'types of the tests', run: () => command('tsc', ['-p', 'test']) },
];

/** Runs one check and prints its verdict. Returns whether it passed; a check that breaks has failed. */
export async function runCheck(check, print) {
  const began = performance.now();
  const { ok, output } = await attempt(check);
  print(`${ok ? 'ok  ' : 'FAIL'} ${check.name} (${((performance.now() - began) / 1000).toFixed(1)} s)`);
  if (!ok) print(output.replace(/^/gm, '     '));
  return ok;
}

async function attempt(check) {
  try {
    return await check.run();
  } catch (error) {
    return { ok: false, output: error.stack ?? String(error) };
  }
}

async function command(name, args) {
  const { ok, output } = capture(bin(name), args, { cwd: root });
  return { ok, output: output.trim() };
}

async function runImportRules() {
  const { files, manifests } = readSources();
  const violations = checkImports(files, manifests);
  return { ok: violations.length === 0, output: violations.map(describeViolation).join('\n') };
}
