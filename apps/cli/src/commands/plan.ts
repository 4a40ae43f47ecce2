import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import { CadastreError, invalid } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import { parseDuration } from '../amounts.js';
import { plural } from '../format.js';
import { EXIT, type ExitCode } from '../io.js';
import type { Context, Session } from './context.js';
import { act } from './context.js';
import { addExportCommand } from './plan-export.js';
import { addWhyCommand } from './plan-why.js';
import { addWaitCommand } from './plan-wait.js';
import { addSimulateCommand } from './plan-simulate.js';
import { parseMove } from './plan-move.js';
import { isOpen, movesTable, nothingText, planSummary, planTable, progressText } from './plan-text.js';

interface ApproveOptions {
  readonly digest?: string;
  readonly yes?: boolean;
  readonly reason?: string;
  readonly watch?: boolean;
  readonly breakGlass?: boolean;
  readonly for?: string;
}

const collect = (value: string, previous: string[] | undefined): string[] => [...(previous ?? []), value];

export const addPlanCommands = (program: Command, session: Session): void => {
  const plan = program
    .command('plan')
    .description('plans: proposed by the control plane, approved by a person. An id may be shortened, or `latest`');
  const propose = plan
    .command('propose')
    .description('ask what should move; exit code 2 when there is a plan')
    .option('--keyspace <name>', 'only this one; may be repeated', collect)
    .option('--move <what>', 'by hand, KEYSPACE/PARTITION:FROM->TO, in quotes; may be repeated', collect)
    .option('--reason <text>', 'kept in the audit log');
  act<{ keyspace?: string[]; move?: string[]; reason?: string }>(
    session,
    propose,
    async ({ out, operator, actor }, _, { keyspace = [], move = [], reason = '' }) => {
      const moves = move.map(parseMove);
      const reply = await operator().proposePlan({ keyspaces: keyspace, actor, reason, moves });
      const made = reply.plan;
      const next = made && `\nto carry it out: cadastre plan approve ${shortId(made.id)}\n`;
      out.result(reply, () => (made ? planSummary(made) + next : nothingText(reply)));
      return made ? EXIT.pending : EXIT.ok;
    },
  );
  act(session, plan.command('list').description('all plans'), async ({ out, operator }) => {
    const { plans } = await operator().listPlans();
    out.result(plans, () => (plans.length === 0 ? 'no plans yet\n' : planTable(plans)));
  });
  const show = plan
    .command('show')
    .argument('<id>')
    .description('one plan; exit code 2 while it is open')
    .option('--moves', 'with every move and its reason')
    .option('--watch', 'again at each change, until it has ended');
  act<{ moves?: boolean; watch?: boolean }>(session, show, async (context, [id], { moves = false, watch = false }) => {
    const { out, operator } = context;
    if (watch) return watchPlan(context, id!, (now) => planSummary(now) + (moves ? `\n${movesTable(now.moves)}` : ''));
    const found = await operator().getPlan(id!);
    out.result(found, () => planSummary(found) + (moves ? `\n${movesTable(found.moves)}` : ''));
    return isOpen(found) ? EXIT.pending : EXIT.ok;
  });
  const approve = plan
    .command('approve')
    .argument('<id>')
    .description('let exactly the plan that was read be carried out')
    .option('--digest <hex>', 'of the plan that was read; by default that of the plan as it is now')
    .option('--yes', 'do not ask')
    .option('--reason <text>', 'kept in the audit log')
    .option('--break-glass', 'past the rules; for administrators, with --reason, and loud in the audit log')
    .option('--for <time>', 'with --break-glass: it begins within this, at most 1h', '1h')
    .option('--watch', 'follow it to its end');
  act<ApproveOptions>(session, approve, (context, [id], options) => approvePlan(context, id!, options));
  for (const action of ['reject', 'pause', 'resume', 'cancel'] as const) addAction(plan, session, action);
  const cancelAll = plan
    .command('cancel-all')
    .description('end every plan that runs or is to run; every partition stays whole')
    .option('--reason <text>', 'kept in the audit log');
  act<{ reason?: string }>(session, cancelAll, async ({ out, operator, actor }, _, { reason = '' }) => {
    const done = await operator().cancelAll({ actor, reason });
    out.result(done, () => (done.plans.length === 0 ? 'no plan runs\n' : planTable(done.plans)));
  });
  const undo = plan
    .command('undo')
    .argument('<id>')
    .description('propose the way back of a run that has ended; exit code 2 when there is one')
    .option('--reason <text>', 'kept in the audit log');
  act<{ reason?: string }>(session, undo, async ({ out, operator, actor }, [id], { reason = '' }) => {
    const reply = await operator().undoPlan({ id: id!, actor, reason });
    const made = reply.plan;
    const next = made && `\nto carry it out: cadastre plan approve ${shortId(made.id)}\n`;
    out.result(reply, () => (made ? planSummary(made) + next : nothingText(reply)));
    return made ? EXIT.pending : EXIT.ok;
  });
  addWaitCommand(plan, session);
  act(session, plan.command('watch').argument('<id>').description('follow a plan to its end'), (context, [id]) =>
    watchPlan(context, id!),
  );
  addSimulateCommand(plan, session);
  addExportCommand(plan, session);
  addWhyCommand(plan, session);
};

const shortId = (id: string): string => (id.length > 12 ? id.slice(0, 12) : id);

const addAction = (plan: Command, session: Session, action: 'reject' | 'pause' | 'resume' | 'cancel'): void => {
  const command = plan
    .command(action)
    .argument('<id>')
    .description(DESCRIPTIONS[action])
    .option('--reason <text>', 'kept in the audit log');
  act<{ reason?: string }>(session, command, async ({ out, operator, actor }, [id], { reason = '' }) => {
    const done = await operator().actOnPlan({ id: id!, action, actor, reason });
    out.result(done, () => `plan ${done.id} is ${done.state}${done.note ? `: ${done.note}` : ''}\n`);
  });
};

const DESCRIPTIONS = {
  reject: 'turn a proposed plan down',
  pause: 'finish the moves under way, begin no more',
  resume: 'go on with a paused plan',
  cancel: 'end a plan; every partition stays whole',
} as const;

const approvePlan = async (context: Context, id: string, options: ApproveOptions): Promise<ExitCode> => {
  const { out, actor } = context;
  const operator = context.operator();
  const read = await operator.getPlan(id);
  const digest = options.digest ?? read.digest;
  if (!options.yes && options.digest === undefined) await confirm(context, read);
  const approved = await operator.actOnPlan({
    id: read.id,
    action: 'approve',
    digest,
    actor,
    reason: options.reason ?? '',
    ...(options.breakGlass && { breakGlass: true, breakGlassMs: parseDuration('--for', options.for ?? '1h') }),
  });
  const more = approved.approvalsNeeded - approved.approvals.length;
  if (approved.state === 'proposed') {
    out.result(approved, () => `approved by you; plan ${approved.id} needs ${plural(more, 'more approval')}\n`);
    return EXIT.pending;
  }
  if (options.watch) return watchPlan(context, approved.id);
  out.result(
    approved,
    () => `plan ${approved.id} is ${approved.state}; follow it: cadastre plan watch ${shortId(approved.id)}\n`,
  );
  return EXIT.ok;
};

const confirm = async ({ io, out }: Context, plan: Wire.Plan__Output): Promise<void> => {
  if (!io.stdin.isTTY || !io.stdout.isTTY || out.json) {
    throw invalid(
      '--yes',
      'is needed where nobody can be asked',
      `add --yes, or --digest ${plan.digest} of the plan that was read`,
    );
  }
  out.say(planSummary(plan));
  const prompt = createInterface({ input: io.stdin, output: io.stdout as NodeJS.WritableStream });
  const answer = await prompt.question('approve this plan? [y/N] ');
  prompt.close();
  if (!/^y(es)?$/i.test(answer.trim()))
    throw new CadastreError('CANCELLED', 'not approved', { remedy: 'nothing was changed' });
};

/** Redraws on a terminal; elsewhere a line at each change; with --json a document a line. */
const watchPlan = async (
  { io, out, operator }: Context,
  id: string,
  text: (plan: Wire.Plan__Output, nowMs: number) => string = progressText,
): Promise<ExitCode> => {
  const controller = new AbortController();
  const off = io.onInterrupt(() => controller.abort());
  let last: Wire.Plan__Output | undefined;
  try {
    for await (const plan of operator().watchPlan(id, controller.signal)) {
      const isNews = last?.state !== plan.state || last.movesDone !== plan.movesDone || last.note !== plan.note;
      last = plan;
      if (out.json) io.stdout.write(`${JSON.stringify(plan)}\n`);
      else if (out.live) out.redraw(text(plan, io.clock.wallMs()));
      else if (isNews)
        out.say(
          `${plan.state}: ${plan.movesDone} of ${plan.moves.length} moves done${plan.note ? `; ${plan.note}` : ''}`,
        );
    }
  } finally {
    off();
    out.settle();
  }
  if (!last || isOpen(last)) return EXIT.pending;
  return last.state === 'failed' ? EXIT.error : EXIT.ok;
};
