// Builds everything: wire types from proto/, TypeScript, the dashboard. Does nothing, quickly, when nothing changed.
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fingerprint, listFiles, readText, writeIfChanged } from './support/files.mjs';
import { withLock } from './support/lock.mjs';
import { isMain, keep, root } from './support/paths.mjs';
import { capture } from './support/run.mjs';
import { generateWireTypes } from './support/wire-types.mjs';

const stamp = join(keep, 'build', 'stamp');
const generated = join(root, 'libs', 'contracts', 'src', 'generated');
const tsc = join(root, 'node_modules', '.bin', 'tsc');
const vite = join(root, 'node_modules', '.bin', 'vite');

const dashboard = join(root, 'apps', 'dashboard');
/** Vite puts the dashboard beside the compiled control plane, which serves it. */
const page = join(root, 'apps', 'control-plane', 'dist', 'page');
const pageStamp = join(keep, 'build', 'page-stamp');

/**
 * Builds when an input changed since the last good build (or `force`). Returns `{ ok, built, output }`, `output` being
 * the compiler's words. Two builds at once wait for each other.
 */
export async function build({ force = false, log = () => {} } = {}) {
  if (!force && isFresh()) return { ok: true, built: false, output: '' };
  return withLock('build', async () => (!force && isFresh() ? { ok: true, built: false, output: '' } : buildNow(log)), {
    onWait: (pid) => log(`waiting for process ${pid}, which is building`),
  });
}

export function isFresh() {
  return readText(stamp) === currentInputs() && packages().every(isBuilt);
}

function isBuilt(folder) {
  return existsSync(folder === dashboard ? join(page, 'index.html') : join(folder, 'dist', 'index.js'));
}

function buildNow(log) {
  const began = Date.now();
  const wire = generateWireTypes();
  if (!wire.ok) return { ok: false, built: true, output: `generating wire types failed:\n${wire.output}` };
  // Taken before the compiler reads: an edit made while it runs leaves the build stale, as it is.
  const inputs = currentInputs();
  dropOrphans();
  const compile = capture(tsc, ['-b', '--pretty', String(process.stdout.isTTY === true)], { cwd: root });
  if (!compile.ok) return { ok: false, built: true, output: compile.output.trim() };
  const bundle = buildPage();
  if (!bundle.ok) return { ok: false, built: true, output: bundle.output.trim() };
  writeIfChanged(stamp, inputs);
  log(`built in ${((Date.now() - began) / 1000).toFixed(1)} s`);
  return { ok: true, built: true, output: '' };
}

function packages() {
  return ['libs', 'apps'].flatMap((group) =>
    readdirSync(join(root, group), { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && existsSync(join(root, group, entry.name, 'tsconfig.json')))
      .map((entry) => join(root, group, entry.name)),
  );
}

// The generated folder counts as an output: only whether it is there matters, its content follows from proto/.
function currentInputs() {
  const sources = [...packages().flatMap((folder) => listFiles(join(folder, 'src'))), ...pageInputs()].filter(
    (path) => !path.startsWith(generated),
  );
  const settings = packages().flatMap((folder) => [join(folder, 'tsconfig.json'), join(folder, 'package.json')]);
  const shared = [
    'tsconfig.json',
    'tsconfig.base.json',
    'node_modules/.package-lock.json',
    'tools/build.mjs',
    'tools/support/wire-types.mjs',
  ];
  const paths = [...sources, ...settings, ...listFiles(join(root, 'proto')), ...shared.map((name) => join(root, name))];
  return fingerprint(paths);
}

// tsc leaves the output of a removed source behind, where an import would still find it.
function dropOrphans() {
  for (const folder of packages()) {
    for (const path of listBuilt(join(folder, 'dist'))) {
      const source = join(folder, 'src', relative(join(folder, 'dist'), path)).replace(
        /\.(d\.ts|js|js\.map|d\.ts\.map)$/,
        '',
      );
      if (!existsSync(`${source}.ts`) && !existsSync(`${source}.tsx`)) rmSync(path);
    }
  }
}

function listBuilt(dist) {
  return listFiles(dist).filter((path) => /\.(d\.ts|js|js\.map)$/.test(path) && !path.startsWith(page));
}

function pageInputs() {
  const around = ['index.html', 'vite.config.mjs', 'tsconfig.json', 'package.json'].map((name) =>
    join(dashboard, name),
  );
  const lock = join(root, 'node_modules', '.package-lock.json');
  return [...listFiles(join(dashboard, 'src')), ...listFiles(join(dashboard, 'public')), ...around, lock];
}

function buildPage() {
  const inputs = fingerprint(pageInputs());
  if (readText(pageStamp) === inputs && isBuilt(dashboard)) return { ok: true, output: '' };
  const bundle = capture(vite, ['build', '--logLevel', 'warn'], { cwd: dashboard });
  if (bundle.ok) writeIfChanged(pageStamp, inputs);
  return bundle;
}

if (isMain(import.meta.url)) {
  const { ok, built, output } = await build({
    force: process.argv.includes('--force'),
    log: (line) => process.stdout.write(`${line}\n`),
  });
  if (!ok) process.stderr.write(`${output}\nbuild failed\n`);
  else if (!built) process.stdout.write('build is up to date\n');
  process.exitCode = ok ? 0 : 1;
}
