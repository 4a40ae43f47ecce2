import type { Random } from '@cadastre/runtime';
import type { Fault } from './faults.js';
import { until } from '../until.js';
import type { World } from './world.js';

/** Ends what runs until a time. */
export class Period {
  private readonly end: number;
  private readonly abort = new AbortController();

  constructor(lengthMs: number) {
    this.end = performance.now() + lengthMs;
  }

  get over(): boolean {
    return this.abort.signal.aborted || performance.now() >= this.end;
  }

  /** Ends it early, for what must not go on after a fault of the run itself. */
  finish(): void {
    this.abort.abort();
  }

  /** Resolves after `ms`, or when the period is over. */
  async pause(ms: number): Promise<void> {
    const left = Math.min(ms, this.end - performance.now());
    if (left <= 0 || this.abort.signal.aborted) return;
    await new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.abort.signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, left);
      this.abort.signal.addEventListener('abort', done);
    });
  }
}

const CALM_MS = { least: 1_500, more: 6_000 };

/** One fault after the other, each put right before the next. */
export const faultLane = async (
  world: World,
  period: Period,
  random: Random,
  next: () => Promise<Fault | undefined>,
): Promise<void> => {
  await period.pause(CALM_MS.least);
  while (!period.over) {
    const fault = await next();
    if (fault) await inflict(world, fault, (ms) => period.pause(ms));
    await period.pause(CALM_MS.least + random() * CALM_MS.more);
  }
};

const inflict = async (world: World, fault: Fault, pause: (ms: number) => Promise<void>): Promise<void> => {
  const { kind, target, holdMs } = fault;
  world.recorder.record({ type: 'fault', phase: 'begin', kind, target });
  try {
    await fault.begin();
    await pause(holdMs);
  } catch (error) {
    world.recorder.note(`${kind} of ${target} could not be done: ${String(error)}`);
  }
  // While another lane holds etcd down, what waits for it takes its time.
  await persist(`${kind} of ${target} is put right`, 120_000, world, () => fault.end());
  world.recorder.record({ type: 'fault', phase: 'end', kind, target });
};

const persist = async (what: string, withinMs: number, world: World, task: () => Promise<void>): Promise<void> => {
  await until(what, withinMs, async () => {
    try {
      await task();
      return true;
    } catch (error) {
      world.recorder.note(`not yet: ${what}: ${String(error).slice(0, 200)}`);
      return false;
    }
  });
};

const ENDED = new Set(['completed', 'cancelled', 'failed', 'rejected', 'superseded', 'expired']);
const PLAN_MS = 60_000;

/** Drains and takes back nodes under load, each plan approved by its digest; some are paused, cancelled or rejected on their way. */
export const moveLane = async (world: World, period: Period, random: Random): Promise<void> => {
  while (!period.over) {
    const node = world.agents[Math.floor(random() * world.agents.length)]!;
    const dice = random();
    await attempt(world, `drain ${node}`, () => world.operator.drain(node, false));
    await attempt(world, `plan for ${node}`, () => runPlan(world, period, dice));
    await attempt(world, `take back ${node}`, () => world.operator.drain(node, true));
    await attempt(world, `plan without drain of ${node}`, () => runPlan(world, period, 1));
    await period.pause(1_000 + random() * 4_000);
  }
};

const runPlan = async (world: World, period: Period, dice: number): Promise<void> => {
  const { operator } = world;
  const { plan } = await operator.propose();
  if (!plan) return;
  if (dice < 0.1) {
    await operator.act(plan.id, 'reject');
    return;
  }
  await operator.act(plan.id, 'approve', plan.digest);
  if (dice < 0.3) {
    await period.pause(500);
    await operator.act(plan.id, 'pause');
    await period.pause(1_000);
    await operator.act(plan.id, 'resume');
  } else if (dice < 0.45) {
    await period.pause(1_000);
    await operator.act(plan.id, 'cancel');
  }
  const giveUpAt = performance.now() + PLAN_MS;
  while (performance.now() < giveUpAt && !period.over) {
    const state = await operator.plan(plan.id).then(
      (p) => p.state,
      () => '',
    );
    if (ENDED.has(state)) return;
    await period.pause(300);
  }
};

const attempt = async (world: World, what: string, task: () => Promise<unknown>): Promise<void> => {
  try {
    await task();
  } catch (error) {
    world.recorder.note(`${what}: ${String(error).slice(0, 200)}`);
  }
};
