import { describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
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

  // Plan: docs/dependencies.md names exactly the packages that our manifests ask for at run time, each with who uses it and why.
  it('is listed with reasons', () => {
    const used = new Map<string, string[]>();
    for (const part of ['libs', 'apps'].flatMap((kind) => readdirSync(join(root, kind)).map((name) => [kind, name]))) {
      const path = join(root, part[0]!, part[1]!, 'package.json');
      if (!existsSync(path)) continue;
      const { dependencies = {} } = JSON.parse(readFileSync(path, 'utf8')) as { dependencies?: Record<string, string> };
      for (const name of Object.keys(dependencies).filter((each) => !each.startsWith('@cadastre/')))
        used.set(name, [...(used.get(name) ?? []), part[1]!]);
    }
    const rows = readFileSync(join(root, 'docs/dependencies.md'), 'utf8').matchAll(/^\| (`.*) \| (.*) \| (.+) \|$/gm);
    const listed = [...rows].flatMap(([, names, users]) =>
      names!.split(', ').map((name) => [name.replaceAll('`', ''), users!.split(', ').sort()] as const),
    );
    expect(Object.fromEntries(listed)).toEqual(Object.fromEntries([...used].map(([name, by]) => [name, by.sort()])));
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
