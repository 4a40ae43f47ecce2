import { CadastreError } from '../errors.js';

export const PLAN_STATES = [
  'proposed',
  'approved',
  'executing',
  'paused',
  'cancelling', // moves in flight go on to a safe point
  'completed',
  'cancelled',
  'failed',
  'rejected',
  'superseded',
  'expired',
] as const;
export type PlanState = (typeof PLAN_STATES)[number];

export const PLAN_VERBS = [
  'approve',
  'reject',
  'supersede',
  'expire',
  'start',
  'pause',
  'resume',
  'cancel',
  'complete',
  'fail',
  'finishCancel',
] as const;
export type PlanVerb = (typeof PLAN_VERBS)[number];

/** Verbs of a person; the others are the system's. In the order in which a surface shows them. */
export const OPERATOR_VERBS = ['approve', 'reject', 'pause', 'resume', 'cancel'] as const satisfies readonly PlanVerb[];
export type OperatorVerb = (typeof OPERATOR_VERBS)[number];

/** Every legal transition; what is not here is refused. A plan runs at most once: nothing leads back out of an end. */
export const PLAN_TRANSITIONS: Readonly<Record<PlanState, Readonly<Partial<Record<PlanVerb, PlanState>>>>> = {
  proposed: { approve: 'approved', reject: 'rejected', supersede: 'superseded', expire: 'expired' },
  // Nothing has begun, so a cancel has nothing to wait for. A stale plan is superseded at its start.
  approved: { start: 'executing', cancel: 'cancelled', supersede: 'superseded', expire: 'expired' },
  executing: { pause: 'paused', cancel: 'cancelling', complete: 'completed', fail: 'failed' },
  // Moves in flight end while paused; they may have been the last, or have failed.
  paused: { resume: 'executing', cancel: 'cancelling', complete: 'completed', fail: 'failed' },
  cancelling: { finishCancel: 'cancelled' },
  completed: {},
  cancelled: {},
  failed: {},
  rejected: {},
  superseded: {},
  expired: {},
};

/** @throws CadastreError ILLEGAL_TRANSITION naming state, verb and the legal verbs */
export const transition = (state: PlanState, verb: PlanVerb): PlanState => {
  const next = PLAN_TRANSITIONS[state][verb];
  if (next !== undefined) return next;
  const legal = Object.keys(PLAN_TRANSITIONS[state]);
  const remedy = legal.length > 0 ? `from ${state}: ${legal.join(', ')}` : `${state} is an end; propose a new plan`;
  throw new CadastreError(
    'ILLEGAL_TRANSITION',
    `cannot ${verb} a plan that is ${state}; legal: ${legal.join(', ') || 'nothing'}`,
    { field: 'state', remedy },
  );
};

export const allowedActions = (state: PlanState): OperatorVerb[] =>
  OPERATOR_VERBS.filter((verb) => PLAN_TRANSITIONS[state][verb] !== undefined);

export const isFinal = (state: PlanState): boolean => Object.keys(PLAN_TRANSITIONS[state]).length === 0;
