// The keys of every vector file, the same on every run, and the writer of the files.
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

/** Mulberry32. */
const random = (seed) => () => {
  seed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
};
const next = random(20260917);
const below = (n) => Math.floor(next() * n);
const times = (n, make) => Array.from({ length: n }, (_, i) => make(i));
const pick = (list) => list[below(list.length)];

const ascii = (length) => Buffer.from(times(length, () => 0x20 + below(95)));
const anyBytes = (length) => Buffer.from(times(length, () => below(256)));
const ALPHABETS = ['äöüßéñç', 'жщюя', 'אבג', '日本語鍵', '한국', '𝔘𝔫𝔦', '🗝️🚀🧊👩‍👩‍👧', '𠀀𠜎𡃁', '\u{10ffff}\u{10000}', 'e\u0301a\u0308'];
const unicode = () => Buffer.from(times(1 + below(12), () => pick([...pick(ALPHABETS)])).join(''));

export const uuids = times(420, () => {
  const bytes = anyBytes(16);
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
});
// The ends of the range.
uuids[0] = '00000000-0000-0000-0000-000000000000';
uuids[1] = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

const integers = (bits) => {
  const edge = [0n, 1n, -1n, 2n, 42n, 2n ** BigInt(bits - 1) - 1n, -(2n ** BigInt(bits - 1))];
  const powers = times(bits - 1, (i) => [2n ** BigInt(i), -(2n ** BigInt(i)), 2n ** BigInt(i) - 1n]).flat();
  const sequence = times(100, (i) => BigInt(i));
  const any = times(420, () => BigInt.asIntN(bits, BigInt(`0x${anyBytes(8).toString('hex')}`)));
  return [...new Set([...edge, ...powers, ...sequence, ...any])];
};
export const int4s = integers(32);
export const int8s = integers(64);

const distinct = (keys) => [...new Map(keys.map((key) => [key.toString('hex'), key])).values()];
const LENGTHS = times(70, (i) => i + 1);
const named = ['foo', 'hello', '123456789', 'user:1001', 'The quick brown fox jumps over the lazy dog', 'test1', 'abc', ' ', '\0'];

/** Valid UTF-8: names, 1 to 70 characters of ASCII, Unicode in and beyond the BMP, UUIDs, numbers, 1,000 bytes. */
export const textKeys = distinct([
  ...named.map((text) => Buffer.from(text)),
  ...LENGTHS.flatMap((length) => [ascii(length), ascii(length)]),
  ...times(160, unicode),
  ...uuids.slice(0, 40).map((text) => Buffer.from(text)),
  ...int8s.slice(0, 60).map((value) => Buffer.from(String(value))),
  ...times(60, (i) => Buffer.from(`tenant-${below(50)}/order-${i}`)),
  ascii(1000),
  Buffer.from('🗝'.repeat(250)),
]).filter((key) => key.length > 0);

/** Text as above, and 1 to 70 and 1,000 bytes that are mostly no UTF-8. */
export const byteKeys = distinct([
  ...textKeys,
  ...LENGTHS.flatMap((length) => [anyBytes(length), Buffer.alloc(length, 0x80 + below(128))]),
  ...times(16, () => anyBytes(1000)),
  ...['80', 'ff', 'c080', 'eda080', 'f4908080', 'e282', 'fffe', '00', '0000', 'f09f97'].map((h) => Buffer.from(h, 'hex')),
]);

export const empty = Buffer.alloc(0);
export const below32 = () => below(2 ** 32);
export const choose = pick;

const folder = path.join(import.meta.dirname, '..');

/** One case a line, so that a changed oracle shows as changed lines. */
export const write = (preset, oracle, parameters, cases) => {
  const head = { preset, oracle, parameters };
  const lines = cases.map((one) => `    ${JSON.stringify(one)}`).join(',\n');
  const text = `${JSON.stringify(head, null, 2).slice(0, -2)},\n  "cases": [\n${lines}\n  ]\n}\n`;
  writeFileSync(path.join(folder, `${preset}.json`), text);
  process.stdout.write(`${preset}: ${cases.length} cases, ${oracle.name} ${oracle.version}\n`);
};

/**
 * Oracles that are npm packages are installed beside the repository, never into it:
 *   npm install --prefix "$ORACLES" kafkajs cassandra-driver bson murmurhash3js-revisited
 */
export const oracle = (name) => {
  if (!process.env.ORACLES) throw new Error('set ORACLES to the folder in which the oracle packages are installed');
  const load = createRequire(path.join(process.env.ORACLES, 'package.json'));
  const folderOf = path.join(process.env.ORACLES, 'node_modules', name);
  return { load, version: load(path.join(folderOf, 'package.json')).version, folderOf };
};
