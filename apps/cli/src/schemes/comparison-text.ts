import { bar, count, percent, plural, table } from '../format.js';
import { RANGE_SHARE, type Row } from './comparison.js';
import { type JoinRow, type JoinSetting, tidy } from './join-model.js';
import type { VnodeRow } from './vnode-spread.js';

export interface Comparison {
  readonly nodes: number;
  readonly add: number;
  readonly keys: number;
  readonly fairShare: number;
  readonly schemes: readonly Row[];
  readonly vnodeSpread: readonly VnodeRow[];
  readonly join: JoinSetting & { readonly rows: readonly JoinRow[] };
}

const BAR = 20;
/** A full bar of the standard deviation: a node with twice the mean stands out well before it. */
const DEVIATION_FULL = 0.5;

/** A comparison for people: one line a scheme with bars, then the example of a joining node. */
export const comparisonText = (c: Comparison): string =>
  `${plural(c.keys, 'key')}; ${plural(c.add, 'node')} join${c.add === 1 ? 's' : ''} ${c.nodes}; ` +
  `the least that can move is ${percent(c.fairShare)}\n\n${schemeTable(c)}${notes(c)}\n${vnodeText(c)}\n${joinText(c)}`;

const schemeTable = ({ schemes }: Comparison): string =>
  table(schemes, [
    { title: 'SCHEME', value: (r) => (r.offered ? r.scheme : `! ${r.scheme}`) },
    { title: 'PARTITIONS', align: 'right', value: (r) => count(r.partitions) },
    { title: 'KEYS MOVED', value: (r) => `${bar(r.moved, BAR)} ${fine(r.moved).padStart(6)}` },
    { title: 'LOAD: STANDARD DEVIATION', value: (r) => deviation(r.spreadBefore.standardDeviation) },
    { title: 'MAX/MEAN', align: 'right', value: (r) => r.spreadBefore.maxOverMean.toFixed(3) },
    {
      title: `RANGE OF ${percent(RANGE_SHARE)} ASKS`,
      value: ({ rangeQuery: q }) => `${bar(q.partitions / q.of, BAR)} ${count(q.partitions)} of ${count(q.of)}`,
    },
  ]);

const deviation = (share: number): string => `${bar(share / DEVIATION_FULL, BAR)} ${fine(share).padStart(6)}`;

const fine = (share: number): string => `${(share * 100).toFixed(1)} %`;

const notes = ({ schemes }: Comparison): string => {
  const lines = schemes.filter((r) => r.note !== undefined).map((r) => `  ${r.scheme}: ${r.note}\n`);
  return lines.length === 0 ? '' : `\n${lines.join('')}`;
};

/** The figures of the table are of one ring each, whose names may be lucky: these are of many. */
const vnodeText = ({ nodes, vnodeSpread }: Comparison): string =>
  `md5-ring of ${plural(nodes, 'node')}, rings of other names; standard deviation of load:\n${table(vnodeSpread, [
    { title: 'VNODES', align: 'right', value: (r) => r.vnodes },
    { title: 'MEDIAN RING', value: (r) => deviation(r.median) },
    { title: '1 IN 10 ABOVE', align: 'right', value: (r) => fine(r.p90) },
    { title: 'RANDOM TOKENS: sqrt((N-1)/(NV+1))', align: 'right', value: (r) => fine(r.expected) },
    { title: 'RINGS', align: 'right', value: (r) => r.rings },
  ])}`;

const joinText = ({ join }: Comparison): string => {
  const heading = `${tidy(join.dataGb)} GB on ${plural(join.nodes, 'node')}, one more joins; moved:\n`;
  return (
    heading +
    table(join.rows, [
      { title: 'PARTITIONING', value: (r) => r.partitioning },
      { title: 'GB', align: 'right', value: (r) => tidy(r.movedGb) },
      { title: '', value: (r) => bar(r.movedGb / join.dataGb, BAR) },
      { title: 'BECAUSE', value: (r) => r.because },
    ])
  );
};
