import type { Heat, Metric } from '../model/api.types.js';
import { formatBytes } from '../model/format.js';

export const METRICS: readonly { readonly value: Metric; readonly text: string }[] = [
  { value: 'reads', text: 'reads a second' },
  { value: 'writes', text: 'writes a second' },
  { value: 'bytes', text: 'bytes of a copy' },
  { value: 'p99', text: 'p99 latency' },
];

/** Three digits are what there is. */
export const formatFigure = (metric: Metric, value: number | null): string => {
  if (value === null) return '–';
  if (metric === 'bytes') return formatBytes(value);
  const short = value >= 100 ? Math.round(value).toLocaleString('en') : String(Number(value.toPrecision(3)));
  return metric === 'p99' ? `${short} ms` : `${short}/s`;
};

/** The logarithmic scale of what is shown. */
export interface Scale {
  readonly low: number;
  readonly high: number;
}

const DECADES_MAX = 5;

/** From the least to the most that is shown, at least one decade; undefined where there is nothing above zero. */
export const scaleOf = ({ values }: Heat): Scale | undefined => {
  let low = Number.POSITIVE_INFINITY;
  let high = 0;
  for (const value of values) {
    if (value === null || value <= 0) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (high === 0) return undefined;
  return { low: Math.min(Math.max(low, high / 10 ** DECADES_MAX), high / 10), high };
};

/** 0 to 1; what is below the scale is at its foot. */
export const shareOf = ({ low, high }: Scale, value: number): number =>
  Math.min(1, Math.max(0, Math.log(value / low) / Math.log(high / low)));

/** Of the scale's width, between two figures below it. */
const TICKS_APART = 0.2;

/** Whole decades on the scale where there is room for their figures, with both ends. */
export const ticksOf = (scale: Scale): number[] => {
  const { low, high } = scale;
  const ticks = [low];
  for (let tick = 10 ** Math.ceil(Math.log10(low)); tick < high; tick *= 10) {
    const at = shareOf(scale, tick);
    if (at - shareOf(scale, ticks.at(-1)!) >= TICKS_APART && at <= 1 - TICKS_APART) ticks.push(tick);
  }
  return [...ticks, high];
};

/** From dark blue by green to yellow, lighter all the way: told apart by those who see few colours, and in print. */
const PALETTE = [
  [68, 1, 84],
  [72, 36, 117],
  [65, 68, 135],
  [53, 95, 141],
  [42, 120, 142],
  [33, 145, 140],
  [34, 168, 132],
  [68, 191, 112],
  [122, 209, 81],
  [189, 223, 38],
  [253, 231, 37],
] as const;

/** Measured, and nothing there: below the scale. */
export const COLD = [16, 12, 20] as const;

export const colourAt = (share: number): readonly [number, number, number] => {
  const at = Math.min(1, Math.max(0, share)) * (PALETTE.length - 1);
  const from = PALETTE[Math.floor(at)]!;
  const to = PALETTE[Math.ceil(at)]!;
  const mix = (i: 0 | 1 | 2) => Math.round(from[i] + (to[i] - from[i]) * (at % 1));
  return [mix(0), mix(1), mix(2)];
};

export const gradient = (): string =>
  `linear-gradient(to right, ${PALETTE.map(([r, g, b]) => `rgb(${r} ${g} ${b})`).join(', ')})`;

/** Of the answer: which step of time, and which group of partitions. */
export interface Cell {
  readonly step: number;
  readonly bucket: number;
}

export const valueAt = (heat: Heat, { step, bucket }: Cell): number | null =>
  heat.values[bucket * heat.steps + step] ?? null;

export const partitionsOf = (heat: Heat, bucket: number): { readonly first: number; readonly count: number } => {
  const first = heat.firstPartition + bucket * heat.partitionsPerBucket;
  return { first, count: Math.min(heat.partitionsPerBucket, heat.partitions - first) };
};

export const partitionsText = (heat: Heat, bucket: number): string => {
  const { first, count } = partitionsOf(heat, bucket);
  return count === 1 ? `partition ${first}` : `partitions ${first} to ${first + count - 1}`;
};

export const timeOf = (heat: Heat, step: number): number => heat.fromMs + step * heat.stepMs;

/** What of the map is looked at. Without an end the window goes along with the time. */
export interface View {
  readonly metric: Metric;
  readonly windowMs: number;
  readonly fromMs: number;
  readonly toMs: number;
  readonly firstPartition: number;
  readonly partitions: number;
}

export const WINDOWS = [
  { minutes: 10, text: '10 minutes' },
  { minutes: 60, text: 'hour' },
  { minutes: 360, text: '6 hours' },
] as const;

/** Two corners of a brush to what is shown next. The whole of a side is not narrowed. */
export const zoomed = (heat: Heat, view: View, a: Cell, b: Cell): View => {
  const steps = [Math.min(a.step, b.step), Math.max(a.step, b.step)] as const;
  const buckets = [Math.min(a.bucket, b.bucket), Math.max(a.bucket, b.bucket)] as const;
  const isAllTime = steps[0] === 0 && steps[1] === heat.steps - 1;
  const isAllPartitions = buckets[0] === 0 && buckets[1] === heat.buckets - 1;
  const last = partitionsOf(heat, buckets[1]);
  const first = partitionsOf(heat, buckets[0]).first;
  return {
    ...view,
    ...(!isAllTime && { fromMs: timeOf(heat, steps[0]), toMs: timeOf(heat, steps[1] + 1) }),
    ...(!isAllPartitions && { firstPartition: first, partitions: last.first + last.count - first }),
  };
};

export const queryOf = (view: View, limits: { readonly timeBins: number; readonly buckets: number }): string => {
  const { metric, windowMs, fromMs, toMs, firstPartition, partitions } = view;
  const time = toMs > 0 ? { fromMs, toMs } : { windowMs };
  const all = { metric, ...time, firstPartition, partitions, ...limits, hottest: 10 };
  return new URLSearchParams(Object.entries(all).map(([name, value]) => [name, String(value)])).toString();
};
