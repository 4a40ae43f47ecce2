// Durable writes per second: through the gRPC door of real agent processes with 64 calls in flight, beside the bare engine's group
// commit with 64 callers in the same run. Calls of one write each, and of `--batch` writes each: with one write a call, gRPC's own
// cost is compared with the disk's. The control plane is the tests' table; the client runs in this process.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { transformFileSync } from '@swc/core';
import { newRecord, createPartitioner } from '@cadastre/core';
import { callUnary, Peer } from '@cadastre/contracts';
import { LmdbEngine } from '@cadastre/engine';
import { argument, print, round, summarise } from './support/figures.mjs';

const seconds = argument('seconds', 4);
const inFlight = argument('in-flight', 64);
const batch = argument('batch', 32);
const PARTITIONS = 16;
const KEYS = 100_000;
const root = join(import.meta.dirname, '..', '..');
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
  const engine = new LmdbEngine({ directory: join(folder, `bare-${size}`) });
  await engine.open();
  const ids = Array.from({ length: PARTITIONS }, (_, partition) => ({ keyspace: 'ks', partition }));
  for (const id of ids) await engine.create(id);
  const result = await drive(size, async (n) => {
    const id = ids[n % PARTITIONS];
    const seq = engine.meta(id).lastSeq + 1;
    const ops = Array.from({ length: size }, (_, i) => ({ kind: 'put', key: keyOf(n * size + i), value }));
    await engine.append(id, [{ epoch: 1, seq, requestId: `b:${n}`, ops }]);
    if (engine.meta(id).appliedSeq < seq) engine.apply(id, seq).catch(() => undefined);
  });
  await engine.close();
  return result;
}

function keyOf(n) {
  return Buffer.from(`key-${n % KEYS}`);
}

class Agents {
  children = [];

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
    agents.peers = addresses.map((address) => new Peer(address));
    agents.keys = keysOf(createPartitioner(spec.scheme));
    await agents.warmUp();
    return agents;
  }

  async spawn(id, data) {
    const main = join(root, 'apps/storage-agent/dist/main.js');
    const child = spawn(process.execPath, [main, '--id', id, '--data', data, '--control-plane', this.plane.address], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
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
    const partition = Math.abs(n) % PARTITIONS;
    const { kv } = this.peers[partition % this.peers.length];
    const target = { keyspace: 'ks', partition, epoch: 1 };
    const keys = this.keys[partition];
    const at = Math.abs(n) * size;
    const key = (i) => keys[(at + i) % keys.length];
    const requestId = `b${size}:${n}`;
    if (size === 1) return callUnary(kv, kv.put, { target, requestId, key: key(0), value }, { deadlineMs: 10_000 });
    const ops = Array.from({ length: size }, (_, i) => ({ delete: false, key: key(i), value }));
    return callUnary(kv, kv.batch, { target, requestId, ops }, { deadlineMs: 10_000 });
  }

  async load(size) {
    const before = this.cpuMs();
    const result = await drive(size, (n) => this.put(n, size));
    return { ...result, cpuMsPerWrite: round((this.cpuMs() - before) / (result.latencies.length * size)) };
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

try {
  const baselines = new Map();
  for (const size of [1, batch]) {
    const { latencies, perSecond } = await bareEngine(size);
    baselines.set(size, perSecond);
    report('bare engine, group commit', size, latencies, perSecond);
  }
  for (const replicas of [1, 3]) {
    const agents = await Agents.start(replicas);
    for (const size of [1, batch]) {
      const { latencies, perSecond, cpuMsPerWrite } = await agents.load(size);
      const ratio = round(perSecond / baselines.get(size));
      report(`agent, RF ${replicas}`, size, latencies, perSecond, { ratio, cpuMsPerWrite });
    }
    await agents.stop();
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
