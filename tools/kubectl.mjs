// Finds a kubectl whose kustomize is not too old, and unpacks the distribution's when there is none: `node tools/kubectl.mjs` prints its path.
import { chmodSync, copyFileSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { findMirror, readRelease, readSources, suitesFor, unpackPackage } from './support/apt.mjs';
import { withLock } from './support/lock.mjs';
import { isMain, keep } from './support/paths.mjs';
import { capture, which } from './support/run.mjs';

const cache = join(keep, 'kubectl');
const kept = join(cache, 'kubectl');
/** Since 1.21 its kustomize knows components and labels; before that it was years older than the tool itself. */
const LEAST = [1, 21];

/** The path of a kubectl that can build k8s/. Throws an Error with what was tried and what to do. */
export async function findKubectl() {
  const reasons = [];
  return known(reasons) ?? (await withLock('kubectl', async () => known([]) ?? fetchKubectl(reasons)));
}

function known(reasons) {
  const paths = [process.env.CADASTRE_KUBECTL, which('kubectl'), kept];
  return paths.find((path) => path && isGood(path, reasons));
}

function isGood(path, reasons) {
  const { ok, output } = capture(path, ['version', '--client', '-o', 'json']);
  const [major = 0, minor = 0] = (output.match(/"gitVersion":\s*"v(\d+)\.(\d+)/) ?? []).slice(1).map(Number);
  if (ok && (major > LEAST[0] || (major === LEAST[0] && minor >= LEAST[1]))) return true;
  if (path !== kept)
    reasons.push(`${path}: ${ok ? `is ${major}.${minor}, older than ${LEAST.join('.')}` : 'does not run'}`);
  return false;
}

function fetchKubectl(reasons) {
  const release = process.platform === 'linux' ? readRelease() : undefined;
  const mirror = release && findMirror(readSources(), release.codename);
  if (!mirror) reasons.push('distribution: no Debian package source on this machine');
  for (const wish of mirror ? suitesFor(release) : []) {
    const folder = join(cache, `.work-${process.pid}`);
    const { ok, reason } = unpackPackage('kubernetes-client', wish, mirror, folder);
    const binary = join(folder, 'root', 'usr', 'bin', 'kubectl');
    const good = ok && isGood(binary, reasons);
    if (good) adopt(binary);
    rmSync(folder, { recursive: true, force: true });
    if (good) return kept;
    if (!ok) reasons.push(`${release.id} ${wish.suite}: ${reason}`);
  }
  throw new Error(
    `no kubectl of ${LEAST.join('.')} or newer:\n${reasons.map((r) => `  - ${r}`).join('\n')}\nInstall one, or set CADASTRE_KUBECTL to its path.`,
  );
}

// By a rename, so that a half-copied file is never found.
function adopt(binary) {
  mkdirSync(cache, { recursive: true });
  copyFileSync(binary, `${kept}.part`);
  chmodSync(`${kept}.part`, 0o755);
  renameSync(`${kept}.part`, kept);
}

if (isMain(import.meta.url)) {
  try {
    process.stdout.write(`${await findKubectl()}\n`);
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
