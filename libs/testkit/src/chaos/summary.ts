import type { HistoryReport, Violation, Window } from '../checkers/index.js';
import { describeViolation, groupBy } from '../checkers/index.js';
import type { ChaosOptions } from './options.js';

export interface Summary {
  readonly scenario: string;
  readonly seed: number;
  readonly network: string;
  readonly minutes: number;
  readonly operations: number;
  readonly operationsPerSecond: number;
  readonly failed: number;
  readonly unknown: number;
  readonly keys: number;
  readonly events: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly moves: number;
  readonly plans: number;
  /** Times in which a partition answered nobody for more than half a second, as clients felt it. */
  readonly windows: {
    readonly count: number;
    readonly p50Ms: number;
    readonly p99Ms: number;
    readonly maxMs: number;
    readonly worst: string;
    /** Of each partition that had any, milliseconds in all and the longest, the worst first. */
    readonly partitions: readonly {
      readonly partition: string;
      readonly totalMs: number;
      readonly longestMs: number;
    }[];
  };
  readonly lostWrites: number;
  readonly nonLinearizableKeys: number;
  readonly unapprovedMoves: number;
  readonly violations: number;
  readonly verdict: 'pass' | 'FAIL';
}

export interface Outcome {
  readonly options: ChaosOptions;
  readonly network: string;
  readonly report: HistoryReport;
  readonly violations: readonly Violation[];
  readonly loadMs: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly plans: number;
}

export const summarise = ({ options, network, report, violations, loadMs, faults, plans }: Outcome): Summary => {
  const lengths = report.windows.map((w) => w.ms).sort((a, b) => a - b);
  const at = (share: number): number =>
    Math.round(lengths[Math.min(lengths.length - 1, Math.floor(lengths.length * share))] ?? 0);
  const worst = report.windows[0];
  const count = (...rules: string[]): number => violations.filter((v) => rules.includes(v.rule)).length;
  return {
    scenario: options.scenario,
    seed: options.seed,
    network,
    minutes: Math.round(loadMs / 600) / 100,
    operations: report.calls,
    operationsPerSecond: Math.round((report.calls - report.failed - report.unknown) / (loadMs / 1000)),
    failed: report.failed,
    unknown: report.unknown,
    keys: report.keys,
    events: report.events,
    faults,
    moves: report.moves,
    plans,
    windows: {
      count: lengths.length,
      p50Ms: at(0.5),
      p99Ms: at(0.99),
      maxMs: Math.round(worst?.ms ?? 0),
      worst: worst ? `${worst.partition} at ${worst.from.toFixed(0)}` : '',
      partitions: perPartition(report.windows),
    },
    lostWrites: count('lost-write'),
    nonLinearizableKeys: count('linearizable', 'undecided'),
    unapprovedMoves: count('INV-6', 'INV-7'),
    violations: violations.length,
    verdict: violations.length === 0 ? 'pass' : 'FAIL',
  };
};

const perPartition = (windows: readonly Window[]): Summary['windows']['partitions'] =>
  [...groupBy(windows, (w) => w.partition)]
    .map(([partition, ofIt]) => ({
      partition,
      totalMs: Math.round(ofIt.reduce((sum, w) => sum + w.ms, 0)),
      longestMs: Math.round(Math.max(...ofIt.map((w) => w.ms))),
    }))
    .sort((a, b) => b.totalMs - a.totalMs);

export const printSummary = (summary: Summary, violations: readonly Violation[]): string => {
  const faults = Object.entries(summary.faults)
    .map(([kind, count]) => `${kind} ${count}`)
    .join(', ');
  const { windows } = summary;
  return [
    `${summary.scenario}, seed ${summary.seed}, ${summary.minutes} minutes, ${summary.network}`,
    `operations    ${summary.operations} (${summary.operationsPerSecond}/s answered), ${summary.failed} failed, ${summary.unknown} of unknown outcome, on ${summary.keys} keys`,
    `faults        ${faults || 'none'}`,
    `moves         ${summary.moves} in ${summary.plans} plans, ${summary.unapprovedMoves} unapproved`,
    `unavailable   ${windows.count} windows over 500 ms: p50 ${windows.p50Ms} ms, p99 ${windows.p99Ms} ms, longest ${windows.maxMs} ms ${windows.worst && `(${windows.worst})`}`,
    ...windows.partitions
      .slice(0, 5)
      .map((p) => `  ${p.partition.padEnd(12)}${p.totalMs} ms in all, longest ${p.longestMs} ms`),
    `lost writes   ${summary.lostWrites}; keys not linearizable: ${summary.nonLinearizableKeys}`,
    `verdict       ${summary.verdict}${summary.violations > 0 ? `: ${summary.violations} violations` : ''}`,
    ...violations.slice(0, 20).map((v) => `  ${describeViolation(v)}`),
  ].join('\n');
};
