import { isFinal } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import { sha256Hex } from '@cadastre/runtime';
import type { PlanEvent, PlanView } from '@cadastre/store';

/**
 * What was planned, decided and done. Everything in it lies in records that nothing writes once the run has ended, so it never changes
 * then; its hash covers all of it. Measured later, and so beside the hash: the latency of the minute after.
 */
export const reportOf = (plan: PlanView, view: Wire.Plan, wallMs: number): Wire.Report => {
  const { head, body } = plan;
  const final = isFinal(head.state);
  const startedMs = head.startedMs ?? 0;
  const endMs = final ? (head.endedMs ?? 0) : wallMs;
  // What depends on who asks, or on the cluster as it is now, has no place in a report.
  const { latency, ...standing } = view;
  const lasting: Wire.Plan = { ...standing, rehearsal: null, allowedActions: [], refusedActions: [], window: null };
  const report = {
    plan: { ...(final ? { ...lasting, progress: null } : lasting), ...(latency && { latency: untilItsEnd(latency) }) },
    final,
    plannedMs: body.cost.estimateMs,
    actualMs: startedMs > 0 ? Math.max(0, endMs - startedMs) : 0,
    plannedBytes: body.cost.bytes,
    actualBytes: [...plan.moves.values()].reduce((sum, m) => sum + (m.value.bytesMoved ?? 0), 0),
    pausedMs: pausedMs(head.events, endMs),
    outcome: outcomeOf(view),
  };
  const sha256 = final ? sha256Hex(JSON.stringify(report)) : '';
  return { ...report, plan: { ...report.plan, ...(latency && { latency }) }, sha256 };
};

/** What the minute after a run was like is not known when its report becomes final. */
const untilItsEnd = ({ after: _, ...latency }: Wire.RunLatency): Wire.RunLatency => latency;

const pausedMs = (events: readonly PlanEvent[], endMs: number): number => {
  let total = 0;
  let since: number | undefined;
  for (const { atMs, what } of events) {
    if (what.startsWith('paused')) since ??= atMs;
    else if (since !== undefined) {
      total += atMs - since;
      since = undefined;
    }
  }
  return total + (since === undefined ? 0 : Math.max(0, endMs - since));
};

const outcomeOf = ({ state = '', movesDone = 0, movesTotal = 0, movesFailed = 0, note = '' }: Wire.Plan): string => {
  const failed = movesFailed > 0 ? `, ${movesFailed} failed` : '';
  const why = note === '' ? '' : `: ${note}`;
  return `${state}: ${movesDone} of ${movesTotal} moves done${failed}${why}`;
};
