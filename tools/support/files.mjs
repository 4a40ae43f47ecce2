import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const skipped = new Set(['node_modules', 'dist', '.git', '.cadastre', 'coverage']);

/** Paths of all files below `folder`, sorted, without built and installed ones. A missing folder holds none. */
export function listFiles(folder) {
  let entries;
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
  const found = entries.flatMap((entry) => {
    if (entry.isDirectory()) return skipped.has(entry.name) ? [] : listFiles(join(folder, entry.name));
    return entry.isFile() ? [join(folder, entry.name)] : [];
  });
  return found.sort();
}

/** A digest of names, times and sizes: cheap, and any edit changes it. A missing file counts as such. */
export function fingerprint(paths) {
  const hash = createHash('sha256');
  for (const path of paths) {
    const stat = statSync(path, { throwIfNoEntry: false });
    hash.update(`${path}\0${stat ? `${stat.mtimeMs}\0${stat.size}` : 'none'}\n`);
  }
  return hash.digest('hex');
}

export function digestOf(path) {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

/** The text of a file, or `''` when there is none. */
export function readText(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** Writes by rename, so that no reader sees half a file. An unchanged file keeps its time. Returns whether it wrote. */
export function writeIfChanged(path, content) {
  const bytes = Buffer.from(content);
  const old = statSync(path, { throwIfNoEntry: false })?.isFile() ? readFileSync(path) : undefined;
  if (old?.equals(bytes)) return false;
  mkdirSync(dirname(path), { recursive: true });
  const part = `${path}.part.${process.pid}`;
  writeFileSync(part, bytes);
  renameSync(part, path);
  return true;
}
