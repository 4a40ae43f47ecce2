import { invalid, printable } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import type { KeyspaceLoad } from './keyspace-load.js';
import { COARSE, FINE } from './keyspace-load.js';
import type { LoadRing } from './load-ring.js';
import type { Metric } from './log-scale.js';
import { CODE, METRICS, SCALES } from './log-scale.js';

/** What of a map is asked for. */
export interface Leaders {
  readonly partitions: number;
  leader(partition: number): { readonly id: string } | undefined;
}

export interface HeatQuery {
  readonly keyspace: string;
  readonly metric: string;
  /** 0 stands for `windowMs` before the end. */
  readonly fromMs: number;
  /** 0 stands for now. */
  readonly toMs: number;
  /** 0 stands for ten minutes: who asks need not have the same time. */
  readonly windowMs: number;
  readonly firstPartition: number;
  /** 0 stands for all from there on. */
  readonly partitions: number;
  /** 0 stands for the default, as with the two below. */
  readonly timeBins: number;
  readonly buckets: number;
  readonly hottest: number;
}

export const HEAT_LIMITS = { timeBins: 120, buckets: 256, hottest: 100 } as const;
/** Sixty steps and the ones at both ends, which are not whole. */
const DEFAULTS = { timeBins: 64, buckets: 128, hottest: 10 } as const;
const KEPT_MS = COARSE.stepMs * (COARSE.bins - 1);
const FINE_MS = FINE.stepMs * (FINE.bins - 1);

interface Window {
  readonly metric: Metric;
  readonly ring: LoadRing | undefined;
  /** Of the ring, the first one in. */
  readonly firstBin: number;
  /** Of the ring, in one step of the answer. */
  readonly binsPerStep: number;
  readonly steps: number;
  readonly stepMs: number;
  readonly firstSeries: number;
  readonly series: number;
  readonly perBucket: number;
  readonly buckets: number;
}

/** @throws CadastreError INVALID_ARGUMENT naming the field */
export const heatOf = (
  map: Leaders,
  load: KeyspaceLoad | undefined,
  query: HeatQuery,
  wallMs: number,
  sinceMs: number,
): Wire.Heat => {
  const window = windowOf(map, load, query, wallMs);
  const width = load?.width ?? 1;
  const { metric, stepMs, steps, buckets } = window;
  const figures = figuresOf(window);
  return {
    keyspace: query.keyspace,
    metric,
    fromMs: window.firstBin * (window.stepMs / window.binsPerStep),
    stepMs,
    steps,
    firstPartition: window.firstSeries * width,
    partitionsPerBucket: window.perBucket * width,
    buckets,
    partitions: map.partitions,
    values: valuesOf(window),
    hottest: hottestOf(map, window, width, figures, checkedMost('hottest', query.hottest)),
    sinceMs,
    measuredTogether: width,
    mean: meanOfAll(figures, metric, width),
  };
};

const checkedMost = (field: keyof typeof HEAT_LIMITS, asked: number): number => {
  const least = field === 'timeBins' ? 2 : 1;
  if (!Number.isInteger(asked) || asked < 0 || (asked > 0 && asked < least) || asked > HEAT_LIMITS[field])
    throw invalid(field, `is ${asked}`, 'ask for fewer and zoom in', `${least} to ${HEAT_LIMITS[field]}`);
  return asked || DEFAULTS[field];
};

const metricOf = (asked: string): Metric => {
  const found = METRICS.find((metric) => metric === asked);
  if (!found) throw invalid('metric', `"${printable(asked)}" is not measured`, `use one of ${METRICS.join(', ')}`);
  return found;
};

const spanOf = (
  { fromMs, toMs, windowMs }: HeatQuery,
  wallMs: number,
): { readonly from: number; readonly to: number } => {
  const to = toMs || wallMs;
  const from = fromMs || to - (windowMs || FINE_MS);
  if (!(from >= 0 && from < to))
    throw invalid('fromMs', `${from} is not before ${to}`, 'give a window that begins before it ends');
  if (to - from > KEPT_MS)
    throw invalid('fromMs', `is ${to - from} ms before the end`, 'ask for less', `${KEPT_MS} ms are kept`);
  return { from, to: Math.min(to, wallMs) };
};

const rangeOf = (map: Leaders, { firstPartition, partitions }: HeatQuery) => {
  const end = partitions === 0 ? map.partitions : firstPartition + partitions;
  if (!(firstPartition >= 0 && firstPartition < map.partitions))
    throw invalid(
      'firstPartition',
      `${firstPartition} of ${map.partitions}`,
      'name one that exists',
      `0 to ${map.partitions - 1}`,
    );
  if (!(end > firstPartition && end <= map.partitions))
    throw invalid(
      'partitions',
      `${partitions} from ${firstPartition} on, of ${map.partitions}`,
      'ask for those that exist',
      `1 to ${map.partitions - firstPartition}`,
    );
  return { first: firstPartition, end };
};

const windowOf = (map: Leaders, load: KeyspaceLoad | undefined, query: HeatQuery, wallMs: number): Window => {
  const metric = metricOf(query.metric);
  const { from, to } = spanOf(query, wallMs);
  const { first, end } = rangeOf(map, query);
  const width = load?.width ?? 1;
  const firstSeries = Math.floor(first / width);
  const series = Math.ceil(end / width) - firstSeries;
  const perBucket = Math.ceil(series / checkedMost('buckets', query.buckets));
  // What began within the last ten minutes is known in fine steps; a step of tolerance, for the clock of who asks.
  const shape = from >= wallMs - FINE_MS - FINE.stepMs ? FINE : COARSE;
  const time = stepsOf(from, Math.max(to, from + 1), shape.stepMs, checkedMost('timeBins', query.timeBins));
  return {
    metric,
    ring: load && (shape === FINE ? load.fine : load.coarse),
    ...time,
    firstSeries,
    series,
    perBucket,
    buckets: Math.ceil(series / perBucket),
  };
};

/** Steps lie at multiples of their length, so that the same answer does not shimmer as time goes on. */
const stepsOf = (from: number, to: number, ringStepMs: number, most: number) => {
  for (let binsPerStep = 1; ; binsPerStep += 1) {
    const stepMs = binsPerStep * ringStepMs;
    const firstStep = Math.floor(from / stepMs);
    const steps = Math.ceil(to / stepMs) - firstStep;
    if (steps <= most) return { binsPerStep, stepMs, steps, firstBin: firstStep * binsPerStep };
  }
};

const valuesOf = (window: Window): number[] => {
  const { metric, ring, firstBin, binsPerStep, steps, firstSeries, series, perBucket, buckets } = window;
  const codes = new Uint8Array(buckets * steps);
  for (let step = 0; ring && step < steps; step += 1)
    for (let bin = 0; bin < binsPerStep; bin += 1) {
      const column = ring.column(metric, firstBin + step * binsPerStep + bin);
      for (let bucket = 0; bucket < buckets; bucket += 1) {
        const from = firstSeries + bucket * perBucket;
        const most = mostIn(column, from, Math.min(from + perBucket, firstSeries + series));
        if (most > codes[bucket * steps + step]!) codes[bucket * steps + step] = most;
      }
    }
  return Array.from(codes, (code) => rounded(SCALES[metric].decode(code)));
};

const mostIn = (codes: Uint8Array, from: number, to: number): number => {
  let most = 0;
  for (let i = from; i < to; i += 1) if (codes[i]! > most) most = codes[i]!;
  return most;
};

/** Three digits; -1 where nobody measured. */
const rounded = (value: number | undefined): number => (value === undefined ? -1 : Number(value.toPrecision(3)));

const meanOf = (window: Window, metric: Metric, series: number): number => {
  let sum = 0;
  let known = 0;
  eachCode(window, metric, series, (code) => {
    if (code === CODE.none) return;
    sum += SCALES[metric].decode(code)!;
    known += 1;
  });
  return known === 0 ? -1 : sum / known;
};

const eachCode = (
  { ring, firstBin, steps, binsPerStep }: Window,
  metric: Metric,
  series: number,
  on: (code: number) => void,
) => {
  for (let bin = 0; ring && bin < steps * binsPerStep; bin += 1) on(ring.column(metric, firstBin + bin)[series]!);
};

const mostOf = (window: Window, metric: Metric, series: number): number => {
  let most = 0;
  eachCode(window, metric, series, (code) => (most = Math.max(most, code)));
  return SCALES[metric].decode(most) ?? -1;
};

const lastOf = (window: Window, metric: Metric, series: number): number => {
  let last = 0;
  eachCode(window, metric, series, (code) => (last = code || last));
  return SCALES[metric].decode(last) ?? -1;
};

const FIGURE: Readonly<Record<Metric, (window: Window, metric: Metric, series: number) => number>> = {
  reads: meanOf,
  writes: meanOf,
  bytes: lastOf,
  p99: mostOf,
};

/** One pass over the columns: of all series, for one figure. Six hours of 16,384 are six million of them, so nothing is called here. */
const figuresOf = (window: Window): Float64Array => {
  const { metric, ring, firstBin, steps, binsPerStep, firstSeries, series } = window;
  const values = SCALES[metric].table;
  const figures = new Float64Array(series);
  const known = new Uint16Array(series);
  const isMean = metric === 'reads' || metric === 'writes';
  for (let bin = 0; ring && bin < steps * binsPerStep; bin += 1) {
    const column = ring.column(metric, firstBin + bin);
    for (let s = 0; s < series; s += 1) {
      const code = column[firstSeries + s]!;
      if (code === CODE.none) continue;
      const value = values[code]!;
      if (isMean) figures[s]! += value;
      else if (metric === 'bytes' || value > figures[s]!) figures[s] = value;
      known[s]! += 1;
    }
  }
  return isMean ? figures.map((sum, s) => sum / Math.max(1, known[s]!)) : figures;
};

const meanOfAll = (figures: Float64Array, metric: Metric, width: number): number => {
  if (metric === 'p99') return rounded(figures.reduce((most, value) => Math.max(most, value), 0));
  return rounded(figures.reduce((sum, value) => sum + value, 0) / (figures.length * width));
};

const hottestOf = (
  map: Leaders,
  window: Window,
  width: number,
  figures: Float64Array,
  most: number,
): Wire.HotPartition[] => {
  const order = Array.from(figures.keys()).filter((s) => figures[s]! > 0);
  order.sort((a, b) => figures[b]! - figures[a]! || a - b);
  return order.slice(0, most).map((s) => {
    const series = window.firstSeries + s;
    const figure = (metric: Metric) => rounded(FIGURE[metric](window, metric, series));
    return {
      partition: series * width,
      leader: map.leader(series * width)?.id ?? '',
      readsPerSecond: Math.max(0, figure('reads')),
      writesPerSecond: Math.max(0, figure('writes')),
      bytes: Math.max(0, Math.round(figure('bytes'))),
      p99Ms: figure('p99'),
    };
  });
};
