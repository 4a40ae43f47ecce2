// Adds to package-lock.json the packages of other platforms that npm could not look up when it wrote the file:
// `node tools/complete-lockfile.mjs`. Without them `npm ci` calls the lockfile out of step and installs nothing at all.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isMain, root } from './support/paths.mjs';

const systems = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32'];
const processors = ['arm64', 'arm', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'wasm32', 'x64'];

/**
 * Adds an entry for each optional dependency with an exact version that the lockfile names but does not list. Versions
 * are those that the parent pins; system and processor are read from the package's name, so that no other platform
 * tries to install it. Changes `lock`, returns the paths added.
 */
export function completeLockfile(lock) {
  const added = [];
  for (const [parent, entry] of Object.entries(lock.packages)) {
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      if (findEntry(lock, parent, name) || !/^\d+\.\d+\.\d+\S*$/.test(version)) continue;
      const path = `node_modules/${name}`;
      lock.packages[path] = { version, ...platformOf(name), ...(entry.dev ? { dev: true } : {}), optional: true };
      added.push(path);
    }
  }
  lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => a.localeCompare(b, 'en')));
  return added;
}

/** `{ os, cpu, libc? }` as far as a package's name says it: `@swc/core-linux-x64-musl`. Pure. */
export function platformOf(name) {
  const words = name.split('/').at(-1).split(/[-.]/);
  const os = systems.filter((each) => words.includes(each));
  const cpu = processors.filter((each) => words.includes(each));
  const libc = words.includes('musl')
    ? ['musl']
    : os[0] === 'linux' && (words.includes('gnu') || words.includes('glibc'))
      ? ['glibc']
      : undefined;
  return { ...(cpu.length > 0 ? { cpu } : {}), ...(libc ? { libc } : {}), ...(os.length > 0 ? { os } : {}) };
}

// Node's own search: from the parent's folder upwards.
function findEntry(lock, parent, name) {
  for (let folder = parent; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/')))) {
    const path = folder === '' ? `node_modules/${name}` : `${folder}/node_modules/${name}`;
    if (lock.packages[path]) return lock.packages[path];
    if (folder === '') return undefined;
  }
}

if (isMain(import.meta.url)) {
  const path = join(root, 'package-lock.json');
  const lock = JSON.parse(readFileSync(path, 'utf8'));
  const added = completeLockfile(lock);
  if (added.length > 0) writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
  process.stdout.write(`${added.length} packages of other platforms added\n`);
}
