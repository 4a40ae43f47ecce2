import type { Command } from 'commander';
import { invalid } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import { bytes, count, duration, table } from '../format.js';
import { checkCount } from '../supervisor/topology.js';
import type { Session } from './context.js';
import { act } from './context.js';

interface HeatOptions {
  readonly by: string;
  readonly minutes: string;
  readonly limit: string;
}

const METRICS = ['reads', 'writes', 'bytes', 'p99'];
const MINUTES_MAX = 360;
const LIMIT_MAX = 100;

/** Which partitions are hot, and how that changed: what the page's heat map shows, in a few lines. */
export const addHeatCommand = (keyspace: Command, session: Session): void => {
  const heat = keyspace
    .command('heat')
    .argument('<name>')
    .description('the hottest partitions of the last minutes')
    .option('--by <metric>', METRICS.join(', '), 'reads')
    .option('--minutes <n>', 'of the last n minutes, at most 360', '10')
    .option('--limit <n>', 'so many partitions, at most 100', '10');
  act<HeatOptions>(session, heat, async ({ out, operator }, [name], options) => {
    if (!METRICS.includes(options.by))
      throw invalid('--by', `"${options.by}" is not measured`, `use one of ${METRICS.join(', ')}`);
    const minutes = checkCount('--minutes', options.minutes, 1, MINUTES_MAX);
    const hottest = checkCount('--limit', options.limit, 1, LIMIT_MAX);
    const found = await operator().getHeat({
      keyspace: name!,
      metric: options.by,
      windowMs: minutes * 60_000,
      timeBins: 64,
      buckets: 1,
      hottest,
    });
    out.result(found, () => heatText(found, minutes));
  });
};

const heatText = (heat: Wire.Heat__Output, minutes: number): string => {
  const { keyspace, metric, hottest, sinceMs, measuredTogether } = heat;
  const nowMs = heat.fromMs + heat.steps * heat.stepMs;
  const measuredMs = Math.max(0, nowMs - sinceMs);
  if (hottest.length === 0)
    return `nothing was measured in ${keyspace} in the last ${minutes} min; this control plane measures for ${duration(measuredMs)}\n`;
  const young = measuredMs < minutes * 60_000 ? `measured for ${duration(measuredMs)} only\n` : '';
  const together =
    measuredTogether > 1 ? `${measuredTogether} partitions are measured together, named by their first\n` : '';
  return `${young}${together}${heatTable(hottest)}hottest of ${count(heat.partitions)} partitions by ${metric}, last ${minutes} min: ${spark(heat.values)}\n`;
};

const heatTable = (hottest: readonly Wire.HotPartition__Output[]): string =>
  table(hottest, [
    { title: 'PARTITION', align: 'right', value: (h) => h.partition },
    { title: 'LEADER', value: (h) => h.leader || '-' },
    { title: 'READS/S', align: 'right', value: (h) => rate(h.readsPerSecond) },
    { title: 'WRITES/S', align: 'right', value: (h) => rate(h.writesPerSecond) },
    { title: 'BYTES', align: 'right', value: (h) => bytes(h.bytes) },
    { title: 'P99', align: 'right', value: (h) => (h.p99Ms < 0 ? '-' : `${rate(h.p99Ms)} ms`) },
  ]);

/** Three digits are what there is. */
const rate = (value: number): string =>
  value >= 100 ? count(Math.round(value)) : String(Number(value.toPrecision(3)));

const BARS = '▁▂▃▄▅▆▇█';

/** The hottest partition over time, by its logarithm; a dot where nobody measured. */
const spark = (values: readonly number[]): string => {
  const most = Math.log1p(Math.max(0, ...values));
  return values
    .map((v) => (v < 0 ? '·' : BARS[Math.min(7, Math.floor((most > 0 ? Math.log1p(v) / most : 0) * 7.99))]))
    .join('');
};
