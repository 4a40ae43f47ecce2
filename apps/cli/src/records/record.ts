import { extname } from 'node:path';
import { invalid } from '@cadastre/core';
import { readCsv } from './csv.js';
import { readDumpavail } from './dumpavail.js';
import { readJsonLines } from './json-lines.js';

/** One record of a file that is imported: a key and a value, or why it has none. */
export type ParsedRecord =
  | { readonly ok: true; readonly key: string; readonly value: string }
  | { readonly ok: false; readonly at: string; readonly why: string };

export const FORMATS = ['csv', 'jsonl', 'dumpavail'] as const;
export type Format = (typeof FORMATS)[number];

export type Chunks = AsyncIterable<string | Uint8Array>;

const BY_EXTENSION: Readonly<Record<string, Format>> = {
  '.csv': 'csv',
  '.jsonl': 'jsonl',
  '.ndjson': 'jsonl',
  '.json': 'jsonl',
};

/** @throws CadastreError INVALID_ARGUMENT when neither flag nor name tells the format */
export const formatOf = (given: string | undefined, file: string): Format => {
  const format = given ?? BY_EXTENSION[extname(file)];
  if (format === undefined)
    throw invalid('--format', `cannot be told from "${file}"`, `give one of ${FORMATS.join(', ')}`);
  if (!(FORMATS as readonly string[]).includes(format))
    throw invalid('--format', `"${format}" is unknown`, `use one of ${FORMATS.join(', ')}`);
  return format as Format;
};

/** Records as they come: nothing but the one in hand is kept in memory. */
export const readRecords = (
  chunks: Chunks,
  format: Format,
  keyField: string | undefined,
): AsyncGenerator<ParsedRecord> => {
  if (format === 'csv') return readCsv(chunks, keyField);
  return format === 'jsonl' ? readJsonLines(chunks, keyField) : readDumpavail(chunks, keyField);
};
