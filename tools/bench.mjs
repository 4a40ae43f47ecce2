// Runs one benchmark after a build: `npm run bench -- NAME [--json]`. Without a name it lists them.
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { build } from './build.mjs';
import { listFiles } from './support/files.mjs';
import { root } from './support/paths.mjs';
import { show } from './support/run.mjs';

const folder = join(root, 'test', 'bench');
const suffix = '.bench.mjs';
const [name, ...args] = orderArguments(process.argv.slice(2));
// With --json standard output belongs to the figures.
const tell = (line) => process.stderr.write(`${line}\n`);

if (name === undefined) {
  listNames(process.stdout);
} else if (!/^[\w-]+$/.test(name) || !existsSync(join(folder, name + suffix))) {
  tell(`there is no benchmark ${JSON.stringify(name)}`);
  listNames(process.stderr);
  process.exitCode = 1;
} else {
  const { ok, output } = await build({ log: tell });
  if (!ok) tell(`${output}\nbuild failed`);
  process.exitCode = ok
    ? await show(process.execPath, ['--expose-gc', join(folder, name + suffix), ...args], { cwd: root })
    : 1;
}

function orderArguments(given) {
  const at = given.findIndex((each) => !each.startsWith('-'));
  return at < 0 ? [undefined, ...given] : [given[at], ...given.slice(0, at), ...given.slice(at + 1)];
}

function listNames(stream) {
  const names = listFiles(folder)
    .filter((path) => path.endsWith(suffix))
    .map((path) => basename(path, suffix));
  stream.write(
    `usage: npm run bench -- NAME [--json]\n${names.length === 0 ? 'there are no benchmarks yet' : `names: ${names.join(', ')}`}\n`,
  );
}
