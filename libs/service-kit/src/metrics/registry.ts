import { type Metric, type MetricTable, type Readings, Histogram } from '@cadastre/runtime';
import { collectDefaultMetrics, type Metric as PromMetric, Registry } from 'prom-client';

interface Sample {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  readonly metricName?: string;
}

/** One metric as prom-client's registry asks for it: read anew at each scrape, so that nothing is kept twice and nothing goes stale. */
class ReadMetric {
  readonly name: string;

  constructor(
    private readonly metric: Metric,
    private readonly read: Readings<MetricTable>[string],
  ) {
    this.name = metric.name;
  }

  get(): Promise<object> {
    const { name, help, kind } = this.metric;
    const values: Sample[] = [];
    this.read((value, ...labels) => {
      const labelled = this.labelled(labels);
      if (value instanceof Histogram) values.push(...samplesOf(name, value, labelled));
      else if (Number.isFinite(value)) values.push({ labels: labelled, value });
    });
    return Promise.resolve({ name, help, type: kind, values, aggregator: 'sum' });
  }

  /** For Registry.resetMetrics; what is read has nothing to reset. */
  reset(): void {
    return undefined;
  }

  private labelled(values: readonly string[]): Record<string, string> {
    const { name, labels } = this.metric;
    if (values.length !== labels.length)
      throw new Error(`${name} has the labels ${labels.join()}, and was given ${values.length} values`);
    return Object.fromEntries(labels.map((label, i) => [label, values[i]!]));
  }
}

const samplesOf = (name: string, { bounds, counts, sum }: Histogram, labels: Record<string, string>): Sample[] => {
  const samples: Sample[] = [];
  let below = 0;
  bounds.forEach((bound, i) => {
    below += counts[i]!;
    samples.push({ metricName: `${name}_bucket`, labels: { le: bound, ...labels }, value: below });
  });
  below += counts[bounds.length]!;
  samples.push({ metricName: `${name}_bucket`, labels: { le: '+Inf', ...labels }, value: below });
  samples.push({ metricName: `${name}_sum`, labels, value: sum });
  samples.push({ metricName: `${name}_count`, labels, value: below });
  return samples;
};

/** All that one process exposes: its own tables, and what prom-client says of every Node process (CPU, memory, event loop, collections). */
export class Metrics {
  private readonly registry = new Registry();
  private scrape: Promise<string> | undefined;

  readonly contentType = this.registry.contentType;

  expose<Table extends MetricTable>(table: Table, readings: Readings<Table>): this {
    for (const [key, metric] of Object.entries(table))
      this.registry.registerMetric(new ReadMetric(metric, readings[key]!) as unknown as PromMetric);
    return this;
  }

  /** Begins to observe the event loop and the collector of garbage; for a process that is its own, not for tests beside each other. */
  exposeProcess(): this {
    collectDefaultMetrics({ register: this.registry });
    return this;
  }

  /** In the text format of Prometheus. Who asks while it is being made is given the same. */
  text(): Promise<string> {
    this.scrape ??= this.registry.metrics().finally(() => (this.scrape = undefined));
    return this.scrape;
  }
}
