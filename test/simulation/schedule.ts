import type { KeyspaceSpec } from '@cadastre/core';
import { createPartitioner } from '@cadastre/core';
import { delay, seededRandom } from '@cadastre/runtime';
import { FAULTS } from './faults.js';
import { Operators } from './operators.js';
import { isWhole, waiterOf } from './waiting.js';
import { Workload, KEYSPACE } from './workload.js';
import { World } from './world.js';

export interface ScheduleResult {
  readonly seed: number;
  readonly digest: string;
  readonly events: number;
  readonly faults: readonly string[];
  readonly acknowledged: number;
  readonly moves: number;
  readonly virtualMs: number;
  readonly violations: readonly string[];
  readonly trace: readonly string[];
}

export interface ScheduleOptions {
  readonly print?: (line: string) => void;
  /** Only these kinds of faults. */
  readonly only?: readonly string[];
}

const READY_WITHIN_MS = 30_000;
/** After the last fault everything is as it should be within this. */
const CONVERGE_WITHIN_MS = 60_000;
const QUIET_MS = 8_000;
const QUIET_EVERY = 12;
/** A connection that nobody knows to be dead is found within 15 s; what it costs a leader, within 3 s more. */
const SETTLED_AFTER_MS = 25_000;

/** Drawn from the seed: what the world is like, and which faults it knows (a swarm: each seed has its own few kinds). */
const draw = (seed: number, only: readonly string[] | undefined) => {
  const random = seededRandom(seed ^ 0x66666666);
  const upto = (low: number, high: number): number => low + Math.floor(random() * (high - low + 1));
  const agents = upto(3, 5);
  const replicationFactor = Math.min(agents, upto(2, 3));
  const kinds = only ?? Object.keys(FAULTS).filter(() => random() < 0.35);
  return {
    random,
    agents,
    controlPlanes: upto(1, 3),
    clients: upto(1, 2),
    replicationFactor,
    minInSync: upto(1, replicationFactor - (replicationFactor > 2 ? 1 : 0)),
    partitions: upto(2, 6),
    kinds: kinds.length > 0 ? kinds : ['kill-node'],
    faults: upto(5, 9),
    busyMs: random() < 0.15 ? 12_000 + random() * 18_000 : 5_000 + random() * 6_000,
    fastTerms: random() < 0.7,
  };
};

/** One schedule, start to end. Everything in it follows from the seed. */
export const runSchedule = async (seed: number, options: ScheduleOptions = {}): Promise<ScheduleResult> => {
  const plan = draw(seed, options.only);
  const { random } = plan;
  const world = new World({ seed, ...plan });
  if (options.print) world.trace.print = options.print;
  const operators = new Operators(world, plan.agents - plan.replicationFactor);
  const faults: string[] = [];
  const scheme = { kind: 'hash-slots', slots: plan.partitions, hash: 'murmur3', hashTags: false } as const;
  const partitioner = createPartitioner(scheme);
  const partitionOf = (key: string): number => partitioner.partitionOf(Buffer.from(key));
  const workload = new Workload(world, { workersPerClient: 2, keys: 8, pauseMs: 200, timeoutMs: 6_000, partitionOf });
  const { scheduler } = world;
  const ended = (): boolean => world.violations.length > 0;
  const until = waiterOf(world);
  world.trace.note(`seed ${seed} ${JSON.stringify({ ...plan, random: undefined })}`);

  world.onClientStarted = (id) => workload.start(id);
  world.startAll();
  const spec: KeyspaceSpec = {
    name: KEYSPACE,
    scheme,
    replicationFactor: plan.replicationFactor,
    minInSync: plan.minInSync,
    spread: [],
  };
  const { recorder } = world;
  const connected = (): boolean =>
    recorder.state.sessions.size === plan.agents && recorder.state.controller !== undefined;
  if (await until('all nodes connected', READY_WITHIN_MS, connected)) {
    // A replica that has not heard of all nodes yet refuses, rightly.
    const make = (tries: number): void =>
      void operators.createKeyspace(spec).catch((error: Error) => {
        if (tries > 20) world.violation(`keyspace not made: ${error.message}`);
        else world.operator.later(100, 'operator', () => make(tries + 1));
      });
    make(1);
    await until('first writes', READY_WITHIN_MS, () => workload.acknowledged >= 3);
  }

  // The busy time.
  const busyEnd = scheduler.now + plan.busyMs;
  const undo = new Set<() => void>();
  const watchActive = (): void => {
    world.checkActive();
    scheduler.after(100, 'who is active', watchActive);
  };
  watchActive();
  const inject = (): void => {
    const kind = plan.kinds[Math.floor(random() * plan.kinds.length)]!;
    const fault = FAULTS[kind]!;
    const begun = fault.begin(world, random);
    if (!begun) return;
    const { target, end } = begun;
    faults.push(kind);
    for (const [host] of target.matchAll(/\b(?:n|cp)\d+/g)) world.touched.add(host);
    recorder.add({ type: 'fault', phase: 'begin', kind, target });
    world.trace.note(`FAULT ${kind} ${target}`);
    if (!end) return;
    const finish = (): void => {
      if (!undo.delete(finish)) return;
      world.trace.note(`fault over: ${kind} ${target}`);
      recorder.add({ type: 'fault', phase: 'end', kind, target });
      end();
    };
    undo.add(finish);
    scheduler.after(100 + random() * fault.maxMs, 'fault over', finish);
  };
  if (!ended()) {
    operators.start();
    for (let i = 0; i < plan.faults * 2; i += 1)
      scheduler.after(random() * plan.busyMs * 0.9, 'fault', () => {
        if (faults.length < plan.faults && scheduler.now < busyEnd) inject();
      });
    await scheduler.run(busyEnd, ended);
    while (faults.length < 5 && !ended()) {
      inject();
      await scheduler.run(scheduler.now + 500, ended);
    }
  }

  // Everything heals.
  if (!ended()) {
    world.trace.note('HEAL');
    const healedAt = scheduler.now;
    for (const finish of [...undo]) finish();
    world.links.healAll();
    world.etcd.onLinksChanged();
    workload.running = false;
    operators.running = false;
    const tidy = async (): Promise<void> => {
      for (;;) {
        await operators.tidyUp();
        await delay(world.operator.clock, 2_000);
      }
    };
    void tidy();
    await until('everything whole again', CONVERGE_WITHIN_MS, () => isWhole(world, plan.replicationFactor));
    let read = false;
    if (!ended())
      void Promise.all([...world.clients.keys()].map((id) => workload.readAll(id))).then(() => (read = true));
    await until('all keys read', 40_000, () => read);
    // Left alone, nothing moves any more. Not every run pays for the wait.
    const waits = seed % QUIET_EVERY === 0;
    if (!ended() && waits) {
      await scheduler.run(healedAt + SETTLED_AFTER_MS, ended);
      if (!ended()) await until('whole still', CONVERGE_WITHIN_MS, () => isWhole(world, plan.replicationFactor));
    }
    const before = recorder.mapChanges;
    if (!ended() && waits) await scheduler.run(scheduler.now + QUIET_MS, ended);
    if (!ended() && recorder.mapChanges !== before)
      world.violation(`thrash: ${recorder.mapChanges - before} changes of the map in ${QUIET_MS} quiet ms`);
    if (!ended()) await until('whole at the end', CONVERGE_WITHIN_MS, () => isWhole(world, plan.replicationFactor));
    if (!ended()) recorder.finish();
  }
  const result = {
    seed,
    digest: scheduler.digest,
    events: scheduler.events,
    faults,
    acknowledged: workload.acknowledged,
    moves: recorder.invariants.placement.moves,
    virtualMs: scheduler.now,
    violations: world.violations,
    trace: world.violations.length > 0 ? world.trace.last(60) : [],
  };
  world.close();
  return result;
};
