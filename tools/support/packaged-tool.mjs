import { chmodSync, copyFileSync, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { findMirror, readRelease, readSources, suitesFor, unpackPackage } from './apt.mjs';
import { withLock } from './lock.mjs';
import { keep } from './paths.mjs';
import { which } from './run.mjs';

/**
 * Finds a tool that tests need, and unpacks the distribution's when there is none. Order: its variable, PATH, the kept copy, packages.
 * `tool`: `{ name, variable, packageName, need, ownSuiteFirst, judge(path) }`; `judge` gives undefined for a good one, else what is wrong.
 * Returns its path. Throws an Error with what was tried and what to do.
 */
export async function findTool(tool) {
  const reasons = [];
  return known(tool, reasons) ?? (await withLock(tool.name, async () => known(tool, []) ?? fetchTool(tool, reasons)));
}

const cacheOf = ({ name }) => join(keep, name);
const keptOf = ({ name }) => join(keep, name, name);

function known(tool, reasons) {
  const paths = [process.env[tool.variable], which(tool.name), keptOf(tool)];
  return paths.find((path) => path && isGood(tool, path, reasons));
}

function isGood(tool, path, reasons) {
  if (path === keptOf(tool) && !existsSync(path)) return false;
  const wrong = tool.judge(path);
  if (wrong !== undefined) reasons.push(`${path}: ${wrong}`);
  return wrong === undefined;
}

function fetchTool(tool, reasons) {
  const release = process.platform === 'linux' ? readRelease() : undefined;
  const mirror = release && findMirror(readSources(), release.codename);
  if (!mirror) reasons.push('distribution: no Debian package source on this machine');
  const wishes = mirror ? suitesFor(release) : [];
  for (const wish of tool.ownSuiteFirst ? wishes.toReversed() : wishes) {
    const folder = join(cacheOf(tool), `.work-${process.pid}`);
    const { ok, reason } = unpackPackage(tool.packageName, wish, mirror, folder);
    const binary = join(folder, 'root', 'usr', 'bin', tool.name);
    const good = ok && isGood(tool, binary, reasons);
    if (good) adopt(tool, binary);
    rmSync(folder, { recursive: true, force: true });
    if (good) return keptOf(tool);
    if (!ok) reasons.push(`${release.id} ${wish.suite}: ${reason}`);
  }
  throw new Error(
    `no ${tool.need}:\n${reasons.map((r) => `  - ${r}`).join('\n')}\nInstall one, or set ${tool.variable} to its path.`,
  );
}

// By a rename, so that a half-copied file is never found.
function adopt(tool, binary) {
  const kept = keptOf(tool);
  mkdirSync(cacheOf(tool), { recursive: true });
  copyFileSync(binary, `${kept}.part`);
  chmodSync(`${kept}.part`, 0o755);
  renameSync(`${kept}.part`, kept);
}

/** Prints where it is; for tools that are run as programs. */
export async function printPath(find) {
  try {
    process.stdout.write(`${await find()}\n`);
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
