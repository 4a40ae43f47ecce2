// Runs the whole test suite on other releases of Node: `npm run node-matrix -- [22 24]`, by default on each later LTS line. Each run gets
// a clone of what was committed; the Node comes from the npm registry as a package that holds the binary.
import { mkdirSync, rmSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { isMain, keep, root } from './support/paths.mjs';
import { capture, show, tail } from './support/run.mjs';

const lines = ['22', '24'];
const cache = join(keep, 'node');

/** The folder that holds the newest `node` of one release line; installed there when it is not yet. */
export function fetchNode(line) {
  const home = join(cache, line);
  const bin = join(home, 'node_modules', packageName(), 'bin');
  if (!capture(join(bin, 'node'), ['--version']).ok) {
    mkdirSync(home, { recursive: true });
    const args = [
      'install',
      '--prefix',
      home,
      '--ignore-scripts',
      '--no-audit',
      '--no-fund',
      `${packageName()}@${line}`,
    ];
    const { ok, output } = capture('npm', args);
    if (!ok) throw new Error(`could not get Node ${line} from the npm registry:\n${tail(output)}`);
  }
  return bin;
}

/** The npm package that carries Node's binary for one platform. Pure. */
export function packageName(platform = process.platform, arch = process.arch) {
  return `node-${platform === 'win32' ? 'win' : platform}-${arch}`;
}

async function testOn(line) {
  const bin = fetchNode(line);
  const { output: version } = capture(join(bin, 'node'), ['--version']);
  const clone = join(cache, `clone-${line}`);
  rmSync(clone, { recursive: true, force: true });
  const cloned = capture('git', ['clone', '--quiet', root, clone]);
  if (!cloned.ok) throw new Error(`could not clone the checkout:\n${tail(cloned.output)}`);
  process.stdout.write(`Node ${version.trim()}\n`);
  const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH ?? ''}` };
  const code = await show('npm', ['test'], { cwd: clone, env });
  if (code === 0) rmSync(clone, { recursive: true, force: true });
  return { version: version.trim(), code, clone };
}

if (isMain(import.meta.url)) {
  const results = [];
  const asked = process.argv.slice(2);
  for (const line of asked.length > 0 ? asked : lines) results.push(await testOn(line));
  for (const { version, code, clone } of results)
    process.stdout.write(code === 0 ? `Node ${version}: passed\n` : `Node ${version}: FAILED, kept in ${clone}\n`);
  process.exitCode = results.every(({ code }) => code === 0) ? 0 : 1;
}
