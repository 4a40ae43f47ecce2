/** 32 steps in each doubling: a figure is at most 1/32 (3.1 %) too high. */
const STEPS_LOG2 = 5;
const STEPS = 1 << STEPS_LOG2;
const DOUBLINGS = 31;

const bucketOf = (micros: number): number => {
  if (micros < STEPS) return micros;
  const shift = 31 - Math.clz32(micros) - STEPS_LOG2;
  return (shift + 1) * STEPS + ((micros >>> shift) - STEPS);
};

const upperBoundOf = (bucket: number): number => {
  if (bucket < STEPS) return bucket;
  const shift = Math.floor(bucket / STEPS) - 1;
  return ((bucket % STEPS) + STEPS + 1) * 2 ** shift - 1;
};

export interface LatencySummary {
  readonly count: number;
  readonly meanMs: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
}

/** Latencies in buckets of constant relative width (the idea of HdrHistogram): recording allocates nothing and never samples. */
export class LatencyRecorder {
  private readonly counts = new Float64Array(STEPS * DOUBLINGS);
  private count = 0;
  private sumMs = 0;
  private maxMs = 0;

  record(ms: number): void {
    const micros = Math.min(0x7fffffff, Math.max(0, Math.round(ms * 1000)));
    const bucket = bucketOf(micros);
    this.counts[bucket] = this.counts[bucket]! + 1;
    this.count += 1;
    this.sumMs += ms;
    if (ms > this.maxMs) this.maxMs = ms;
  }

  /** @param share 0 to 1 @returns milliseconds, 0 when nothing was recorded */
  quantile(share: number): number {
    const wanted = Math.max(1, Math.ceil(share * this.count));
    let seen = 0;
    for (let bucket = 0; bucket < this.counts.length && this.count > 0; bucket += 1) {
      seen += this.counts[bucket]!;
      if (seen >= wanted) return Math.min(this.maxMs, upperBoundOf(bucket) / 1000);
    }
    return this.maxMs;
  }

  summary(): LatencySummary {
    const q = (share: number) => this.quantile(share);
    const meanMs = this.count === 0 ? 0 : this.sumMs / this.count;
    return {
      count: this.count,
      meanMs,
      p50Ms: q(0.5),
      p95Ms: q(0.95),
      p99Ms: q(0.99),
      p999Ms: q(0.999),
      maxMs: this.maxMs,
    };
  }

  /** Adds what another recorder has, e.g. of another worker. */
  merge(other: LatencyRecorder): void {
    other.counts.forEach((n, bucket) => (this.counts[bucket] = this.counts[bucket]! + n));
    this.count += other.count;
    this.sumMs += other.sumMs;
    this.maxMs = Math.max(this.maxMs, other.maxMs);
  }

  reset(): void {
    this.counts.fill(0);
    this.count = 0;
    this.sumMs = 0;
    this.maxMs = 0;
  }
}
