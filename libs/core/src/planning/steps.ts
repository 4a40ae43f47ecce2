import type { PlanLimits } from './plan.js';

export interface Scheduled {
  /** Whose limit of incoming and outgoing moves is used; empty for none. */
  readonly to: string;
  readonly sender: string;
  /** Moves of one partition never share a step and keep their order. */
  readonly partition: string;
}

interface Step {
  total: number;
  readonly into: Map<string, number>;
  readonly outOf: Map<string, number>;
}

/**
 * The first step with room for each move, in the order given (most urgent first). Steps count from `first`. A limit below 1 is
 * taken for 1, since nothing would ever run.
 */
export const assignSteps = (moves: readonly Scheduled[], limits: PlanLimits, first: number): Int32Array => {
  const steps: Step[] = [];
  const last = new Map<string, number>();
  let open = 0;
  return Int32Array.from(moves, (move) => {
    let at = Math.max(open, (last.get(move.partition) ?? -1) + 1);
    while (steps[at] && !hasRoom(steps[at]!, move, limits)) at += 1;
    while (steps.length <= at) steps.push({ total: 0, into: new Map(), outOf: new Map() });
    take(steps[at]!, move);
    last.set(move.partition, at);
    while (steps[open] && steps[open]!.total >= Math.max(1, limits.cluster)) open += 1;
    return first + at;
  });
};

const hasRoom = (step: Step, { to, sender }: Scheduled, limits: PlanLimits): boolean =>
  step.total < Math.max(1, limits.cluster) &&
  (step.into.get(to) ?? 0) < Math.max(1, limits.perNodeIn) &&
  (sender === '' || (step.outOf.get(sender) ?? 0) < Math.max(1, limits.perNodeOut));

const take = (step: Step, { to, sender }: Scheduled): void => {
  step.total += 1;
  step.into.set(to, (step.into.get(to) ?? 0) + 1);
  if (sender !== '') step.outOf.set(sender, (step.outOf.get(sender) ?? 0) + 1);
};
