// How long a partition takes no writes when its leader is killed, as the same client feels it: kill -9 of the agent that leads it to the first
// acknowledged write; then the same for readers and writers while active control planes are killed, which must not notice.
// Baseline: the latency of the same writer's writes in the same run while nothing dies.
import { leaderOf } from '@cadastre/core';
import { TestCluster } from '@cadastre/testkit';
import { argument, compare, print, summarise } from './support/figures.mjs';

const kills = argument('kills', 50);
const controllerKills = argument('controller-kills', Math.min(kills, 20));
const partitions = argument('partitions', 24);
const keyspace = 'bench';
const cluster = await TestCluster.start({ controlPlanes: 2, agents: 6, zones: 3 });
try {
  await cluster.createKeyspace({
    name: keyspace,
    scheme: { kind: 'hash-slots', slots: partitions, hash: 'murmur3', hashTags: false },
    replicationFactor: 3,
    minInSync: 2,
    spread: [{ label: 'zone', maxPerDomain: 1, hard: true }],
  });
  const client = await cluster.client();
  const keys = keysByPartition(client.map(keyspace));
  const quiet = summarise(await writesFor(client, keys, argument('quiet-ms', 5_000)));
  print({ bench: 'failover', what: 'latency of a write, nothing dies, ms', ...quiet });
  await agentKills(client, keys, quiet);
  await activeKills(client, keys);
} finally {
  await cluster.stop();
}

async function agentKills(client, keys, quiet) {
  const gaps = [];
  for (let i = 0; i < kills; i += 1) {
    await whole();
    const partition = i % partitions;
    const leader = leaderOf(client.map(keyspace).record(partition));
    await client.keyspace(keyspace).put(keys[partition], `before ${i}`);
    const killedAt = performance.now();
    cluster.agents.get(leader).signal('SIGKILL');
    await client.keyspace(keyspace).put(keys[partition], `after ${i}`);
    gaps.push(performance.now() - killedAt);
    if (process.env.CADASTRE_BENCH_TRACE) process.stderr.write(`${leader} ${Math.round(gaps.at(-1))} ms\n`);
    await cluster.agents.get(leader).end('SIGKILL');
    await cluster.startAgent(Number(leader.slice(1)));
  }
  const ours = summarise(gaps);
  print({
    bench: 'failover',
    what: 'kill -9 of the leader to the first acknowledged write, ms',
    ...ours,
    ...compare(ours, quiet),
  });
}

/** All writers go on while the active control plane is killed; the takeover ends when another one says that it is active. */
async function activeKills(client, keys) {
  const takeovers = [];
  const failures = [];
  let running = true;
  let operations = 0;
  const writers = keys.map(async (key) => {
    for (let n = 0; running; n += 1) {
      try {
        await client.keyspace(keyspace).put(key, `${n}`);
        await client.keyspace(keyspace).get(key);
      } catch (error) {
        failures.push(String(error));
      }
      operations += 2;
      await pause(20);
    }
  });
  for (let i = 0; i < controllerKills; i += 1) {
    await whole();
    await cluster.until('both control planes know each other', async () => (await cluster.status()).active !== '');
    const { active, term } = await cluster.status();
    const killedAt = performance.now();
    await cluster.controlPlanes.get(active).end('SIGKILL');
    await pollUntil(async () => {
      const status = await cluster.status();
      return status.term > term && status.active !== active;
    });
    takeovers.push(performance.now() - killedAt);
    await cluster.startControlPlane(active);
  }
  running = false;
  await Promise.all(writers);
  if (controllerKills > 0)
    print({
      bench: 'failover',
      what: 'kill -9 of the active control plane to the next one being active, ms',
      ...summarise(takeovers),
      operations,
      failedOperations: failures.length,
      ...(failures[0] && { firstFailure: failures[0] }),
    });
}

/** Every node is up and every partition has all its copies in sync. */
function whole() {
  return cluster.until('the cluster is whole', async () => {
    const status = await cluster.status();
    return status.nodesUp === 6 && status.active !== '' && status.keyspaces.every((k) => k.underReplicated === 0);
  });
}

async function pollUntil(test) {
  for (;;) {
    if (await test().catch(() => false)) return;
    await pause(10);
  }
}

async function writesFor(client, keys, ms) {
  const took = [];
  const end = performance.now() + ms;
  for (let n = 0; performance.now() < end; n += 1) {
    const began = performance.now();
    await client.keyspace(keyspace).put(keys[n % keys.length], String(n));
    took.push(performance.now() - began);
  }
  return took;
}

function keysByPartition(map) {
  const keys = [];
  for (let i = 0; keys.filter(Boolean).length < map.partitions; i += 1)
    keys[map.partitionOf(Buffer.from(`key-${i}`))] ??= `key-${i}`;
  return keys;
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
