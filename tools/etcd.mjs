// Finds an etcd that can be run, and fetches one when the machine has none: `node tools/etcd.mjs` prints its path.
import { chmodSync, copyFileSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { findMirror, readRelease, readSources, suitesFor, unpackPackage } from './support/apt.mjs';
import { downloadRelease } from './support/etcd-release.mjs';
import { withLock } from './support/lock.mjs';
import { isMain, keep } from './support/paths.mjs';
import { capture, isExecutable, which } from './support/run.mjs';

const cache = join(keep, 'etcd');
const wanted = [3, 5];

/**
 * Returns `{ path, version, source }` of an etcd binary. Looked for in this order: CADASTRE_ETCD_BIN, PATH, our own
 * copy under `.cadastre/etcd`, the distribution's package (unpacked, not installed), the official release archive.
 * `log(line)` is told what was chosen, and is warned below 3.5. Throws an Error naming the remedy when there is none.
 */
export async function findEtcd({ log = () => {} } = {}) {
  const found = fromEnvironment() ?? fromPath() ?? fromCache() ?? (await fetchOnce(log));
  log(`etcd ${found.version} (${found.source}): ${found.path}`);
  if (isOlder(found.version)) {
    log(
      `warning: etcd ${found.version} is older than ${wanted.join('.')}; tests run on 3.5. Set CADASTRE_ETCD_BIN to a newer one.`,
    );
  }
  return found;
}

/** `3.5.16` of `etcd --version`, or undefined when the file is no etcd that runs here. */
export function readVersion(path) {
  const { ok, output } = capture(path, ['--version'], { env: { ...process.env, ETCD_UNSUPPORTED_ARCH: process.arch } });
  return ok ? output.match(/etcd Version:\s*(\S+)/)?.[1] : undefined;
}

export function isOlder(version, [major, minor] = wanted) {
  const [a = 0, b = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  return a < major || (a === major && b < minor);
}

function fromEnvironment() {
  const path = process.env.CADASTRE_ETCD_BIN;
  if (!path) return undefined;
  const version = readVersion(path);
  if (!version)
    throw new Error(`CADASTRE_ETCD_BIN=${path} is not an etcd that runs here: name one, or unset the variable.`);
  return { path, version, source: 'CADASTRE_ETCD_BIN' };
}

function fromPath() {
  const path = which('etcd');
  const version = path && readVersion(path);
  return version ? { path, version, source: 'PATH' } : undefined;
}

function fromCache() {
  let versions = [];
  try {
    versions = readdirSync(cache)
      .filter((name) => /^\d/.test(name))
      .sort(newestFirst);
  } catch {
    return undefined;
  }
  for (const name of versions) {
    const path = join(cache, name, 'etcd');
    const version = isExecutable(path) && readVersion(path);
    if (version) return { path, version, source: 'cached copy' };
  }
  return undefined;
}

function newestFirst(a, b) {
  return b.localeCompare(a, 'en', { numeric: true });
}

function fetchOnce(log) {
  const onWait = (pid) => log(`waiting for process ${pid}, which is fetching etcd`);
  return withLock('etcd', async () => fromCache() ?? (await fetchEtcd(log)), { onWait });
}

async function fetchEtcd(log) {
  log('no etcd on this machine: fetching one, once');
  const reasons = [];
  const found = fromDistribution(reasons) ?? (await fromRelease(reasons));
  if (found) return found;
  const detail = reasons.map((reason) => `  - ${reason}`).join('\n');
  throw new Error(
    `no etcd could be found or fetched:\n${detail}\nInstall etcd 3.5 or newer, or set CADASTRE_ETCD_BIN to its path.`,
  );
}

function fromDistribution(reasons) {
  const release = process.platform === 'linux' ? readRelease() : undefined;
  const mirror = release && findMirror(readSources(), release.codename);
  if (!mirror) {
    reasons.push('distribution: no Debian package source on this machine');
    return undefined;
  }
  for (const wish of suitesFor(release)) {
    const folder = join(cache, `.work-${process.pid}`);
    const { ok, reason } = unpackPackage('etcd-server', wish, mirror, folder);
    const found = ok
      ? adopt(join(folder, 'root', 'usr', 'bin', 'etcd'), `package of ${release.id} ${wish.suite}`)
      : undefined;
    rmSync(folder, { recursive: true, force: true });
    if (found) return found;
    reasons.push(`${release.id} ${wish.suite}: ${ok ? 'its etcd does not run here' : reason}`);
  }
  return undefined;
}

async function fromRelease(reasons) {
  const folder = join(cache, `.work-${process.pid}`);
  const { path, reason } = await downloadRelease(folder);
  const found = path && adopt(path, 'official release');
  rmSync(folder, { recursive: true, force: true });
  if (!found) reasons.push(`official release: ${reason ?? 'its etcd does not run here'}`);
  return found;
}

// The copy gets its final name by a rename, so that a half-copied binary is never found in the cache.
function adopt(binary, source) {
  const version = readVersion(binary);
  if (!version) return undefined;
  const folder = join(cache, version);
  const path = join(folder, 'etcd');
  mkdirSync(folder, { recursive: true });
  copyFileSync(binary, `${path}.part`);
  chmodSync(`${path}.part`, 0o755);
  renameSync(`${path}.part`, path);
  return { path, version, source };
}

if (isMain(import.meta.url)) {
  try {
    const { path } = await findEtcd({ log: (line) => process.stderr.write(`${line}\n`) });
    process.stdout.write(`${path}\n`);
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
