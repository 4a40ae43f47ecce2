import type { Command } from 'commander';
import {
  checkKeyspaceSpec,
  describeScheme,
  invalid,
  type KeyspaceSpec,
  type Policy,
  type Scheme,
  SLOT_HASHES,
  type SlotHash,
  type SpreadConstraint,
} from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import { decodeScheme, encodeSpec } from '@cadastre/contracts';
import { count, facts, showBytes, table } from '../format.js';
import { schemeOfFlags } from '../schemes/preset-options.js';
import { checkCount } from '../supervisor/topology.js';
import type { Session } from './context.js';
import { act } from './context.js';
import { addHeatCommand } from './keyspace-heat.js';
import { addPolicyCommand, readPolicyFile } from './policy.js';

interface CreateOptions {
  readonly scheme: string;
  readonly partitions?: string;
  readonly hash: string;
  readonly hashTags?: boolean;
  readonly splitPoints?: string;
  readonly rf?: string;
  readonly minInSync?: string;
  readonly spread?: string[];
  readonly policy?: string;
}

const collect = (value: string, previous: string[] | undefined): string[] => [...(previous ?? []), ...value.split(',')];

export const addKeyspaceCommands = (program: Command, session: Session): void => {
  const keyspace = program
    .command('keyspace')
    .description('keyspaces: sets of keys with one scheme and one placement policy');
  const create = keyspace
    .command('create')
    .argument('<name>')
    .description('make a keyspace')
    .option('--scheme <kind>', 'hash-slots, range, or a scheme of the field (see cadastre scheme list)', 'hash-slots')
    .option('--partitions <n>', 'partitions; slots, which are fixed for ever, are 64 unless given')
    .option('--hash <name>', SLOT_HASHES.join(' or '), 'murmur3')
    .option('--hash-tags', 'hash only what stands between { and }, as Redis Cluster does')
    .option('--split-points <a,b,c>', 'of range: where partitions begin')
    .option('--rf <n>', 'copies of each partition; 3 unless given')
    .option('--min-in-sync <n>', 'copies that a write needs; by default a majority')
    .option(
      '--spread <label=n>',
      'at most n copies in one zone, rack, ...; a preference with :soft; or none. Default: zone=1,rack=1:soft',
      collect,
    )
    .option('--policy <file>', 'where copies may lie, as JSON (see docs/planning.md), or - for standard input');
  act<CreateOptions>(session, create, async ({ io, out, operator, actor }, [name], options) => {
    const policy = options.policy === undefined ? undefined : await readPolicyFile(io, options.policy, '--policy');
    const { replicationFactor: _rf, minInSync: _min, ...rest } = policy ?? {};
    const spec = checkKeyspaceSpec({ ...specOf(name!, options, policy), ...(policy && { policy: rest }) });
    const made = await operator().createKeyspace({ spec: encodeSpec(spec), actor });
    out.result(
      made,
      () => `keyspace ${name} was made: ${count(made.partitions)} partitions, ${spec.replicationFactor} copies each\n`,
    );
  });
  addPolicyCommand(keyspace, session);
  addHeatCommand(keyspace, session);
  const drop = keyspace
    .command('drop')
    .argument('<name>')
    .description('drop a keyspace and all its data, for ever')
    .requiredOption('--confirm <name>', 'the name once more')
    .requiredOption('--reason <text>', 'kept in the audit log');
  act<{ confirm: string; reason: string }>(session, drop, async ({ out, operator, actor }, [name], options) => {
    const dropped = await operator().dropKeyspace({ name: name!, ...options, actor });
    out.result(dropped, () => `keyspace ${name} was dropped: ${count(dropped.partitions)} partitions\n`);
  });
  act(session, keyspace.command('list').description('all keyspaces'), async ({ out, operator }) => {
    const { keyspaces } = await operator().listKeyspaces();
    out.result(keyspaces, () =>
      keyspaces.length === 0 ? 'no keyspaces; make one: cadastre keyspace create NAME\n' : keyspaceTable(keyspaces),
    );
  });
  const show = keyspace
    .command('show')
    .argument('<name>')
    .description('one keyspace')
    .option('--partitions', 'with all its partitions');
  act<{ partitions?: boolean }>(session, show, async ({ out, operator }, [name], { partitions = false }) => {
    const found = await operator().getKeyspace({ name: name!, withPartitions: partitions });
    out.result(found, () => keyspaceFacts(found) + (partitions ? `\n${partitionTable(found.records)}` : ''));
  });
};

/** What flags leave open the policy decides, and the usual where it says nothing. */
export const specOf = (name: string, options: CreateOptions, policy: Policy = {}): KeyspaceSpec => {
  const rf = checkCount('--rf', options.rf ?? String(policy.replicationFactor ?? 3), 1, 16);
  const majority = String(policy.minInSync ?? Math.floor(rf / 2) + 1);
  const minInSync = checkCount('--min-in-sync', options.minInSync ?? majority, 1, rf);
  const spread = options.spread ?? (policy.spread ? ['none'] : ['zone=1', 'rack=1:soft']);
  return {
    name,
    scheme: schemeOf(options),
    replicationFactor: rf,
    minInSync,
    spread: spreadsOf(spread),
  };
};

const schemeOf = (options: CreateOptions): Scheme => {
  if (options.scheme === 'range') {
    return {
      kind: 'range',
      splitPoints: (options.splitPoints ?? '')
        .split(',')
        .filter((p) => p !== '')
        .map((p) => Buffer.from(p)),
    };
  }
  if (options.scheme !== 'hash-slots') {
    const { scheme, partitions, splitPoints } = options;
    return schemeOfFlags({ scheme, ...(partitions && { partitions }), ...(splitPoints && { splitPoints }) });
  }
  if (options.splitPoints !== undefined)
    throw invalid('--split-points', 'belong to the range scheme', 'add --scheme range, or leave them out');
  return {
    kind: 'hash-slots',
    slots: checkCount('--partitions', options.partitions ?? '64', 1, 1_048_576),
    hash: options.hash as SlotHash,
    hashTags: options.hashTags ?? false,
  };
};

const spreadsOf = (texts: readonly string[]): SpreadConstraint[] =>
  texts.join() === 'none' ? [] : texts.map(spreadOf);

/** `zone=1` must hold; `zone=1:soft` is better if it holds. */
const spreadOf = (text: string): SpreadConstraint => {
  const match = /^([^=]+)=(\d+)(:soft|:hard)?$/.exec(text);
  if (!match)
    throw invalid(
      '--spread',
      `"${text}" cannot be read`,
      'give label=count, such as zone=1, or zone=1:soft for a preference',
    );
  return { label: match[1]!, maxPerDomain: Number(match[2]), hard: match[3] !== ':soft' };
};

const schemeText = (scheme: Wire.Scheme__Output | null | undefined): string => {
  if (scheme?.hashSlots) return `hash-slots ${scheme.hashSlots.slots} ${scheme.hashSlots.hash}`;
  if (scheme?.range) return `range ${scheme.range.splitPoints.length + 1}`;
  return scheme ? describeScheme(decodeScheme(scheme)) : '?';
};

export const keyspaceTable = (keyspaces: readonly Wire.Keyspace__Output[]): string =>
  table(keyspaces, [
    { title: 'KEYSPACE', value: (k) => k.spec?.name ?? '?' },
    { title: 'SCHEME', value: (k) => schemeText(k.spec?.scheme) },
    { title: 'PARTITIONS', align: 'right', value: (k) => count(k.partitions) },
    { title: 'COPIES', align: 'right', value: (k) => `${k.spec?.replicationFactor ?? '?'}` },
    { title: 'MIN IN SYNC', align: 'right', value: (k) => `${k.spec?.minInSync ?? '?'}` },
    {
      title: 'GENERATION',
      align: 'right',
      value: (k) => (k.generation ? `${k.generation.incarnation}.${k.generation.number}` : '?'),
    },
    { title: 'MOVING', align: 'right', value: (k) => count(k.moving) },
    { title: 'UNDER-REPLICATED', align: 'right', value: (k) => count(k.underReplicated) },
    { title: 'WITHOUT LEADER', align: 'right', value: (k) => count(k.withoutLeader) },
  ]);

const keyspaceFacts = (k: Wire.Keyspace__Output): string =>
  facts([
    ['keyspace', k.spec?.name ?? '?'],
    ['scheme', schemeText(k.spec?.scheme)],
    ...(k.spec?.scheme?.range
      ? ([['split points', k.spec.scheme.range.splitPoints.map(showBytes).join(', ') || 'none']] as const)
      : []),
    ['partitions', count(k.partitions)],
    ['copies', `${k.spec?.replicationFactor ?? '?'}, a write needs ${k.spec?.minInSync ?? '?'}`],
    [
      'spread',
      k.spec?.spread.map((s) => `${s.hard ? 'must' : 'prefer'} ${s.label} <= ${s.maxPerDomain}`).join(', ') || 'none',
    ],
    ['generation', k.generation ? `${k.generation.incarnation}.${k.generation.number}` : '?'],
    ['moving', count(k.moving)],
    ['under-replicated', count(k.underReplicated)],
    ['without leader', count(k.withoutLeader)],
  ]);

const partitionTable = (records: readonly Wire.PartitionRecord__Output[]): string =>
  table(records, [
    { title: 'PARTITION', align: 'right', value: (r) => r.partition },
    { title: 'EPOCH', align: 'right', value: (r) => r.epoch },
    { title: 'LEADER', value: (r) => r.replicas.find((x) => x.role === 'LEADER')?.node ?? '-' },
    {
      title: 'FOLLOWERS',
      value: (r) =>
        r.replicas
          .filter((x) => x.role === 'FOLLOWER')
          .map((x) => (x.inSync ? x.node : `${x.node}(behind)`))
          .join(' '),
    },
    {
      title: 'LEARNERS',
      value: (r) =>
        r.replicas
          .filter((x) => x.role === 'LEARNER')
          .map((x) => x.node)
          .join(' '),
    },
  ]);
