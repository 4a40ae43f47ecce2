import { realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout's root, whatever the working directory is. */
export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Everything the tools keep lies under one git-ignored folder: deleting it costs time, never data. */
export const keep = join(root, '.cadastre');

/** True when `metaUrl` (a module's `import.meta.url`) is the program being run, not a module imported by another. */
export function isMain(metaUrl) {
  return process.argv[1] !== undefined && fileURLToPath(metaUrl) === realpathSync(process.argv[1]);
}
