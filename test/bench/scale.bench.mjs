// Large registers in a real etcd: 1,000 nodes, RF 3, 10,000 to 1,000,000 partitions. Cold start of a control plane (process started to
// serving, to the first whole map sent), its memory, one change to all of several mirrors, and the size of etcd's database.
// `npm run bench -- scale --json [--most 1000000] [--changes 100] [--mirrors 3]`; baseline of a change: a bare put to a bare watch of the same etcd.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Peer } from '@cadastre/contracts';
import { newRecord } from '@cadastre/core';
import { silentLogger, systemClock } from '@cadastre/runtime';
import {
  clusterPart,
  EtcdStore,
  keys,
  keyspacePart,
  nodeCodec,
  op,
  partitionsPart,
  Register,
  RegisterMirror,
  requireKeyspace,
  SEGMENT,
  writeSegments,
} from '@cadastre/store';
import { startEtcd } from '@cadastre/testkit';
import { argument, compare, print, round, summarise } from './support/figures.mjs';

const NODES = 1_000;
const most = argument('most', 1_000_000);
const changes = argument('changes', 100);
const mirrors = argument('mirrors', 3);
const script = (path) => fileURLToPath(new URL(path, import.meta.url));
const CONTROL_PLANE = script('../../apps/control-plane/dist/main.js');
const MIRROR = script('./support/scale-mirror.mjs');
const MIB = 1024 ** 2;

async function measure(partitions) {
  const etcd = await startEtcd();
  const endpoint = `http://${etcd.endpoints[0]}`;
  const store = new EtcdStore({ endpoints: [endpoint] });
  try {
    await fill(store, partitions);
    const { dbSizeBytes, dbSizeInUseBytes } = await store.status();
    const common = { bench: 'scale', partitions };
    print({ ...common, what: 'etcd database, MiB', allocated: mib(dbSizeBytes), inUse: mib(dbSizeInUseBytes) });
    const starts = [];
    for (let i = 0; i < 3; i += 1) starts.push(await coldStart(endpoint));
    const of = (field) => summarise(starts.map((s) => s[field]));
    print({ ...common, what: 'cold start, process started to listening, ms', ...of('listening') });
    print({ ...common, what: 'cold start, process started to the first whole map received, ms', ...of('served') });
    print({ ...common, what: 'control plane, resident after the first map, MiB', ...of('resident') });
    print({ ...common, what: 'control plane, resident at most, MiB', ...of('peak') });
    await oneChange(store, endpoint, common);
  } finally {
    store.close();
    await etcd.stop();
  }
}

const mib = (bytes) => round(bytes / MIB);
const nodeId = (i) => `node-${String(i % NODES).padStart(4, '0')}`;

async function fill(store, partitions) {
  await store.txn({ compare: [], success: clusterPart('scale').ops });
  for (let from = 0; from < NODES; from += 100) {
    const puts = Array.from({ length: 100 }, (_, i) => {
      const id = nodeId(from + i);
      const labels = { zone: `z${(from + i) % 3}`, rack: `r${(from + i) % 40}` };
      const entry = { id, address: `10.0.${(from + i) >> 8}.${(from + i) & 255}:7500`, labels, weight: 1 };
      const node = { entry, capacity: {}, incarnation: 'a', adminState: 'active', registeredMs: 1 };
      return op.put(keys.node(id), nodeCodec.encode(node));
    });
    await store.txn({ compare: [], success: puts });
  }
  const records = Array.from({ length: partitions }, (_, p) =>
    newRecord(
      p,
      [nodeId(p), nodeId(p * 7 + 331), nodeId(p * 13 + 662)].filter((n, i, all) => all.indexOf(n) === i),
    ),
  );
  await writeSegments(store, 'big', records, SEGMENT);
  const scheme = { kind: 'hash-slots', slots: partitions, hash: 'murmur3', hashTags: false };
  const spec = { name: 'big', scheme, replicationFactor: 3, minInSync: 2, spread: [] };
  const state = { keyspaces: new Map(), floors: new Map(), cluster: undefined, recovery: undefined };
  await store.txn({ compare: [], success: keyspacePart(state, spec, 'big', partitions, 1).ops });
}

async function coldStart(etcd) {
  const began = performance.now();
  const args = [
    '--id',
    'cp1',
    '--grpc',
    '127.0.0.1:0',
    '--http',
    '127.0.0.1:0',
    '--etcd',
    etcd,
    '--log-level',
    'error',
  ];
  const child = spawn(process.execPath, [CONTROL_PLANE, ...args, '--insecure'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const { grpc } = await line(child, (said) => said.event === 'listening');
    const listening = performance.now() - began;
    await wholeMap(grpc);
    const served = performance.now() - began;
    const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
    const kib = (field) => Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0);
    return { listening, served, resident: kib('VmRSS') / 1024, peak: kib('VmHWM') / 1024 };
  } finally {
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }
}

/** As raw events: what the reader makes of them is its own. */
async function wholeMap(address) {
  const peer = new Peer(address);
  const call = peer.map.getMap({ known: [], keyspaces: ['big'], forms: [1] });
  try {
    for await (const event of call) if (event.progress) return;
  } finally {
    peer.close();
  }
}

async function oneChange(store, endpoint, common) {
  const children = await Promise.all(Array.from({ length: mirrors }, () => openMirror(endpoint)));
  const mirror = new RegisterMirror(store, silentLogger, { onChange: () => undefined, onFatal: fail });
  try {
    const bare = summarise(await bareChanges(store));
    await mirror.start();
    const register = new Register(store, mirror, { clock: systemClock });
    const took = [];
    for (let i = 0; i < changes; i += 1) {
      const sent = process.hrtime.bigint();
      const { revision } = await register.commit((state) => {
        const { map } = requireKeyspace(state, 'big');
        const record = map.record((i * 9_973) % map.partitions);
        return { ...partitionsPart(state, 'big', [{ ...record, epoch: record.epoch + 1 }]), result: 0 };
      });
      const at = await Promise.all(children.map((c) => c.reached(Number(revision))));
      took.push(Number(at.reduce((latest, t) => (t > latest ? t : latest), 0n) - sent) / 1e6);
    }
    const ours = summarise(took);
    print({ ...common, what: 'bare put to bare watch, ms', ...bare });
    print({
      ...common,
      what: `one change, decided to applied by ${mirrors} mirrors, ms`,
      ...ours,
      ...compare(ours, bare),
    });
  } finally {
    mirror.stop();
    for (const child of children) child.end();
  }
}

async function openMirror(endpoint) {
  const child = spawn(process.execPath, [MIRROR, endpoint], { stdio: ['pipe', 'pipe', 'inherit'] });
  const seen = new Map();
  const waiting = new Map();
  const lines = createInterface({ input: child.stdout });
  const ready = new Promise((resolve) => {
    lines.on('line', (text) => {
      const { event, revision, at } = JSON.parse(text);
      if (event === 'ready') return resolve();
      seen.set(revision, BigInt(at));
      waiting.get(revision)?.(BigInt(at));
      return undefined;
    });
  });
  await ready;
  const reached = (revision) =>
    seen.has(revision) ? Promise.resolve(seen.get(revision)) : new Promise((resolve) => waiting.set(revision, resolve));
  return { reached, end: () => child.kill('SIGKILL') };
}

async function bareChanges(store) {
  const waiting = new Map();
  let watching = () => undefined;
  const ready = new Promise((resolve) => (watching = resolve));
  const watch = store.watch('bare/', {
    onResync: () => watching(),
    onError: fail,
    onBatch: ({ events }) =>
      events.forEach(({ kv }) => waiting.get(Buffer.from(kv.value).toString())?.(performance.now())),
  });
  await ready;
  const took = [];
  for (let i = 0; i < changes; i += 1) {
    const arrived = new Promise((resolve) => waiting.set(String(i), resolve));
    const sent = performance.now();
    await store.txn({ compare: [], success: [op.put('bare/key', Buffer.from(String(i)))] });
    took.push((await arrived) - sent);
  }
  watch.close();
  return took;
}

function fail(error) {
  throw error;
}

function line(child, wanted) {
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the control plane ended with ${code}`)));
    createInterface({ input: child.stdout }).on('line', (text) => {
      const said = JSON.parse(text);
      if (wanted(said)) resolve(said);
    });
  });
}

for (const partitions of [10_000, 100_000, 1_000_000].filter((n) => n <= most)) await measure(partitions);
