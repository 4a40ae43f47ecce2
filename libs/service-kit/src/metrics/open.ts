import { readFileSync } from 'node:fs';
import type { Logger, MetricTable, Readings } from '@cadastre/runtime';
import type { MetricsEndpoint } from './endpoint.js';
import { serveMetrics } from './endpoint.js';
import type { ProcessFacts } from './process-metrics.js';
import { PROCESS_METRICS, processReadings } from './process-metrics.js';
import { Metrics } from './registry.js';

export interface OpenMetricsOptions<Table extends MetricTable> {
  /** host:port; undefined: nothing is opened. */
  readonly listen: string | undefined;
  readonly facts: Omit<ProcessFacts, 'version'>;
  readonly table: Table;
  readonly readings: Readings<Table>;
  readonly logger: Logger;
}

/** Of this process: the library is of the same release as the programs. */
export const version = (): string => {
  const { version: text } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  return text;
};

/** @throws CadastreError UNAVAILABLE when the port is taken */
export const openMetrics = async <Table extends MetricTable>({
  listen,
  facts,
  table,
  readings,
  logger,
}: OpenMetricsOptions<Table>): Promise<MetricsEndpoint | undefined> => {
  if (listen === undefined) return undefined;
  const metrics = new Metrics()
    .expose(PROCESS_METRICS, processReadings({ ...facts, version: version() }))
    .expose(table, readings)
    .exposeProcess();
  return serveMetrics(listen, metrics, logger);
};
