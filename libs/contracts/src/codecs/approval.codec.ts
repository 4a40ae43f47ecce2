import type { ApprovalPolicy, MoveKind, Weekday } from '@cadastre/core';
import { CadastreError, checkApprovalPolicy, DEFAULT_APPROVAL_POLICY, MOVE_KINDS, WEEKDAYS } from '@cadastre/core';
import type * as Wire from '../generated/index.js';

export const encodeApprovalPolicy = (policy: ApprovalPolicy): Wire.ApprovalPolicy => ({
  ...policy,
  rules: policy.rules.map((rule) => ({ ...rule })),
  automatic: policy.automatic.map((rule) => ({ ...rule, kinds: [...rule.kinds], keyspaces: [...rule.keyspaces] })),
  windows: policy.windows.map((window) => ({ ...window, days: [...window.days] })),
});

/** @throws CadastreError INVALID_ARGUMENT naming the path; absent is the default */
export const decodeApprovalPolicy = (wire: Wire.ApprovalPolicy__Output | null | undefined): ApprovalPolicy => {
  if (!wire) return DEFAULT_APPROVAL_POLICY;
  return checkApprovalPolicy({
    fourEyes: wire.fourEyes,
    reasonRequired: wire.reasonRequired,
    approvals: wire.approvals || 1,
    rules: wire.rules.map(({ movesOver, bytesOver, ...rule }) => ({
      name: rule.name,
      approvals: rule.approvals,
      crossesZone: rule.crossesZone,
      lowersRedundancy: rule.lowersRedundancy,
      ...(movesOver !== undefined && { movesOver }),
      ...(bytesOver !== undefined && { bytesOver }),
    })),
    automatic: wire.automatic.map((rule, i) => ({
      name: rule.name,
      kinds: words<MoveKind>(`automatic[${i}].kinds`, rule.kinds, MOVE_KINDS),
      movesMax: rule.movesMax,
      bytesMax: rule.bytesMax,
      crossesZone: rule.crossesZone,
      keyspaces: rule.keyspaces,
    })),
    windows: wire.windows.map((window, i) => ({
      name: window.name,
      zone: window.zone,
      days: words<Weekday>(`windows[${i}].days`, window.days, WEEKDAYS),
      from: window.from,
      to: window.to,
    })),
  });
};

const words = <T extends string>(field: string, given: readonly string[], known: readonly T[]): T[] =>
  given.map((word) => {
    const found = known.find((each) => each === word);
    if (found !== undefined) return found;
    throw new CadastreError('INVALID_ARGUMENT', `${field}: "${word}" is unknown`, {
      field,
      remedy: `use some of ${known.join(', ')}`,
    });
  });
