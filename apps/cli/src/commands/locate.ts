import type { Command } from 'commander';
import type { Wire } from '@cadastre/contracts';
import { createPartitioner, describeScheme, formatToken, invalid, type Partitioner } from '@cadastre/core';
import { facts, table, toJson } from '../format.js';
import { type Key, keyOfText, readKeyFile } from '../schemes/key-file.js';
import { type SchemeFlags, schemeOfFlags } from '../schemes/preset-options.js';
import type { Context, Session } from './context.js';
import { act } from './context.js';

interface LocateFlags extends SchemeFlags {
  readonly keysFile?: string;
}

/** Where a key lies by the scheme alone; `node` on rings, which name one. */
interface Place {
  readonly key: string;
  readonly token: string;
  readonly partition: number;
  readonly node?: string;
}

const WRITE_AT_ONCE = 2_000;

export const addLocateCommand = (program: Command, session: Session): void => {
  const locate = program
    .command('locate')
    .argument('[keyspace-or-key]', 'a keyspace of the cluster; with --scheme the first key')
    .argument('[keys...]', 'the key; with --scheme as many as you like')
    .usage('KEYSPACE KEY | --scheme PRESET [--keys-file FILE | KEY...]')
    .description('where a key lives: in a keyspace of the cluster, or offline by a scheme of the field')
    .option('--scheme <preset>', 'place keys as this scheme does, without a cluster (see cadastre scheme list)')
    .option('--partitions <n>', 'slots, ranges or shards of the scheme')
    .option('--nodes <a,b,c>', 'nodes of a ring')
    .option('--vnodes <n>', 'tokens that each node of a ring has')
    .option('--seed <text>', 'which random tokens a ring has')
    .option(
      '--type <type>',
      'type of the keys: citus text, int4, int8, uuid; mongodb-hashed string, int32, int64, objectid',
    )
    .option('--shards <a,b>', 'of vitess: keyspace-id ranges, such as -80,80-')
    .option('--split-points <a,b,c>', 'of a range scheme: where partitions begin')
    .option('--keys-file <file>', 'keys: one a line, or a JSON array of strings when the name ends in .json');
  act<LocateFlags>(session, locate, async (context, args, flags) =>
    flags.scheme === undefined ? inCluster(context, args, flags) : offline(context, args, flags),
  );
};

const OFFLINE_FLAGS = ['partitions', 'nodes', 'vnodes', 'seed', 'type', 'shards', 'splitPoints', 'keysFile'] as const;

const inCluster = async ({ out, operator }: Context, args: string[], flags: LocateFlags): Promise<void> => {
  const [keyspace, key, ...more] = args;
  const given = OFFLINE_FLAGS.find((name) => flags[name] !== undefined);
  if (given !== undefined)
    throw invalid(`--${kebab(given)}`, 'describes a scheme', 'add --scheme PRESET, or give KEYSPACE KEY alone');
  if (keyspace === undefined)
    throw invalid('keyspace', "missing required argument 'keyspace'", 'give KEYSPACE KEY, or --scheme PRESET');
  if (key === undefined)
    throw invalid('key', "missing required argument 'key'", 'give KEYSPACE KEY, or --scheme PRESET');
  if (more.length > 0)
    throw invalid('arguments', `${args.length} arguments, 2 are expected`, 'locate one key at a time in a cluster');
  const found = await operator().locate({ keyspace, key: Buffer.from(key) });
  out.result(found, () => locateText(keyspace, found));
};

const kebab = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

const offline = async ({ io, out }: Context, args: string[], flags: LocateFlags): Promise<void> => {
  if (flags.keysFile !== undefined && args.length > 0)
    throw invalid('--keys-file', 'and keys as arguments', 'give the keys in one of the two places');
  const partitioner = createPartitioner(schemeOfFlags(flags));
  const keys =
    flags.keysFile === undefined
      ? keysOf(partitioner, args)
      : await readKeyFile(flags.keysFile, io.cwd, partitioner.scheme);
  if (!out.json) {
    out.say(describeScheme(partitioner.scheme));
    out.say(placeTable(keys.map((key) => placeOf(partitioner, key))).trimEnd());
    return;
  }
  for (let from = 0; from < keys.length; from += WRITE_AT_ONCE) {
    const lines = keys.slice(from, from + WRITE_AT_ONCE).map((key) => `${toJson(placeOf(partitioner, key))}\n`);
    io.stdout.write(lines.join(''));
  }
};

const keysOf = ({ scheme }: Partitioner, args: readonly string[]): Key[] => {
  if (args.length === 0) throw invalid('key', 'is missing', 'give keys as arguments, or a file with --keys-file');
  return args.map((text, i) => keyOfText(scheme, text, `key[${i}]`));
};

const placeOf = (partitioner: Partitioner, { shown, bytes }: Key): Place => {
  const partition = partitioner.partitionOf(bytes);
  const node = partitioner.ownerOf(partition);
  return { key: shown, token: formatToken(partitioner.token(bytes)), partition, ...(node !== undefined && { node }) };
};

const placeTable = (places: readonly Place[]): string =>
  table(places, [
    { title: 'KEY', value: (p) => p.key },
    { title: 'TOKEN', align: 'right', value: (p) => p.token },
    { title: 'PARTITION', align: 'right', value: (p) => p.partition },
    ...(places.some((p) => p.node !== undefined) ? [{ title: 'NODE', value: (p: Place) => p.node ?? '' }] : []),
  ]);

const locateText = (keyspace: string, found: Wire.LocateReply__Output): string => {
  const addresses = new Map(found.nodes.map((n) => [n.id, n.address]));
  const head = facts([
    ['partition', `${keyspace}/${found.partition}`],
    ['epoch', found.record?.epoch ?? '?'],
    ['generation', found.generation ? `${found.generation.incarnation}.${found.generation.number}` : '?'],
  ]);
  const rows = table(found.record?.replicas ?? [], [
    { title: 'NODE', value: (r) => r.node },
    { title: 'ROLE', value: (r) => r.role.toLowerCase() },
    { title: 'STATE', value: (r) => r.state.toLowerCase() },
    { title: 'IN SYNC', value: (r) => (r.inSync ? 'yes' : 'no') },
    { title: 'ADDRESS', value: (r) => addresses.get(r.node) ?? '?' },
  ]);
  return `${head}\n${rows}`;
};
