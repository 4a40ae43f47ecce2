// Plan: give the checker small made-up checkouts, one for each rule, and see that exactly the bad line is named, with its reason.
import { describe, expect, it } from '@jest/globals';
import { checkImports, describeViolation, readSources } from './check-imports.mjs';
import { ranks } from './support/import-rules.mjs';

type Sources = Record<string, string>;
const check = (sources: Sources, manifests: Record<string, object> = {}) =>
  checkImports(new Map(Object.entries(sources)), new Map(Object.entries(manifests)));
const found = (sources: Sources, manifests?: Record<string, object>) =>
  check(sources, manifests).map(
    ({ file, line, rule }: { file: string; line: number; rule: string }) => `${file}:${line} ${rule}`,
  );

describe('layers', () => {
  it.each([
    ['libs/runtime/src/a.ts', '@cadastre/core', []],
    ['libs/core/src/a.ts', '@cadastre/runtime', ['layers']],
    ['libs/contracts/src/a.ts', '@cadastre/store', ['layers']],
    ['libs/store/src/a.ts', '@cadastre/contracts', []],
    ['libs/store/src/a.ts', '@cadastre/client', ['layers']],
    ['libs/client/src/a.ts', '@cadastre/service-kit', ['layers']],
    ['libs/testkit/src/a.ts', '@cadastre/store', []],
    ['libs/store/src/a.spec.ts', '@cadastre/testkit', ['layers']],
    ['apps/cli/src/a.ts', '@cadastre/client', []],
    ['apps/cli/src/a.ts', '@cadastre/control-plane', ['layers']],
    ['apps/cli/src/a.ts', '@cadastre/testkit', ['layers']],
    ['apps/cli/src/a.spec.ts', '@cadastre/testkit', []],
  ])('%s importing %s gives %j', (file, specifier, expected) => {
    expect(check({ [file]: `import { x } from '${specifier}';` }).map(({ rule }: { rule: string }) => rule)).toEqual(
      expected,
    );
    expect(check({ [file]: `import type { X } from '${specifier}';` })).toHaveLength(expected.length);
  });

  it('knows every library of this checkout, so that a new one cannot go unranked', () => {
    const libs = [...readSources().manifests.keys()].filter((folder: string) => folder.startsWith('libs/'));
    expect(libs.map((folder: string) => folder.slice(5)).sort()).toEqual(Object.keys(ranks).sort());
  });
});

describe('doors and declarations', () => {
  it.each([
    ['etcd3', 'libs/store/src/etcd/client.ts', 'libs/store/src/memory.ts'],
    ['@grpc/grpc-js', 'libs/contracts/src/server.ts', 'apps/control-plane/src/server.ts'],
    ['@grpc/proto-loader', 'libs/contracts/src/proto.ts', 'libs/client/src/proto.ts'],
    ['lmdb', 'libs/engine/src/embedded.ts', 'apps/storage-agent/src/main.ts'],
    ['@nestjs/common', 'apps/control-plane/src/app.module.ts', 'libs/service-kit/src/health.ts'],
  ])('%s is let in at %s, not at %s', (specifier, good, bad) => {
    expect(found({ [good]: `import { x } from '${specifier}';` })).toEqual([]);
    expect(found({ [bad]: `\nexport { x } from '${specifier}/deep.js';` })).toEqual([`${bad}:2 doors`]);
  });

  it('refuses what the package does not declare, and lets specs use the test libraries', () => {
    const manifests = { 'libs/engine': { name: '@cadastre/engine', dependencies: { lmdb: '^3' } } };
    const file = 'libs/engine/src/a.ts';
    expect(found({ [file]: `import 'lmdb';\nimport 'left-pad';\nimport '@cadastre/core';` }, manifests)).toEqual([
      `${file}:2 declared`,
      `${file}:3 declared`,
    ]);
    expect(found({ 'libs/engine/src/a.spec.ts': `import 'fast-check';` }, manifests)).toEqual([]);
    expect(found({ [file]: `import 'fast-check';` }, manifests)).toEqual([`${file}:1 doors`]);
  });

  it('enters packages through their index only', () => {
    const file = 'libs/store/src/a.ts';
    const text = `import '@cadastre/core/dist/x.js';\nimport '../../core/src/x.js';\nimport type { A } from './b.js';`;
    expect(found({ [file]: text })).toEqual([`${file}:1 index`, `${file}:2 index`]);
  });

  it('lets src/testing do what specs do, and nothing but specs use it', () => {
    const suite = 'libs/store/src/testing/store-contract.ts';
    expect(found({ [suite]: `import '@jest/globals';\nexport const x = Date.now();` })).toEqual([]);
    expect(found({ 'libs/store/src/a.spec.ts': `import './testing/store-contract.js';` })).toEqual([]);
    expect(found({ 'libs/store/src/index.ts': `export * from './testing/store-contract.js';` })).toEqual([
      'libs/store/src/index.ts:1 testing',
    ]);
  });

  it('sees imports in every form', () => {
    const file = 'libs/core/src/a.ts';
    const text = [
      `import fs = require('node:fs');`,
      `const os = await import('node:os');`,
      `type U = import('node:url').URL;`,
      `export type * from 'node:net';`,
      `const path = require('path');`,
    ].join('\n');
    const purity = found({ [file]: text }).filter((each: string) => each.endsWith('purity'));
    expect(new Set(purity)).toEqual(new Set([1, 2, 3, 4, 5].map((line) => `${file}:${line} purity`)));
  });
});

describe('globals', () => {
  const uses = [
    'Date.now()',
    'new Date()',
    'Math.random()',
    'setTimeout(f, 1)',
    'setInterval(f, 1)',
    'process.env.HOME',
    'performance.now()',
    'globalThis.setTimeout(f, 1)',
    `Math['random']()`,
    'globalThis.Date.now()',
    '[1].map(Math.random)',
    'f(setTimeout)',
    'y as typeof f ?? Date.now()',
    '{ now: Date.now }',
    '`${Date.now()}`',
    'class { @dec() at = Date.now() }',
    '({ setTimeout })',
    'f(...[Date.now()])',
  ];
  it.each(uses)('%s is refused in a library, not in runtime, main.ts, config.ts or a spec', (use) => {
    const text = `// é\nexport const x = ${use};\n`;
    expect(found({ 'libs/store/src/a.ts': text })).toEqual(['libs/store/src/a.ts:2 globals']);
    for (const file of [
      'libs/runtime/src/clock.ts',
      'apps/cli/src/main.ts',
      'apps/cli/src/config.ts',
      'libs/store/src/a.spec.ts',
      'libs/testkit/src/a.ts',
    ]) {
      expect(found({ [file]: text })).toEqual([]);
    }
  });

  it.each([
    'const { env } = process;',
    `import { setTimeout as pause } from 'node:timers/promises';`,
    `import { env } from 'node:process';`,
    `import { performance } from 'perf_hooks';`,
  ])('%s is the same global by another name', (text) => {
    expect(found({ 'apps/cli/src/a.ts': text })).toEqual(['apps/cli/src/a.ts:1 globals']);
  });

  it.each([
    'scheduler.setTimeout(f, 1)',
    'new Date(5)',
    '{ setTimeout: 1 }',
    'Date.UTC(2020, 1)',
    'x.Date.now',
    'process.argv',
    `'Date.now()'`,
    '(setTimeout: () => void) => setTimeout()',
    'class { setTimeout() { return this.setTimeout(); } }',
    'x as unknown as { setTimeout: number }',
  ])('%s is no use of it', (use) => {
    expect(found({ 'libs/store/src/a.ts': `export const y = ${use};` })).toEqual([]);
  });
});

describe('purity of core', () => {
  it.each([
    'process.argv',
    'Buffer.from([])',
    'console.log(1)',
    'fetch(u)',
    'crypto.randomUUID()',
    'performance',
    'globalThis.x',
    'queueMicrotask(f)',
  ])('refuses %s', (use) => {
    const all = found({ 'libs/core/src/a.ts': `export const x = ${use};` });
    expect(new Set(all)).toEqual(new Set(['libs/core/src/a.ts:1 purity']));
    expect(found({ 'libs/core/src/a.spec.ts': `export const x = ${use};` })).toEqual([]);
  });

  it('lets plain code through, with types of any name', () => {
    const text = `export const f = (buffer: Buffer, process: string) => ({ console: process, text: new TextEncoder().encode(process) });\nexport interface Buffer { crypto: string }`;
    expect(found({ 'libs/core/src/a.ts': text })).toEqual([]);
  });
});

describe('cycles', () => {
  const at = (name: string) => `libs/core/src/${name}.ts`;
  it('names the shortest cycle once, and ignores type-only imports', () => {
    const sources = {
      [at('a')]: `import { b } from './b.js';\nexport * from './leaf.js';`,
      [at('b')]: `import { c } from './c.js';`,
      [at('c')]: `import { a } from './a.js';\nimport { b } from './b.js';`,
      [at('leaf')]: `import type { A } from './a.js';\nimport { type B } from './b.js';`,
    };
    const violations = check(sources);
    expect(violations.map(({ message }: { message: string }) => message)).toEqual([
      `${at('b')} -> ${at('c')} -> ${at('b')}`,
    ]);
  });

  it('sees a file that imports the index that exports it, and its own package by name', () => {
    const byPath = { [at('index')]: `export * from './a.js';`, [at('a')]: `import { x } from './index.js';` };
    expect(found(byPath)).toEqual([`${at('a')}:1 cycle`]);
    const byName = { [at('index')]: `export * from './a.js';`, [at('a')]: `import { x } from '@cadastre/core';` };
    expect(found(byName)).toEqual([`${at('a')}:1 layers`, `${at('a')}:1 cycle`]);
  });
});

describe('report', () => {
  it('gives place, rule, what and why in words', () => {
    const [violation] = check({ 'libs/store/src/a.ts': `\n\nimport 'lmdb';` });
    expect(describeViolation(violation)).toBe(
      'libs/store/src/a.ts:3: [doors] imports lmdb\n    because the embedded database has one door, behind the engine interface',
    );
  });

  it('reports a file that cannot be parsed, and goes on with the others', () => {
    expect(found({ 'libs/core/src/a.ts': 'const = ;', 'libs/core/src/b.ts': `import 'node:fs';` })).toEqual([
      'libs/core/src/a.ts:1 syntax',
      'libs/core/src/b.ts:1 purity',
    ]);
  });
});
