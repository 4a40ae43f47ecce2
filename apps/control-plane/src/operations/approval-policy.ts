import type { Wire } from '@cadastre/contracts';
import { encodeApprovalPolicy } from '@cadastre/contracts';
import type { ApprovalPolicy } from '@cadastre/core';
import { checkApprovalPolicy, LIMITS, printable } from '@cadastre/core';
import type { Register, RegisterState } from '@cadastre/store';
import { approvalPolicyOf, approvalPolicyPart, requireKeyspace } from '@cadastre/store';
import { requireActor } from './actor.js';
import type { Act } from './ports.js';
import { requireVersion, versionOf } from './versions.js';

export const approvalPolicyView = (state: RegisterState): Wire.ApprovalPolicyReply => {
  const policy = encodeApprovalPolicy(approvalPolicyOf(state));
  return { policy, version: versionOf(policy) };
};

/** Holds for what is approved and begun from now on. @throws CadastreError INVALID_ARGUMENT, FAILED_PRECONDITION, NOT_FOUND */
export const setApprovalPolicy = async (
  register: Register,
  policy: ApprovalPolicy,
  act: Act,
): Promise<Wire.ApprovalPolicyReply> => {
  const actor = requireActor(act);
  const { reason = '', expected } = act;
  checkApprovalPolicy(policy);
  await register.commit((state) => {
    const before = encodeApprovalPolicy(approvalPolicyOf(state));
    requireVersion('the approval policy', before, expected);
    for (const { keyspaces } of policy.automatic) for (const name of keyspaces) requireKeyspace(state, name);
    return {
      ...approvalPolicyPart(state, policy),
      result: undefined,
      audit: {
        actor,
        verb: 'set-approval-policy',
        subject: 'cluster',
        reason: printable(reason, LIMITS.reasonCharsMax),
        before: JSON.stringify(before),
        after: JSON.stringify(encodeApprovalPolicy(policy)),
      },
    };
  });
  return approvalPolicyView(register.state);
};
