import { describe, expect, it } from '@jest/globals';
import type { Scheme } from '@cadastre/core';
import { PRESETS, presetScheme } from '@cadastre/core';
import { encodeScheme } from '@cadastre/contracts';
import { schemeJson, schemeOf } from './scheme.codec.js';
import { Scheme as SchemeSchema } from './schemas.js';

const directory: Scheme = {
  kind: 'directory',
  partitions: 9,
  version: 2,
  fallback: { kind: 'range', splitPoints: [new Uint8Array([255])] },
  entries: [
    { match: 'key', key: new Uint8Array([255, 0]), partition: 0 },
    { match: 'prefix', prefix: new TextEncoder().encode('acme/'), partition: 5, spread: 3 },
    { match: 'geography', label: 'eu', partition: 8 },
  ],
};

describe('schemes as JSON', () => {
  // Plan: every preset, a compound key and a directory with bytes that are no text pass the schema and come back as they were.
  it.each<[string, Scheme]>([
    ...PRESETS.map(({ name, params }): [string, Scheme] => [
      name,
      presetScheme(name, params.includes('nodes') ? { nodes: ['a', 'b'], vnodes: 3 } : {}),
    ]),
    ['compound', { kind: 'hash-range', hash: 'md5', partitions: 4, compound: { separator: new Uint8Array([0, 255]) } }],
    ['length', { kind: 'hash-range', hash: 'md5', partitions: 4, compound: { lengthPrefixBytes: 2 } }],
    ['directory', directory],
  ])('keeps %s', (_name, scheme) => {
    const json = SchemeSchema.parse(JSON.parse(JSON.stringify(schemeJson(encodeScheme(scheme)))));
    expect(schemeOf(json)).toEqual(scheme);
  });

  // Plan: a caller that leaves out what has a default is understood as before.
  it('takes a scheme with defaults', () => {
    const json = SchemeSchema.parse({ kind: 'hash-slots', slots: 8 });
    expect(schemeOf(json)).toEqual({ kind: 'hash-slots', slots: 8, hash: 'murmur3', hashTags: false });
    expect(SchemeSchema.safeParse({ kind: 'ring', hash: 'md5', nodes: [] }).success).toBe(false);
  });
});
