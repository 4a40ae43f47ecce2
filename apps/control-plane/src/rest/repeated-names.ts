import { CadastreError } from '@cadastre/core';

/** A string, or what opens, closes and parts objects and lists; everything else has no bearing on names. */
const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]/g;

interface Level {
  /** Of an object; a list has none. */
  readonly names: Set<string> | undefined;
  isName: boolean;
}

/**
 * JSON leaves open which of two fields of one name counts, so programs differ in it: what one of them checked is not what another acts on.
 * Text that is no JSON passes; its parser refuses it.
 *
 * @throws CadastreError INVALID_ARGUMENT that names the field
 */
export const refuseRepeatedNames = (text: string): void => {
  const levels: Level[] = [];
  for (const [token] of text.matchAll(TOKEN)) {
    const level = levels.at(-1);
    if (token === '{') levels.push({ names: new Set(), isName: true });
    else if (token === '[') levels.push({ names: undefined, isName: false });
    else if (token === '}' || token === ']') levels.pop();
    else if (!level?.names) continue;
    else if (token === ',') level.isName = true;
    else if (token === ':') level.isName = false;
    else if (level.isName) note(level.names, token);
  }
};

const note = (names: Set<string>, token: string): void => {
  const name = plain(token);
  if (name === undefined) return;
  if (names.has(name))
    throw new CadastreError('INVALID_ARGUMENT', `"${name.slice(0, 80)}" stands twice in one object`, {
      field: name.slice(0, 80),
      remedy: 'send each field once',
    });
  names.add(name);
};

/** Escapes may write one name in two ways. */
const plain = (token: string): string | undefined => {
  try {
    return JSON.parse(token) as string;
  } catch {
    return undefined;
  }
};
