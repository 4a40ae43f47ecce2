import { delay } from '@cadastre/runtime';
import type { Wire } from '@cadastre/contracts';
import { bytes, count, duration, facts } from '../format.js';
import { EXIT, type ExitCode } from '../io.js';
import type { Context } from './context.js';

const POLL_MS = 1_000;

export const checkDrain = async ({ out, operator }: Context, id: string): Promise<ExitCode> => {
  const drain = await operator().getDrain(id);
  out.result(drain, () => drainText(drain));
  return drain.blockers.length > 0 ? EXIT.error : EXIT.ok;
};

/** Marks the node, has a plan proposed if none empties it, and follows: a person still approves that plan. */
export const drainAndWait = async (
  context: Context,
  id: string,
  reason: string,
  timeoutMs: number,
): Promise<ExitCode> => {
  const { io, out, operator, actor } = context;
  const calls = operator();
  const before = await calls.getDrain(id);
  if (before.blockers.length > 0) {
    out.result(before, () => drainText(before));
    return EXIT.error;
  }
  await calls.drainNode({ id, undo: false, actor, reason });
  const controller = new AbortController();
  const off = io.onInterrupt(() => controller.abort());
  const until = io.clock.monotonicMs() + timeoutMs;
  let said = '';
  let drain = await calls.getDrain(id);
  while (!hasEnded(drain) && !controller.signal.aborted && io.clock.monotonicMs() < until) {
    if (drain.state === 'needs-plan')
      await calls.proposePlan({ keyspaces: [], actor, reason: reason || `drain ${id}` });
    if (out.live) out.redraw(drainText(drain));
    else if (drain.because !== said) out.say(drain.because);
    said = drain.because;
    await delay(io.clock, POLL_MS, controller.signal);
    drain = await calls.getDrain(id);
  }
  off();
  out.clear();
  out.result(drain, () => drainText(drain));
  if (drain.safeToDelete) return EXIT.ok;
  return drain.state === 'blocked' ? EXIT.error : EXIT.pending;
};

const hasEnded = (drain: Wire.Drain__Output): boolean => drain.safeToDelete || drain.state === 'blocked';

const drainText = (d: Wire.Drain__Output): string =>
  facts([
    ['node', d.node],
    ['state', `${d.state}: ${d.because}`],
    ['safe to delete', d.safeToDelete ? 'yes' : 'NO'],
    [
      'left',
      `${count(d.replicasLeft)} of ${count(d.replicasTotal)} copies, ${count(d.leadersLeft)} leaders, ${bytes(d.bytesLeft)}`,
    ],
    ...(d.etaHighMs > 0 ? [['time left', `${duration(d.etaLowMs)} to ${duration(d.etaHighMs)}`] as const] : []),
    ...d.blockers.map((text) => ['BLOCKED', text] as const),
    ...d.warnings.map((text) => ['note', text] as const),
  ]);
