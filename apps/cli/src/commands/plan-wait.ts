import type { Command } from 'commander';
import { invalid } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import { parseDuration } from '../amounts.js';
import { EXIT, type ExitCode } from '../io.js';
import type { Context, Session } from './context.js';
import { act } from './context.js';
import { isOpen } from './plan-text.js';

interface WaitFlags {
  readonly for: string;
  readonly timeout: string;
}

/** For scripts: the exit code says which of them it was. */
export const addWaitCommand = (plan: Command, session: Session): void => {
  const wait = plan
    .command('wait')
    .argument('<id>')
    .description('until it has ended well (0), has failed or was ended (1), or the time is over (2)')
    .option('--for <what>', 'done, or stalled: then 0 says that it stalls', 'done')
    .option('--timeout <time>', 'such as 10m', '1h');
  act<WaitFlags>(session, wait, (context, [id], flags) => {
    if (flags.for !== 'done' && flags.for !== 'stalled')
      throw invalid('--for', `"${flags.for}" is unknown`, 'use done or stalled');
    return waitFor(context, id!, flags.for, parseDuration('--timeout', flags.timeout));
  });
};

const waitFor = async (
  { io, out, operator }: Context,
  id: string,
  what: 'done' | 'stalled',
  timeoutMs: number,
): Promise<ExitCode> => {
  const controller = new AbortController();
  const off = io.onInterrupt(() => controller.abort());
  const timer = io.clock.after(timeoutMs, () => controller.abort());
  let last: Wire.Plan__Output | undefined;
  try {
    for await (const plan of operator().watchPlan(id, controller.signal)) {
      last = plan;
      if (!isOpen(plan) || (what === 'stalled' && plan.progress?.condition === 'stalled')) break;
    }
  } finally {
    timer.cancel();
    off();
  }
  if (!last) return EXIT.pending;
  const found = last;
  out.result(found, () => {
    const why = found.progress?.because || found.note;
    return `plan ${found.id} is ${found.state}, ${found.progress?.condition ?? 'not approved'}${why ? `: ${why}` : ''}\n`;
  });
  if (what === 'stalled' && found.progress?.condition === 'stalled') return EXIT.ok;
  if (isOpen(found)) return EXIT.pending;
  return what === 'done' && found.state === 'completed' ? EXIT.ok : EXIT.error;
};
