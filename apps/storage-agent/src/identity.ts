import { join } from 'node:path';
import { CadastreError } from '@cadastre/core';
import type { NewId } from '@cadastre/runtime';
import { randomId } from '@cadastre/runtime';
import type { Files } from './files.js';
import { systemFiles } from './files.js';

interface IdentityPorts {
  readonly files: Files;
  readonly newId: NewId;
}

const SYSTEM: IdentityPorts = { files: systemFiles, newId: randomId };

/**
 * The incarnation of the data: made with the directory and kept in it, so that a wiped disk shows as a new one.
 * @throws CadastreError FAILED_PRECONDITION when the directory belongs to another node
 */
export const readIdentity = async (
  dataDir: string,
  node: string,
  { files, newId }: IdentityPorts = SYSTEM,
): Promise<string> => {
  await files.makeFolder(dataDir);
  const path = join(dataDir, 'identity.json');
  const bytes = await files.read(path);
  if (bytes !== undefined) return parse(bytes.toString('utf8'), node, dataDir);
  const incarnation = newId(8);
  await files.replace(path, Buffer.from(`${JSON.stringify({ node, incarnation })}\n`));
  return incarnation;
};

/**
 * As `readIdentity`, for data that lies in `engineDir`. Where that is gone or empty, all copies went with it: what else is left (the
 * incarnation, saved maps) must not vouch for them, or an empty copy would be taken for a whole one.
 */
export const identityOfData = async (
  dataDir: string,
  engineDir: string,
  node: string,
  ports: IdentityPorts = SYSTEM,
): Promise<string> => {
  const { files } = ports;
  const known = await readIdentity(dataDir, node, ports);
  if ((await files.list(engineDir)).length > 0) return known;
  await files.remove(join(dataDir, 'map'));
  await files.remove(join(dataDir, 'identity.json'));
  return readIdentity(dataDir, node, ports);
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
