import { afterAll, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import type { AppSettings } from './flags.js';
import { readConfig } from './flags.js';
import { helpOf } from './help.js';

const SETTINGS = {
  program: 'thing',
  envPrefix: 'THING',
  schema: z.strictObject({
    name: z.string(),
    size: z.coerce.number().int().min(1).max(9).default(3),
    peer: z.array(z.string()).default([]),
    loud: z.boolean().default(false),
    mode: z.enum(['a', 'b']).default('a'),
  }),
  flags: {
    name: { type: 'string', value: 'NAME', help: 'what it is called' },
    size: { type: 'string', help: 'how big' },
    peer: { type: 'string', multiple: true, help: 'others' },
    loud: { type: 'boolean', help: 'says more' },
    mode: { type: 'string', help: 'which way' },
  },
} as const satisfies AppSettings;

const folder = mkdtempSync(join(tmpdir(), 'cadastre-flags-'));
afterAll(() => rmSync(folder, { recursive: true }));

const file = (text: string): string => {
  const path = join(folder, 'settings.json');
  writeFileSync(path, text);
  return path;
};
const read = (argv: readonly string[], env: Record<string, string> = {}) => readConfig({ ...SETTINGS, argv, env });

describe('readConfig', () => {
  // Plan: one setting in the file, the environment and a flag; each of the three is seen when those above it are silent.
  it('takes flags before the environment before the file', () => {
    const config = file('{"name":"file","size":2,"peer":["x","y"],"loud":true,"mode":"b"}');
    expect(read(['--config', config])).toEqual({ name: 'file', size: 2, peer: ['x', 'y'], loud: true, mode: 'b' });
    expect(read([], { THING_CONFIG: config, THING_NAME: 'env', THING_PEER: 'z' })).toMatchObject({
      name: 'env',
      peer: ['z'],
      size: 2,
    });
    expect(read(['--config', config, '--name', 'flag'], { THING_NAME: 'env' })).toMatchObject({ name: 'flag' });
  });

  // Plan: each wrong file is refused in one line that names --config or the flag it breaks.
  it.each([
    ['{"name":', /--config: .*no JSON/],
    ['[]', /--config: .*no JSON object/],
    ['{"nmae":"x"}', /--config: .*"nmae" is no setting/],
    ['{"name":"x","loud":"yes"}', /--config: .*"loud" is not true or false/],
    ['{"name":["x"]}', /--config: .*"name" is not a string or a number/],
    ['{"name":"x","config":"y"}', /--config: .*"config" is no setting/],
    ['{"name":"x","size":12}', /^--size: /],
    ['{}', /^--name: is missing/],
  ])('refuses %s', (text, message) => {
    expect(() => read(['--config', file(text)])).toThrow(message);
  });

  // Plan: a file that is not there is named.
  it('names a file that cannot be read', () => {
    expect(() => read(['--config', join(folder, 'none.json')])).toThrow(/none\.json: cannot be read: ENOENT/);
  });
});

describe('helpOf', () => {
  // Plan: what the schema knows stands behind each flag: required, limits, default, choices.
  it('says what the schema says', () => {
    const help = helpOf(SETTINGS);
    expect(help).toMatch(/--name NAME +what it is called \[required\]/);
    expect(help).toMatch(/--size VALUE +how big \[1 to 9; default 3\]/);
    expect(help).toMatch(/--mode VALUE +which way \[a, b; default a\]/);
    expect(help).toMatch(/--peer VALUE +others \(several\)\n/);
    expect(help).toMatch(/--config FILE/);
  });
});
