// Plans of whole clusters: for each scenario time of the solver and of everything (order, proof, reasons, rehearsal), memory, moves,
// their lower bound, balance, violations after each prefix of the plan. Each scenario in a process of its own, then the baseline (a
// greedy balancer, `plan-greedy.mjs`) on the same maps in another, so that ratios are of the same run.
// `--only NAME,...` for some; `--baseline 0` without it.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { draftOf, planSolved, rehearseModel, solveCluster } from '@cadastre/core';
import { argument, print, round } from './support/figures.mjs';
import { BenchCluster } from './support/plan-cluster.mjs';
import { greedy } from './support/plan-greedy.mjs';
import { SCENARIOS } from './support/plan-scenarios.mjs';

const MIB = 2 ** 20;
const option = (name) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? undefined : process.argv[at + 1];
};

const one = option('scenario');
if (one === undefined) measureAll();
else if (process.argv.includes('--greedy')) process.stdout.write(JSON.stringify(runGreedy(SCENARIOS[one]())));
else process.stdout.write(JSON.stringify(runScenario(SCENARIOS[one]())));

function measureAll() {
  const names = option('only')?.split(',') ?? Object.keys(SCENARIOS);
  for (const name of names) {
    const ours = child(name, []);
    const baseline = argument('baseline', 1) === 0 ? undefined : child(name, ['--greedy']);
    print({ bench: 'plan', scenario: name, ...ours, ...(baseline && beside(ours, baseline)) });
  }
}

/** The sum over all plans, the slowest for times; every plan by itself in `plans`. */
function runScenario(scenario) {
  const cluster = new BenchCluster(scenario);
  const before = process.memoryUsage.rss();
  const plans = scenario.events.map((event) => planOf(cluster, event));
  const sum = (of) => plans.reduce((total, plan) => total + of(plan), 0);
  const most = (of) => plans.reduce((max, plan) => Math.max(max, of(plan)), 0);
  const [moves, bound] = [sum((p) => p.moves), sum((p) => p.bound)];
  return {
    n: plans.length,
    solveMs: most((p) => p.solveMs),
    totalMs: most((p) => p.totalMs),
    peakMiB: round(process.resourceUsage().maxRSS / 1024),
    restMiB: round(before / MIB),
    moves,
    bound,
    ratio: bound > 0 ? round(moves / bound) : 1,
    leaderTransfers: sum((p) => p.leaderTransfers),
    imbalance: most((p) => p.imbalance),
    outside: sum((p) => p.outside),
    partners: most((p) => p.partners),
    violations: sum((p) => p.violations),
    missing: sum((p) => p.missing),
    lost: sum((p) => p.lost),
    plans,
  };
}

function planOf(cluster, { what, nodes, loads, inFlight = 0 }) {
  cluster.become(nodes);
  const model = cluster.model(loads);
  const options = loads ? { dimensions: Object.keys(loads) } : {};
  globalThis.gc?.();
  const began = performance.now();
  const solved = solveCluster(model, options);
  const solvedAt = performance.now();
  const plan = planSolved(model, solved, options);
  const draft = draftOf(plan, options);
  const rehearsal = rehearseModel(model, draft.moves);
  const done = performance.now();
  const late = Math.floor(plan.moves.length * (1 - inFlight));
  let violations = 0;
  plan.moves.forEach(({ change }, i) => (violations += cluster.apply(change, inFlight > 0 && i >= late)));
  const [solution] = solved.solutions;
  const { cost } = draft;
  const lost = solution.dead * cluster.source.replicationFactor;
  return {
    what,
    solveMs: round(solvedAt - began),
    totalMs: round(done - began),
    moves: cost.replicaMoves,
    bound: cost.lowerBoundMoves,
    ratio: round(cost.ratio),
    leaderTransfers: cost.leaderTransfers,
    imbalance: round(cost.imbalanceAfter),
    outside: inFlight > 0 || loads ? 0 : outsideOf(cluster.counts(), solution.replicaAims, cluster.nodes) - lost,
    partners: round(cost.scores.find((s) => s.name === 'partners')?.after ?? 0),
    violations: violations + (inFlight > 0 ? 0 : cluster.violations()),
    missing: cluster.missing() - lost,
    // Copies of partitions whose nodes all went at once: there is nothing to copy from, so that no plan can build them.
    lost,
    steps: draft.moves.at(-1)?.step ?? 0,
    scores: Object.fromEntries(cost.scores.map((s) => [s.name, [round(s.before), round(s.after)]])),
    risk: rehearsal.verdict,
  };
}

/** Replicas over the ceiling or under the floor of their node's share, which constraints may have bent. */
function outsideOf(counts, { lo, hi }, nodes) {
  return nodes.reduce((sum, n, i) => {
    if (n.state !== 'up') return sum + counts[i];
    return sum + Math.max(0, counts[i] - hi[i]) + Math.max(0, lo[i] - counts[i]);
  }, 0);
}

/** From the map as our plans left it before each event: the baseline answers the same question. */
function runGreedy(scenario) {
  const cluster = new BenchCluster(scenario);
  let moves = 0;
  let slowest = 0;
  let worst = 0;
  let ended = true;
  for (const event of scenario.events) {
    cluster.become(event.nodes);
    const { rf, spread } = scenario;
    const found = greedy({ nodes: cluster.nodes, rf, spread, rows: cluster.replicas, stride: cluster.stride });
    moves += found.moves;
    slowest = Math.max(slowest, found.ms);
    worst = Math.max(worst, found.worst);
    ended &&= found.ended;
    const model = cluster.model(event.loads);
    for (const { change } of planSolved(model, solveCluster(model, {}), {}).moves) cluster.apply(change);
  }
  return { moves, ms: slowest, worst, ended };
}

function beside(ours, { moves, ms, worst, ended }) {
  return {
    greedyMoves: moves,
    greedyMs: round(ms),
    greedyWorst: round(worst),
    greedyEnded: ended,
    movesToGreedy: moves > 0 ? round(ours.moves / moves) : 1,
    timeToGreedy: round(ours.solveMs / ms),
  };
}

function child(name, args) {
  const flags = ['--expose-gc', '--max-old-space-size=4096', fileURLToPath(import.meta.url), '--scenario', name];
  const done = spawnSync(process.execPath, [...flags, ...args], { encoding: 'utf8', maxBuffer: 64 * MIB });
  if (done.status !== 0) throw new Error(`${name}: ${done.stderr}`);
  return JSON.parse(done.stdout);
}
