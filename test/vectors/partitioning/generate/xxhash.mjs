// xxhash64 and vitess-xxhash from xxhsum, the reference implementation (apt-get install xxhash).
// Vitess writes XXH64 little-endian: its keyspace id is what xxhsum prints with --little-endian.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { byteKeys, empty, write } from './keys.mjs';

const keys = [empty, ...byteKeys];
const folder = mkdtempSync(path.join(tmpdir(), 'xxhsum-'));
const files = keys.map((key, i) => {
  writeFileSync(path.join(folder, String(i)), key);
  return String(i);
});
const version = /xxhsum ([\d.]+)/.exec(spawnSync('xxhsum', ['--version'], { encoding: 'utf8' }).stderr)[1];
const sums = (...flags) =>
  execFileSync('xxhsum', ['-H64', ...flags, ...files], { cwd: folder, encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((line) => BigInt(`0x${line.split(' ')[0]}`).toString());
const plain = sums();
const turned = sums('--little-endian');
rmSync(folder, { recursive: true, force: true });
const cases = (tokens) => keys.map((key, i) => ({ key: key.toString('hex'), token: tokens[i] }));
const oracle = { name: 'xxhsum -H64', version };
write('xxhash64', oracle, {}, cases(plain));
write('vitess-xxhash', { ...oracle, name: 'xxhsum -H64 --little-endian' }, {}, cases(turned));
