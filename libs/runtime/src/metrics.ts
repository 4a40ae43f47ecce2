/** What a program says of itself. Where work is done it is counted in plain numbers; names and forms come in only when somebody asks. */

/** Upper bounds in seconds: 100 us to 30 s, for answers of a local store as for those that wait for a failover. */
export const DURATION_BOUNDS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
] as const;

/** Observations counted by size; one more bucket is for those above all bounds. To observe allocates nothing. */
export class Histogram {
  readonly counts: Float64Array;
  sum = 0;

  /** @param bounds ascending; a value that equals a bound counts below it */
  constructor(readonly bounds: readonly number[] = DURATION_BOUNDS) {
    this.counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    const { bounds, counts } = this;
    let bucket = 0;
    while (bucket < bounds.length && value > bounds[bucket]!) bucket += 1;
    counts[bucket] = counts[bucket]! + 1;
    this.sum += value;
  }

  get count(): number {
    let count = 0;
    for (const n of this.counts) count += n;
    return count;
  }
}

export type MetricKind = 'counter' | 'gauge' | 'histogram';

/** One line of the table in docs/operations.md. Names and units follow Prometheus: base units, `_total` for counters. */
export interface Metric {
  readonly name: string;
  readonly kind: MetricKind;
  readonly help: string;
  /** Names of labels, each with few values: a keyspace, a node, a code; never a partition, a key or a client. */
  readonly labels: readonly string[];
}

export type MetricTable = Readonly<Record<string, Metric>>;

const metric =
  (kind: MetricKind) =>
  (name: string, help: string, ...labels: string[]): Metric => ({ name, kind, help, labels });

export const counter = metric('counter');
export const gauge = metric('gauge');
export const histogram = metric('histogram');

/** Gives one value, with a value for each label of the metric in their order. */
export type Emit = (value: number | Histogram, ...labels: string[]) => void;

/** How each metric of a table is read, whole, when somebody asks: one that is forgotten does not compile. */
export type Readings<Table extends MetricTable> = { readonly [K in keyof Table]: (emit: Emit) => void };
