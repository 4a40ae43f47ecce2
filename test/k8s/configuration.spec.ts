import { describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');
const node = (...args: string[]): string =>
  execFileSync(process.execPath, args, { cwd: root, encoding: 'utf8', env: { PATH: process.env['PATH'] } });

const PROGRAMS = [
  'apps/control-plane/dist/main.js',
  'apps/storage-agent/dist/main.js',
  'apps/router/dist/main.js',
  'apps/storage-agent/dist/node-labels/main.js',
];

describe('docs/configuration.md', () => {
  const page = readFileSync(join(root, 'docs/configuration.md'), 'utf8');

  // Plan: the page is written anew from the schemas; it is the one that is kept.
  it('is what the schemas say now', () => {
    expect(page).toBe(node('tools/configuration-docs.mjs', '--print'));
  });

  // Plan: --help of each program ends well, and every flag it names stands in the program's chapter with its variable.
  it.each(PROGRAMS)('has every flag of --help of %s', (program) => {
    const flags = [...node(program, '--help').matchAll(/^ {2}(--[a-z-]+)/gm)].map(([, flag]) => flag!);
    const chapter = page.slice(page.indexOf(`\`node ${program}\``)).split('\n## ')[0]!;
    expect(flags.length).toBeGreaterThan(5);
    expect([...chapter.matchAll(/^\| `(--[a-z-]+)/gm)].map(([, flag]) => flag)).toEqual(flags);
    for (const flag of flags)
      expect(chapter).toMatch(new RegExp(`_${flag.slice(2).replaceAll('-', '_').toUpperCase()}\``));
  });
});
