// Runs the store's conformance specs against several versions of etcd: `npm run etcd-matrix`, or with paths of binaries.
// Without paths: what the suites of Debian have (3.4, 3.5), fetched and unpacked once under `.cadastre/etcd-matrix`. Not part of `npm test`.
import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { readVersion } from './etcd.mjs';
import { findMirror, readRelease, readSources, unpackPackage } from './support/apt.mjs';
import { keep, root } from './support/paths.mjs';
import { capture, tail } from './support/run.mjs';

const SUITES = ['bookworm', 'trixie', 'sid'];
const SPECS = ['test/store'];
const folder = join(keep, 'etcd-matrix');
const tell = (line) => process.stderr.write(`${line}\n`);

/** `{ version, path }` of each etcd that can be had, without doubles. */
function binaries(paths) {
  const found = paths.length > 0 ? paths : [...fetched(), ...cached()];
  const byVersion = new Map();
  for (const path of found) {
    const version = readVersion(path);
    if (version) byVersion.set(version, path);
    else tell(`${path} is no etcd that runs here`);
  }
  return [...byVersion].map(([version, path]) => ({ version, path }));
}

function fetched() {
  const release = readRelease();
  const mirror = release && findMirror(readSources(), release.codename);
  if (!mirror) {
    tell('this machine has no Debian package source: give paths of etcd binaries');
    return [];
  }
  return SUITES.flatMap((suite) => {
    const path = join(folder, suite, 'etcd');
    if (existsSync(path)) return [path];
    const work = join(folder, `.work-${process.pid}`);
    const { ok, reason } = unpackPackage('etcd-server', { suite, component: 'main' }, mirror, work);
    if (ok) {
      mkdirSync(join(folder, suite), { recursive: true });
      copyFileSync(join(work, 'root', 'usr', 'bin', 'etcd'), path);
      chmodSync(path, 0o755);
    } else tell(`${suite}: ${reason}`);
    rmSync(work, { recursive: true, force: true });
    return ok ? [path] : [];
  });
}

/** What tools/etcd.mjs has kept. */
function cached() {
  const kept = join(keep, 'etcd');
  return existsSync(kept)
    ? readdirSync(kept)
        .map((name) => join(kept, name, 'etcd'))
        .filter((path) => existsSync(path))
    : [];
}

function run({ version, path }) {
  const began = performance.now();
  const jest = [
    '--experimental-vm-modules',
    join(root, 'node_modules', '.bin', 'jest'),
    ...SPECS,
    '--selectProjects=real',
  ];
  const { ok, output } = capture(process.execPath, jest, {
    cwd: root,
    env: { ...process.env, CADASTRE_ETCD_BIN: path },
  });
  const tests = /^Tests:\s+(.*)$/m.exec(output)?.[1] ?? tail(output, 3);
  const failed = [...new Set([...output.matchAll(/^ {2}● (.*)$/gm)].map(([, name]) => name))];
  return { version, ok, tests, failed, seconds: Math.round((performance.now() - began) / 1000) };
}

const versions = binaries(process.argv.slice(2));
if (versions.length === 0) {
  tell('no etcd to test against');
  process.exitCode = 1;
}
for (const each of versions) {
  const result = run(each);
  process.stdout.write(`${JSON.stringify(result)}\n`);
  if (!result.ok) process.exitCode = 1;
}
