import type { Permission, Scope } from '@cadastre/core';
import { whyNotApprove } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';

export interface Viewer {
  /** Undefined where nobody knows who looks. */
  readonly subject: string | undefined;
  may(permission: Permission, scope: Scope): boolean;
}

const NEEDS: Readonly<Record<string, Permission>> = {
  approve: 'approve',
  reject: 'approve',
  'break-glass': 'administer',
  pause: 'halt',
  resume: 'control',
  cancel: 'halt',
  undo: 'propose',
};

/** Of the actions that the plan's state allows: those that are this person's, and why the others are not. */
export const planForCaller = (plan: Wire.Plan, viewer: Viewer, fourEyes: boolean): Wire.Plan => {
  const scope = (plan.base ?? []).map((b) => b.keyspace ?? '');
  const allowedActions: string[] = [];
  const refusedActions: Wire.RefusedAction[] = [];
  for (const action of plan.allowedActions ?? []) {
    const because = whyNot(plan, action, scope, viewer, fourEyes);
    if (because === undefined) allowedActions.push(action);
    else refusedActions.push({ action, because });
  }
  return { ...plan, allowedActions, refusedActions };
};

const whyNot = (
  plan: Wire.Plan,
  action: string,
  scope: readonly string[],
  viewer: Viewer,
  fourEyes: boolean,
): string | undefined => {
  const permission = NEEDS[action] ?? 'control';
  if (!viewer.may(permission, action === 'break-glass' ? 'cluster' : scope))
    return `your roles do not let you ${permission} here`;
  if (action !== 'approve' || viewer.subject === undefined) return undefined;
  const { proposer = '', askedBy = [], approvalsNeeded = 1 } = plan;
  const approvals = (plan.approvals ?? []).map(({ actor = '' }) => ({ actor }));
  return whyNotApprove({ fourEyes }, { proposer, askedBy, approvals, approvalsNeeded }, viewer.subject);
};
