// The write pause of a hand-off, as a client feels it: one writer per partition, 50 writes a second each, while leaderships and copies
// move. For each change of leader: the latency of the write that met it (sent under the old leader or in between, acknowledged by
// the new one), with all its retries. Baseline: the latency of the same writers' other writes in the same run.
import { leaderOf } from '@cadastre/core';
import { TestCluster } from '@cadastre/testkit';
import { argument, compare, print, summarise } from './support/figures.mjs';

const PARTITIONS = argument('partitions', 24);
const rounds = argument('rounds', 5);
const keyspace = 'bench';
const cluster = await TestCluster.start({ controlPlanes: 1, agents: 6, zones: 3 });
try {
  await cluster.createKeyspace({
    name: keyspace,
    scheme: { kind: 'hash-slots', slots: PARTITIONS, hash: 'murmur3', hashTags: false },
    replicationFactor: 3,
    minInSync: 2,
    spread: [{ label: 'zone', maxPerDomain: 1, hard: true }],
  });
  const client = await cluster.client();
  const run = startWriters(client);
  await pause(argument('warm-up-ms', 10_000));
  run.takeGaps();
  await pause(5_000);
  const quiet = summarise(run.takeGaps());
  const pauses = [];
  let moves = 0;
  for (let i = 0; i < rounds; i += 1) {
    const plan = await disturb(i);
    moves += plan.moves.length;
    pauses.push(...run.takeSwitches());
  }
  const failures = await run.stop();
  const ours = summarise(pauses);
  print({ bench: 'cutover', what: 'latency of a write, nothing moves, ms', ...quiet });
  print({
    bench: 'cutover',
    what: 'latency of the write that met a change of leader, ms',
    ...ours,
    ...compare(ours, quiet),
    moves,
    failures,
  });
} finally {
  await cluster.stop();
}

/** A seventh agent joins; later rounds drain a node and take it back, so that leaderships move too. */
async function disturb(round) {
  if (round === 0) {
    await cluster.startAgent(7);
    await cluster.until('n7 is up', async () => (await cluster.status()).nodesUp === 7);
  } else {
    await cluster.drain('n1', round % 2 === 0);
  }
  const { plan, nothingBecause } = await cluster.propose();
  if (!plan) throw new Error(`no plan in round ${round}: ${nothingBecause}`);
  await cluster.actOnPlan(plan.id, 'approve', plan.digest);
  await cluster.until(
    'the plan ends',
    async () => ['completed', 'failed'].includes((await cluster.plan(plan.id)).state),
    120_000,
  );
  return cluster.plan(plan.id);
}

function startWriters(client) {
  let running = true;
  let gaps = [];
  let switches = [];
  let failures = 0;
  const keys = keysByPartition(client.map(keyspace));
  const write = async (partition, key) => {
    let leader = '';
    for (let n = 0; running; n += 1) {
      const sent = performance.now();
      try {
        await client.keyspace(keyspace).put(key, String(n));
      } catch {
        failures += 1;
      }
      const took = performance.now() - sent;
      const leads = leaderOf(client.map(keyspace).record(partition)) ?? '';
      if (leader !== '' && leads !== leader) switches.push(took);
      else gaps.push(took);
      leader = leads;
      await pause(Math.max(0, 20 - took));
    }
  };
  const all = Promise.all(keys.map((key, partition) => write(partition, key)));
  const take = (read, reset) => () => {
    const taken = read();
    reset();
    return taken;
  };
  return {
    takeGaps: take(
      () => gaps,
      () => {
        gaps = [];
      },
    ),
    takeSwitches: take(
      () => switches,
      () => {
        switches = [];
      },
    ),
    stop: async () => {
      running = false;
      await all;
      return failures;
    },
  };
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
