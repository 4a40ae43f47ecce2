// Plan: feed the decisions of the set-up (this Node? this installation? which etcd is old?) with made-up facts, no network.
import { describe, expect, it } from '@jest/globals';
import { completeLockfile, platformOf } from './complete-lockfile.mjs';
import { isOlder } from './etcd.mjs';
import { isSameInstall, refuseNode } from './setup.mjs';
import { downloadRelease } from './support/etcd-release.mjs';

describe('Node', () => {
  it.each([
    ['18.20.4', true],
    ['20.18.3', true],
    ['20.19.0', false],
    ['22.1.0', false],
  ])('%s is refused: %s, in one line that names what is needed', (version, refused) => {
    const line = refuseNode(version);
    expect(line !== undefined).toBe(refused);
    if (line) expect(line).toMatch(/^.*20\.19 or newer.*$/);
  });
});

describe('dependencies', () => {
  const locked = {
    packages: {
      '': { version: '1.0.0' },
      'libs/core': { version: '0.1.0' },
      'node_modules/@cadastre/core': { link: true },
      'node_modules/a': { version: '1.2.3' },
      'node_modules/a-darwin': { version: '1.2.3', optional: true },
    },
  };
  const installed = (changes: object) => ({
    packages: { 'node_modules/@cadastre/core': { link: true }, 'node_modules/a': { version: '1.2.3' }, ...changes },
  });

  it('accepts what npm put there by hand, without packages of other platforms', () => {
    expect(isSameInstall(locked, installed({}))).toBe(true);
  });

  it('refuses another version, a missing package and one too many', () => {
    expect(isSameInstall(locked, installed({ 'node_modules/a': { version: '1.2.4' } }))).toBe(false);
    expect(isSameInstall(locked, { packages: { 'node_modules/@cadastre/core': { link: true } } })).toBe(false);
    expect(isSameInstall(locked, installed({ 'node_modules/b': { version: '1.0.0' } }))).toBe(false);
  });

  it('completes a lockfile with the other platforms, once', () => {
    const lock = {
      packages: {
        '': {},
        'node_modules/a': {
          version: '1.0.0',
          dev: true,
          optionalDependencies: { '@a/linux-x64-musl': '1.0.1', '@a/there': '1.0.0', fuzzy: '^2.0.0' },
        },
        'node_modules/a/node_modules/@a/there': { version: '1.0.0' },
      } as Record<string, object>,
    };
    expect(completeLockfile(lock)).toEqual(['node_modules/@a/linux-x64-musl']);
    expect(lock.packages['node_modules/@a/linux-x64-musl']).toEqual({
      version: '1.0.1',
      cpu: ['x64'],
      libc: ['musl'],
      os: ['linux'],
      dev: true,
      optional: true,
    });
    expect(completeLockfile(lock)).toEqual([]);
    expect(platformOf('@b/b-linux-arm-gnueabihf')).toEqual({ cpu: ['arm'], os: ['linux'] });
    expect(platformOf('@b/b-wasm32-wasi')).toEqual({ cpu: ['wasm32'] });
  });
});

describe('etcd', () => {
  it.each([
    ['3.4.23', true],
    ['3.5.0', false],
    ['3.10.1', false],
    ['2.9.9', true],
    ['4.0.0', false],
  ])('%s is older than 3.5: %s', (version, older) => {
    expect(isOlder(version)).toBe(older);
  });

  it('never unpacks a release archive whose checksum is not the pinned one', async () => {
    const end = await downloadRelease('/nonexistent/never-written', {
      fetchArchive: async () => Buffer.from('not etcd'),
    });
    expect(end).toEqual({ reason: expect.stringMatching(/not the pinned|no checksum is pinned/) });
  });

  it('gives the reason when the archive cannot be reached', async () => {
    const fetchArchive = async () => Promise.reject(new Error('HTTP 503'));
    expect(await downloadRelease('/nonexistent', { fetchArchive })).toEqual({
      reason: expect.stringMatching(/HTTP 503|no checksum is pinned/),
    });
  });
});
