import type { Command } from 'commander';
import { CadastreError, invalid } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import { decodeApprovalPolicy, encodeApprovalPolicy } from '@cadastre/contracts';
import { readDocument } from '../planning/read-document.js';
import type { Session } from './context.js';
import { act } from './context.js';

interface PolicyFlags {
  readonly set?: string;
  readonly show?: boolean;
  readonly ifVersion?: string;
  readonly reason?: string;
}

/** `approval-policy`: without options it shows. */
export const addApprovalCommands = (program: Command, session: Session): void => {
  const policy = program
    .command('approval-policy')
    .description('who has to approve what, what is approved beforehand, and when plans may run')
    .option('--set <file>', 'write this policy (JSON, or - for standard input) in place of the one there')
    .option('--show', 'the policy as it is; what happens without --set')
    .option('--if-version <version>', 'only if this one still holds; --show says it')
    .option('--reason <text>', 'kept in the audit log');
  act<PolicyFlags>(session, policy, async ({ io, out, operator, actor }, _, flags) => {
    const { set, show = false, ifVersion = '', reason = '' } = flags;
    if (set !== undefined && show) throw invalid('--show', 'does not go with --set', 'give one of the two');
    const reply =
      set === undefined
        ? await operator().getApprovalPolicy()
        : await operator().setApprovalPolicy({
            policy: policyOf(await readDocument(io, set, '--set')),
            actor,
            reason,
            ifVersion,
          });
    const shown = encodeApprovalPolicy(decodeApprovalPolicy(reply.policy));
    out.result(
      { policy: shown, version: reply.version },
      () => `version ${reply.version}\n${JSON.stringify(shown, null, 2)}\n`,
    );
  });
  const freeze = program
    .command('freeze')
    .description('stop automation: no move begins and nothing is repaired; failover goes on')
    .requiredOption('--reason <text>', 'shown to everybody while it lasts');
  act<{ reason: string }>(session, freeze, async ({ out, operator, actor }, _, { reason }) => {
    const frozen = await operator().freeze({ actor, reason });
    out.result(frozen, () => 'frozen: no move begins until: cadastre unfreeze --by person --reason TEXT\n');
  });
};

const FIELDS: Readonly<Record<string, 'boolean' | 'number' | 'list'>> = {
  fourEyes: 'boolean',
  reasonRequired: 'boolean',
  approvals: 'number',
  rules: 'list',
  automatic: 'list',
  windows: 'list',
};

/** What is left out has its default; the values themselves are checked by the one reader that the server has too. */
const policyOf = (document: unknown): Wire.ApprovalPolicy => {
  const given = document as Record<string, unknown>;
  if (typeof document !== 'object' || document === null || Array.isArray(document))
    throw invalid('policy', 'is no object', 'give a JSON object');
  for (const [name, value] of Object.entries(given)) {
    const kind = FIELDS[name];
    if (kind === undefined) throw invalid(name, 'is unknown here', `use one of ${Object.keys(FIELDS).join(', ')}`);
    if (kind === 'list' ? !Array.isArray(value) : typeof value !== kind)
      throw invalid(name, `is no ${kind}`, `give a ${kind}`);
  }
  const list = (name: string): Record<string, unknown>[] => (given[name] ?? []) as Record<string, unknown>[];
  const whole = {
    fourEyes: false,
    reasonRequired: false,
    approvals: 1,
    ...given,
    rules: list('rules').map((r) => ({ approvals: 1, crossesZone: false, lowersRedundancy: false, ...r })),
    automatic: list('automatic').map((r) => ({ crossesZone: false, keyspaces: [], ...r })),
    windows: list('windows').map((w) => ({ days: [], ...w })),
  };
  try {
    return encodeApprovalPolicy(decodeApprovalPolicy(whole as unknown as Wire.ApprovalPolicy__Output));
  } catch (error) {
    if (error instanceof CadastreError) throw error;
    throw invalid('policy', 'has a field of the wrong type', 'see docs/operations.md for an example');
  }
};
