import { readFile } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { invalid, keyFromText, keyTypeOf, type Scheme } from '@cadastre/core';
import { showBytes } from '../format.js';

/** A key as it is shown and as the scheme takes it. */
export interface Key {
  readonly shown: string;
  readonly bytes: Uint8Array;
}

const LF = 0x0a;
const CR = 0x0d;

/**
 * Keys of a file: one a line (LF or CRLF; bytes that are no UTF-8 stay as they are), or a JSON array of strings when its name ends
 * in .json, which can also hold keys with line ends in them. An empty line is the empty key.
 * @throws CadastreError INVALID_ARGUMENT naming --keys-file, or the entry that is no key of the scheme's type
 */
export const readKeyFile = async (path: string, cwd: string, scheme: Scheme): Promise<Key[]> => {
  const content = await readFile(isAbsolute(path) ? path : join(cwd, path)).catch((error: Error) => {
    throw invalid('--keys-file', error.message, 'give a file that can be read');
  });
  if (path.endsWith('.json'))
    return textsOfJson(content).map((text, i) => keyOfText(scheme, text, `--keys-file[${i}]`));
  const lines = linesOf(content);
  if (keyTypeOf(scheme) === 'text') return lines.map((bytes) => ({ shown: showBytes(bytes), bytes }));
  return lines.map((line, i) => keyOfText(scheme, line.toString('utf8'), `--keys-file line ${i + 1}`));
};

/** @throws CadastreError INVALID_ARGUMENT naming `field` when the text is no key of the scheme's type */
export const keyOfText = (scheme: Scheme, text: string, field: string): Key => ({
  shown: text,
  bytes: keyFromText(scheme, text, field),
});

const linesOf = (content: Buffer): Buffer[] => {
  const lines: Buffer[] = [];
  for (let at = 0; at < content.length;) {
    const found = content.indexOf(LF, at);
    const end = found < 0 ? content.length : found;
    lines.push(content.subarray(at, end > at && content[end - 1] === CR ? end - 1 : end));
    at = end + 1;
  }
  return lines;
};

const textsOfJson = (content: Buffer): string[] => {
  const value = parse(content);
  if (!Array.isArray(value))
    throw invalid('--keys-file', 'is no JSON array', 'give ["key", ...], or one key a line in a file not named .json');
  value.forEach((each: unknown, i) => {
    if (typeof each !== 'string')
      throw invalid(`--keys-file[${i}]`, 'is no string', 'put each key in quotes, numbers too');
  });
  return value as string[];
};

const parse = (content: Buffer): unknown => {
  try {
    return JSON.parse(content.toString('utf8'));
  } catch (error) {
    throw invalid('--keys-file', `cannot be read as JSON: ${(error as Error).message}`, 'give an array of strings');
  }
};
