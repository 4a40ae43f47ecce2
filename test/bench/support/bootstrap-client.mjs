// One start of a client in a process of its own: from the start of its map following to the first lookup, and what it then holds.
import { createServer, connect } from 'node:net';
import { MapFollower } from '@cadastre/client';
import { grpcTransport } from '@cadastre/contracts';
import { silentLogger, systemClock, systemRandom } from '@cadastre/runtime';

const [target] = process.argv.slice(2).map(Number);
let wireBytes = 0;
// Counts what comes over the wire; costs a copy that a real client does not make.
const counter = createServer((client) => {
  const upstream = connect(target, '127.0.0.1');
  client.pipe(upstream);
  upstream.on('data', (data) => ((wireBytes += data.length), client.write(data)));
  for (const socket of [client, upstream]) socket.on('error', () => undefined);
});
await new Promise((resolve) => counter.listen(0, '127.0.0.1', resolve));
const memory = () => {
  globalThis.gc();
  globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
};

const before = memory();
const key = Buffer.from('user:1001');
const follower = new MapFollower({
  controlPlanes: [`127.0.0.1:${counter.address().port}`],
  watcher: 'bench',
  transport: grpcTransport,
  clock: systemClock,
  random: systemRandom,
  logger: silentLogger,
});
const cpu = process.cpuUsage();
const began = performance.now();
follower.start();
const map = await follower.ready('large', new AbortController().signal);
const leader = map.leader(map.partitionOf(key));
const firstLookupMs = performance.now() - began;
const { user, system } = process.cpuUsage(cpu);
await new Promise((resolve) => setTimeout(resolve, 200));
process.send({
  firstLookupMs,
  cpuMs: (user + system) / 1000,
  wireBytes,
  heapBytes: memory() - before,
  leader: leader.id,
});
follower.stop();
counter.close();
