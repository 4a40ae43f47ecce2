import { Readable } from 'node:stream';
import { invalid } from '@cadastre/core';
import { parse } from 'csv-parse';
import type { Chunks, ParsedRecord } from './record.js';

/**
 * Comma-separated values with a line of titles (RFC 4180). The key is the first column, or the one that is named; the value is the
 * row as JSON. @throws CadastreError INVALID_ARGUMENT when the column is not there
 */
export async function* readCsv(chunks: Chunks, keyField?: string): AsyncGenerator<ParsedRecord> {
  const parser = parse({ bom: true, relax_column_count: true, skip_empty_lines: true, relax_quotes: true });
  const source = Readable.from(chunks);
  source.on('error', (error) => parser.destroy(error));
  source.pipe(parser);
  let titles: readonly string[] | undefined;
  let column = 0;
  let number = 1;
  for await (const row of parser as AsyncIterable<string[]>) {
    if (!titles) {
      titles = row;
      column = columnOf(titles, keyField);
      continue;
    }
    number += 1;
    yield recordOf(titles, row, column, `record ${number}`);
  }
}

const columnOf = (titles: readonly string[], keyField: string | undefined): number => {
  const column = keyField === undefined ? 0 : titles.indexOf(keyField);
  if (column < 0) throw invalid('--key', `there is no column "${keyField}"`, `use one of ${titles.join(', ')}`);
  return column;
};

const recordOf = (titles: readonly string[], row: readonly string[], column: number, at: string): ParsedRecord => {
  if (row.length !== titles.length)
    return { ok: false, at, why: `has ${row.length} columns, the titles ${titles.length}` };
  const key = row[column]!;
  if (key === '') return { ok: false, at, why: `has an empty ${titles[column]}` };
  return { ok: true, key, value: JSON.stringify(Object.fromEntries(titles.map((title, i) => [title, row[i]]))) };
};
