// Real processes under faults: `npm run chaos -- [--minutes M] [--seed S] ...`. Where root allows it the run gets namespaces of its
// own (network, mounts, processes), so that its cuts touch nothing else and all of it ends with it; else it stays on loopback.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { build } from './build.mjs';
import { canIsolate, OWN_NAMESPACES } from './support/namespaces.mjs';
import { root } from './support/paths.mjs';

const args = process.argv.slice(2).filter((arg) => arg !== '--no-build');
const tell = (line) => process.stderr.write(`${line}\n`);

if (!process.argv.includes('--no-build')) {
  const { ok, output } = await build({ log: tell });
  if (!ok) {
    tell(`${output}\nbuild failed`);
    process.exit(1);
  }
}

const isolated = !args.includes('--loopback') && canIsolate();
// The history of half an hour is held in memory while it is judged.
const node = [process.execPath, '--max-old-space-size=8192', join(root, 'libs', 'testkit', 'dist', 'chaos', 'main.js')];
const [command, ...rest] = [...(isolated ? OWN_NAMESPACES : []), ...node, ...args];
const child = spawn(command, rest, {
  stdio: 'inherit',
  env: { ...process.env, CHAOS_NETWORK: isolated ? 'namespaces' : 'loopback' },
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill('SIGKILL'));
child.once('close', (code) => process.exit(code ?? 1));
