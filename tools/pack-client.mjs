// Packs the smart client for programs outside this repository: `npm run pack:client` prints the archive's path. The archive holds the
// client, the three libraries of ours that it stands on and the contract; `npm install` of it needs nothing else from us.
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readText } from './support/files.mjs';
import { isMain, keep, root } from './support/paths.mjs';
import { capture, tail } from './support/run.mjs';

const bundled = ['core', 'runtime', 'contracts'];
const manifestOf = (name) => JSON.parse(readText(join(root, 'libs', name, 'package.json')));

/** What the archive's package.json says: the client's own, with what its parts need from elsewhere beside them. Pure. */
export function packedManifest(client, parts) {
  const own = parts.map(({ name }) => name);
  const needs = [client, ...parts].flatMap(({ dependencies = {} }) => Object.entries(dependencies));
  const foreign = needs.filter(([name]) => !own.includes(name)).sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    ...client,
    files: ['dist', 'README.md', 'LICENSE'],
    dependencies: {
      ...Object.fromEntries(parts.map(({ name, version }) => [name, version])),
      ...Object.fromEntries(foreign),
    },
    bundleDependencies: own,
    engines: { node: '>=20.19' },
  };
}

/** Of a built package what runs and what describes it: tests and build notes stay behind. */
const isShipped = (path) => !/\.spec\.(js|d\.ts)(\.map)?$|\.tsbuildinfo$/.test(path);

/** Packs what was built last into `folder`; returns the archive's path. */
export function packClient(folder) {
  const stage = join(folder, 'stage');
  rmSync(stage, { recursive: true, force: true });
  const place = (name, to) =>
    cpSync(join(root, 'libs', name, 'dist'), join(to, 'dist'), { recursive: true, filter: isShipped });
  const parts = bundled.map(manifestOf);
  for (const part of parts) {
    const to = join(stage, 'node_modules', part.name);
    place(part.name.split('/')[1], to);
    writeFileSync(join(to, 'package.json'), JSON.stringify({ ...part, files: ['dist', 'proto'] }, null, 2));
  }
  cpSync(join(root, 'proto'), join(stage, 'node_modules', '@cadastre', 'contracts', 'proto'), { recursive: true });
  place('client', stage);
  cpSync(join(root, 'libs', 'client', 'README.md'), join(stage, 'README.md'));
  cpSync(join(root, 'LICENSE'), join(stage, 'LICENSE'));
  writeFileSync(join(stage, 'package.json'), JSON.stringify(packedManifest(manifestOf('client'), parts), null, 2));
  const { ok, output } = capture('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder], {
    cwd: stage,
  });
  if (!ok) throw new Error(`npm pack failed:\n${tail(output)}`);
  rmSync(stage, { recursive: true, force: true });
  return join(folder, output.trim().split('\n').at(-1));
}

if (isMain(import.meta.url)) {
  const folder = join(keep, 'pack');
  mkdirSync(folder, { recursive: true });
  process.stdout.write(`${packClient(folder)}\n`);
}
