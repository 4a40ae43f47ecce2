import { LATENCY_BUCKETS } from '@cadastre/core';
import type { LatencyDelta, RingShape } from './load-ring.js';
import { LoadRing } from './load-ring.js';

/** Ten minutes in steps of ten seconds, six hours in steps of a minute, and the step that is open. */
export const FINE: RingShape = { stepMs: 10_000, bins: 61 };
export const COARSE: RingShape = { stepMs: 60_000, bins: 361 };

/** What the partitions of one keyspace did of late. Where there are too many, neighbours share a series. */
export class KeyspaceLoad {
  readonly series: number;
  /** Partitions in one series. */
  readonly width: number;
  readonly fine: LoadRing;
  readonly coarse: LoadRing;
  private readonly sizes: Float64Array;
  private readonly sizeOf: Float32Array;
  /** Latencies of the last whole minute: what there was before a run that begins now. */
  private readonly lastMinute: Uint32Array;

  /** @param id of the keyspace: one that is made anew under its name is another */
  constructor(
    readonly id: string,
    readonly partitions: number,
    seriesMax: number,
  ) {
    this.width = Math.ceil(partitions / Math.max(1, Math.min(partitions, seriesMax)));
    this.series = Math.ceil(partitions / this.width);
    this.fine = new LoadRing(this.series, FINE);
    this.coarse = new LoadRing(this.series, COARSE);
    this.sizes = new Float64Array(this.series);
    this.sizeOf = new Float32Array(partitions);
    this.lastMinute = new Uint32Array(this.series * LATENCY_BUCKETS);
  }

  get bytes(): number {
    const own = this.sizes.byteLength + this.sizeOf.byteLength + this.lastMinute.byteLength;
    return this.fine.bytes + this.coarse.bytes + own;
  }

  advance(nowMs: number): void {
    this.fine.advance(nowMs, this.sizes);
    this.coarse.advance(nowMs, this.sizes, (latencies) => this.lastMinute.set(latencies));
  }

  settle(): void {
    this.fine.settle(this.sizes);
    this.coarse.settle(this.sizes);
  }

  /** Of the replica that leads. */
  lead(partition: number, bytes: number, fromMs: number, toMs: number): void {
    const series = this.seriesOf(partition);
    const size = Math.fround(bytes); // what the sum takes off later must be what it took in
    this.sizes[series] = this.sizes[series]! + size - this.sizeOf[partition]!;
    this.sizeOf[partition] = size;
    this.fine.cover(series, fromMs, toMs);
    this.coarse.cover(series, fromMs, toMs);
  }

  add(
    partition: number,
    fromMs: number,
    toMs: number,
    delta: { readonly reads: number; readonly writes: number; readonly latency: LatencyDelta | undefined },
  ): void {
    const whole = { series: this.seriesOf(partition), fromMs, toMs, ...delta };
    this.fine.add(whole);
    this.coarse.add(whole);
  }

  /** Latencies of the last one to two minutes. */
  addRecentLatencies(series: number, into: Float64Array): void {
    const open = this.coarse.latenciesOf(series);
    for (let i = 0; i < LATENCY_BUCKETS; i += 1)
      into[i] = into[i]! + open[i]! + this.lastMinute[series * LATENCY_BUCKETS + i]!;
  }

  seriesOf(partition: number): number {
    return Math.floor(partition / this.width);
  }
}
