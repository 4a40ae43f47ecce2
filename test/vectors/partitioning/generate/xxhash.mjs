// xxhash64, vitess-xxhash, vitess-unicode-loose-xxhash from xxhsum, the reference implementation (apt-get install xxhash); the last
// over collation keys of Go's golang.org/x/text (see unicode-loose.go), for keys of ASCII.
// Vitess writes XXH64 little-endian: its keyspace id is what xxhsum prints with --little-endian.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { byteKeys, empty, textKeys, write } from './keys.mjs';

const version = /xxhsum ([\d.]+)/.exec(spawnSync('xxhsum', ['--version'], { encoding: 'utf8' }).stderr)[1];
const sums = (messages, ...flags) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'xxhsum-'));
  const files = messages.map((message, i) => {
    writeFileSync(path.join(folder, String(i)), message);
    return String(i);
  });
  const lines = execFileSync('xxhsum', ['-H64', ...flags, ...files], { cwd: folder, encoding: 'utf8' }).trim().split('\n');
  rmSync(folder, { recursive: true, force: true });
  return lines.map((line) => BigInt(`0x${line.split(' ')[0]}`).toString());
};
const cases = (keys, tokens) => keys.map((key, i) => ({ key: key.toString('hex'), token: tokens[i] }));

const keys = [empty, ...byteKeys];
write('xxhash64', { name: 'xxhsum -H64', version }, {}, cases(keys, sums(keys)));

// Published in vitess/go/vt/vtgate/vindexes: xxhash_test.go, unicodeloosexxhash_test.go.
const published = [
  ['test1', 'd01ab7e4d6978f0b'], ['test2', '87eb11714c0a0e89'], ['testaverylongvaluetomakesurethisworks', '81d8c38e0d850e6a'],
  ['1', 'd46405367612b4b7'], ['', '99e9d85137db46ef'], ['-1', 'd8e2a6a7c8c7623d'], ['18446744073709551615', '477cfa8d6d8f1f8d'],
  ['9223372036854775807', 'b37eb01f7bffafd8'], ['-9223372036854775808', '102c27ddb26a609e'],
];
const loose = [
  ['Test', '42d21361087a4c07'], ['TEst', '42d21361087a4c07'], ['Test ', '42d21361087a4c07'], ['Test\t', '20af87fc36e3fd51'],
  ['TestLooong', 'd3ea873942b484a7'], ['T', 'f81c3be2d501fe18'], ['', '99e9d85137db46ef'],
];
const check = (known, hash) => {
  const tokens = hash(known.map(([text]) => Buffer.from(text)));
  known.forEach(([text, id], i) => {
    if (tokens[i] !== BigInt(`0x${id}`).toString()) throw new Error(`${JSON.stringify(text)}: not the published keyspace id`);
  });
};
const distinct = (list) => [...new Map(list.map((key) => [key.toString('hex'), key])).values()];

const xxhash = (messages) => sums(messages, '--little-endian');
check(published, xxhash);
const xxhashKeys = distinct([...published.map(([text]) => Buffer.from(text)), ...keys]);
write('vitess-xxhash', { name: 'xxhsum -H64 --little-endian, checked with the values of xxhash_test.go', version }, {},
  cases(xxhashKeys, xxhash(xxhashKeys)));

const goText = execFileSync('dpkg-query', ['-f', '${Version}', '-W', 'golang-golang-x-text-dev'], { encoding: 'utf8' });
const collationKeys = (texts) => {
  const input = texts.map((text) => `${text.toString('hex')}\n`).join('');
  const env = { ...process.env, GO111MODULE: 'off', GOPATH: '/usr/share/gocode' };
  const output = execFileSync('go', ['run', path.join(import.meta.dirname, 'unicode-loose.go')], { input, env, encoding: 'utf8' });
  return output.split('\n').slice(0, texts.length).map((line) => Buffer.from(line, 'hex'));
};
const looseXxhash = (texts) => xxhash(collationKeys(texts));
check(loose, looseXxhash);
const ascii = distinct([
  ...loose.map(([text]) => Buffer.from(text)),
  ...Array.from({ length: 128 }, (_, byte) => Buffer.from([0x61, byte, 0x62])),
  ...Array.from({ length: 128 }, (_, byte) => Buffer.from([byte])),
  ...textKeys.filter((key) => key.every((byte) => byte < 0x80)),
]);
write('vitess-unicode-loose-xxhash',
  { name: 'xxhsum -H64 --little-endian over collation keys of golang.org/x/text, checked with the values of unicodeloosexxhash_test.go', version: `${version}, golang.org/x/text ${goText}` },
  {}, cases(ascii, looseXxhash(ascii)));
