import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { TestCluster } from '@cadastre/testkit';

const root = join(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'cadastre-pack-'));
const project = join(folder, 'project');
let cluster: TestCluster;

beforeAll(async () => {
  cluster = await TestCluster.start({ controlPlanes: 1, agents: 1 });
  await cluster.createKeyspace({
    name: 'pkgs',
    scheme: { kind: 'hash-slots', slots: 4, hash: 'murmur3', hashTags: false },
    replicationFactor: 1,
    minInSync: 1,
    spread: [],
  });
}, 60_000);
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await cluster?.stop();
}, 30_000);

/** Runs to its end; fails the test with what was printed when it does not end well. */
const run = (command: string, args: readonly string[], cwd: string): string => {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8', timeout: 90_000 });
  expect({ status, stderr: status === 0 ? '' : `${stdout}${stderr}` }).toEqual({ status: 0, stderr: '' });
  return stdout.trim();
};

describe('the packed client', () => {
  // Plan: what `npm pack` makes is installed into an empty project elsewhere, without scripts, and a program there writes and reads a
  // live cluster. TypeScript finds its types, and neither tests nor anything of the control plane are in it.
  it('installs and works in an empty project', () => {
    const pack = `import { packClient } from ${JSON.stringify(pathToFileURL(join(root, 'tools/pack-client.mjs')).href)};
      console.log(packClient(${JSON.stringify(folder)}));`;
    const archive = run(process.execPath, ['--input-type=module', '-e', pack], root);
    const held = run('tar', ['-tzf', archive], folder).split('\n');
    expect(held.filter((path) => /\.spec\.|tsbuildinfo|\/src\//.test(path))).toEqual([]);
    expect(held).toContain('package/dist/index.d.ts');

    mkdirSync(project);
    writeFileSync(join(project, 'package.json'), '{"name":"empty","private":true,"type":"module"}');
    run('npm', ['install', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', archive], project);
    writeFileSync(
      join(project, 'main.js'),
      `import { CadastreClient } from '@cadastre/client';
       const client = await CadastreClient.connect({ controlPlanes: process.argv.slice(2) });
       const pkgs = client.keyspace('pkgs');
       await pkgs.put('hello', 'world');
       console.log(Buffer.from(await pkgs.get('hello')).toString());
       await client.close();`,
    );
    expect(run(process.execPath, ['main.js', ...cluster.controlPlaneAddresses()], project)).toBe('world');
    writeFileSync(
      join(project, 'types.ts'),
      `import { CadastreClient } from '@cadastre/client';
       const client: CadastreClient = await CadastreClient.connect({ controlPlanes: ['a:1'] });
       // @ts-expect-error a keyspace has a name
       client.keyspace();`,
    );
    const tsc = join(root, 'node_modules/.bin/tsc');
    const types = ['--typeRoots', join(root, 'node_modules/@types'), '--types', 'node'];
    const flags = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--target', 'es2022'];
    run(tsc, [...flags, ...types, 'types.ts'], project);
  }, 180_000);
});
