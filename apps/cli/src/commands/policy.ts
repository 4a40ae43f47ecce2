import type { Command } from 'commander';
import { Field, invalid, type Policy, policyJson, readPolicy } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import { decodePolicy, encodePolicy } from '@cadastre/contracts';
import { facts } from '../format.js';
import type { Io } from '../io.js';
import { readDocument } from '../planning/read-document.js';
import type { Context, Session } from './context.js';
import { act } from './context.js';

interface PolicyFlags {
  readonly set?: string;
  readonly show?: boolean;
  readonly reason?: string;
}

/** @throws CadastreError INVALID_ARGUMENT naming the path in the file */
export const readPolicyFile = async (io: Io, path: string, flag: string): Promise<Policy> =>
  readPolicy(new Field(await readDocument(io, path, flag), 'policy'));

const withFlags = (command: Command): Command =>
  command
    .option('--set <file>', 'write this policy (JSON, or - for standard input) in place of the one there')
    .option('--show', 'the policy as it is; what happens without --set')
    .option('--reason <text>', 'kept in the audit log');

/** `keyspace policy NAME`. */
export const addPolicyCommand = (keyspace: Command, session: Session): void => {
  const command = keyspace.command('policy').argument('<name>').description('where copies of a keyspace may lie');
  act<PolicyFlags>(session, withFlags(command), (context, [name], flags) => setOrShow(context, name!, flags));
};

/** `policy`: what every keyspace inherits. */
export const addClusterPolicyCommand = (program: Command, session: Session): void => {
  const command = program.command('policy').description('of the cluster: what every keyspace inherits');
  act<PolicyFlags>(session, withFlags(command), (context, _, flags) => setOrShow(context, '', flags));
};

const setOrShow = async (
  { io, out, operator, actor }: Context,
  keyspace: string,
  { set, show = false, reason = '' }: PolicyFlags,
): Promise<void> => {
  if (set !== undefined && show) throw invalid('--show', 'does not go with --set', 'give one of the two');
  const reply =
    set === undefined
      ? await operator().getPolicy(keyspace)
      : await operator().setPolicy({
          keyspace,
          policy: encodePolicy(await readPolicyFile(io, set, '--set')),
          actor,
          reason,
        });
  const policy = reply.policy ? policyJson(decodePolicy(reply.policy)) : {};
  out.result({ ...reply, policy }, () => policyText(reply, policy));
};

const policyText = (reply: Wire.PolicyReply__Output, policy: Readonly<Record<string, unknown>>): string => {
  const head =
    reply.keyspace === ''
      ? facts([['policy of', 'the cluster; keyspaces inherit it']])
      : facts([
          ['policy of', `keyspace ${reply.keyspace}`],
          ['copies', `${reply.replicationFactor}, a write needs ${reply.minInSync}`],
          [
            'spread',
            reply.spread.map((s) => `${s.hard ? 'must' : 'prefer'} ${s.label} <= ${s.maxPerDomain}`).join(', ') ||
              'none',
          ],
        ]);
  return `${head}${JSON.stringify(policy, null, 2)}\n`;
};
