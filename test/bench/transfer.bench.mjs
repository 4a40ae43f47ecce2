// How fast a copy is handed to another node: one partition filled into an empty agent, from the map naming the learner to the learner
// following, against the slower of two baselines of the same run and the same bytes: the engine's own scan of a snapshot, and a bare
// grpc-js stream of ready-made frames between two processes.
import { fork } from 'node:child_process';
import { createServer } from 'node:net';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { addLearner, newRecord } from '@cadastre/core';
import { GrpcServer, Peer, streaming, transferService } from '@cadastre/contracts';
import { LmdbEngine } from '@cadastre/engine';
import { transformFileSync } from '@swc/core';
import { argument, print, round, summarise } from './support/figures.mjs';
import { ServerProcess } from '@cadastre/testkit';

const MB = 1024 * 1024;
const FRAME_BYTES = 256 * 1024;
const root = join(import.meta.dirname, '..', '..');
const id = { keyspace: 'ks', partition: 0 };
const spec = {
  name: 'ks',
  scheme: { kind: 'hash-slots', slots: 1, hash: 'murmur3', hashTags: false },
  replicationFactor: 1,
  minInSync: 1,
  spread: [],
};

if (process.argv.includes('--bare-source')) await serveBare();
else await main();

async function main() {
  const bytes = argument('mb', 256) * MB;
  const valueBytes = argument('value-bytes', 1024);
  const rounds = argument('rounds', 3);
  const folder = mkdtempSync(join(tmpdir(), 'cadastre-transfer-'));
  try {
    const pairs = Math.ceil(bytes / (valueBytes + 12));
    await fillEngine(join(folder, 'n1', 'engine'), pairs, valueBytes);
    const ours = [];
    const scans = [];
    const streams = [];
    for (let i = 0; i < rounds; i += 1) {
      scans.push(await scanRate(join(folder, 'n1', 'engine')));
      streams.push(await bareRate(bytes));
      ours.push(await handOffRate(folder, i));
    }
    const rate = (values) => summarise(values).p50;
    const figures = { mb: round(bytes / MB), pairs, valueBytes, rounds };
    print({ bench: 'transfer', what: "the engine's own scan, MB/s", ...summarise(scans), ...figures });
    print({ bench: 'transfer', what: 'a bare grpc-js stream, MB/s', ...summarise(streams), ...figures });
    print({
      bench: 'transfer',
      what: 'hand-off of a partition, MB/s',
      ...summarise(ours),
      ...figures,
      ratio: round(rate(ours) / Math.min(rate(scans), rate(streams))),
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The data that an agent finds as if it had been written through it: active, under epoch 1. */
async function fillEngine(directory, pairs, valueBytes) {
  mkdirSync(directory, { recursive: true });
  const engine = new LmdbEngine({ directory });
  await engine.open();
  await engine.beginFill(id, { snapshotSeq: 7, epoch: 1 });
  for (let from = 0; from < pairs; from += 5_000) {
    const chunk = [];
    for (let i = from; i < Math.min(pairs, from + 5_000); i += 1)
      chunk.push([Buffer.from(`k${String(i).padStart(11, '0')}`), Buffer.alloc(valueBytes, i % 251)]);
    await engine.fillChunk(id, chunk, chunk.at(-1)[0]);
  }
  await engine.finishFill(id);
  await engine.close();
}

async function scanRate(directory) {
  const engine = new LmdbEngine({ directory });
  await engine.open();
  const began = performance.now();
  const snapshot = await engine.snapshot(id);
  let bytes = 0;
  for await (const chunk of snapshot.chunks({ maxBytes: FRAME_BYTES }))
    for (const [key, value] of chunk.pairs) bytes += key.length + value.length;
  snapshot.close();
  const rate = bytes / MB / ((performance.now() - began) / 1000);
  await engine.close();
  return rate;
}

async function bareRate(bytes) {
  const child = fork(import.meta.filename, ['--bare-source'], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const address = await new Promise((resolve) => child.once('message', resolve));
  const peer = new Peer(address);
  const began = performance.now();
  let got = 0;
  for await (const frame of peer.transfer.snapshot({ keyspace: 'ks', epoch: Math.ceil(bytes / FRAME_BYTES) }))
    got += frame.packed.length;
  const rate = got / MB / ((performance.now() - began) / 1000);
  peer.close();
  child.kill();
  return rate;
}

async function serveBare() {
  const server = new GrpcServer();
  const packed = Buffer.alloc(FRAME_BYTES, 7);
  server.add(transferService, {
    replicate: () => undefined,
    snapshot: streaming(async (call) => {
      for (let index = 0; index < call.request.epoch; index += 1)
        if (!call.write({ index, packed })) await new Promise((resolve) => call.once('drain', resolve));
      call.end();
    }),
  });
  process.send(`127.0.0.1:${await server.listen({ host: '127.0.0.1', port: 0 })}`);
}

/** Two real agents under a control plane that is the test's table. */
async function handOffRate(folder, number) {
  const plane = await new (await fakeControlPlane())().start();
  const agents = [];
  try {
    agents.push(await startAgent('n1', join(folder, 'n1'), plane.address));
    await until(() => plane.nodes.has('n1'));
    const record = newRecord(0, ['n1']);
    plane.createKeyspace(spec, [record]);
    await until(() => plane.reports.get('n1/0')?.phase === 'serving');
    agents.push(await startAgent('n2', join(folder, `n2-${number}`), plane.address));
    await until(() => plane.nodes.has('n2'));
    const { bytes } = plane.reports.get('n1/0');
    const began = performance.now();
    plane.publish(addLearner(plane.record(0), 'n2'));
    await agents[1].line('filled', (line) => line.event === 'filled', 120_000);
    return bytes / MB / ((performance.now() - began) / 1000);
  } finally {
    await Promise.all(agents.map((a) => a.end(process.env.CADASTRE_NODE_ARGS ? 'SIGTERM' : 'SIGKILL')));
    plane.cut();
    rmSync(join(folder, `n2-${number}`), { recursive: true, force: true });
  }
}

async function startAgent(name, data, controlPlane) {
  const probe = createServer();
  await new Promise((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  const args = ['--id', name, '--data', data, '--listen', `127.0.0.1:${port}`, '--control-plane', controlPlane];
  args.push('--insecure');
  return ServerProcess.start({ name, script: join(root, 'apps/storage-agent/dist/main.js'), args });
}

async function fakeControlPlane() {
  const cache = join(root, 'node_modules', '.cache', 'cadastre-bench');
  mkdirSync(cache, { recursive: true });
  const { code } = transformFileSync(join(root, 'test/agent/fake-control-plane.ts'), {
    jsc: { target: 'es2022', parser: { syntax: 'typescript' } },
    module: { type: 'es6' },
  });
  writeFileSync(join(cache, 'fake-control-plane.mjs'), code);
  return (await import(join(cache, 'fake-control-plane.mjs'))).FakeControlPlane;
}

async function until(test) {
  while (!test()) await new Promise((resolve) => setTimeout(resolve, 5));
}
