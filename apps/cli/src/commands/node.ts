import type { Command } from 'commander';
import { CadastreError } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import { bytes, count, facts, table } from '../format.js';
import type { OperatorCalls } from '../operator-calls.js';
import type { Session } from './context.js';
import { act } from './context.js';

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
    .option('--reason <text>');
  act<{ undo?: boolean; reason?: string }>(
    session,
    drain,
    async ({ out, operator, actor }, [id], { undo = false, reason = '' }) => {
      const drained = await operator().drainNode({ id: id!, undo, actor, reason });
      const next = undo ? 'it takes part in placement again' : 'the next plan empties it: cadastre plan propose';
      out.result(drained, () => `node ${id} is ${drained.state}; ${next}\n`);
    },
  );
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
