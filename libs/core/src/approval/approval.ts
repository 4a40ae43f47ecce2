import { CadastreError } from '../errors.js';
import type { PlannerNode } from '../placement/domains.js';
import type { PlanBody } from '../planning/plan.js';
import { BOOTSTRAP_SUBJECT, isSamePerson } from '../access/person.js';
import type { ApprovalPolicy, ApprovalRule, AutomaticApproval } from './approval-policy.js';

/** What rules of approval look at. */
export interface PlanRisk {
  readonly moves: number;
  readonly bytes: number;
  /** A copy leaves its zone. */
  readonly crossesZone: boolean;
  /** At some step more would be lost or stop than before. */
  readonly lowersRedundancy: boolean;
}

export const riskOf = (
  body: Pick<PlanBody, 'moves' | 'cost'>,
  nodes: readonly PlannerNode[],
  lowersRedundancy: boolean,
): PlanRisk => {
  const zones = new Map(nodes.map(({ entry }) => [entry.id, entry.labels['zone']]));
  const crossesZone = body.moves.some((m) => m.kind === 'replica' && zones.get(m.from) !== zones.get(m.to));
  return { moves: body.moves.length, bytes: body.cost.bytes, crossesZone, lowersRedundancy };
};

export interface Requirement {
  readonly approvals: number;
  /** The rules that ask for so many, one sentence each. */
  readonly because: readonly string[];
}

export const requirementOf = (policy: ApprovalPolicy, risk: PlanRisk): Requirement => {
  const asking = policy.rules.flatMap((rule) => {
    const because = conditionOf(rule, risk);
    return because === undefined ? [] : [{ rule, because }];
  });
  const approvals = Math.max(policy.approvals, ...asking.map(({ rule }) => rule.approvals));
  return {
    approvals,
    because: asking
      .filter(({ rule }) => rule.approvals === approvals)
      .map(({ rule, because }) => `${rule.name}: ${because}`),
  };
};

const conditionOf = (rule: ApprovalRule, risk: PlanRisk): string | undefined => {
  if (rule.lowersRedundancy && risk.lowersRedundancy) return 'redundancy is lowered on the way';
  if (rule.crossesZone && risk.crossesZone) return 'a copy leaves its zone';
  if (rule.movesOver !== undefined && risk.moves > rule.movesOver)
    return `${risk.moves} moves are over ${rule.movesOver}`;
  if (rule.bytesOver !== undefined && risk.bytes > rule.bytesOver)
    return `${risk.bytes} bytes are over ${rule.bytesOver}`;
  return undefined;
};

/** The rule by which nobody need be asked. */
export const automaticApproval = (
  policy: ApprovalPolicy,
  body: Pick<PlanBody, 'moves' | 'base'>,
  risk: PlanRisk,
): AutomaticApproval | undefined =>
  risk.lowersRedundancy || risk.moves === 0
    ? undefined
    : policy.automatic.find(
        (rule) =>
          risk.moves <= rule.movesMax &&
          risk.bytes <= rule.bytesMax &&
          (rule.crossesZone || !risk.crossesZone) &&
          body.moves.every((move) => rule.kinds.includes(move.kind)) &&
          (rule.keyspaces.length === 0 || body.base.every((b) => rule.keyspaces.includes(b.keyspace))),
      );

/** What rules about different people look at. */
export interface PlanPeople {
  readonly proposer: string;
  /** Whose acts an automatic proposal carries out. */
  readonly askedBy: readonly string[];
  readonly approvals: readonly { readonly actor: string }[];
  readonly approvalsNeeded: number;
}

/** Why this person may not approve this plan, whatever its role; undefined when it may. */
export const whyNotApprove = (
  { fourEyes }: Pick<ApprovalPolicy, 'fourEyes'>,
  plan: PlanPeople,
  actor: string,
): string | undefined => {
  const is = (other: string): boolean => isSamePerson(other, actor);
  if (plan.approvals.some((a) => is(a.actor))) return 'you have approved it already; somebody else has to';
  if ((fourEyes || plan.approvalsNeeded > 1) && is(BOOTSTRAP_SUBJECT))
    return 'the bootstrap token is nobody in particular, and the policy asks for different people; sign in as yourself';
  if (!fourEyes) return undefined;
  if (is(plan.proposer)) return 'you proposed it; somebody else has to approve';
  if (isSamePerson(plan.proposer, BOOTSTRAP_SUBJECT))
    return 'it was proposed with the bootstrap token, so nobody knows by whom; propose it under your own name';
  if (plan.askedBy.some(is)) return 'you asked for what it does; somebody else has to approve';
  return undefined;
};

export const BREAK_GLASS_MAX_MS = 3_600_000;

/** While it is, the plan runs past the rules; afterwards nothing lets it run at all, for nobody approved it by them. */
export const isGlassBroken = (breakGlass: { readonly expiresMs: number } | undefined, nowMs: number): boolean =>
  breakGlass !== undefined && breakGlass.expiresMs > nowMs;

/** @throws CadastreError INVALID_ARGUMENT, PERMISSION_DENIED */
export const checkReason = (policy: ApprovalPolicy, reason: string, breakGlass: boolean): void => {
  if (reason.trim() !== '' || !(policy.reasonRequired || breakGlass)) return;
  throw new CadastreError('INVALID_ARGUMENT', 'reason: is missing', {
    field: 'reason',
    remedy: breakGlass ? 'say why the rules have to be broken' : 'say why this plan may run; the policy asks for it',
  });
};
