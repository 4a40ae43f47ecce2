// Clones HEAD into an empty folder and runs a command there, as someone does who has just found the project:
// `node tools/clone-check.mjs [--keep] [--] COMMAND...`, by default `npm test`. Uncommitted changes are not part of it.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from './support/paths.mjs';
import { capture, show, tail } from './support/run.mjs';

const given = process.argv.slice(2);
const keepsClone = given[0] === '--keep';
const command = given.slice(keepsClone ? 1 : 0).filter((each, index) => !(index === 0 && each === '--'));
const [program, ...args] = command.length > 0 ? command : ['npm', 'test'];

const folder = mkdtempSync(join(tmpdir(), 'cadastre-clone-'));
const clone = join(folder, 'cadastre');
try {
  process.exitCode = await cloneAndRun();
} finally {
  if (keepsClone) process.stdout.write(`kept: ${clone}\n`);
  else rmSync(folder, { recursive: true, force: true });
}

async function cloneAndRun() {
  const made = capture('git', ['clone', '--quiet', '--no-hardlinks', root, clone]);
  if (!made.ok) {
    process.stderr.write(`git clone failed: ${tail(made.output)}\n`);
    return 1;
  }
  const head = capture('git', ['-C', clone, 'log', '-1', '--format=%h %s']).output.trim();
  process.stdout.write(`clone of ${head}\n`);
  const began = performance.now();
  const code = await show(program, args, { cwd: clone, env: cleanEnvironment() });
  process.stdout.write(
    `${[program, ...args].join(' ')}: exit code ${code} after ${((performance.now() - began) / 1000).toFixed(1)} s\n`,
  );
  return code;
}

// npm tells the scripts it runs about their own checkout; in the clone that would be the wrong one.
function cleanEnvironment() {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(npm_|INIT_CWD$|NODE_OPTIONS$)/.test(name)),
  );
}
