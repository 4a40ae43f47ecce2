import type { Command } from 'commander';
import { type Explanation, explainDocument, invalid } from '@cadastre/core';
import { facts, table } from '../format.js';
import { limitsOf, type PlanFlags, planOptionsOf } from '../planning/plan-options.js';
import { readDocument } from '../planning/read-document.js';
import type { Session } from './context.js';
import { act } from './context.js';
import { withPlanFlags } from './plan-simulate.js';

interface WhyFlags extends PlanFlags {
  readonly input?: string;
}

type Told = Omit<Explanation, 'partition' | 'role' | 'verdict' | 'checks'> & {
  readonly partition: number | string;
  readonly role: string;
  readonly verdict: string;
  readonly checks: readonly (Omit<Explanation['checks'][number], 'verdict'> & { readonly verdict: string })[];
};

/** `explain`: the same question under the name that other systems give it. */
export const addExplainCommand = (program: Command, session: Session): void => addNamed(program, session, 'explain');

export const addWhyCommand = (plan: Command, session: Session): void => addNamed(plan, session, 'why');

const addNamed = (parent: Command, session: Session, name: string): void => {
  const command = withPlanFlags(
    parent
      .command(name)
      .argument('<keyspace>')
      .argument('<partition>')
      .argument('<node>')
      .description('why a partition is on a node, or is not, or will be')
      .option('--input <file>', 'of the cluster in this file (see plan simulate) instead of the live one'),
  );
  act<WhyFlags>(session, command, async ({ io, out, operator }, [keyspace, partition, node], flags) => {
    const told: Told =
      flags.input === undefined
        ? await operator().why({ keyspace: keyspace!, partition: numberOf(partition!), node: node! })
        : explainDocument(
            await readDocument(io, flags.input, '--input'),
            { keyspace: keyspace!, partition: partition!, node: node! },
            planOptionsOf(flags, limitsOf(flags.limits ?? []).limits),
          );
    out.result(told, () => whyText(told));
  });
};

const numberOf = (text: string): number => {
  const partition = Number(text);
  if (!/^\d{1,7}$/.test(text)) throw invalid('partition', `"${text}" is no partition`, 'give its number, from 0');
  return partition;
};

const whyText = (told: Told): string => {
  const head = facts([
    ['partition', `${told.keyspace}/${told.partition}`],
    ['node', `${told.node} (${told.role === 'none' ? 'no copy' : told.role})`],
    ['verdict', told.verdict],
    ['because', told.because],
    [
      'decided by',
      `${told.rule}${told.value === '' ? '' : `: ${told.value}`}${told.limit === '' ? '' : `, limit ${told.limit}`}`,
    ],
  ]);
  return `${head}\n${table(told.checks, [
    { title: 'RULE', value: (c) => c.rule },
    { title: 'VERDICT', value: (c) => c.verdict },
    { title: 'VALUE', value: (c) => c.value },
    { title: 'LIMIT', value: (c) => c.limit },
    { title: 'WHICH MEANS', value: (c) => c.text },
  ])}`;
};
