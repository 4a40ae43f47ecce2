import type { PlanLimits, PlanMove } from '../planning/plan.js';
import type { PlanState } from '../planning/plan-lifecycle.js';
import type { MovePhaseName } from './move-phase.js';
import { isEnded, isInFlight } from './move-phase.js';

export interface MoveProgress {
  readonly move: PlanMove;
  readonly phase: MovePhaseName;
  /** Why it failed, where it did. */
  readonly note?: string;
}

export interface PlanControl {
  /** No automation acts: nothing begins. */
  readonly frozen?: boolean;
}

export interface PlanDecision {
  /** Indexes of the moves to begin now. */
  readonly start: readonly number[];
  /** Verb for the plan's life, once nothing is in flight. */
  readonly finish?: 'complete' | 'fail' | 'finishCancel';
  readonly why: string;
}

/**
 * What a running plan does next: moves of the lowest unfinished step begin, under the limits. A failed move does not stop the
 * others of its step; no later step begins, and the plan then fails with the list.
 */
export const decidePlan = (
  state: PlanState,
  moves: readonly MoveProgress[],
  control: PlanControl,
  limits: PlanLimits,
): PlanDecision => {
  if (state !== 'executing' && state !== 'paused' && state !== 'cancelling')
    return { start: [], why: `the plan is ${state}` };
  const flying = moves.filter((m) => isInFlight(m.phase));
  const unfinished = moves.filter((m) => !isEnded(m.phase));
  if (state === 'cancelling') return decideCancel(flying, moves);
  if (unfinished.length === 0) return decideEnd(moves);
  const failed = moves.filter((m) => m.phase === 'failed' || m.phase === 'cancelled');
  const step = Math.min(...unfinished.map((m) => m.move.step));
  if (failed.some((m) => m.move.step < step))
    return flying.length > 0 ? { start: [], why: 'a move failed; those in flight go on' } : decideEnd(moves);
  if (state === 'paused') return { start: [], why: `paused; ${flying.length} moves in flight go on to a safe point` };
  if (control.frozen) return { start: [], why: 'automation is frozen' };
  const waiting = unfinished.filter((m) => m.move.step === step && m.phase === 'pending');
  const start = admit(waiting, flying, limits);
  return {
    start,
    why: `step ${step}: ${start.length} begin, ${flying.length} in flight, ${waiting.length - start.length} wait for room`,
  };
};

const decideCancel = (flying: readonly MoveProgress[], moves: readonly MoveProgress[]): PlanDecision => {
  if (flying.length > 0) return { start: [], why: `cancelling; ${flying.length} moves go to a safe point` };
  const ended = moves.filter((m) => m.phase === 'done').length;
  return {
    start: [],
    finish: 'finishCancel',
    why: `cancelled; ${ended} of ${moves.length} moves had been made, every partition is whole`,
  };
};

const FAILURES_NAMED = 20;

const decideEnd = (moves: readonly MoveProgress[]): PlanDecision => {
  const failed = moves.filter((m) => m.phase === 'failed' || m.phase === 'cancelled');
  if (failed.length === 0) return { start: [], finish: 'complete', why: `all ${moves.length} moves are done` };
  // The sentence goes into the plan's record, its events and the audit log, in one transaction of limited size.
  const list = failed
    .slice(0, FAILURES_NAMED)
    .map(
      ({ move, note }) =>
        `move ${move.index} (${move.keyspace} partition ${move.partition} to ${move.to})${note === undefined ? '' : `: ${note}`}`,
    );
  return {
    start: [],
    finish: 'fail',
    why: `${failed.length} of ${moves.length} moves failed: ${list.join('; ')}${failed.length > FAILURES_NAMED ? `; and ${failed.length - FAILURES_NAMED} more` : ''}`,
  };
};

const admit = (waiting: readonly MoveProgress[], flying: readonly MoveProgress[], limits: PlanLimits): number[] => {
  const into = new Map<string, number>();
  const outOf = new Map<string, number>();
  const raise = (counts: Map<string, number>, node: string): void => void counts.set(node, (counts.get(node) ?? 0) + 1);
  const take = ({ from, to }: PlanMove): void => {
    if (to !== '') raise(into, to);
    if (from !== '') raise(outOf, from);
  };
  flying.forEach((m) => take(m.move));
  let total = flying.length;
  const start: number[] = [];
  for (const { move } of waiting) {
    if (total >= Math.max(1, limits.cluster)) break;
    if (
      (into.get(move.to) ?? 0) >= Math.max(1, limits.perNodeIn) ||
      (outOf.get(move.from) ?? 0) >= Math.max(1, limits.perNodeOut)
    )
      continue;
    take(move);
    total += 1;
    start.push(move.index);
  }
  return start;
};
