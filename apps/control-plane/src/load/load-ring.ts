import { LATENCY_BUCKETS, latencyQuantile } from '@cadastre/core';
import type { Metric } from './log-scale.js';
import { CODE, METRICS, SCALES } from './log-scale.js';

export interface RingShape {
  readonly stepMs: number;
  readonly bins: number;
}

/** Answers since the report before, by bucket from `first` on. */
export interface LatencyDelta {
  readonly first: number;
  readonly counts: readonly number[];
}

/** What one report says of one series: between two moments so much more. */
export interface LoadDelta {
  readonly series: number;
  readonly fromMs: number;
  readonly toMs: number;
  readonly reads: number;
  readonly writes: number;
  readonly latency: LatencyDelta | undefined;
}

/**
 * The last `bins` steps of time for a fixed number of series, four bytes each. Only the step that is open is kept exactly (rates as
 * floats, latencies as counts); one that closes becomes codes. Nothing grows.
 */
export class LoadRing {
  private readonly cells: Readonly<Record<Metric, Uint8Array>>;
  private readonly reads: Float32Array;
  private readonly writes: Float32Array;
  private readonly latencies: Uint32Array;
  private readonly covered: Uint8Array;
  /** Number of the open step since 1970. */
  private open = -1;
  private coveredFromMs = Number.POSITIVE_INFINITY;
  private coveredUntilMs = 0;

  constructor(
    readonly series: number,
    readonly shape: RingShape,
  ) {
    const size = series * shape.bins;
    const column = () => new Uint8Array(size);
    this.cells = { reads: column(), writes: column(), bytes: column(), p99: column() };
    this.reads = new Float32Array(series);
    this.writes = new Float32Array(series);
    this.latencies = new Uint32Array(series * LATENCY_BUCKETS);
    this.covered = new Uint8Array(series);
  }

  /** Bytes that it takes, whatever happens. */
  get bytes(): number {
    const open = this.reads.byteLength + this.writes.byteLength + this.latencies.byteLength + this.covered.byteLength;
    return this.cells.reads.byteLength * METRICS.length + open;
  }

  /** Closes what is over. @param sizes bytes of each series, as of now @param onClose latencies of the open step, before they go */
  advance(nowMs: number, sizes: Float64Array, onClose?: (latencies: Uint32Array) => void): void {
    const now = Math.floor(nowMs / this.shape.stepMs);
    if (this.open < 0) this.open = now;
    if (now <= this.open) return;
    this.settle(sizes, this.shape.stepMs * (this.open + 1));
    onClose?.(this.latencies);
    this.reads.fill(0);
    this.writes.fill(0);
    this.latencies.fill(0);
    this.covered.fill(0);
    const first = Math.max(this.open + 1, now - this.shape.bins + 1);
    for (let bin = first; bin <= now; bin += 1) this.clear(bin);
    this.open = now;
  }

  add({ series, fromMs, toMs, reads, writes, latency }: LoadDelta): void {
    const { stepMs } = this.shape;
    const spanMs = toMs - fromMs;
    if (this.open < 0 || spanMs <= 0) return;
    const openMs = this.open * stepMs;
    const share = Math.max(0, Math.min(1, (toMs - openMs) / spanMs));
    this.reads[series] = this.reads[series]! + reads * share;
    this.writes[series] = this.writes[series]! + writes * share;
    if (latency) this.addLatency(series, latency);
    if (fromMs < openMs) this.addOlder(series, fromMs, toMs, reads, writes, latency);
  }

  /** Somebody who leads it has spoken of it: what was not counted is zero, not unknown. */
  cover(series: number, fromMs: number, toMs: number): void {
    const { stepMs } = this.shape;
    if (toMs > this.open * stepMs) this.covered[series] = 1;
    this.coveredFromMs = Math.min(this.coveredFromMs, fromMs);
    this.coveredUntilMs = Math.max(this.coveredUntilMs, toMs);
    if (fromMs < this.open * stepMs)
      for (let bin = this.oldest(fromMs); bin < this.open; bin += 1)
        for (const metric of ['reads', 'writes'] as const) {
          const at = this.at(bin, series);
          if (this.cells[metric][at] === CODE.none) this.cells[metric][at] = CODE.zero;
        }
  }

  /** Writes the codes of the open step as it is by now, so that `cells` are all there is to read. */
  settle(sizes: Float64Array, untilMs = this.coveredUntilMs): void {
    if (this.open < 0) return;
    const openMs = this.open * this.shape.stepMs;
    const measuredMs = Math.max(
      1,
      Math.min(untilMs, openMs + this.shape.stepMs) - Math.max(openMs, this.coveredFromMs),
    );
    const perSecond = 1_000 / measuredMs;
    const base = this.at(this.open, 0);
    for (let s = 0; s < this.series; s += 1) {
      if (this.covered[s] === 0 && this.reads[s] === 0 && this.writes[s] === 0) continue;
      const at = base + s;
      this.cells.reads[at] = SCALES.reads.encode(this.reads[s]! * perSecond);
      this.cells.writes[at] = SCALES.writes.encode(this.writes[s]! * perSecond);
      if (this.covered[s] === 1) this.cells.bytes[at] = SCALES.bytes.encode(sizes[s]!);
      const p99 = latencyQuantile(this.latenciesOf(s), 0.99);
      this.cells.p99[at] = p99 === undefined ? CODE.none : SCALES.p99.encode(p99);
    }
  }

  latenciesOf(series: number): Uint32Array {
    return this.latencies.subarray(series * LATENCY_BUCKETS, (series + 1) * LATENCY_BUCKETS);
  }

  /** The codes of one step: one byte a series. None of a step that it does not have. */
  column(metric: Metric, bin: number): Uint8Array {
    if (bin > this.open || bin <= this.open - this.shape.bins) return new Uint8Array(this.series);
    const at = this.at(bin, 0);
    return this.cells[metric].subarray(at, at + this.series);
  }

  private addLatency(series: number, { first, counts }: LatencyDelta): void {
    const base = series * LATENCY_BUCKETS + first;
    for (let i = 0; i < counts.length; i += 1) this.latencies[base + i] = this.latencies[base + i]! + counts[i]!;
  }

  /** A report that reaches back into closed steps: its rate goes there too, and its latencies where there are none. */
  private addOlder(
    series: number,
    fromMs: number,
    toMs: number,
    reads: number,
    writes: number,
    latency: LatencyDelta | undefined,
  ): void {
    const { stepMs } = this.shape;
    for (let bin = this.oldest(fromMs); bin < this.open; bin += 1) {
      const overlapMs = Math.min(toMs, (bin + 1) * stepMs) - Math.max(fromMs, bin * stepMs);
      if (overlapMs <= 0) continue;
      const perSecond = ((overlapMs / (toMs - fromMs)) * 1_000) / stepMs;
      this.raise('reads', bin, series, reads * perSecond);
      this.raise('writes', bin, series, writes * perSecond);
      const at = this.at(bin, series);
      if (latency && this.cells.p99[at] === CODE.none) this.cells.p99[at] = SCALES.p99.encode(p99Of(latency));
    }
  }

  private raise(metric: 'reads' | 'writes', bin: number, series: number, by: number): void {
    const at = this.at(bin, series);
    const scale = SCALES[metric];
    this.cells[metric][at] = scale.encode((scale.decode(this.cells[metric][at]!) ?? 0) + by);
  }

  private oldest(fromMs: number): number {
    return Math.max(Math.floor(fromMs / this.shape.stepMs), this.open - this.shape.bins + 1, 0);
  }

  private at(bin: number, series: number): number {
    return (bin % this.shape.bins) * this.series + series;
  }

  private clear(bin: number): void {
    const at = this.at(bin, 0);
    for (const metric of METRICS) this.cells[metric].fill(CODE.none, at, at + this.series);
  }
}

const p99Of = ({ first, counts }: LatencyDelta): number => {
  const whole = new Float64Array(LATENCY_BUCKETS);
  whole.set(counts, first);
  return latencyQuantile(whole, 0.99) ?? 0;
};
