import type { KeyspaceSpec } from '@cadastre/core';
import { createPartitioner, leaderOf } from '@cadastre/core';
import { delay } from '@cadastre/runtime';
import type { SimProcess } from '../../libs/testkit/src/sim/index.js';
import { oneTruth } from './one-truth.js';
import { Operators } from './operators.js';
import { isWhole, waiterOf } from './waiting.js';
import { KEYSPACE, Workload } from './workload.js';
import { World } from './world.js';

/** What is cut short at each of its port calls. */
export const OPERATIONS = ['write', 'failover', 'migrate', 'drain', 'approve', 'pause', 'abort', 'purge'] as const;
export type Operation = (typeof OPERATIONS)[number];

/** The caller dies instead of making the call, or once it is made and nothing has come of it; or the one that is called dies then. */
export const POSITIONS = ['before', 'after', 'callee'] as const;
export type Position = (typeof POSITIONS)[number];

export interface CrashPoint {
  readonly operation: Operation;
  /** Number of the port call within the operation, from 0. */
  readonly point: number;
  readonly position: Position;
}

export interface CrashResult {
  /** Every port call of the operation, `caller kind`; of a crash those up to it. */
  readonly calls: readonly string[];
  readonly crashed: boolean;
  readonly finished: boolean;
  readonly events: number;
  readonly violations: readonly string[];
  readonly trace: readonly string[];
}

const SCHEME = { kind: 'hash-slots', slots: 1, hash: 'murmur3', hashTags: false } as const;
const SPEC: KeyspaceSpec = { name: KEYSPACE, scheme: SCHEME, replicationFactor: 2, minInSync: 1, spread: [] };
/** Longer than any of them takes where nobody dies. */
const OPERATION_MS = 10_000;
const SEED = 5;
/** A write has the same calls whoever makes it; the first of a process knows no connection yet. */
const KEYS = 2;

/** One cluster that always does the same up to the point at which it is told to crash. */
class Stage {
  readonly world = new World({ seed: SEED, agents: 3, controlPlanes: 2, clients: 1, fastTerms: true });
  readonly operators = new Operators(this.world, 1);
  readonly workload: Workload;
  readonly until = waiterOf(this.world);
  private client: ReturnType<Workload['worker']> | undefined;

  constructor() {
    const partitioner = createPartitioner(SCHEME);
    const partitionOf = (key: string): number => partitioner.partitionOf(Buffer.from(key));
    this.workload = new Workload(this.world, {
      workersPerClient: 1,
      keys: KEYS,
      pauseMs: 100,
      timeoutMs: 8_000,
      partitionOf,
    });
  }

  get record() {
    return this.world.recorder.state.keyspaces.get(KEYSPACE)!.map.record(0);
  }

  get plan() {
    return [...this.world.recorder.state.plans.values()].at(-1);
  }

  get holder(): string {
    return this.record.replicas.find(({ node }) => node !== leaderOf(this.record))!.node;
  }

  planIs(...states: readonly string[]): () => boolean {
    return () => states.includes(this.plan?.head.state ?? '');
  }

  whole = (): boolean => isWhole(this.world, SPEC.replicationFactor);

  async put(): Promise<void> {
    this.client ??= this.workload.worker('c1');
    await this.client.put('key-0', 8_000);
  }

  async begin(): Promise<void> {
    const { world } = this;
    world.startAll();
    const { recorder } = world;
    const ready = (): boolean => recorder.state.sessions.size === 3 && recorder.state.controller !== undefined;
    await this.until('all nodes connected', 30_000, () => ready() && world.clients.get('c1')!.client !== undefined);
    const make = async (): Promise<void> => {
      for (;;) {
        try {
          return await this.operators.createKeyspace(SPEC);
        } catch {
          await delay(world.operator.clock, 100);
        }
      }
    };
    void make();
    await this.until('the keyspace is there', 30_000, () => recorder.state.keyspaces.has(KEYSPACE) && this.whole());
    await this.does('the first write', this.put());
    await this.rest();
  }

  /** Nothing of what was before is still under way. */
  rest(): Promise<unknown> {
    return this.world.scheduler.run(this.world.scheduler.now + 500, () => this.world.violations.length > 0);
  }

  async does(what: string, work: Promise<unknown>): Promise<void> {
    let done = false;
    void work.then(() => (done = true));
    await this.until(what, OPERATION_MS, () => done);
  }

  /** Page, command line and register tell the same of every plan, at every replica. */
  async agree(when: string): Promise<void> {
    let difference = '';
    await this.does(
      `one truth ${when}`,
      oneTruth(this.world, (found) => (difference = found)),
    );
    if (this.world.violations.length > 0 && difference !== '') this.world.violations.push(difference);
  }

  async execute(): Promise<void> {
    await this.propose();
    await this.does('approve', this.operators.approve(this.plan!.head.id));
    await this.until('executing', OPERATION_MS, this.planIs('executing'));
  }

  async propose(): Promise<void> {
    await this.does('drain', this.operators.drain(this.holder));
    await this.does('propose', this.operators.propose());
    await this.until('a plan', OPERATION_MS, this.planIs('proposed'));
  }
}

interface Script {
  /** Until the operation may begin. */
  readonly before?: (stage: Stage) => Promise<void>;
  readonly begin: (stage: Stage) => Promise<unknown>;
  readonly isOver: (stage: Stage) => boolean;
}

const settled = (stage: Stage): boolean => stage.planIs('completed', 'cancelled', 'failed')();

const SCRIPTS: Readonly<Record<Operation, Script>> = {
  write: { begin: (stage) => stage.put(), isOver: () => true },
  failover: {
    begin: (stage) => {
      const leader = leaderOf(stage.record)!;
      stage.world.killNode(leader, false);
      stage.world.touched.add(leader);
      const node = stage.world.nodes.get(leader)!;
      stage.world.scheduler.after(6_000, 'repaired', () => node.process.alive || stage.world.startNode(leader));
      return stage.put();
    },
    isOver: () => true,
  },
  migrate: {
    before: (stage) => stage.propose(),
    begin: (stage) => stage.operators.approve(stage.plan!.head.id),
    isOver: settled,
  },
  drain: {
    begin: async (stage) => {
      await stage.operators.drain(stage.holder);
      await stage.operators.propose();
      if (stage.plan?.head.state === 'proposed') await stage.operators.approve(stage.plan.head.id);
    },
    isOver: (stage) => stage.plan !== undefined && settled(stage),
  },
  /** And the start that the controller makes of it. */
  approve: {
    before: (stage) => stage.propose(),
    begin: (stage) => stage.operators.approve(stage.plan!.head.id),
    isOver: (stage) => !stage.planIs('proposed', 'approved')(),
  },
  pause: {
    before: (stage) => stage.execute(),
    begin: (stage) => stage.operators.pause(stage.plan!.head.id),
    isOver: (stage) => stage.planIs('paused')() || settled(stage),
  },
  abort: {
    before: (stage) => stage.execute(),
    begin: (stage) => stage.operators.cancel(stage.plan!.head.id),
    isOver: settled,
  },
  purge: {
    before: async (stage) => {
      await stage.does('settings', stage.operators.quarantine(1_500));
      await stage.propose();
      await stage.does('approve', stage.operators.approve(stage.plan!.head.id));
      await stage.until('moved', 30_000, () => settled(stage));
    },
    begin: () => Promise.resolve(),
    isOver: ({ world }) => world.recorder.events.some((event) => event.type === 'purged'),
  },
};

/** Called is etcd, which goes on, or a process that is dead already. */
const NOBODY = '-';

/** All crashes that there are of an operation whose calls are these. */
export const casesOf = (operation: Operation, calls: readonly string[]): CrashPoint[] =>
  calls.flatMap((call, point) =>
    POSITIONS.filter((position) => isCase(call, position)).map((position) => ({ operation, point, position })),
  );

/** The one that is called must be another one, and mortal. */
const isCase = (call: string, position: Position): boolean => {
  if (position !== 'callee') return true;
  const to = calleeOf(call);
  return to !== callerOf(call) && to !== NOBODY;
};

const callerOf = (call: string): string => call.slice(0, call.indexOf(' '));
const calleeOf = (call: string): string => call.slice(call.indexOf(' ') + 1, call.indexOf(':'));

/** Runs an operation and notes its port calls; with `crash`, somebody dies at one of them. Then all must become whole and true. */
export const runCrashPoint = async (
  operation: Operation,
  crash?: Omit<CrashPoint, 'operation'>,
): Promise<CrashResult> => {
  const stage = new Stage();
  const { world } = stage;
  const { scheduler, recorder } = world;
  const ended = (): boolean => world.violations.length > 0;
  const script = SCRIPTS[operation];
  const calls: string[] = [];
  let crashed = false;
  const die = (host: string): void => {
    crashed = true;
    world.trace.note(`CRASH ${host}`);
    recorder.add({ type: 'fault', phase: 'begin', kind: 'crash', target: host });
    scheduler.after(0, 'crash', () => world.crash(host));
  };
  const atPort = (process: SimProcess, kind: string, to: string, task: () => void): void => {
    if (crashed || process === world.observer) return task();
    calls.push(`${process.host} ${world.processAt(to)?.alive ? to : NOBODY}: ${kind}`);
    if (!crash || calls.length - 1 !== crash.point) return task();
    world.trace.note(`${crash.position} ${calls.at(-1)}`);
    if (crash.position !== 'before') task();
    if (crash.position === 'callee') {
      const callee = world.processAt(to);
      if (callee) callee.muted = true;
      return die(to);
    }
    process.muted = true;
    return die(process.host);
  };

  await stage.begin();
  await script.before?.(stage);
  let finished = false;
  if (!ended()) {
    world.onPort = atPort;
    const work = script.begin(stage).then(() => (finished = true));
    work.catch((error: Error) => world.violation(`the operation threw: ${error.message}`));
    await scheduler.run(scheduler.now + OPERATION_MS, () => ended() || (finished && script.isOver(stage)));
    finished &&= script.isOver(stage);
    world.onPort = undefined;
  }
  if (!ended()) {
    await scheduler.run(scheduler.now + 1_000, ended);
    if (!ended()) await stage.agree('after the crash');
  }
  if (!ended()) {
    void (async () => {
      for (;;) {
        await stage.operators.tidyUp();
        await delay(world.operator.clock, 1_000);
      }
    })();
    await stage.until(
      'everything whole again',
      60_000,
      () => stage.whole() && [...world.clients.values()].every((c) => c.client),
    );
    if (!ended()) await stage.does('all keys read', stage.workload.readAll('c1'));
    if (!ended()) await stage.agree('in the end');
    if (!ended()) recorder.finish();
  }
  const result = {
    calls,
    crashed,
    finished,
    events: scheduler.events,
    violations: world.violations,
    trace: world.violations.length > 0 ? world.trace.last(60) : [],
  };
  world.close();
  return result;
};
