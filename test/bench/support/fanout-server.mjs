// One server of the fan-out benchmark, in a process of its own: the watch hub behind its gRPC server, or bare grpc-js that writes
// ready-made bytes to as many streams. Commands and answers go over the IPC channel.
import { createHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { encodeDelta, encodeProgress, encodeSnapshot, GrpcServer, mapService } from '@cadastre/contracts';
import { silentLogger, systemClock } from '@cadastre/runtime';
import { mapHandlers } from '../../../apps/control-plane/dist/watch/map.grpc.js';
import { WatchHub } from '../../../apps/control-plane/dist/watch/watch-hub.js';
import { firstMap, KEYSPACE, nextDelta } from './fanout-map.mjs';

const kind = process.argv[2];
let map = firstMap();
const loop = monitorEventLoopDelay({ resolution: 1 });
const holds = createHistogram();
const server = kind === 'hub' ? await hubServer() : await bareServer();
process.send({ listening: server.port });

process.on('disconnect', () => process.exit());
process.on('message', (command) => {
  if (command.push) for (let i = 0; i < (command.times ?? 1); i += 1) push(command.push);
  if (command.memory) {
    globalThis.gc?.();
    globalThis.gc?.();
    const { rss, heapUsed, external } = process.memoryUsage();
    process.send({ memory: { rss, heap: heapUsed + external }, streams: server.streams() });
  }
  if (command.beginLoop) {
    loop.enable();
    loop.reset();
    holds.reset();
    server.takeHoldMs?.();
  }
  if (command.loop) {
    const cpu = process.cpuUsage();
    process.send({
      loopMaxMs: loop.max / 1e6,
      holdMs: server.takeHoldMs?.() ?? holds.max / 1e6,
      cpuMs: (cpu.user + cpu.system) / 1000,
      convergence: server.convergence?.(),
    });
  }
});

/** Answers with the moment before the change was made, on the clock that all processes of a machine share. */
function push(records) {
  const before = process.hrtime.bigint();
  const delta = nextDelta(map, records);
  map = map.withDelta(delta);
  server.push(delta);
  process.send({ pushed: delta.to.number, at: before });
}

async function hubServer() {
  const state = () => ({
    cluster: { value: { clusterId: 'bench' } },
    keyspaces: new Map([[KEYSPACE, { record: { id: 'bench' }, map }]]),
  });
  const hub = new WatchHub({ clock: systemClock, logger: silentLogger, catchUp: async () => undefined });
  const change = (parts) => ({ deltas: [], snapshots: [], dropped: [], ...parts });
  hub.onRegisterChange(change({ snapshots: [KEYSPACE] }), state());
  const grpc = new GrpcServer();
  grpc.add(mapService, mapHandlers({ hub, clock: systemClock, state }));
  return {
    port: await grpc.listen({ host: '127.0.0.1', port: 0 }),
    streams: () => hub.size,
    push: (delta) => hub.onRegisterChange(change({ deltas: [delta] }), state()),
    takeHoldMs: () => hub.takeLongestHoldMs(),
    convergence: () => hub.convergence()[0],
  };
}

/** No queue, no filter, no window: the least that grpc-js does for as many streams. */
async function bareServer() {
  const calls = new Set();
  const chunks = encodeSnapshot(map, 'packed');
  const mark = encodeProgress('bench', []);
  const grpc = new Server({ 'grpc.max_concurrent_streams': 20_000 });
  grpc.addService(mapService, {
    WatchMap: (call) => {
      call.on('data', () => undefined);
      call.on('error', () => undefined);
      call.once('data', () => {
        for (const chunk of chunks) call.write(chunk);
        call.write(mark);
        calls.add(call);
      });
      call.on('close', () => calls.delete(call));
    },
  });
  const port = await new Promise((resolve, reject) =>
    grpc.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  return {
    port,
    streams: () => calls.size,
    push: (delta) => {
      const bytes = encodeDelta(delta);
      const began = performance.now();
      for (const call of calls) call.write(bytes);
      holds.record(Math.max(1, Math.round((performance.now() - began) * 1e6)));
    },
  };
}
