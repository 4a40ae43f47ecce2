import { invalid } from '../errors.js';
import { printable } from '../limits.js';
import type { MoveKind } from '../planning/plan.js';
import { MOVE_KINDS } from '../planning/plan.js';
import type { MaintenanceWindow } from './windows.js';
import { checkWindow } from './windows.js';

/** At least so many people approve when any of the conditions that are given holds. */
export interface ApprovalRule {
  readonly name: string;
  readonly approvals: number;
  readonly movesOver?: number;
  readonly bytesOver?: number;
  readonly crossesZone: boolean;
  readonly lowersRedundancy: boolean;
}

/** What a person approved beforehand, by kind and size (INV-6). Never what lowers redundancy. */
export interface AutomaticApproval {
  readonly name: string;
  /** Every move of the plan is of one of these. */
  readonly kinds: readonly MoveKind[];
  readonly movesMax: number;
  readonly bytesMax: number;
  /** Copies may leave their zone. */
  readonly crossesZone: boolean;
  /** None: all. */
  readonly keyspaces: readonly string[];
}

export interface ApprovalPolicy {
  /** Who proposed may not approve. */
  readonly fourEyes: boolean;
  readonly reasonRequired: boolean;
  /** Of different people, unless a rule asks for more. */
  readonly approvals: number;
  readonly rules: readonly ApprovalRule[];
  readonly automatic: readonly AutomaticApproval[];
  /** When moves may begin; none: at any time. */
  readonly windows: readonly MaintenanceWindow[];
}

export const DEFAULT_APPROVAL_POLICY: ApprovalPolicy = {
  fourEyes: false,
  reasonRequired: false,
  approvals: 1,
  rules: [],
  automatic: [],
  windows: [],
};

const APPROVALS_MAX = 10;
const ENTRIES_MAX = 32;

/** @throws CadastreError INVALID_ARGUMENT naming the path */
export const checkApprovalPolicy = (policy: ApprovalPolicy): ApprovalPolicy => {
  checkApprovals('approvals', policy.approvals);
  checkNames('rules', policy.rules);
  policy.rules.forEach((rule, i) => checkRule(`rules[${i}]`, rule));
  checkNames('automatic', policy.automatic);
  policy.automatic.forEach((rule, i) => checkAutomatic(`automatic[${i}]`, rule));
  checkNames('windows', policy.windows);
  policy.windows.forEach((window, i) => checkWindow(`windows[${i}]`, window));
  return policy;
};

const checkApprovals = (path: string, approvals: number): void => {
  if (!Number.isInteger(approvals) || approvals < 1 || approvals > APPROVALS_MAX)
    throw invalid(path, `${approvals} is no number of approvals`, 'give a whole number', `1 to ${APPROVALS_MAX}`);
};

const checkNames = (path: string, entries: readonly { readonly name: string }[]): void => {
  if (entries.length > ENTRIES_MAX)
    throw invalid(path, `has ${entries.length} entries`, 'make the list shorter', `${ENTRIES_MAX} entries`);
  const seen = new Set<string>();
  entries.forEach(({ name }, i) => {
    if (name === '' || name.length > 63 || seen.has(name))
      throw invalid(
        `${path}[${i}].name`,
        seen.has(name) ? `"${printable(name)}" is there twice` : 'is empty or too long',
        'give each a name of its own',
        '1 to 63 characters',
      );
    seen.add(name);
  });
};

const checkAmount = (path: string, amount: number | undefined): void => {
  if (amount !== undefined && (!Number.isSafeInteger(amount) || amount < 0))
    throw invalid(path, `${amount} is no amount`, 'give a whole number', '0 or more');
};

const checkRule = (path: string, rule: ApprovalRule): void => {
  checkApprovals(`${path}.approvals`, rule.approvals);
  checkAmount(`${path}.movesOver`, rule.movesOver);
  checkAmount(`${path}.bytesOver`, rule.bytesOver);
  if (rule.movesOver === undefined && rule.bytesOver === undefined && !rule.crossesZone && !rule.lowersRedundancy)
    throw invalid(path, 'has no condition', 'give movesOver, bytesOver, crossesZone or lowersRedundancy');
};

const checkAutomatic = (path: string, rule: AutomaticApproval): void => {
  if (rule.kinds.length === 0 || rule.kinds.some((kind) => !MOVE_KINDS.includes(kind)))
    throw invalid(`${path}.kinds`, 'are not kinds of moves', `use some of ${MOVE_KINDS.join(', ')}`);
  if (rule.movesMax < 1) throw invalid(`${path}.movesMax`, 'allows nothing', 'give at least 1');
  checkAmount(`${path}.movesMax`, rule.movesMax);
  checkAmount(`${path}.bytesMax`, rule.bytesMax);
};
