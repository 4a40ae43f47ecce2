// Puts through gRPC against real agent processes: `node test/agent/throughput.bench.mjs [replicas=1] [seconds=5] [inFlight=64]`.
// Needs a build. The control plane is the test's table; the client runs in this process.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { transformFileSync } from '@swc/core';
import { newRecord, createPartitioner } from '@cadastre/core';
import { callUnary, Peer } from '@cadastre/contracts';

const [replicas, seconds, inFlight] = [1, 5, 64].map((value, i) => Number(process.argv[i + 2] ?? value));
const root = join(import.meta.dirname, '..', '..');
const cache = join(root, 'node_modules', '.cache', 'cadastre-bench');
mkdirSync(cache, { recursive: true });
const { code } = transformFileSync(join(import.meta.dirname, 'fake-control-plane.ts'), {
  jsc: { target: 'es2022', parser: { syntax: 'typescript' } },
  module: { type: 'es6' },
});
writeFileSync(join(cache, 'fake-control-plane.mjs'), code);
const { FakeControlPlane } = await import(join(cache, 'fake-control-plane.mjs'));

const plane = await new FakeControlPlane().start();
const folder = mkdtempSync(join(tmpdir(), 'cadastre-bench-'));
const children = [];
const startAgent = async (id) => {
  const child = spawn(
    process.execPath,
    [
      join(root, 'apps/storage-agent/dist/main.js'),
      '--id',
      id,
      '--data',
      join(folder, id),
      '--control-plane',
      plane.address,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  children.push(child);
  for await (const line of createInterface({ input: child.stdout })) {
    const entry = JSON.parse(line);
    if (entry.event !== 'listening') continue;
    child.stdout.resume();
    return entry.address;
  }
  throw new Error(`${id} ended before it listened`);
};
const ids = Array.from({ length: replicas }, (_, i) => `n${i + 1}`);
const addresses = await Promise.all(ids.map(startAgent));
while (plane.nodes.size < replicas) await new Promise((r) => setTimeout(r, 20));
const spec = {
  name: 'ks',
  scheme: { kind: 'hash-slots', slots: 16, hash: 'murmur3', hashTags: false },
  replicationFactor: replicas,
  minInSync: 1,
  spread: [],
};
const rotate = (p) => ids.map((_, i) => ids[(i + p) % ids.length]);
plane.createKeyspace(
  spec,
  Array.from({ length: 16 }, (_, p) => newRecord(p, rotate(p))),
);

const peers = addresses.map((a) => new Peer(a));
const partitioner = createPartitioner(spec.scheme);
const value = Buffer.alloc(100, 'x');
const put = (n) => {
  const key = Buffer.from(`key-${n % 100_000}`);
  const partition = partitioner.partitionOf(key);
  const peer = peers[partition % replicas];
  return callUnary(
    peer.kv,
    peer.kv.put,
    { target: { keyspace: 'ks', partition, epoch: 1 }, requestId: `b:${n}`, key, value },
    { deadlineMs: 5000 },
  );
};
for (let n = 0; n < 200; n += 1)
  for (;;) {
    try {
      await put(-n - 1);
      break;
    } catch {
      await new Promise((r) => setTimeout(r, 50));
    }
  }
// Processor time, unlike throughput, does not depend on what else the machine does.
const cpuMs = () =>
  children.reduce((sum, { pid }) => {
    const [user, system] = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .split(') ')[1]
      .split(' ')
      .slice(11, 13)
      .map(Number);
    return sum + (user + system) * 10;
  }, 0);
const cpuBefore = cpuMs();
const samples = [];
let next = 0;
const end = performance.now() + seconds * 1000;
const worker = async () => {
  while (performance.now() < end) {
    const began = performance.now();
    await put((next += 1));
    samples.push(performance.now() - began);
  }
};
await Promise.all(Array.from({ length: inFlight }, worker));
samples.sort((a, b) => a - b);
const at = (q) => samples[Math.floor(samples.length * q)].toFixed(2);
console.log(
  JSON.stringify({
    replicas,
    inFlight,
    putsPerSecond: Math.round(samples.length / seconds),
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    maxMs: at(0.99999),
    agentsCpuMsPerPut: ((cpuMs() - cpuBefore) / samples.length).toFixed(3),
  }),
);
for (const peer of peers) peer.close();
for (const child of children) child.kill('SIGTERM');
await Promise.all(
  children.map(
    (child) =>
      new Promise((resolve) =>
        child.on('exit', (c) => (c === 0 ? resolve() : resolve(console.error(`agent ended with ${c}`)))),
      ),
  ),
);
plane.cut();
rmSync(folder, { recursive: true, force: true });
