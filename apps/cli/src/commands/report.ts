import type { Command } from 'commander';
import type { Wire } from '@cadastre/contracts';
import { bytes, duration, facts, table } from '../format.js';
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
  return `${head}\n${timeline}\n${movesTable(plan.moves)}`;
};
