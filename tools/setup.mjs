// Makes a checkout ready to run: dependencies, build and, with --etcd, an etcd. Uses nothing that is not part of Node.
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from './build.mjs';
import { findEtcd } from './etcd.mjs';
import { digestOf, readText, writeIfChanged } from './support/files.mjs';
import { withLock } from './support/lock.mjs';
import { isMain, keep, root } from './support/paths.mjs';
import { capture } from './support/run.mjs';

const leastNode = [20, 19];
const lockfile = join(root, 'package-lock.json');
const installedList = join(root, 'node_modules', '.package-lock.json');
const stamp = join(keep, 'setup', 'dependencies');

/** Undefined when this Node will do, else the one line to show. Pure. */
export function refuseNode(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > leastNode[0] || (major === leastNode[0] && minor >= leastNode[1])) return undefined;
  return `Cadastre needs Node ${leastNode.join('.')} or newer; this is Node ${version}. Install a newer one from https://nodejs.org.`;
}

/**
 * True when what is installed is what the lockfile lists: same places, same versions; optional packages (those of
 * other platforms) may be absent. Pure. Spares a person who ran npm himself a second installation.
 */
export function isSameInstall(locked, installed) {
  const have = installed.packages ?? {};
  const want = locked.packages ?? {};
  const matches = ([path, entry]) => {
    if (!path.startsWith('node_modules/') && !path.includes('/node_modules/')) return true;
    const got = have[path];
    return got
      ? got.version === entry.version && got.link === entry.link
      : entry.optional === true || entry.peer === true;
  };
  return Object.entries(want).every(matches) && Object.keys(have).every((path) => path in want);
}

async function installDependencies(log) {
  const isDone = () => existsSync(installedList) && readText(stamp) === digestOf(lockfile);
  if (isDone()) return;
  const onWait = (pid) => log(`waiting for process ${pid}, which is setting up`);
  await withLock('setup', async () => isDone() || installNow(log), { onWait });
}

function installNow(log) {
  const wanted = digestOf(lockfile);
  if (!matchesByHand()) {
    log('installing dependencies (npm ci)');
    rmSync(stamp, { force: true });
    const run = capture(
      'npm',
      ['ci', '--ignore-scripts', '--include=dev', '--no-fund', '--no-audit', '--loglevel=error'],
      { cwd: root },
    );
    if (!run.ok) throw new Error(`npm ci failed:\n${explain(run.output)}`);
  }
  writeIfChanged(stamp, wanted);
}

// npm says what is wrong first, and then how npm is used.
function explain(output) {
  const lines = output.split('\n').filter((line) => !/^npm (warn|error\s*$)/.test(line) && line.trim() !== '');
  return lines.slice(0, 8).join('\n');
}

function matchesByHand() {
  try {
    return isSameInstall(JSON.parse(readText(lockfile)), JSON.parse(readText(installedList)));
  } catch {
    return false;
  }
}

async function main(flags) {
  const log = (line) => process.stdout.write(`${line}\n`);
  const refusal = refuseNode(process.versions.node);
  if (refusal) throw new Error(refusal);
  await installDependencies(log);
  if (!flags.includes('--no-build')) {
    const { ok, output } = await build({ log });
    if (!ok) throw new Error(`${output}\nbuild failed`);
  }
  if (flags.includes('--etcd')) await findEtcd({ log });
}

if (isMain(import.meta.url)) {
  try {
    await main(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
