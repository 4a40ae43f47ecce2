// The agreement test with as many keys as asked for, over all presets together: `node test/partitioning/agreement.mjs --keys 1000000`
// (after `npm run build`; CADASTRE_SEED replays a run).
import { spawn } from 'node:child_process';
import { join } from 'node:path';

/** How many subjects agree.ts names, so that each has its share of the keys. */
const SUBJECTS = 28;
const root = join(import.meta.dirname, '..', '..');
const at = process.argv.indexOf('--keys');
const keys = at < 0 ? 1_000_000 : Number(process.argv[at + 1]);
if (!Number.isInteger(keys) || keys < SUBJECTS) {
  process.stderr.write(`--keys: "${process.argv[at + 1]}" is not a count (give at least ${SUBJECTS})\n`);
  process.exitCode = 1;
} else {
  const flags = ['--experimental-vm-modules', '--max-old-space-size=4096', join(root, 'node_modules', '.bin', 'jest')];
  const child = spawn(process.execPath, [...flags, 'test/partitioning/agreement', '--selectProjects=real'], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, CADASTRE_AGREEMENT_KEYS: String(Math.ceil(keys / SUBJECTS)) },
  });
  child.once('close', (code) => (process.exitCode = code ?? 1));
}
