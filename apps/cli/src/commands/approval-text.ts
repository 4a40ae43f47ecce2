import type { Wire } from '@cadastre/contracts';

export const approvalText = (plan: Wire.Plan__Output): string => {
  if (plan.breakGlass) return `PAST THE RULES by ${plan.breakGlass.actor}: ${plan.breakGlass.reason}`;
  if (plan.approvedByPolicy) return `by policy ${plan.approvedByPolicy}`;
  const who = plan.approvals.map((a) => `${a.actor}${a.reason ? ` (${a.reason})` : ''}`).join(', ');
  const of = plan.state === 'proposed' ? `${plan.approvals.length} of ${plan.approvalsNeeded}` : '';
  return [of, who].filter((part) => part !== '').join(': ') || '-';
};
