import { linesOf } from './lines.js';
import type { Chunks, ParsedRecord } from './record.js';

/**
 * One JSON object a line. The key is the field `key`, or the one that is named; the value is the line as it stands. A line of just
 * `{"key": ..., "value": ...}` gives its value: text as it is, anything else as JSON.
 */
export async function* readJsonLines(chunks: Chunks, keyField = 'key'): AsyncGenerator<ParsedRecord> {
  let number = 0;
  for await (const line of linesOf(chunks)) {
    number += 1;
    if (line.trim() !== '') yield recordOf(line, keyField, `line ${number}`);
  }
}

const recordOf = (line: string, keyField: string, at: string): ParsedRecord => {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch (error) {
    return { ok: false, at, why: `is no JSON: ${(error as Error).message}` };
  }
  if (!parsed || typeof parsed !== 'object' || Array.isArray(parsed))
    return { ok: false, at, why: 'is no JSON object' };
  const object = parsed as Record<string, unknown>;
  const key = Object.hasOwn(object, keyField) ? object[keyField] : undefined;
  if (typeof key !== 'string' && typeof key !== 'number')
    return { ok: false, at, why: `has no text or number "${keyField}"` };
  const isPair = keyField === 'key' && Object.keys(object).length === 2 && Object.hasOwn(object, 'value');
  return { ok: true, key: String(key), value: isPair ? asText(object['value']) : line.trim() };
};

const asText = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));
