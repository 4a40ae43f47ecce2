import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CadastreError } from '@cadastre/core';
import { randomId } from '@cadastre/runtime';

/** Replaces a file so that a crash leaves the old or the new one, never half of either. */
export const writeAtomically = async (path: string, bytes: Uint8Array): Promise<void> => {
  const draft = `${path}.${randomId(4)}.new`;
  const file = await open(draft, 'w');
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(draft, path);
  const folder = await open(dirname(path), 'r');
  await folder.sync().finally(() => folder.close());
};

/**
 * The incarnation of the data: made with the directory and kept in it, so that a wiped disk shows as a new one.
 * @throws CadastreError FAILED_PRECONDITION when the directory belongs to another node
 */
export const readIdentity = async (dataDir: string, node: string): Promise<string> => {
  await mkdir(dataDir, { recursive: true });
  const path = join(dataDir, 'identity.json');
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (text !== undefined) return parse(text, node, dataDir);
  const incarnation = randomId(8);
  await writeAtomically(path, Buffer.from(`${JSON.stringify({ node, incarnation })}\n`));
  return incarnation;
};

/**
 * As `readIdentity`, for data that lies in `engineDir`. Where that is gone or empty, all copies went with it: what else is left (the
 * incarnation, saved maps) must not vouch for them, or an empty copy would be taken for a whole one.
 */
export const identityOfData = async (dataDir: string, engineDir: string, node: string): Promise<string> => {
  const known = await readIdentity(dataDir, node);
  const files = await readdir(engineDir).catch(() => []);
  if (files.length > 0) return known;
  await rm(join(dataDir, 'map'), { recursive: true, force: true });
  await rm(join(dataDir, 'identity.json'), { force: true });
  return readIdentity(dataDir, node);
};

const parse = (text: string, node: string, dataDir: string): string => {
  const found = JSON.parse(text) as { node?: string; incarnation?: string };
  if (found.node === node && found.incarnation) return found.incarnation;
  throw new CadastreError(
    'FAILED_PRECONDITION',
    `--data: ${dataDir} belongs to node ${found.node ?? '(unreadable)'}, not ${node}`,
    { field: '--data', remedy: 'use a directory of its own for each node' },
  );
};
