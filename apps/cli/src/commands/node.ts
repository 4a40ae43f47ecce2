import type { Command } from 'commander';
import { CadastreError } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import { parseDuration } from '../amounts.js';
import { bytes, count, facts, table } from '../format.js';
import { EXIT } from '../io.js';
import type { OperatorCalls } from '../operator-calls.js';
import type { Session } from './context.js';
import { checkDrain, drainAndWait } from './node-drain.js';
import { act } from './context.js';

interface DrainFlags {
  readonly undo?: boolean;
  readonly check?: boolean;
  readonly wait?: boolean;
  readonly timeout?: string;
  readonly reason?: string;
}

export const addNodeCommands = (program: Command, session: Session): void => {
  const node = program.command('node').description('nodes: storage agents as the control plane sees them');
  act(session, node.command('list').description('all nodes'), async ({ out, operator }) => {
    const { nodes } = await operator().listNodes();
    out.result(nodes, () => (nodes.length === 0 ? 'no nodes have registered yet\n' : nodeTable(nodes)));
  });
  act(session, node.command('show').argument('<id>').description('one node'), async ({ out, operator }, [id]) => {
    const found = await findNode(operator(), id!);
    out.result(found, () => nodeFacts(found));
  });
  const drain = node
    .command('drain')
    .argument('<id>')
    .description('mark a node to be emptied by the next plan')
    .option('--undo', 'take the mark away')
    .option('--check', 'change nothing: could it be emptied? exit code 1 if not')
    .option('--wait', 'until it is empty: exit code 0 says that it may be deleted, 1 that it cannot be emptied')
    .option('--timeout <time>', 'with --wait: exit code 2 when it is not empty by then', '1h')
    .option('--reason <text>', 'kept in the audit log');
  act<DrainFlags>(session, drain, async (context, [id], flags) => {
    const { out, operator, actor } = context;
    const { undo = false, reason = '', check = false, wait = false, timeout = '1h' } = flags;
    if (check) return checkDrain(context, id!);
    if (wait && !undo) return drainAndWait(context, id!, reason, parseDuration('--timeout', timeout));
    const drained = await operator().drainNode({ id: id!, undo, actor, reason });
    const next = undo ? 'it takes part in placement again' : 'the next plan empties it: cadastre plan propose';
    out.result(drained, () => `node ${id} is ${drained.state}; ${next}\n`);
    return EXIT.ok;
  });
};

const findNode = async (operator: OperatorCalls, id: string): Promise<Wire.Node__Output> => {
  const { nodes } = await operator.listNodes();
  const found = nodes.find((n) => n.entry?.id === id);
  if (!found)
    throw new CadastreError('NOT_FOUND', `id: there is no node "${id}"`, {
      field: 'id',
      remedy: `use one of ${nodes.map((n) => n.entry?.id).join(', ') || '(none has registered)'}`,
    });
  return found;
};

const labelsOf = (n: Wire.Node__Output): string =>
  Object.entries(n.entry?.labels ?? {})
    .sort()
    .map(([label, value]) => `${label}=${value}`)
    .join(' ');

export const nodeTable = (nodes: readonly Wire.Node__Output[]): string =>
  table(nodes, [
    { title: 'NODE', value: (n) => n.entry?.id ?? '?' },
    { title: 'STATE', value: (n) => n.state },
    { title: 'ADDRESS', value: (n) => n.entry?.address ?? '?' },
    { title: 'LABELS', value: labelsOf },
    { title: 'REPLICAS', align: 'right', value: (n) => count(n.replicas) },
    { title: 'LEADERS', align: 'right', value: (n) => count(n.leaders) },
    { title: 'RECORDS', align: 'right', value: (n) => count(n.records) },
    { title: 'BYTES', align: 'right', value: (n) => bytes(n.bytes) },
  ]);

const nodeFacts = (n: Wire.Node__Output): string =>
  facts([
    ['node', n.entry?.id ?? '?'],
    ['state', n.state],
    ['address', n.entry?.address ?? '?'],
    ['labels', labelsOf(n) || 'none'],
    ['weight', n.entry?.weight ?? 1],
    ['incarnation', n.incarnation],
    ['replicas', `${count(n.replicas)}, leads ${count(n.leaders)}`],
    ['data', `${count(n.records)} records, ${bytes(n.bytes)}`],
    ['allowed now', n.allowedActions.join(', ') || 'nothing'],
  ]);
