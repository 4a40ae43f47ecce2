// Finds a Chromium for the browser tests, and installs Debian's when there is none: `node tools/chromium.mjs` prints its path.
import { isMain } from './support/paths.mjs';
import { capture, isExecutable, tail, which } from './support/run.mjs';
import { withLock } from './support/lock.mjs';

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const remedy = 'Install chromium with your package manager, or set CADASTRE_CHROMIUM_BIN to its path.';

/**
 * Returns `{ path, version, source }` of a Chromium. Looked for in this order: CADASTRE_CHROMIUM_BIN, PATH, `/usr/bin`,
 * then (as root, where apt is at hand) the distribution's package. Throws an Error naming the remedy when there is none.
 */
export async function findChromium({ log = () => {} } = {}) {
  const found = fromEnvironment() ?? fromPath() ?? (await withLock('chromium', () => fromPath() ?? install(log)));
  log(`${found.version} (${found.source}): ${found.path}`);
  return found;
}

function fromEnvironment() {
  const path = process.env.CADASTRE_CHROMIUM_BIN;
  if (!path) return undefined;
  const version = readVersion(path);
  if (!version)
    throw new Error(`CADASTRE_CHROMIUM_BIN=${path} is not a browser that runs here: name one, or unset the variable.`);
  return { path, version, source: 'CADASTRE_CHROMIUM_BIN' };
}

function fromPath() {
  for (const path of [...names.map(which), '/usr/bin/chromium']) {
    const version = path && readVersion(path);
    if (version) return { path, version, source: 'installed' };
  }
  return undefined;
}

function readVersion(path) {
  if (!isExecutable(path)) return undefined;
  const { ok, output } = capture(path, ['--version'], { timeout: 20_000 });
  return ok ? output.match(/^.*\d+\.\d+\.\d+.*$/m)?.[0].trim() : undefined;
}

function install(log) {
  if (!which('apt-get')) throw new Error(`no Chromium here, and no apt-get to install one. ${remedy}`);
  if (process.getuid?.() !== 0) throw new Error(`no Chromium here, and installing one needs root. ${remedy}`);
  log('no Chromium on this machine: installing the package of the distribution, once');
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' };
  const update = capture('apt-get', ['-q', 'update'], { env });
  const done = capture('apt-get', ['-q', 'install', '-y', '--no-install-recommends', 'chromium'], { env });
  const found = fromPath();
  if (found) return { ...found, source: 'package installed now' };
  throw new Error(`installing chromium failed. ${remedy}\n${tail(done.ok ? update.output : done.output, 4)}`);
}

if (isMain(import.meta.url)) {
  try {
    const { path } = await findChromium({ log: (line) => process.stderr.write(`${line}\n`) });
    process.stdout.write(`${path}\n`);
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
