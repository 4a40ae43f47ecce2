import type { Compound, DirectoryEntry, Scheme } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import { decodeScheme } from '@cadastre/contracts';
import type { z } from 'zod';
import type * as schemas from './schemas.js';

/** Schemes as JSON for people: bytes are text where all of a scheme's are, base64 otherwise, and `encoding` says which. */
type SchemeJson = z.output<typeof schemas.Scheme>;
type Encoding = 'utf8' | 'base64';
type CompoundJson = NonNullable<Extract<SchemeJson, { kind: 'hash-slots' }>['compound']>;

const isText = (bytes: Uint8Array): boolean => Buffer.from(Buffer.from(bytes).toString('utf8'), 'utf8').equals(bytes);

const encodingOf = (all: readonly Uint8Array[]): Encoding => (all.every(isText) ? 'utf8' : 'base64');

const written = (bytes: Uint8Array, encoding: Encoding): string => Buffer.from(bytes).toString(encoding);
const read = (text: string, encoding: Encoding): Uint8Array => new Uint8Array(Buffer.from(text, encoding));

export const schemeJson = (wire: Wire.Scheme | null | undefined): SchemeJson => jsonOf(decodeScheme(wire));

const jsonOf = (scheme: Scheme): SchemeJson => {
  if (scheme.kind === 'range') {
    const encoding = encodingOf(scheme.splitPoints);
    return { ...scheme, splitPoints: scheme.splitPoints.map((p) => written(p, encoding)), encoding };
  }
  if (scheme.kind === 'directory') {
    const encoding = encodingOf(scheme.entries.map(bytesOf));
    const entries = scheme.entries.map((entry) => entryJson(entry, encoding));
    return { ...scheme, entries, encoding, fallback: jsonOf(scheme.fallback) as never };
  }
  const { compound, ...rest } = scheme;
  return { ...rest, ...(compound && { compound: compoundJson(compound) }) } as SchemeJson;
};

const compoundJson = (compound: Compound): CompoundJson => {
  if (!('separator' in compound)) return compound;
  const encoding = encodingOf([compound.separator]);
  return { separator: written(compound.separator, encoding), encoding } as CompoundJson;
};

const bytesOf = (entry: DirectoryEntry): Uint8Array => {
  if (entry.match === 'geography') return new Uint8Array();
  return entry.match === 'key' ? entry.key : entry.prefix;
};

const entryJson = (entry: DirectoryEntry, encoding: Encoding) => {
  if (entry.match === 'geography') return entry;
  return entry.match === 'key'
    ? { ...entry, key: written(entry.key, encoding) }
    : { ...entry, prefix: written(entry.prefix, encoding) };
};

export const schemeOf = (json: SchemeJson): Scheme => {
  if (json.kind === 'range') {
    const { encoding, ...rest } = json;
    return { ...rest, splitPoints: json.splitPoints.map((p) => read(p, encoding)) } as Scheme;
  }
  if (json.kind === 'directory') {
    const { encoding, ...rest } = json;
    const entries = json.entries.map((entry) => {
      if (entry.match === 'key') return { ...entry, key: read(entry.key, encoding) };
      return entry.match === 'prefix' ? { ...entry, prefix: read(entry.prefix, encoding) } : entry;
    });
    return { ...rest, entries, fallback: schemeOf(json.fallback) } as Scheme;
  }
  const { compound, ...rest } = json;
  return { ...rest, ...(compound && { compound: compoundOf(compound) }) } as Scheme;
};

const compoundOf = (json: CompoundJson): Compound =>
  'separator' in json
    ? { separator: read(json.separator, json.encoding) }
    : { lengthPrefixBytes: json.lengthPrefixBytes };
