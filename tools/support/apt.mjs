import { copyFileSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { capture, tail, which } from './run.mjs';

const defaultKeyring = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** `{ id, codename }` of this Linux distribution, or undefined elsewhere. Source: os-release(5). */
export function readRelease(path = '/etc/os-release') {
  try {
    const text = readFileSync(path, 'utf8');
    const value = (key) => text.match(new RegExp(`^${key}="?([^"\\n]*)"?$`, 'm'))?.[1] ?? '';
    return { id: value('ID'), codename: value('VERSION_CODENAME') };
  } catch {
    return undefined;
  }
}

/** All binary package sources of this machine, as `{ uri, suites, components, signedBy }`. Source: sources.list(5). */
export function readSources(folder = '/etc/apt') {
  const parts = listFolder(join(folder, 'sources.list.d'));
  const lists = [join(folder, 'sources.list'), ...parts.filter((path) => path.endsWith('.list'))];
  const stanzas = parts.filter((path) => path.endsWith('.sources'));
  return [
    ...lists.flatMap((path) => parseList(readText(path))),
    ...stanzas.flatMap((path) => parseStanzas(readText(path))),
  ];
}

/** One-line format: `deb [options] uri suite component...`. */
export function parseList(text) {
  const found = [];
  for (const line of text.split('\n')) {
    const match = line.match(/^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s*(.*)$/);
    if (!match) continue;
    const signedBy = match[1]?.match(/signed-by=(\S+)/i)?.[1];
    found.push({ uri: match[2], suites: [match[3]], components: words(match[4].replace(/#.*/, '')), signedBy });
  }
  return found;
}

/** deb822 format: stanzas of `Field: values`, continued by indented lines. */
export function parseStanzas(text) {
  const clean = text
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .join('\n');
  return clean.split(/\n\s*\n/).flatMap((stanza) => {
    const field = (name) => stanza.match(new RegExp(`^${name}:((?:.*)(?:\\n[ \\t].*)*)`, 'im'))?.[1].trim();
    if (!words(field('Types')).includes('deb') || /^no$/i.test(field('Enabled') ?? '')) return [];
    const signed = field('Signed-By');
    const signedBy = signed?.startsWith('/') ? signed : undefined;
    return words(field('URIs')).map((uri) => ({
      uri,
      suites: words(field('Suites')),
      components: words(field('Components')),
      signedBy,
    }));
  });
}

/**
 * Where this machine takes its release from: the source that lists the release's own suite. Its mirror is read at
 * run time and never written down, so that a site's own mirror goes on being used.
 */
export function findMirror(sources, codename) {
  return sources.find(({ suites, uri }) => suites.includes(codename) && /^[a-z+]+:/.test(uri));
}

/** The ways to ask this machine's distribution for etcd, best first. Pure: `{ suite, component }` each. */
export function suitesFor(release) {
  if (release.id === 'ubuntu') return [{ suite: release.codename, component: 'universe' }];
  const older = ['bookworm', 'bullseye'].includes(release.codename);
  return [...(older ? [{ suite: 'trixie', component: 'main' }] : []), { suite: release.codename, component: 'main' }];
}

/**
 * Downloads package `name` from one suite and unpacks it below `folder`, with lists and caches of our own: needs no
 * root, changes nothing of the system. Returns `{ ok, reason }`; the files are then in `folder/root`.
 */
export function unpackPackage(name, { suite, component }, mirror, folder) {
  if (!which('apt-get') || !which('dpkg-deb')) return { ok: false, reason: 'this machine has no apt-get and dpkg-deb' };
  rmSync(folder, { recursive: true, force: true });
  for (const path of ['lists/partial', 'cache/archives/partial', 'download', 'root'])
    mkdirSync(join(folder, path), { recursive: true });
  const list = join(folder, 'private.list');
  writeFileSync(list, `deb [signed-by=${copyKeyring(mirror, folder)}] ${mirror.uri} ${suite} ${component}\n`);
  const options = aptOptions(folder, list);
  const update = capture('apt-get', [...options, '-q', 'update'], quiet);
  if (!update.ok) return { ok: false, reason: `apt-get update failed: ${tail(update.output, 2)}` };
  const download = capture('apt-get', [...options, '-q', 'download', name], {
    ...quiet,
    cwd: join(folder, 'download'),
  });
  if (!download.ok) return { ok: false, reason: `apt-get download failed: ${tail(download.output, 2)}` };
  const archive = listFolder(join(folder, 'download')).find((path) => path.endsWith('.deb'));
  if (!archive) return { ok: false, reason: `apt-get download left no ${name} package` };
  const unpack = capture('dpkg-deb', ['-x', archive, join(folder, 'root')]);
  return unpack.ok ? { ok: true, reason: '' } : { ok: false, reason: `dpkg-deb: ${tail(unpack.output, 2)}` };
}

const quiet = { env: { ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' } };

function aptOptions(folder, list) {
  const values = {
    'Dir::Etc::sourcelist': list,
    'Dir::Etc::sourceparts': '/dev/null',
    'Dir::State::lists': join(folder, 'lists'),
    'Dir::Cache': join(folder, 'cache'),
    'Acquire::Languages': 'none',
    'Acquire::Retries': '2',
    'APT::Get::List-Cleanup': '0',
  };
  // As root apt drops to the user _apt, which may not be able to read this checkout.
  if (process.getuid?.() === 0) values['APT::Sandbox::User'] = 'root';
  return Object.entries(values).flatMap(([key, value]) => ['-o', `${key}=${value}`]);
}

// The list names its key by path, and a path with a space in it cannot be written in that format.
function copyKeyring(mirror, folder) {
  const keyring = mirror.signedBy ?? defaultKeyring;
  if (!/\s/.test(keyring)) return keyring;
  const copy = join(folder, 'keyring.gpg');
  copyFileSync(keyring, copy);
  return copy;
}

function words(text) {
  return (text ?? '').split(/\s+/).filter((word) => word !== '');
}

function listFolder(folder) {
  try {
    return readdirSync(folder)
      .sort()
      .map((name) => join(folder, name));
  } catch {
    return [];
  }
}

function readText(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
