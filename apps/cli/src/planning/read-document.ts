import { readFile } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { invalid, parseDocument } from '@cadastre/core';
import type { Io } from '../io.js';

/** A JSON document of a file, or of standard input for `-`. @throws CadastreError INVALID_ARGUMENT naming the flag */
export const readDocument = async (io: Io, path: string, flag: string): Promise<unknown> => {
  const text = path === '-' ? await textOfStdin(io) : await textOfFile(io, path, flag);
  return parseDocument(text, flag);
};

const textOfFile = (io: Io, path: string, flag: string): Promise<string> =>
  readFile(isAbsolute(path) ? path : join(io.cwd, path), 'utf8').catch((error: Error) => {
    throw invalid(flag, error.message, 'give a file that can be read, or - for standard input');
  });

const textOfStdin = async (io: Io): Promise<string> => {
  const chunks: Buffer[] = [];
  for await (const chunk of io.stdin) chunks.push(Buffer.from(chunk as Buffer));
  return Buffer.concat(chunks).toString('utf8');
};
