import { describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');
interface Locked {
  version?: string;
  resolved?: string;
  integrity?: string;
  license?: string;
  dev?: boolean;
  devOptional?: boolean;
  link?: boolean;
}
const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
  packages: Record<string, Locked>;
};
/** Of this platform: those of others are listed by version alone, and are the same packages built elsewhere. */
const installed = Object.entries(packages).filter(
  ([path, p]) => path.includes('node_modules/') && !p.link && existsSync(join(root, path)),
);
const runtime = installed.filter(([, p]) => !p.dev);

/** Two old packages name their licence in a list. */
const licenceOf = (path: string, { license }: Locked): string => {
  const own = () =>
    JSON.parse(readFileSync(join(root, path, 'package.json'), 'utf8')) as { licenses?: { type: string }[] };
  return (
    license ??
    own()
      .licenses?.map(({ type }) => type)
      .join(' OR ') ??
    'none'
  );
};

/** May be used and passed on in a work under Apache-2.0. */
const LICENCES = [
  'MIT',
  'ISC',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  '0BSD',
  'BlueOak-1.0.0',
  'Python-2.0',
  'CC0-1.0',
];

describe('what we depend on', () => {
  // Plan: the lockfile names a licence for each package that runs in production, and each is one that we may pass on.
  it('has licences that go with ours', () => {
    const isFine = (licence: string): boolean =>
      licence
        .replaceAll(/[()]/g, '')
        .split(' OR ')
        .some((l) => LICENCES.includes(l));
    const wrong = runtime.filter(([path, p]) => !isFine(licenceOf(path, p)));
    expect(wrong.map(([path, p]) => `${path}: ${licenceOf(path, p)}`)).toEqual([]);
    expect(runtime.length).toBeGreaterThan(50);
  });

  // Plan: every package comes from a registry, by checksum: none from git, a URL or a folder outside.
  it('comes from registries, by checksum', () => {
    const isOdd = ({ resolved = '', integrity }: Locked): boolean => /^(git|http:|file:)/.test(resolved) || !integrity;
    expect(installed.filter(([, p]) => isOdd(p)).map(([path]) => path)).toEqual([]);
  });

  // Plan: npm writes a CycloneDX list of what runs in production; it has our programs and nothing of the tests.
  it('can be listed as CycloneDX', () => {
    const { stdout } = spawnSync(
      'npm',
      ['sbom', '--sbom-format', 'cyclonedx', '--omit', 'dev', '--package-lock-only'],
      {
        cwd: root,
        encoding: 'utf8',
        maxBuffer: 64 * 1024 * 1024,
      },
    );
    const sbom = JSON.parse(stdout) as { bomFormat: string; components: { name: string; group?: string }[] };
    expect(sbom.bomFormat).toBe('CycloneDX');
    const names = sbom.components.map((c) => c.name);
    for (const name of ['etcd3', 'winston', 'zod']) expect(names).toContain(name);
    for (const name of ['jest', 'typescript', 'kubernetes-models']) expect(names).not.toContain(name);
  }, 60_000);
});
