import type { Command } from 'commander';
import type { Wire } from '@cadastre/contracts';
import { bytes, count, duration, facts, table } from '../format.js';
import { approvalText } from './approval-text.js';
import type { Session } from './context.js';
import { act } from './context.js';
import { movesTable } from './plan-text.js';

export const addReportCommands = (program: Command, session: Session): void => {
  const report = program.command('report').description('what a run did: never changes once it has ended');
  const show = report
    .command('show')
    .argument('<plan>', 'its id, the beginning of it, or latest')
    .description('plan, approvals, timeline, planned against actual');
  act(session, show, async ({ out, operator }, [plan]) => {
    const found = await operator().getReport(plan!);
    out.result(found, () => reportText(found));
  });
};

const moment = (ms: number): string => (ms > 0 ? new Date(ms).toISOString() : '-');

const reportText = (r: Wire.Report__Output): string => {
  const plan = r.plan!;
  const head = facts([
    ['plan', `${plan.id}, proposed by ${plan.proposer}${plan.reason ? `: ${plan.reason}` : ''}`],
    ['outcome', r.outcome],
    ['digest', plan.digest],
    ['approved', approvalText(plan)],
    ['began', moment(plan.startedMs)],
    ['ended', moment(plan.endedMs)],
    [
      'time',
      `${duration(r.actualMs)}, planned ${duration(r.plannedMs)}${r.pausedMs > 0 ? `, paused for ${duration(r.pausedMs)}` : ''}`,
    ],
    ['bytes', `${bytes(r.actualBytes)}, planned ${bytes(r.plannedBytes)}`],
    ['report', r.final ? `final, sha256 ${r.sha256}` : 'not final: the run has not ended'],
  ]);
  const timeline = table(plan.events, [
    { title: 'AT', value: (e) => moment(e.atMs) },
    { title: 'WHO', value: (e) => e.actor },
    { title: 'WHAT', value: (e) => e.what },
  ]);
  return `${head}\n${latencyText(plan.latency)}${timeline}\n${movesTable(plan.moves)}`;
};

const milliseconds = (micros: number): string => `${Number((micros / 1_000).toPrecision(3))} ms`;

/** What clients felt of the run, in its partitions. */
const latencyText = (latency: Wire.RunLatency__Output | null | undefined): string => {
  if (!latency) return '';
  const rows = [
    ['the minute before', latency.before] as const,
    ['while it ran', latency.during] as const,
    ['the minute after', latency.after] as const,
  ];
  const shown = (value: (figure: Wire.LatencyFigure__Output) => string) => {
    return ([, figure]: (typeof rows)[number]) => (figure && figure.answers > 0 ? value(figure) : '-');
  };
  const figures = table(rows, [
    { title: 'LATENCY', value: ([name]) => name },
    { title: 'ANSWERS', align: 'right', value: ([, figure]) => (figure ? count(figure.answers) : 'not measured') },
    { title: 'P50', align: 'right', value: shown((f) => milliseconds(f.p50Us)) },
    { title: 'P99', align: 'right', value: shown((f) => milliseconds(f.p99Us)) },
  ]);
  return `${figures}\n`;
};
