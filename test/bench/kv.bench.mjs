// Operations a second and latency of single reads and writes, each of the three ways to a key side by side, beside a bare grpc-js unary
// echo of the same size: smart client, router, any node (asked the wrong one on purpose, with `forward`). One process makes the load, so
// with one server process two cores are used; router and any-node have one process more to share them with. All ways take turns within a
// round, and the figures are medians over the rounds: what else the machine does meets them alike.
//   --seconds 2 --rounds 3 --in-flight 128 --value 100
import { join } from 'node:path';
import { credentials, makeGenericClientConstructor } from '@grpc/grpc-js';
import { LinkPool } from '@cadastre/client';
import { callUnary, grpcTransport, Peer } from '@cadastre/contracts';
import { systemClock } from '@cadastre/runtime';
import { ServerProcess, TestCluster } from '@cadastre/testkit';
import { echoService } from './support/echo-server.mjs';
import { argument, print, round, summarise } from './support/figures.mjs';

const KEYSPACE = 'bench';
const KEYS = 10_000;
const inFlight = argument('in-flight', 128);
const seconds = argument('seconds', 2);
const rounds = argument('rounds', 3);
const value = Buffer.alloc(argument('value', 100), 'x');
const keys = Array.from({ length: KEYS }, (_, i) => Buffer.from(`key-${i}`));
const byKey = { keyspace: KEYSPACE, partition: 0, epoch: 0, forward: true, hops: 0, byKey: true };

const cluster = await TestCluster.start({ controlPlanes: 1, agents: 1 });
const children = [];
const links = new LinkPool({ transport: grpcTransport, clock: systemClock, maps: () => [] });
try {
  await cluster.createKeyspace({
    name: KEYSPACE,
    scheme: { kind: 'hash-slots', slots: 64, hash: 'murmur3', hashTags: false },
    replicationFactor: 1,
    minInSync: 1,
    spread: [],
  });
  await cluster.startAgent(2); // leads nothing: nothing moves without a plan
  const client = await cluster.client({ limits: { inFlightMax: 4096 } });
  await cluster.until('the keyspace is served', async () => {
    await client.keyspace(KEYSPACE).put('ready', '');
    return true;
  });
  const writer = client.keyspace(KEYSPACE).bulkWriter();
  await Promise.all(keys.map((key) => writer.write({ type: 'put', key, value })));
  await cluster.startRouter('r1');
  const echo = await startEcho();
  await run(waysTo(client, cluster.addressOf('r1'), echo));
} finally {
  links.close();
  // Gently, so that CADASTRE_NODE_ARGS=--cpu-prof leaves its profiles.
  const ours = [...children, ...cluster.routers.values(), ...cluster.agents.values()];
  await Promise.all(ours.map((each) => each.end('SIGTERM')));
  await cluster.stop();
}

async function startEcho() {
  const script = join(import.meta.dirname, 'support', 'echo-server.mjs');
  const server = await ServerProcess.start({ name: 'echo', script, args: [] });
  children.push(server);
  return server.listening['address'];
}

/** Each way is `[what, one operation]`; operation n takes key n. */
function waysTo(client, router, echoAddress) {
  const Echo = makeGenericClientConstructor(echoService, 'Echo');
  const echo = new Echo(echoAddress, credentials.createInsecure());
  const other = cluster.addressOf('n2');
  const keyspace = client.keyspace(KEYSPACE);
  const peers = new Map([router, other].map((address) => [address, new Peer(address)]));
  let requests = 0;
  const get = (n) => ({ kind: 'get', request: { target: byKey, key: keys[n % KEYS] } });
  const put = (n) => {
    requests += 1;
    const requestId = `bench:${requests}`;
    return { kind: 'put', request: { target: byKey, requestId, key: keys[n % KEYS], value } };
  };
  const stream = (address, op) => links.at(address).send(op, { deadlineMs: 10_000 });
  const alone = (address, { kind, request }) => {
    const { kv } = peers.get(address);
    return callUnary(kv, kv[kind], request, { deadlineMs: 10_000 });
  };
  const echoOne = () =>
    new Promise((resolve, reject) => {
      echo.Echo(value, { deadline: Date.now() + 10_000 }, (error, reply) => (error ? reject(error) : resolve(reply)));
    });
  return [
    ['bare unary echo', echoOne],
    ['smart client, reads', (n) => keyspace.get(keys[n % KEYS])],
    ['smart client, writes', (n) => keyspace.put(keys[n % KEYS], value)],
    ['router as frames, reads', (n) => stream(router, get(n))],
    ['router as frames, writes', (n) => stream(router, put(n))],
    ['router unary, reads', (n) => alone(router, get(n))],
    ['any node as frames, reads', (n) => stream(other, get(n))],
    ['any node as frames, writes', (n) => stream(other, put(n))],
    ['any node unary, reads', (n) => alone(other, get(n))],
  ];
}

async function run(ways) {
  const results = new Map(ways.map(([what]) => [what, []]));
  for (const [, operation] of ways) await load(operation, 0.5);
  for (let i = 0; i < rounds; i += 1)
    for (const [what, operation] of ways) results.get(what).push(await load(operation, seconds));
  const medianOf = (what, field) => median(results.get(what).map((each) => each[field]));
  const base = ways[0][0];
  for (const [what] of ways) {
    const rate = medianOf(what, 'perSecond');
    print({
      bench: 'kv',
      what,
      inFlight,
      valueBytes: value.length,
      n: results.get(what).reduce((sum, each) => sum + each.n, 0),
      perSecond: Math.round(rate),
      p50: medianOf(what, 'p50'),
      p99: medianOf(what, 'p99'),
      failures: results.get(what).reduce((sum, each) => sum + each.failures, 0),
      rateOverEcho: round(rate / medianOf(base, 'perSecond')),
      p99OverEcho: round(medianOf(what, 'p99') / medianOf(base, 'p99')),
    });
  }
}

async function load(operation, forSeconds) {
  const samples = [];
  let failures = 0;
  let n = 0;
  const began = performance.now();
  const end = began + forSeconds * 1000;
  const worker = async () => {
    while (performance.now() < end) {
      const sent = performance.now();
      n += 1;
      try {
        await operation(n * 7919);
      } catch (error) {
        failures += 1;
        if (failures === 1) process.stderr.write(`${error}\n`);
      }
      samples.push(performance.now() - sent);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  return { ...summarise(samples), perSecond: samples.length / ((performance.now() - began) / 1000), failures };
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
