// key -> partition -> leader, in ns per lookup: our map beside the clients of other systems and beside the bare hash with a bare
// table. One candidate per process, so that none spoils the compiler's work for another; every answer is used. Keys are distinct, in
// the order they lie in memory; bytes are views of one buffer, as when a request was just parsed. p50 is over whole passes
// of the quietest of three processes; of one for the slow peers. `--peers 0` leaves the peers out.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { createPartitioner, PRESET_NAMES, PRESETS, presetScheme } from '@cadastre/core';
import { CANDIDATES, mapOf, PEERS, slotScheme } from './support/lookup-candidates.mjs';
import { installPeers } from './support/lookup-peers.mjs';
import { argument, print, round, summarise } from './support/figures.mjs';

const KEYS = argument('keys', 1_000_000);
const PASSES = argument('passes', 9);
const ROUNDS = argument('rounds', 3);
const PARTITIONS = [16_384, 1_000_000];
const MIB = 2 ** 20;

const pad = (i, width) => String(i).padStart(width, '0');
const hex = (i, salt) => (Math.imul(i + 1, salt) >>> 0).toString(16).padStart(8, '0');
const KINDS = {
  'short string': (i) => `user_${pad(i, 7)}`,
  UUID: (i) => {
    const [a, b, c] = [hex(i, 0x9e3779b1), hex(i, 0x85ebca77), hex(i, 0xc2b2ae3d)];
    return `${a}-${b.slice(0, 4)}-4${b.slice(5)}-8${c.slice(1, 4)}-${c.slice(4)}${pad(i.toString(16), 8)}`;
  },
  '64 bytes': (i) => `tenant/${hex(i, 0x27d4eb2f)}/orders/2026/${hex(i, 0x165667b1)}/line/${pad(i, 22)}`,
};

const one = process.argv.indexOf('--candidate');
if (process.argv.includes('--stride')) measureSize(argument('of', 0), argument('stride', 0));
else if (process.argv.includes('--warm')) measureWarm();
else if (one >= 0) measureOne(process.argv[one + 1], argument('of', 0), Object.keys(KINDS)[argument('kind', 0)]);
else measureAll();

function measureOne(id, partitions, kind) {
  const candidate = CANDIDATES.find((each) => each.id === id);
  const count = Math.min(KEYS, Math.ceil((candidate.most ?? Infinity) / partitions));
  const keys = keysOf(kind, candidate.form, count);
  const lookup = candidate.make(partitions);
  let sum = pass(lookup, keys.slice(0, candidate.slow ? 20_000 : count));
  const passes = candidate.slow ? Math.min(3, PASSES) : PASSES;
  const nanos = [];
  for (let i = 0; i < passes; i += 1) {
    globalThis.gc?.();
    const began = process.hrtime.bigint();
    sum += pass(lookup, keys);
    nanos.push(Number(process.hrtime.bigint() - began) / count);
  }
  const { p50, n } = summarise(nanos);
  process.stdout.write(
    JSON.stringify({ nsPerLookup: p50, passes: n, n: count, bytesAllocatedPerLookup: allocated(lookup, keys), sum }),
  );
}

/** Bytes allocated by a lookup of each preset, when all of them have run in one process and no call is inlined for one alone. */
function measureWarm() {
  const some = { text: keysOf('UUID', 'bytes', 10_000) };
  const keys = (bytes) => (some[bytes] ??= some.text.map((key) => key.subarray(0, bytes)));
  const width = { int4: 4, int32: 4, int8: 8, int64: 8, objectid: 12, uuid: 16 };
  const subjects = PRESET_NAMES.flatMap((name) => {
    const types = {
      citus: ['text', 'int4', 'int8', 'uuid'],
      'mongodb-hashed': ['string', 'int32', 'int64', 'objectid'],
    };
    return (types[name] ?? [undefined]).map((type) => {
      const nodes = PRESETS.find((each) => each.name === name).params.includes('nodes')
        ? { nodes: ['a', 'b', 'c'] }
        : {};
      const { partitionOf } = createPartitioner(presetScheme(name, { ...nodes, ...(type && { type }) }));
      return { name, partitionOf, keys: keys(name === 'vitess-hash' ? 8 : (width[type] ?? 'text')) };
    });
  });
  let sum = 0;
  for (let i = 0; i < 20; i += 1) for (const each of subjects) sum += pass(each.partitionOf, each.keys);
  const bytes = subjects.map(({ name, partitionOf, keys: those }) => [name, allocated(partitionOf, those)]);
  const most = Math.max(...bytes.map(([, each]) => each));
  const allocating = bytes.filter(([, each]) => each > 0);
  process.stdout.write(JSON.stringify({ presets: subjects.length, bytesAllocatedPerLookup: most, allocating, sum }));
}

function pass(lookup, keys) {
  let sum = 0;
  for (let i = 0; i < keys.length; i += 1) sum += lookup(keys[i]);
  return sum;
}

/** Heap used before and after a pass without a collection in between: the least of several, as the compiler allocates too. */
function allocated(lookup, keys) {
  const some = keys.slice(0, Math.min(keys.length, 10_000));
  let least = Infinity;
  for (let i = 0; i < (some.length < 10_000 ? 1 : 5); i += 1) {
    globalThis.gc?.();
    const before = process.memoryUsage();
    pass(lookup, some);
    const after = process.memoryUsage();
    const more = after.heapUsed + after.external - before.heapUsed - before.external;
    if (more >= 0) least = Math.min(least, more);
  }
  // Below 1/4 byte a lookup is what `memoryUsage` itself and the loop's bookkeeping allocate.
  const each = least / some.length;
  return each < 0.25 ? 0 : round(each);
}

function keysOf(kind, form, count) {
  const texts = Array.from({ length: count }, (_, i) => KINDS[kind](i));
  // Texts that were put together are ropes until they are read: make them flat, as those of a request are.
  if (form === 'string') return Buffer.from(texts.join('\n'), 'latin1').toString('latin1').split('\n');
  const all = Buffer.from(texts.join(''), 'latin1');
  const keys = [];
  for (let i = 0, at = 0; i < count; at += texts[i].length, i += 1) keys.push(all.subarray(at, at + texts[i].length));
  return keys;
}

function measureAll() {
  const { sum: _, ...warm } = child(['--warm']);
  print({ bench: 'lookup', candidate: 'every preset, warm in one process', n: 10_000, ...warm });
  const failed = argument('peers', 1) === 0 ? 'not asked for' : installPeers();
  if (failed) process.stderr.write(`only ours is measured, the peers are not there: ${failed}\n`);
  const candidates = CANDIDATES.filter((each) => !failed || !PEERS.includes(each.id));
  for (const partitions of PARTITIONS) {
    const [mapMiBPerMillion, mapMiBPerMillionWhileMoving] = [3, 4].map((stride) =>
      child(['--of', partitions, '--stride', stride]),
    );
    const size = { mapMiBPerMillion, mapMiBPerMillionWhileMoving };
    Object.keys(KINDS).forEach((kind, number) => {
      const chosen = candidates.filter((each) => (each.only ?? partitions) === partitions);
      const args = ['--of', partitions, '--kind', number, '--keys', KEYS, '--passes', PASSES];
      const measured = measureKind(chosen, args);
      for (const each of chosen) print(rowOf(each, { partitions, kind, measured, size }));
    });
  }
}

/** Round after round, so that a moment in which the machine is busy harms one process of each candidate, not the comparison. */
function measureKind(candidates, args) {
  const best = new Map();
  for (let turn = 0; turn < ROUNDS; turn += 1)
    for (const { id, slow } of candidates) {
      if (slow && turn > 0) continue;
      const found = child(['--candidate', id, ...args]);
      if (!(best.get(id)?.nsPerLookup <= found.nsPerLookup)) best.set(id, found);
    }
  return best;
}

function rowOf(candidate, { partitions, kind, measured, size }) {
  const { sum: _, ...figures } = measured.get(candidate.id);
  const isOurs = candidate.id.startsWith('ours');
  const to = (id) => measured.has(id) && round(figures.nsPerLookup / measured.get(id).nsPerLookup);
  const faster = (id) => measured.has(id) && [id, round(measured.get(id).nsPerLookup / figures.nsPerLookup)];
  return {
    bench: 'lookup',
    keys: kind,
    partitions,
    candidate: candidate.name,
    hash: candidate.hash,
    keyForm: candidate.form,
    ...figures,
    ...(candidate.versus && { ratioToFloor: to(candidate.versus) }),
    ...(isOurs && { timesFasterThan: Object.fromEntries(PEERS.map(faster).filter(Boolean)), ...size }),
  };
}

function child(args) {
  const flags = ['--expose-gc', '--max-old-space-size=4096', fileURLToPath(import.meta.url)];
  const done = spawnSync(process.execPath, [...flags, ...args.map(String)], { encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`${args.join(' ')}: ${done.stderr}`);
  return JSON.parse(done.stdout);
}

/** MiB that maps of RF 3 with a million partitions in all hold, with their partitioners: heap and array buffers after collection. */
function measureSize(partitions, stride) {
  const used = () => {
    for (let i = 0; i < 3; i += 1) globalThis.gc?.();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  mapOf(slotScheme('murmur3')(64), 64, stride);
  const scheme = slotScheme('murmur3')(partitions);
  const before = used();
  const maps = Array.from({ length: Math.round(1_000_000 / partitions) }, () => mapOf(scheme, partitions, stride));
  const size = used() - before;
  process.stdout.write(JSON.stringify(round((size / (maps.length * partitions)) * (1_000_000 / MIB))));
}
