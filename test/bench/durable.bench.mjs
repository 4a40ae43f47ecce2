// Durable writes per second: through real agent processes with 64 calls in flight, beside the bare engine's group commit with 64 callers in
// the same run. The smart client's way, the same without the client's router (the link to the node alone), and unary gRPC calls; calls of
// one write each, and of `--batch` writes each (0 = none). The control plane is the tests' table; the client runs in this process.
//   --seconds 4 --rounds 1 --in-flight 64 --batch 32 --replicas 1,3 --ways smart,link,unary
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { transformFileSync } from '@swc/core';
import { CadastreClient, LinkPool } from '@cadastre/client';
import { newRecord, createPartitioner } from '@cadastre/core';
import { callUnary, grpcTransport, Peer } from '@cadastre/contracts';
import { LmdbEngine } from '@cadastre/engine';
import { systemClock } from '@cadastre/runtime';
import { argument, print, round, summarise } from './support/figures.mjs';

const seconds = argument('seconds', 4);
const inFlight = argument('in-flight', 64);
const batch = argument('batch', 32);
const rounds = argument('rounds', 1);
const PARTITIONS = 16;
const KEYS = 100_000;
/** For a look inside: `CADASTRE_NODE_ARGS="--cpu-prof --cpu-prof-dir=prof"`. */
const NODE_ARGS = (process.env['CADASTRE_NODE_ARGS'] ?? '').split(' ').filter(Boolean);
const root = join(import.meta.dirname, '..', '..');
const list = (name, fallback) =>
  (process.argv[process.argv.indexOf(`--${name}`) + 1 || Infinity] ?? fallback).split(',');
const replicaCounts = list('replicas', '1,3').map(Number);
const wanted = list('ways', 'smart,link,unary');
let engines = 0;
const value = Buffer.alloc(100, 'x');
const folder = mkdtempSync(join(tmpdir(), 'cadastre-bench-'));

function report(what, size, latencies, perSecond, more = {}) {
  print({
    bench: 'durable',
    what: `${what}, ${size} writes a call, ms`,
    ...summarise(latencies),
    writesPerSecond: Math.round(perSecond),
    ...more,
  });
}

/** `inFlight` callers, each with one call at a time, until the time is over. */
async function drive(size, call) {
  const latencies = [];
  let next = 0;
  const began = performance.now();
  const end = began + seconds * 1000;
  const caller = async () => {
    while (performance.now() < end) {
      const sent = performance.now();
      await call((next += 1));
      latencies.push(performance.now() - sent);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, caller));
  return { latencies, perSecond: (latencies.length * size * 1000) / (performance.now() - began) };
}

async function bareEngine(size) {
  const engine = new LmdbEngine({ directory: join(folder, `bare-${(engines += 1)}`) });
  await engine.open();
  const ids = Array.from({ length: PARTITIONS }, (_, partition) => ({ keyspace: 'ks', partition }));
  for (const id of ids) await engine.create(id);
  const lastSeq = new Map();
  const applied = new Map();
  const own = process.cpuUsage();
  const result = await drive(size, async (n) => {
    const id = ids[n % PARTITIONS];
    const seq = (lastSeq.get(id) ?? 0) + 1;
    lastSeq.set(id, seq);
    const ops = Array.from({ length: size }, (_, i) => ({ kind: 'put', key: keyOf(n * size + i), value }));
    await engine.append(id, [{ epoch: 1, seq, requestId: `b:${n}`, ops }]);
    if (applied.get(id) >= seq) return;
    applied.set(id, seq);
    engine.apply(id, seq).catch(() => undefined);
  });
  const { user, system } = process.cpuUsage(own);
  await engine.close();
  return { ...result, clientCpuUs: round((user + system) / (result.latencies.length * size)) };
}

function partitionOf(n) {
  return Math.abs(n) % PARTITIONS;
}

function keyOf(n) {
  return Buffer.from(`key-${n % KEYS}`);
}

class Agents {
  children = [];
  calls = 0;

  static async start(replicas) {
    const agents = new Agents();
    agents.plane = await new (await fakeControlPlane())().start();
    const ids = Array.from({ length: replicas }, (_, i) => `n${i + 1}`);
    const addresses = await Promise.all(ids.map((id) => agents.spawn(id, join(folder, `rf${replicas}-${id}`))));
    while (agents.plane.nodes.size < replicas) await pause(20);
    const spec = {
      name: 'ks',
      scheme: { kind: 'hash-slots', slots: PARTITIONS, hash: 'murmur3', hashTags: false },
      replicationFactor: replicas,
      minInSync: 1,
      spread: [],
    };
    const rotate = (p) => ids.map((_, i) => ids[(i + p) % ids.length]);
    agents.plane.createKeyspace(
      spec,
      Array.from({ length: PARTITIONS }, (_, p) => newRecord(p, rotate(p))),
    );
    agents.addresses = addresses;
    agents.peers = addresses.map((address) => new Peer(address));
    agents.links = new LinkPool({ transport: grpcTransport, clock: systemClock, maps: () => [] });
    agents.client = await CadastreClient.connect({ controlPlanes: [agents.plane.address] });
    agents.keys = keysOf(createPartitioner(spec.scheme));
    await agents.warmUp();
    return agents;
  }

  async spawn(id, data) {
    const main = join(root, 'apps/storage-agent/dist/main.js');
    const child = spawn(
      process.execPath,
      [...NODE_ARGS, main, '--id', id, '--data', data, '--control-plane', this.plane.address, '--insecure'],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    this.children.push(child);
    for await (const line of createInterface({ input: child.stdout })) {
      const entry = JSON.parse(line);
      if (entry.event !== 'listening') continue;
      child.stdout.resume();
      return entry.address;
    }
    throw new Error(`${id} ended before it listened`);
  }

  async warmUp() {
    for (let n = 1; n <= 200; n += 1)
      for (;;) {
        try {
          await this.put(-n, 1);
          break;
        } catch {
          await pause(50);
        }
      }
  }

  put(n, size) {
    const { kv } = this.peers[partitionOf(n) % this.peers.length];
    const { kind, request } = this.op(n, size);
    return callUnary(kv, kv[kind], request, { deadlineMs: 10_000 });
  }

  op(n, size) {
    const partition = partitionOf(n);
    const target = { keyspace: 'ks', partition, epoch: 1, forward: false, hops: 0, byKey: false };
    const requestId = `b${size}:${n}:${this.calls++}`;
    if (size === 1) return { kind: 'put', request: { target, requestId, key: this.key(n, 1, 0), value } };
    const ops = Array.from({ length: size }, (_, i) => ({ delete: false, key: this.key(n, size, i), value }));
    return { kind: 'batch', request: { target, requestId, ops } };
  }

  key(n, size, i) {
    const keys = this.keys[partitionOf(n)];
    return keys[(Math.abs(n) * size + i) % keys.length];
  }

  /** Each way is `[what, one call]`. */
  get ways() {
    const keyspace = this.client.keyspace('ks');
    const link = (n) => this.links.at(this.addresses[partitionOf(n) % this.addresses.length]);
    const single = (n) => keyspace.put(this.key(n, 1, 0), value);
    const many = (n, size) =>
      keyspace.batch(Array.from({ length: size }, (_, i) => ({ type: 'put', key: this.key(n, size, i), value })));
    return [
      ['smart client', (n, size) => (size === 1 ? single(n) : many(n, size))],
      ['link to the node', (n, size) => link(n).send(this.op(n, size), { deadlineMs: 10_000 })],
      ['unary calls', (n, size) => this.put(n, size)],
    ].filter(([way]) => wanted.some((each) => way.startsWith(each)));
  }

  async load(size, call) {
    const before = this.cpuMs();
    const own = process.cpuUsage();
    const result = await drive(size, (n) => call(n, size));
    const writes = result.latencies.length * size;
    const { user, system } = process.cpuUsage(own);
    return {
      ...result,
      agentCpuUs: round((1000 * (this.cpuMs() - before)) / writes),
      clientCpuUs: round((user + system) / writes),
    };
  }

  /** Processor time of the agents; unlike throughput it does not depend on what else the machine does. */
  cpuMs() {
    return this.children.reduce((sum, { pid }) => {
      const [user, system] = readFileSync(`/proc/${pid}/stat`, 'utf8')
        .split(') ')[1]
        .split(' ')
        .slice(11, 13)
        .map(Number);
      return sum + (user + system) * 10;
    }, 0);
  }

  async stop() {
    await this.client.close();
    this.links.close();
    for (const peer of this.peers) peer.close();
    const ended = this.children.map((child) => new Promise((resolve) => child.on('exit', resolve)));
    for (const child of this.children) child.kill('SIGTERM');
    await Promise.all(ended);
    this.plane.cut();
  }
}

function keysOf(partitioner) {
  const keys = Array.from({ length: PARTITIONS }, () => []);
  for (let n = 0; n < KEYS; n += 1) keys[partitioner.partitionOf(keyOf(n))].push(keyOf(n));
  return keys;
}

async function fakeControlPlane() {
  const cache = join(root, 'node_modules', '.cache', 'cadastre-bench');
  mkdirSync(cache, { recursive: true });
  const { code } = transformFileSync(join(root, 'test/agent/fake-control-plane.ts'), {
    jsc: { target: 'es2022', parser: { syntax: 'typescript' } },
    module: { type: 'es6' },
  });
  const path = join(cache, 'fake-control-plane.mjs');
  writeFileSync(path, code);
  return (await import(path)).FakeControlPlane;
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

const median = (results, field) => results.map((each) => each[field]).sort((a, b) => a - b)[results.length >> 1];

/** The bare engine and all ways take turns, so that what else the machine does meets them alike; medians over the rounds. */
async function compareWays(agents, what, size) {
  const results = new Map([['bare engine, group commit', []], ...agents.ways.map(([way]) => [`${what}, ${way}`, []])]);
  for (let i = 0; i < rounds; i += 1) {
    results.get('bare engine, group commit').push(await bareEngine(size));
    for (const [way, call] of agents.ways) results.get(`${what}, ${way}`).push(await agents.load(size, call));
  }
  const base = median(results.get('bare engine, group commit'), 'perSecond');
  for (const [way, all] of results) {
    const perSecond = median(all, 'perSecond');
    const cpu = { agentCpuUsAWrite: median(all, 'agentCpuUs'), ownCpuUsAWrite: median(all, 'clientCpuUs') };
    report(
      way,
      size,
      all.flatMap(({ latencies }) => latencies),
      perSecond,
      { ratio: round(perSecond / base), ...cpu },
    );
  }
}

try {
  for (const replicas of replicaCounts) {
    const agents = await Agents.start(replicas);
    for (const size of [1, batch].filter((each) => each > 0)) await compareWays(agents, `agent, RF ${replicas}`, size);
    await agents.stop();
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
