import type { Wire } from '@cadastre/contracts';
import type { HeatJson, PlanJson } from './schemas.js';

const known = (value: number | string | undefined): number | null => {
  const read = Number(value ?? -1);
  return read < 0 ? null : read;
};

/** The message as JSON for people: null for what nobody measured. */
export const heatJson = (wire: Wire.Heat): HeatJson => ({
  keyspace: wire.keyspace ?? '',
  metric: (wire.metric ?? '') as HeatJson['metric'],
  fromMs: Number(wire.fromMs ?? 0),
  stepMs: Number(wire.stepMs ?? 0),
  steps: wire.steps ?? 0,
  firstPartition: wire.firstPartition ?? 0,
  partitionsPerBucket: wire.partitionsPerBucket ?? 0,
  buckets: wire.buckets ?? 0,
  partitions: wire.partitions ?? 0,
  values: (wire.values ?? []).map(known),
  hottest: (wire.hottest ?? []).map((hot) => ({
    partition: hot.partition ?? 0,
    leader: hot.leader ?? '',
    readsPerSecond: Number(hot.readsPerSecond ?? 0),
    writesPerSecond: Number(hot.writesPerSecond ?? 0),
    bytes: Number(hot.bytes ?? 0),
    p99Ms: known(hot.p99Ms),
  })),
  sinceMs: Number(wire.sinceMs ?? 0),
  mean: Number(wire.mean ?? 0),
  measuredTogether: wire.measuredTogether ?? 1,
});

type RunLatencyJson = NonNullable<PlanJson['latency']>;

const ms = (micros: Wire.LatencyFigure['p50Us']): number => Number(micros ?? 0) / 1_000;

const figureJson = (wire: Wire.LatencyFigure | null | undefined): RunLatencyJson['before'] => ({
  answers: Number(wire?.answers ?? 0),
  p50Ms: ms(wire?.p50Us),
  p99Ms: ms(wire?.p99Us),
});

export const runLatencyJson = (wire: Wire.RunLatency): RunLatencyJson => ({
  before: figureJson(wire.before),
  during: figureJson(wire.during),
  after: wire.after ? figureJson(wire.after) : null,
  stepMs: Number(wire.stepMs ?? 0),
  points: (wire.points ?? []).map(({ atMs, figure }) => ({ atMs: Number(atMs ?? 0), figure: figureJson(figure) })),
});
