import type { Command } from 'commander';
import { type Preset, PRESETS, type SchemeKind, seededRandom, invalid } from '@cadastre/core';
import { table } from '../format.js';
import { compareSchemes } from '../schemes/comparison.js';
import { comparisonText } from '../schemes/comparison-text.js';
import type { Setting } from '../schemes/contenders.js';
import { checkGb, JOIN_EXAMPLE, joinRows } from '../schemes/join-model.js';
import { readKeyFile } from '../schemes/key-file.js';
import { vnodeRows } from '../schemes/vnode-spread.js';
import { checkCount } from '../supervisor/topology.js';
import type { Context, Session } from './context.js';
import { act } from './context.js';

interface CompareFlags {
  readonly keysFile?: string;
  readonly keys?: string;
  readonly nodes: string;
  readonly add: string;
  readonly partitions: string;
  readonly vnodes: string;
  readonly dataGb: string;
  readonly splitGb: string;
}

const KEYS_MAX = 10_000_000;
const GENERATED_KEYS = 100_000;
const NODES_MAX = 1_000;

export const addSchemeCommands = (program: Command, session: Session): void => {
  const scheme = program.command('scheme').description('partitioning schemes of the field, offline');
  act(session, scheme.command('list').description('all schemes'), async ({ out }) => {
    const rows = PRESETS.map(listed);
    out.result(rows, () => listText(rows));
  });
  const compare = scheme
    .command('compare')
    .description('what each scheme moves when nodes join, how evenly it spreads keys, and what a range query asks')
    .option('--keys-file <file>', 'keys: one a line, or a JSON array of strings when the name ends in .json')
    .option('--keys <n>', `so many generated keys instead (default: ${GENERATED_KEYS})`)
    .option('--nodes <n>', 'nodes at first', '4')
    .option('--add <n>', 'nodes that join', '1')
    .option('--partitions <n>', 'slots or ranges where the scheme leaves the number open', '1024')
    .option('--vnodes <n>', 'tokens a node on rings', '256')
    .option('--data-gb <n>', `data of the example of 3 nodes and a fourth`, `${JOIN_EXAMPLE.dataGb}`)
    .option('--split-gb <n>', 'size at which ranges of the example split', `${JOIN_EXAMPLE.splitGb}`);
  act<CompareFlags>(session, compare, async (context, _, flags) => {
    const setting = await settingOf(context, flags);
    const example = {
      ...JOIN_EXAMPLE,
      dataGb: checkGb('--data-gb', flags.dataGb),
      splitGb: checkGb('--split-gb', flags.splitGb),
    };
    const schemes = compareSchemes(setting);
    const result = {
      nodes: setting.nodes.length,
      add: setting.joining.length,
      keys: setting.keys.length,
      fairShare: setting.joining.length / (setting.nodes.length + setting.joining.length),
      schemes,
      vnodeSpread: vnodeRows(setting.nodes.length),
      join: { ...example, rows: joinRows(example) },
    };
    context.out.result(result, () => comparisonText(result));
  });
};

/** By kind: what happens to partitions when data or nodes grow. */
const CHANGE_BY: Record<SchemeKind, string> = {
  'hash-slots': 'moving only',
  'hash-range': 'split and merge',
  range: 'split and merge, pre-split',
  ring: 'joining splits, leaving merges',
  directory: 'edit',
};

const listed = ({ name, kind, summary, partitions, source }: Preset) => ({
  name,
  kind,
  token: summary,
  partitionsChangeBy: CHANGE_BY[kind],
  partitions,
  source,
});

const listText = (rows: readonly ReturnType<typeof listed>[]): string =>
  table(rows, [
    { title: 'SCHEME', value: (r) => r.name },
    { title: 'KIND', value: (r) => r.kind },
    { title: 'PARTITIONS CHANGE BY', value: (r) => r.partitionsChangeBy },
    { title: 'TOKEN', value: (r) => r.token },
    { title: 'SOURCE', value: (r) => r.source },
  ]) + '\nhash mod N over nodes is not among them: cadastre scheme compare shows why\n';

const settingOf = async ({ io }: Context, flags: CompareFlags): Promise<Setting> => {
  if (flags.keysFile !== undefined && flags.keys !== undefined)
    throw invalid('--keys', 'and --keys-file', 'give one of the two');
  const nodes = checkCount('--nodes', flags.nodes, 1, NODES_MAX);
  const add = checkCount('--add', flags.add, 1, NODES_MAX);
  const partitions = checkCount('--partitions', flags.partitions, nodes + add, 65_536);
  if ((partitions & (partitions - 1)) !== 0)
    throw invalid(
      '--partitions',
      `${partitions} is no power of two`,
      'give a power of two, which every scheme can have',
      '1 to 65536',
    );
  const vnodes = checkCount('--vnodes', flags.vnodes, 1, Math.floor(1_000_000 / (nodes + add)));
  const keys =
    flags.keysFile === undefined
      ? generated(checkCount('--keys', flags.keys ?? GENERATED_KEYS, 1, KEYS_MAX))
      : await textsOf(flags.keysFile, io.cwd);
  const names = Array.from({ length: nodes + add }, (_, i) => `node-${i + 1}`);
  return { nodes: names.slice(0, nodes), joining: names.slice(nodes), partitions, vnodes, keys };
};

const textsOf = async (file: string, cwd: string): Promise<string[]> => {
  const keys = await readKeyFile(file, cwd, { kind: 'range', splitPoints: [] });
  if (keys.length === 0) throw invalid('--keys-file', 'has no keys', 'give at least one key a line');
  if (keys.length > KEYS_MAX)
    throw invalid('--keys-file', `has ${keys.length} keys`, 'give a sample', `${KEYS_MAX} keys`);
  return keys.map((key) => key.shown);
};

/** The same keys every time: users with numbers of seven digits. */
const generated = (count: number): string[] => {
  const random = seededRandom('scheme compare');
  return Array.from({ length: count }, (_, i) => `user_${i}_${random.below(10_000_000)}`);
};
