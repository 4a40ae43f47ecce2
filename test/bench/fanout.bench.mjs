// One partition changes and N watchers apply it: the watch hub beside a bare grpc-js server that writes ready-made bytes to as many
// streams, with the same clients, in the same run, by turns. Then with a tenth of the readers stalled.
// --watchers N  --pushes N  --rounds N  --per-connection N
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { argument, print, round, summarise } from './support/figures.mjs';

const watchers = argument('watchers', 10_000);
const pushes = argument('pushes', 20);
const rounds = argument('rounds', 1);
const perConnection = argument('per-connection', 100);
const CLIENTS = 2;
const file = (name) => fileURLToPath(new URL(`./support/${name}`, import.meta.url));

const results = { bare: [], hub: [], stalled: [] };
for (let i = 0; i < rounds; i += 1) {
  results.bare.push(await run('bare', 0));
  results.hub.push(await run('hub', 0));
}
const together = (runs) => ({
  ...summarise(runs.flatMap((r) => r.latencies)),
  lastP50: summarise(runs.flatMap((r) => r.last)).p50,
  loopHoldMs: round(Math.max(...runs.map((r) => r.holdMs))),
  serverCpuUsPerStream: round(runs.reduce((sum, r) => sum + r.cpuUs, 0) / runs.length),
  heapKiBPerStream: round(Math.min(...runs.map((r) => r.heapKiB))),
  rssKiBPerStream: round(Math.min(...runs.map((r) => r.rssKiB))),
});
const bare = together(results.bare);
const hub = together(results.hub);
const base = { bench: 'fanout', watchers };
print({ ...base, what: 'bare grpc-js, ready-made bytes: change to applied, ms', ...bare });
print({
  ...base,
  what: 'watch hub: change to applied, ms',
  ...hub,
  ratioP50: round(hub.p50 / bare.p50),
  ratioP99: round(hub.p99 / bare.p99),
  ratioLast: round(hub.lastP50 / bare.lastP50),
  ratioHeap: round(hub.heapKiBPerStream / bare.heapKiBPerStream),
  ratioRss: round(hub.rssKiBPerStream / bare.rssKiBPerStream),
  reportedLagP99Ms: results.hub.at(-1).convergence?.lagMs.p99,
});
results.stalled.push(await run('hub', 0.1));
const stalled = together(results.stalled);
print({
  ...base,
  what: 'watch hub, 10 % of the readers stalled: the others, ms',
  ...stalled,
  ratioP99: round(stalled.p99 / hub.p99),
  serverRssMiB: round(results.stalled[0].rssMiB),
});
process.exit(0);

async function run(kind, stalledShare) {
  const server = fork(file('fanout-server.mjs'), [kind], { execArgv: ['--expose-gc'], serialization: 'advanced' });
  const next = (key) => answer(server, key);
  const { listening } = await next('listening');
  const empty = await ask(server, { memory: true }, 'memory');
  const clients = [];
  for (let i = 0; i < CLIENTS; i += 1) {
    const args = [listening, watchers / CLIENTS, perConnection, stalledShare].map(String);
    const client = fork(file('fanout-client.mjs'), args, { serialization: 'advanced' });
    client.setMaxListeners(0);
    clients.push(client);
  }
  server.setMaxListeners(0);
  const ready = await Promise.all(clients.map((client) => answer(client, 'ready')));
  const full = await ask(server, { memory: true }, 'memory');
  for (let i = 0; i < 3; i += 1) await pushOnce(server, clients, 1);
  if (stalledShare > 0) {
    for (const client of clients) client.send({ stall: true });
    // More than a window of messages and bytes goes by while they stand still.
    for (let i = 0; i < 20; i += 1) await pushOnce(server, clients, 32);
  }
  const before = await ask(server, { beginLoop: true, loop: true }, 'cpuMs');
  const latencies = [];
  const last = [];
  for (let i = 0; i < pushes; i += 1) {
    const took = await pushOnce(server, clients, 1);
    latencies.push(...took);
    last.push(took.reduce((a, b) => Math.max(a, b)));
  }
  const after = await ask(server, { loop: true }, 'cpuMs');
  const { memory } = await ask(server, { memory: true }, 'memory');
  for (const child of [server, ...clients]) child.kill('SIGKILL');
  const streams = ready.reduce((sum, r) => sum + r.ready, 0);
  return {
    latencies,
    last,
    holdMs: after.holdMs,
    convergence: after.convergence,
    cpuUs: ((after.cpuMs - before.cpuMs) * 1000) / pushes / streams,
    heapKiB: (full.memory.heap - empty.memory.heap) / 1024 / streams,
    rssKiB: (full.memory.rss - empty.memory.rss) / 1024 / streams,
    rssMiB: memory.rss / 1024 / 1024,
  };
}

/** @returns milliseconds from before the change was made until it was applied, of each watcher that is not stalled */
async function pushOnce(server, clients, records) {
  const arrived = clients.map((client) => answer(client, 'generation'));
  const { at } = await ask(server, { push: records }, 'pushed');
  const all = await Promise.all(arrived);
  return all.flatMap(({ moments }) => Array.from(moments, (moment) => Number(moment - at) / 1e6));
}

function ask(child, command, key) {
  const answered = answer(child, key);
  child.send(command);
  return answered;
}

async function answer(child, key) {
  for (;;) {
    const [message] = await Promise.race([
      once(child, 'message'),
      once(child, 'exit').then(([code]) => {
        throw new Error(`a process of the benchmark ended with ${code}`);
      }),
    ]);
    if (message.failed) throw new Error(message.failed);
    if (key in message) return message;
  }
}
