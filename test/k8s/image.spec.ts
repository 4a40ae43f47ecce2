import { describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './kustomize.js';

interface Instruction {
  readonly word: string;
  readonly rest: string;
}

const instructions: Instruction[] = readFileSync(join(root, 'Dockerfile'), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => ({ word: line.split(' ')[0]!, rest: line.slice(line.indexOf(' ') + 1) }));
const lastStage = instructions.slice(instructions.findLastIndex(({ word }) => word === 'FROM'));
const of = (list: readonly Instruction[], word: string): string[] =>
  list.filter((i) => i.word === word).map((i) => i.rest);

describe('the image', () => {
  // Plan: no Docker here, so the text is checked: stages of one pinned base, no scripts of packages, a user who is not root, nothing built in the last stage.
  it('is built in stages, from a pinned base, for a user who is not root', () => {
    const bases = of(instructions, 'FROM').map((rest) => rest.split(' ')[0]!);
    expect(bases).toHaveLength(3);
    expect(new Set(bases).size).toBe(1);
    expect(bases[0]).toMatch(/^node:\d+\.\d+(\.\d+)?-slim$/);
    expect(of(lastStage, 'USER')).toEqual(['10001:10001']);
    expect(of(lastStage, 'RUN')).toEqual([]);
    for (const run of of(instructions, 'RUN').filter((r) => r.includes('npm')))
      expect(run).toMatch(/^npm ci .*--ignore-scripts$/);
    expect(instructions.map((i) => i.word)).not.toContain('ADD');
  });

  // Plan: what the last stage takes from the build is there after a build, and no program that it carries lacks a library of ours.
  it('carries what is built, and all that its programs import of ours', () => {
    const taken = of(lastStage, 'COPY')
      .filter((rest) => rest.startsWith('--from=build'))
      .map((rest) => rest.split(' ')[1]!.replace('/src/', ''));
    for (const path of taken) expect({ path, built: existsSync(join(root, path)) }).toEqual({ path, built: true });
    const libs = readdirSync(join(root, 'libs')).filter((name) => name !== 'testkit');
    for (const lib of libs) expect(taken).toContain(`libs/${lib}/dist`);
    for (const path of taken.filter((p) => p.startsWith('apps/'))) {
      const { dependencies = {} } = JSON.parse(readFileSync(join(root, path, '../package.json'), 'utf8')) as {
        dependencies?: object;
      };
      expect(Object.keys(dependencies)).not.toContain('@cadastre/testkit');
    }
  });

  // Plan: the entry point starts each program in its place; anything else ends with one line.
  it.each(['control-plane', 'storage-agent', 'router', 'node-labels', 'cadastre'])('runs %s', (program) => {
    const { status, stdout } = enter(program, '--help');
    expect(status).toBe(0);
    expect(stdout.toLowerCase()).toContain('usage:');
  });

  it('refuses what it does not have', () => {
    // Plan: no word, and an unknown one.
    for (const words of [[], ['sh']]) {
      const { status, stderr } = enter(...words);
      expect({ status, lines: stderr.trim().split('\n').length }).toEqual({ status: 1, lines: 1 });
      expect(stderr).toContain('give one of control-plane');
    }
  });
});

const enter = (...words: string[]) =>
  spawnSync('sh', [join(root, 'tools/image/entrypoint.sh'), ...words], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], CADASTRE_APP: root },
  });
