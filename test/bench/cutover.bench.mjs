// The write pause of a hand-off, as a client feels it: one closed-loop writer per partition while leaderships and copies move; for
// each change of leader, the time from the last acknowledgement under the old leader to the first under the new one. Baseline: the
// gaps between acknowledgements of the same writers in the same run while nothing moves.
import { leaderOf } from '@cadastre/core';
import { TestCluster } from '@cadastre/testkit';
import { argument, compare, print, summarise } from './support/figures.mjs';

const PARTITIONS = argument('partitions', 48);
const rounds = argument('rounds', 2);
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
  await pause(3_000);
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
  print({ bench: 'cutover', what: 'gap between acknowledged writes of a partition, nothing moves, ms', ...quiet });
  print({
    bench: 'cutover',
    what: 'write pause at a change of leader, ms',
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
    let last = performance.now();
    let leader = '';
    for (let n = 0; running; n += 1) {
      try {
        await client.keyspace(keyspace).put(key, String(n));
      } catch {
        failures += 1;
      }
      const now = performance.now();
      const leads = leaderOf(client.map(keyspace).record(partition)) ?? '';
      if (leader !== '' && leads !== leader) switches.push(now - last);
      else gaps.push(now - last);
      leader = leads;
      last = now;
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
