// A rolling drain under load: one agent after the other is drained by an approved plan and taken back, while callers read and write keys
// whose value they know. Counts what failed, what was wrong, and the requests that met a wrong owner: a node that did not lead the partition
// when the request came (`metWrongOwner`; each has to be healed by one more hop). Beside them, and not among them, those that met their owner
// and were caught there by the change of leader: it held them, and sent them on once another led (`handedOver`). The baseline is the same
// load before anything moves.
//   --agents 6 --partitions 24 --workers 48 --quiet-seconds 5
import { TestCluster, Workload } from '@cadastre/testkit';
import { argument, print, round } from './support/figures.mjs';

const KEYSPACE = 'bench';
const agents = argument('agents', 6);
const workers = argument('workers', 48);
const cluster = await TestCluster.start({ controlPlanes: 1, agents, zones: 3 });
try {
  await cluster.createKeyspace({
    name: KEYSPACE,
    scheme: { kind: 'hash-slots', slots: argument('partitions', 24), hash: 'murmur3', hashTags: false },
    replicationFactor: 3,
    minInSync: 2,
    spread: [{ label: 'zone', maxPerDomain: 1, hard: true }],
  });
  const client = await cluster.client();
  const quiet = await measure(client, 1, () => pause(argument('quiet-seconds', 5) * 1000));
  let moves = 0;
  const drained = await measure(client, 2, async () => {
    for (let i = 1; i <= agents; i += 1) moves += await drainAndBack(`n${i}`);
  });
  print({ bench: 'drain', what: 'load, nothing moves', ...quiet });
  print({
    bench: 'drain',
    what: `load while ${agents} agents are drained in turn`,
    ...drained,
    moves,
    ratioP99: round(drained.p99 / quiet.p99),
  });
} finally {
  await cluster.stop();
}

async function drainAndBack(id) {
  await cluster.drain(id);
  const { plan, nothingBecause } = await cluster.propose();
  if (!plan) throw new Error(`no plan to drain ${id}: ${nothingBecause}`);
  await cluster.actOnPlan(plan.id, 'approve', plan.digest);
  const state = async () => (await cluster.plan(plan.id)).state;
  await cluster.until(`${id} is drained`, async () => ['completed', 'failed'].includes(await state()), 180_000);
  if ((await state()) !== 'completed') throw new Error(`the plan to drain ${id} failed`);
  await cluster.drain(id, true);
  return plan.moves.length;
}

async function measure(client, seed, during) {
  const before = client.stats();
  const began = performance.now();
  const load = new Workload({ client, keyspace: KEYSPACE, workers, keysPerWorker: 40, seed });
  await during();
  const report = await load.stop();
  const wrong = [...report.wrong, ...(await load.verify())];
  const after = client.stats();
  for (const each of [...report.failures, ...wrong].slice(0, 3)) process.stderr.write(`${each}\n`);
  const requests = after.requests - before.requests;
  const metWrongOwner = after.notOwner - before.notOwner;
  return {
    n: report.operations,
    perSecond: Math.round((report.operations * 1000) / (performance.now() - began)),
    p50: round(report.p50Ms),
    p99: round(report.p99Ms),
    longestGapMs: round(report.longestGapMs),
    failed: report.failures.length,
    wrong: wrong.length,
    metWrongOwner,
    handedOver: after.handedOver - before.handedOver,
    wrongOwnerShare: round((metWrongOwner / requests) * 1e6) / 1e6,
    healedInOneHop: after.wrongOwnerHops - before.wrongOwnerHops,
    retries: after.retries - before.retries,
  };
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
