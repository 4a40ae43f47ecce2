import { countOf, isFinal, LATENCY_BUCKETS, latencyQuantile } from '@cadastre/core';
import type { LatencyFigure, PlanView, RegisterState, RunLatency } from '@cadastre/store';
import type { LatencyDelta } from './load-ring.js';

/** Of the time after a run. */
export const AFTER_MS = 60_000;
/** For how long after that its figures are at hand, should nobody have written them down yet. */
const KEPT_MS = 300_000;
export const POINTS_MAX = 120;
const FIRST_STEP_MS = 1_000;

interface Run {
  readonly startedMs: number;
  readonly partitions: ReadonlyMap<string, ReadonlySet<number>>;
  readonly before: Float64Array;
  readonly during: Float64Array;
  readonly after: Float64Array;
  stepMs: number;
  /** By step since the beginning; a step without answers has none. */
  steps: Map<number, Float64Array>;
  endedMs: number | undefined;
}

/** Latencies of a partition before now, added to counts. */
type AddRecent = (keyspace: string, partitions: Iterable<number>, into: Float64Array) => void;

const counts = (): Float64Array => new Float64Array(LATENCY_BUCKETS);

/**
 * What clients feel of the runs: latencies of the partitions that a plan touches, before, while and after it runs. Of each run a bounded
 * number of steps, which get longer with it. Soft: who became a replica in the middle of a run knows the rest of it.
 */
export class RunLatencies {
  private readonly runs = new Map<string, Run>();

  /** Takes up what has begun, notes what has ended, forgets what is over. */
  sync(state: RegisterState, nowMs: number, addRecent: AddRecent): void {
    for (const plan of state.plans.values()) this.look(plan, nowMs, addRecent);
    for (const [id, { endedMs }] of this.runs)
      if (!state.plans.has(id) || (endedMs !== undefined && nowMs > endedMs + AFTER_MS + KEPT_MS)) this.runs.delete(id);
  }

  private look({ head, body }: PlanView, nowMs: number, addRecent: AddRecent): void {
    const known = this.runs.get(head.id);
    if (known && isFinal(head.state)) known.endedMs ??= head.endedMs || nowMs;
    if (known || isFinal(head.state) || !head.startedMs) return;
    const partitions = new Map<string, Set<number>>();
    for (const { keyspace, partition } of body.moves) {
      const of = partitions.get(keyspace) ?? new Set();
      partitions.set(keyspace, of.add(partition));
    }
    const before = counts();
    // Begun before this replica knew of it: what there is by now is no before.
    if (nowMs - head.startedMs < AFTER_MS / 2) for (const [keyspace, of] of partitions) addRecent(keyspace, of, before);
    this.runs.set(head.id, {
      startedMs: head.startedMs,
      partitions,
      before,
      during: counts(),
      after: counts(),
      stepMs: FIRST_STEP_MS,
      steps: new Map(),
      endedMs: undefined,
    });
  }

  onLatency(keyspace: string, partition: number, latency: LatencyDelta, atMs: number): void {
    for (const run of this.runs.values()) {
      if (!run.partitions.get(keyspace)?.has(partition)) continue;
      if (run.endedMs === undefined) addDuring(run, latency, atMs);
      else if (atMs <= run.endedMs + AFTER_MS) add(run.after, latency);
    }
  }

  /** Undefined where this replica measured nothing of it. */
  latencyOf(plan: string): RunLatency | undefined {
    const run = this.runs.get(plan);
    if (!run) return undefined;
    const points = [...run.steps]
      .sort(([a], [b]) => a - b)
      .map(([step, of]) => ({ atMs: run.startedMs + step * run.stepMs, figure: figureOf(of) }));
    return { before: figureOf(run.before), during: figureOf(run.during), stepMs: run.stepMs, points };
  }

  /** So far, or once a minute has passed since the end, for good. Undefined before the end. */
  afterOf(plan: string): LatencyFigure | undefined {
    const run = this.runs.get(plan);
    return run?.endedMs === undefined ? undefined : figureOf(run.after);
  }
}

const figureOf = (of: Float64Array): LatencyFigure => {
  const micros = (share: number) => Math.round((latencyQuantile(of, share) ?? 0) * 1_000);
  return { answers: countOf(of), p50Us: micros(0.5), p99Us: micros(0.99) };
};

const add = (into: Float64Array, { first, counts: more }: LatencyDelta): void => {
  for (let i = 0; i < more.length; i += 1) into[first + i] = into[first + i]! + more[i]!;
};

const addDuring = (run: Run, latency: LatencyDelta, atMs: number): void => {
  add(run.during, latency);
  const sinceMs = Math.max(0, atMs - run.startedMs);
  while (sinceMs >= run.stepMs * POINTS_MAX) halve(run);
  const step = Math.floor(sinceMs / run.stepMs);
  const of = run.steps.get(step) ?? counts();
  add(of, latency);
  run.steps.set(step, of);
};

/** Each two steps become one. */
const halve = (run: Run): void => {
  const merged = new Map<number, Float64Array>();
  for (const [step, of] of run.steps) {
    const half = Math.floor(step / 2);
    const into = merged.get(half);
    if (into) add(into, { first: 0, counts: Array.from(of) });
    else merged.set(half, of);
  }
  run.steps = merged;
  run.stepMs *= 2;
};
