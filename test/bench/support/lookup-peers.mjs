// The clients of other systems that `lookup` is compared with, installed once into a folder of their own: they are no part of Cadastre.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const folder = join(import.meta.dirname, '..', '..', '..', '.cadastre', 'bench-peers');
const VERSIONS = {
  'cluster-key-slot': '1.1.2',
  kafkajs: '2.2.4',
  'cassandra-driver': '4.10.0',
  hashring: '3.2.0',
};

/** @returns why the peers are not there, undefined when they are */
export function installPeers() {
  const missing = Object.entries(VERSIONS).filter(([name, version]) => installed(name) !== version);
  if (missing.length === 0) return undefined;
  mkdirSync(folder, { recursive: true });
  if (!existsSync(join(folder, 'package.json'))) writeFileSync(join(folder, 'package.json'), '{"private":true}\n');
  const packages = missing.map(([name, version]) => `${name}@${version}`);
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', '--prefix', folder];
  const done = spawnSync('npm', ['install', ...flags, ...packages], { cwd: folder, encoding: 'utf8' });
  return done.status === 0 ? undefined : (done.stderr ?? String(done.error)).trim().split('\n').at(-1);
}

export const versionOf = (name) => `${name}@${VERSIONS[name]}`;

export const peer = (path) => createRequire(join(folder, 'package.json'))(path);

function installed(name) {
  try {
    return JSON.parse(readFileSync(join(folder, 'node_modules', name, 'package.json'), 'utf8')).version;
  } catch {
    return undefined;
  }
}
