import type { Command } from 'commander';
import { CadastreError } from '@cadastre/core';
import type { AgentEntry } from '../cluster-file.js';
import { findClusterFolder, readClusterFile } from '../cluster-file.js';
import { resolve } from 'node:path';
import { askSupervisor } from '../supervisor/control-socket.js';
import type { Context, Session } from './context.js';
import { act } from './context.js';

const WORDS = { stop: 'is stopped', kill: 'was killed (SIGKILL)', start: 'is started' } as const;
const HELP = {
  stop: 'end an agent in order; it stays down until it is started',
  kill: 'kill -9 an agent, for experiments; it stays down until it is started',
  start: 'start an agent again',
} as const;

export const addAgentCommands = (program: Command, session: Session): void => {
  const agent = program
    .command('agent')
    .description('storage agents of the cluster that `cadastre up` runs here')
    .option('--data <folder>', 'of that cluster');
  const add = agent
    .command('add')
    .description('start one more agent')
    .option('--id <id>', 'its name; by default the next n1, n2, ...')
    .option('--zone <zone>', 'by default the one with the fewest agents')
    .option('--rack <rack>', 'by default the one of that zone with the fewest');
  act<{ id?: string; zone?: string; rack?: string; data?: string }>(
    session,
    add,
    async (context, _, { id, zone, rack, data }) => {
      const added = (await ask(context, data, {
        verb: 'agent-add',
        ...(id !== undefined && { id }),
        ...(zone !== undefined && { zone }),
        ...(rack !== undefined && { rack }),
      })) as AgentEntry;
      context.out.result(
        added,
        () =>
          `agent ${added.id} is started in zone ${added.zone}, rack ${added.rack}, at ${added.address}; to give it data: cadastre plan propose\n`,
      );
    },
  );
  for (const verb of ['stop', 'kill', 'start'] as const) {
    act<{ data?: string }>(
      session,
      agent.command(verb).argument('<id>').description(HELP[verb]),
      async (context, [id], { data }) => {
        const entry = (await ask(context, data, { verb: `agent-${verb}`, id: id! })) as AgentEntry;
        context.out.result(entry, () => `agent ${id} ${WORDS[verb]}\n`);
      },
    );
  }
};

const ask = (
  { io }: Context,
  data: string | undefined,
  request: Parameters<typeof askSupervisor>[1],
): Promise<unknown> => {
  const folder = data === undefined ? findClusterFolder(io.cwd) : resolve(io.cwd, data);
  const cluster = folder && readClusterFile(folder);
  if (!cluster)
    throw new CadastreError('FAILED_PRECONDITION', 'no cluster is known here', {
      field: 'data',
      remedy: 'start one with: cadastre up; or give --data',
    });
  return askSupervisor(cluster.socket, request, io.clock);
};
