// A client starts with a map of a million partitions: bytes on the wire, time to the first lookup, memory. The baseline is the same
// map as one protobuf message a partition, decoded in the same run. --partitions N --nodes N --starts N
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { decodeRecord, encodeRecord, messageCodec } from '@cadastre/contracts';
import { newRecord } from '@cadastre/core';
import { argument, print, round, summarise } from './support/figures.mjs';

const partitions = argument('partitions', 1_000_000);
const nodes = argument('nodes', 1_000);
const starts = argument('starts', 5);
const file = (name) => fileURLToPath(new URL(`./support/${name}`, import.meta.url));
const MIB = 1024 * 1024;

const server = fork(file('bootstrap-server.mjs'), [partitions, nodes].map(String));
const [{ listening }] = await once(server, 'message');
const runs = [];
for (let i = 0; i < starts; i += 1) {
  const client = fork(file('bootstrap-client.mjs'), [String(listening)], { execArgv: ['--expose-gc'] });
  runs.push((await once(client, 'message'))[0]);
  await once(client, 'exit');
}
server.send('hold');
const [{ holdMs }] = await once(server, 'message');
server.kill('SIGKILL');

// The first start waits for the snapshot to be encoded; later ones are given the same bytes.
const [cold, ...warm] = runs;
const base = { bench: 'bootstrap', partitions, nodes };
print({
  ...base,
  what: 'from start to first lookup, ms',
  coldMs: round(cold.firstLookupMs),
  ...summarise(warm.map((r) => r.firstLookupMs)),
});
print({
  ...base,
  what: 'one start',
  n: starts,
  clientCpuMs: summarise(runs.map((r) => r.cpuMs)).p50,
  wireMiB: round(Math.max(...runs.map((r) => r.wireBytes)) / MIB),
  heapMiB: round(Math.max(...runs.map((r) => r.heapBytes)) / MIB),
  bytesPerPartition: round(Math.max(...runs.map((r) => r.heapBytes)) / partitions),
  serverHoldMs: round(holdMs),
});
print({ ...base, what: 'baseline: one protobuf message a partition, encode + decode, ms', ...messagePerPartition() });

/** A tenth of the partitions, times ten: the whole would take the machine for long. */
function messagePerPartition() {
  const codec = messageCodec('PartitionRecord');
  const share = Math.ceil(partitions / 10);
  const began = performance.now();
  let size = 0;
  for (let p = 0; p < share; p += 1) {
    const bytes = codec.encode(
      encodeRecord(newRecord(p, [`node-${p % nodes}`, `node-${(p + 1) % nodes}`, `node-${(p + 2) % nodes}`])),
    );
    size += bytes.length;
    decodeRecord(codec.decode(bytes));
  }
  return { n: share, ms: round((performance.now() - began) * 10), wireMiB: round((size * 10) / MIB) };
}
process.exit(0);
