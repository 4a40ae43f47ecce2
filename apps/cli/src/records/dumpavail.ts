import { linesOf } from './lines.js';
import type { Chunks, ParsedRecord } from './record.js';

type Stanza = Record<string, string>;

/**
 * Stanzas as `apt-cache dumpavail` prints them (Debian Policy Manual, section 5.1): `Field: value`, continued by lines that
 * begin with a blank, ended by an empty line. The key is Package/Version, or the field that is named; the value is the stanza as JSON.
 */
export async function* readDumpavail(chunks: Chunks, keyField?: string): AsyncGenerator<ParsedRecord> {
  let stanza: Stanza = {};
  let field = '';
  let number = 0;
  let line = 0;
  let startedAt = 1;
  let broken: string | undefined;
  const finish = (): ParsedRecord | undefined => {
    if (Object.keys(stanza).length === 0 && broken === undefined) return undefined;
    number += 1;
    const at = `stanza ${number} (line ${startedAt})`;
    return broken === undefined ? recordOf(stanza, keyField, at) : { ok: false, at, why: broken };
  };
  for await (const text of linesOf(chunks)) {
    line += 1;
    if (text.trim() === '') {
      const record = finish();
      if (record) yield record;
      [stanza, field, broken, startedAt] = [{}, '', undefined, line + 1];
    } else if (/^[ \t]/.test(text)) {
      if (field === '') broken ??= `line ${line} continues a field that is not there`;
      else stanza[field] += `\n${text.slice(1) === '.' ? '' : text.slice(1)}`;
    } else {
      const colon = text.indexOf(':');
      if (colon < 1) broken ??= `line ${line} has no "Field: value"`;
      else stanza[(field = text.slice(0, colon))] = text.slice(colon + 1).trim();
    }
  }
  const last = finish();
  if (last) yield last;
}

const recordOf = (stanza: Stanza, keyField: string | undefined, at: string): ParsedRecord => {
  const missing = (keyField === undefined ? ['Package', 'Version'] : [keyField]).filter((name) => !stanza[name]);
  if (missing.length > 0) return { ok: false, at, why: `has no ${missing.join(' and no ')}` };
  const key = keyField === undefined ? `${stanza['Package']}/${stanza['Version']}` : stanza[keyField]!;
  return { ok: true, key, value: JSON.stringify(stanza) };
};
