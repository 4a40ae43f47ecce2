// The write pause of a hand-off, as a client feels it: one writer per partition, one write at a time, while copies and leaderships move.
// For each change of leader: the time between the last acknowledgement that the old leader gave this client and the first of the new one,
// with all retries and the writer's own `--think-ms` between two writes, of which nothing is subtracted. Writers of partitions that no
// running plan names write every `--rest-ms`: they are the load beside. Baseline: the same time between two acknowledgements of one leader.
//   --migrations 200 --partitions 12 --agents 5 --think-ms 4 --rest-ms 100
import { leaderOf } from '@cadastre/core';
import { TestCluster } from '@cadastre/testkit';
import { argument, compare, print, summarise } from './support/figures.mjs';

const PARTITIONS = argument('partitions', 12);
const migrations = argument('migrations', 200);
const thinkMs = argument('think-ms', 4);
const restMs = argument('rest-ms', 100);
const agents = argument('agents', 5);
const keyspace = 'bench';
const cluster = await TestCluster.start({ controlPlanes: 1, agents, zones: agents });
try {
  await cluster.createKeyspace({
    name: keyspace,
    scheme: { kind: 'hash-slots', slots: PARTITIONS, hash: 'murmur3', hashTags: false },
    replicationFactor: 3,
    minInSync: 2,
    spread: [],
  });
  const client = await cluster.client();
  const run = startWriters(client);
  await pause(argument('warm-up-ms', 5_000));
  run.hot = new Set(Array.from({ length: 5 }, (_, partition) => partition));
  run.takeGaps();
  await pause(5_000);
  const quiet = summarise(run.takeGaps());
  const pauses = [];
  let moves = 0;
  for (let round = 0; pauses.length < migrations; round += 1) {
    moves += await disturb(round, run);
    pauses.push(...run.takeSwitches());
  }
  const moving = summarise(run.takeGaps());
  const failures = await run.stop();
  const ours = summarise(pauses);
  print({ bench: 'cutover', what: 'between two acknowledgements, nothing moves, ms', ...quiet });
  print({ bench: 'cutover', what: 'between two acknowledgements of one leader while plans run, ms', ...moving });
  print({
    bench: 'cutover',
    what: 'write pause of a change of leader, ms',
    ...ours,
    ...compare(ours, quiet),
    moves,
    failures,
  });
} finally {
  await cluster.stop();
}

/** Drains one node after the other and takes it back, so that copies and leaderships move. @returns how many moves */
async function disturb(round, run) {
  await cluster.drain(`n${(Math.floor(round / 2) % agents) + 1}`, round % 2 === 0);
  const { plan } = await cluster.propose();
  if (!plan) return 0;
  run.hot = new Set(plan.moves.map(({ partition }) => partition));
  await cluster.actOnPlan(plan.id, 'approve', plan.digest);
  const ended = async () => ['completed', 'failed'].includes((await cluster.plan(plan.id)).state);
  await cluster.until('the plan ends', ended, 120_000);
  return plan.moves.length;
}

function startWriters(client) {
  const run = { hot: new Set() };
  let running = true;
  const gaps = [];
  const switches = [];
  let failures = 0;
  const keys = keysByPartition(client.map(keyspace));
  const write = async (partition, key) => {
    let leader;
    let lastAt;
    let open; // a change of leader that the map has told, until the first acknowledgement under its epoch
    for (let n = 0; running; n += 1) {
      const began = performance.now();
      const done = await client
        .keyspace(keyspace)
        .put(key, String(n))
        .catch(() => undefined);
      if (!done) {
        failures += 1;
        continue;
      }
      const at = performance.now();
      const gap = at - (lastAt ?? began);
      lastAt = at;
      const record = client.map(keyspace).record(partition);
      const leads = leaderOf(record);
      if (leader !== undefined && leads !== leader) open = { epoch: record.epoch, ms: 0 };
      leader = leads;
      if (open) open.ms = Math.max(open.ms, gap);
      else gaps.push(gap);
      if (open && done.epoch >= open.epoch) {
        switches.push(open.ms);
        open = undefined;
      }
      if (run.hot.has(partition)) await pause(thinkMs);
      else {
        await pause(restMs);
        lastAt = undefined;
      }
    }
  };
  const all = Promise.all(keys.map((key, partition) => write(partition, key)));
  return Object.assign(run, {
    takeGaps: () => gaps.splice(0),
    takeSwitches: () => switches.splice(0),
    stop: async () => {
      running = false;
      await all;
      return failures;
    },
  });
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
