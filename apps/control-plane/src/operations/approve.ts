import type { ApprovalPolicy, PlanRisk, Requirement } from '@cadastre/core';
import {
  BREAK_GLASS_MAX_MS,
  CadastreError,
  canonicalPlanBytes,
  checkReason,
  checkStale,
  invalid,
  LIMITS,
  printable,
  requirementOf,
  riskOf,
  transition,
  whyNotApprove,
  windowAt,
} from '@cadastre/core';
import type { StaleInfo } from '@cadastre/contracts';
import { sha256Hex } from '@cadastre/runtime';
import type { Draft, PlanHead, PlanView, RegisterState } from '@cadastre/store';
import { approvalPolicyOf, approvalPolicyUnchanged, join, mapUnchanged, planHeadPart } from '@cadastre/store';
import { plannerNodes } from '../controller/world.js';
import type { ActOnPlan, MayStill } from './ports.js';
import { rehearsalView } from './rehearsal-view.js';

const CHANGES_SAID = 5;
/** Who proposes by itself. */
const AUTOMATION = 'cadastre';

export const staleInfo = ({ body }: PlanView, changes: readonly string[] = []): StaleInfo => ({
  changes,
  proposeAgain: { keyspaces: body.base.map((b) => b.keyspace), reason: body.reason },
});

export const changesSince = (state: RegisterState, plan: PlanView): readonly string[] => {
  const check = checkStale(
    plan.body,
    (keyspace, partition) => state.keyspaces.get(keyspace)?.map.record(partition),
    plannerNodes(state),
  );
  return check.fresh ? [] : check.changes;
};

/** Of a plan as it stands; from its approval on, as it stood then. */
export const riskNow = (state: RegisterState, plan: PlanView, nowMs: number): PlanRisk => {
  if (plan.head.risk) return plan.head.risk;
  const rehearsal = rehearsalView(state, plan, nowMs);
  const lowers = rehearsal?.raisedOnTheWay === true || rehearsal?.verdict === 'raises';
  return riskOf(plan.body, plannerNodes(state), lowers);
};

/** Whose drains a proposal carries out that nobody signed: each is its proposer as much as whoever would have asked for the plan. */
export const askedBy = (state: RegisterState, { body }: PlanView): string[] => {
  if (body.proposer !== AUTOMATION) return [];
  const left = new Set(body.moves.map(({ from }) => from));
  const drains = [...state.nodes.values()]
    .filter(({ value }) => left.has(value.entry.id))
    .map(({ value }) => value.drain);
  return [...new Set(drains.flatMap((drain) => drain?.actor ?? []))];
};

/** The approvals of a plan by people who may not approve it any more. */
export const leaversOf = ({ head, body }: PlanView, mayStill: MayStill): string[] => {
  const scope = body.base.map((b) => b.keyspace);
  return (head.approvals ?? []).map(({ actor }) => actor).filter((actor) => !mayStill(actor, 'approve', scope));
};

const withoutLeavers = (plan: PlanView, mayStill: MayStill, nowMs: number): PlanView => {
  const leavers = leaversOf(plan, mayStill);
  if (leavers.length === 0) return plan;
  const { head } = plan;
  const what = `approvals that count no more: ${leavers.join(', ')} may not approve any longer`;
  const approvals = (head.approvals ?? []).filter(({ actor }) => !leavers.includes(actor));
  return { ...plan, head: { ...head, approvals, events: [...head.events, { atMs: nowMs, actor: AUTOMATION, what }] } };
};

export interface ApproveResult {
  /** What has changed since the plan was made: it is superseded, and this is to be thrown. */
  readonly stale?: CadastreError;
}

/**
 * One approval, decided on one state of the register and written in one transaction that compares the plan, the maps that it touches and
 * the policy. The last one that is needed approves the plan.
 * @throws CadastreError INVALID_ARGUMENT, PLAN_CHANGED, FAILED_PRECONDITION, PERMISSION_DENIED
 */
export const approveDraft = (
  state: RegisterState,
  plan: PlanView,
  act: ActOnPlan,
  actor: string,
  nowMs: number,
  mayStill: MayStill,
): Draft<ApproveResult> => {
  transition(plan.head.state, 'approve');
  checkDigest(plan, act.digest);
  if (plan.head.expiresMs < nowMs)
    throw new CadastreError('FAILED_PRECONDITION', `plan ${plan.head.id} expired`, {
      field: 'id',
      remedy: 'propose anew',
      info: staleInfo(plan),
    });
  const changes = changesSince(state, plan);
  if (changes.length > 0) return staleDraft(state, plan, changes, nowMs);
  const policy = approvalPolicyOf(state);
  const risk = riskNow(state, plan, Number.POSITIVE_INFINITY);
  const head =
    act.breakGlassMs === undefined
      ? approvedBy(
          state,
          withoutLeavers(plan, mayStill, nowMs),
          { risk, ...requirementOf(policy, risk) },
          act,
          actor,
          nowMs,
        )
      : brokenGlass(plan.head, policy, risk, act, actor, nowMs);
  const part = join(
    { compare: [approvalPolicyUnchanged(state)], ops: [] },
    mapUnchanged(
      state,
      plan.body.base.map((b) => b.keyspace),
    ),
    planHeadPart(state, head),
  );
  return {
    ...part,
    result: {},
    audit: {
      actor,
      verb: act.breakGlassMs === undefined ? 'approve' : 'break-glass',
      subject: `plan/${plan.head.id}`,
      reason: act.reason ?? '',
      before: plan.head.state,
      after: act.breakGlassMs === undefined ? (head.events.at(-1)?.what ?? '') : 'APPROVED PAST THE RULES',
      generation: plan.body.base,
    },
  };
};

const checkDigest = ({ head, body, ...rest }: PlanView, digest: string | undefined): void => {
  if (!digest) throw invalid('digest', 'is missing', 'give the digest of the plan that was read; plan show prints it');
  if (digest === head.digest && head.digest === sha256Hex(canonicalPlanBytes(body))) return;
  throw new CadastreError(
    'PLAN_CHANGED',
    `plan ${head.id} has digest ${head.digest}, ${printable(digest)} was approved`,
    {
      field: 'digest',
      remedy: 'read the plan again and approve what it says now',
      info: staleInfo({ head, body, ...rest }),
    },
  );
};

const approvedBy = (
  state: RegisterState,
  plan: PlanView,
  { approvals: needed, risk }: Requirement & { readonly risk: PlanRisk },
  act: ActOnPlan,
  actor: string,
  nowMs: number,
): PlanHead => {
  const policy = approvalPolicyOf(state);
  const { head } = plan;
  checkReason(policy, act.reason ?? '', false);
  const given = head.approvals ?? [];
  const people = { proposer: plan.body.proposer, askedBy: askedBy(state, plan), approvals: given };
  const refused = whyNotApprove(policy, { ...people, approvalsNeeded: needed }, actor);
  if (refused !== undefined)
    throw new CadastreError('PERMISSION_DENIED', `plan ${head.id}: ${refused}`, {
      field: 'actor',
      remedy: 'ask somebody else who may approve',
    });
  const reason = printable(act.reason ?? '', LIMITS.reasonCharsMax);
  const approvals = [...given, { actor, atMs: nowMs, reason }];
  const why = reason === '' ? '' : `: ${reason}`;
  const of = needed > 1 ? ` (${approvals.length} of ${needed})` : '';
  if (approvals.length < needed)
    return {
      ...head,
      approvals,
      events: [...head.events, { atMs: nowMs, actor, what: `approval ${approvals.length} of ${needed}${why}` }],
    };
  return {
    ...head,
    approvals,
    risk,
    state: 'approved',
    expiresMs: Math.max(head.expiresMs, windowAt(policy.windows, nowMs)?.closesMs ?? 0),
    events: [...head.events, { atMs: nowMs, actor, what: `approved${of}${why}` }],
  };
};

const brokenGlass = (
  head: PlanHead,
  policy: ApprovalPolicy,
  risk: PlanRisk,
  act: ActOnPlan,
  actor: string,
  nowMs: number,
): PlanHead => {
  checkReason(policy, act.reason ?? '', true);
  const forMs = act.breakGlassMs ?? BREAK_GLASS_MAX_MS;
  if (!Number.isInteger(forMs) || forMs < 1_000 || forMs > BREAK_GLASS_MAX_MS)
    throw invalid('breakGlassMs', `${forMs} is out of range`, 'choose another', `1000 to ${BREAK_GLASS_MAX_MS} ms`);
  const reason = printable(act.reason ?? '', LIMITS.reasonCharsMax);
  const breakGlass = { actor, reason, atMs: nowMs, expiresMs: nowMs + forMs };
  return {
    ...head,
    risk,
    breakGlass,
    state: 'approved',
    expiresMs: breakGlass.expiresMs,
    events: [...head.events, { atMs: nowMs, actor, what: `approved past the rules (break-glass): ${reason}` }],
  };
};

const staleDraft = (
  state: RegisterState,
  plan: PlanView,
  changes: readonly string[],
  nowMs: number,
): Draft<ApproveResult> => {
  const { head } = plan;
  const more = changes.length > CHANGES_SAID ? `; and ${changes.length - CHANGES_SAID} more` : '';
  const said = `plan ${head.id} is stale: ${changes.slice(0, CHANGES_SAID).join('; ')}${more}`;
  const names = plan.body.base.map((b) => `--keyspace ${b.keyspace}`).join(' ');
  const stale = new CadastreError('PLAN_STALE', said, {
    field: 'id',
    remedy: `propose again: cadastre plan propose ${names}`,
    info: staleInfo(plan, changes),
  });
  const event = { atMs: nowMs, actor: 'cadastre', what: 'found stale when it was to be approved' };
  const part = planHeadPart(state, { ...head, state: 'superseded', events: [...head.events, event], note: said });
  return {
    ...part,
    result: { stale },
    audit: {
      actor: 'cadastre',
      verb: 'supersede',
      subject: `plan/${head.id}`,
      reason: said,
      before: head.state,
      after: 'superseded',
    },
  };
};
