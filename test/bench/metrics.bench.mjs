// What being measured costs an agent: frames of puts through the server's side of Kv.Pipeline, whose answers come a moment later as those of
// commits do, without figures, with them, and with a scrape each second of an agent with 10,000 copies. The three take turns within a round;
// figures are medians over the rounds. One process, no network, no disk: the cost stands out as much as it can.
//   --rounds 7 --frames 1500
import { EventEmitter } from 'node:events';
import { encodeRequestFrame, FrameServer, KvMeter } from '@cadastre/contracts';
import { Histogram, systemClock } from '@cadastre/runtime';
import { Metrics } from '@cadastre/service-kit';
import { AGENT_METRICS } from '../../apps/storage-agent/dist/metrics/agent-metrics.js';
import { agentReadings } from '../../apps/storage-agent/dist/metrics/agent-readings.js';
import { argument, print, round } from './support/figures.mjs';

const PER_FRAME = 64;
const COPIES = 10_000;
/** One after the other in each pass, so that it takes about a second. */
const STREAMS = 10;
const rounds = argument('rounds', 7);
const frames = argument('frames', 1_500);

const target = { keyspace: 'bench', partition: 3, epoch: 1, forward: false, hops: 0, byKey: false };
const request = (i) => ({ target, requestId: `c:${i}`, key: Buffer.from(`key-${i}`), value: Buffer.alloc(100) });
const encoded = Array.from({ length: frames }, (_, f) =>
  encodeRequestFrame(
    Array.from({ length: PER_FRAME }, (_unused, i) => {
      const id = f * PER_FRAME + i + 1;
      return { id, timeoutMs: 5_000, kind: 'put', request: request(id) };
    }),
  ),
);

class Call extends EventEmitter {
  written = 0;
  write() {
    this.written += 1;
    return true;
  }
  pause() {}
  resume() {}
  end() {}
}

const meter = new KvMeter();
const serve = (op) => Promise.resolve({ epoch: 1, seq: op.request.key.length });

/** Operations a second of CPU: what else the machine does meanwhile counts less than by the clock. */
async function pass(witness) {
  const server = new FrameServer({ clock: systemClock, serve, ...(witness && { witness }) });
  const began = process.cpuUsage();
  for (let stream = 0; stream < STREAMS; stream += 1) {
    const call = new Call();
    server.handle(call);
    for (const frame of encoded) {
      call.emit('data', frame);
      await new Promise((resolve) => setImmediate(resolve));
    }
    call.emit('close');
  }
  const { user, system } = process.cpuUsage(began);
  return (STREAMS * frames * PER_FRAME) / ((user + system) / 1e6);
}

const metrics = new Metrics().expose(AGENT_METRICS, agentReadings(partsOf(COPIES))).exposeProcess();

function partsOf(copies) {
  const metas = Array.from({ length: copies }, (_, p) => ({ id: { keyspace: `ks${p % 4}`, partition: p }, count: p }));
  const drivers = metas.map(({ id }) => ({
    id,
    machine: { phase: 'serving', lag: () => ({ entries: 0, ms: 0 }) },
    oldestWriteMs: () => 0,
  }));
  return {
    meters: {
      kv: meter,
      commitSeconds: new Histogram(),
      leadPauseSeconds: new Histogram(),
      inSyncGrown: 0,
      inSyncShrunk: 0,
      writePauses: 0,
    },
    clock: systemClock,
    engine: { partitions: () => metas, sizeBytes: (id) => id.partition },
    replicas: { all: () => drivers.values(), allStrays: () => [].values() },
    rates: { in: { bytesPerSecond: 0, total: 0 }, out: { bytesPerSecond: 0, total: 0 } },
    holdMax: 10_000,
    inFlight: () => 0,
    held: () => 0,
    fills: () => 0,
    followers: () => 2,
    sessionUp: () => true,
    maps: () => [],
  };
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

const variants = {
  'without figures': () => pass(undefined),
  'with figures': () => pass(meter.note),
  'with figures and a scrape each second': async () => {
    const timer = setInterval(() => void metrics.text(), 1_000);
    try {
      return await pass(meter.note);
    } finally {
      clearInterval(timer);
    }
  },
};

const results = new Map(Object.keys(variants).map((name) => [name, []]));
for (const run of Object.values(variants)) await run(); // warm-up
for (let i = 0; i < rounds; i += 1)
  for (const [name, run] of Object.entries(variants)) results.get(name).push(await run());
const baseline = results.get('without figures');
for (const [name, all] of results)
  print({
    bench: 'metrics',
    case: name,
    n: all.length,
    opsPerCpuSecond: round(median(all)),
    // Neighbours in time, so that what else the machine does meets both.
    ratio: round(median(all.map((ops, i) => ops / baseline[i])), 3),
  });

const scrapes = [];
for (let i = 0; i < 30; i += 1) {
  const beganAt = performance.now();
  await metrics.text();
  scrapes.push(performance.now() - beganAt);
}
scrapes.sort((a, b) => a - b);
print({
  bench: 'metrics',
  case: `one scrape, ${COPIES} copies`,
  n: scrapes.length,
  p50: round(scrapes[15], 2),
  p99: round(scrapes[29], 2),
});
