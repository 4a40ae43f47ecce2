import { writeFile } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import type { Command } from 'commander';
import { invalid } from '@cadastre/core';
import { plural } from '../format.js';
import { exportedCluster } from '../planning/export.codec.js';
import type { Session } from './context.js';
import { act } from './context.js';

const collect = (value: string, previous: string[] | undefined): string[] => [...(previous ?? []), value];

export const addExportCommand = (plan: Command, session: Session): void => {
  const command = plan
    .command('export')
    .description('record the live cluster as a file for plan simulate')
    .option('--keyspace <name>', 'only this one; may be repeated', collect)
    .option('--output <file>', 'by default standard output');
  act<{ keyspace?: string[]; output?: string }>(session, command, async ({ io, out, operator }, _, flags) => {
    const calls = operator();
    const names = flags.keyspace ?? (await calls.listKeyspaces()).keyspaces.map((k) => k.spec?.name ?? '');
    const keyspaces = await Promise.all(names.map((name) => calls.getKeyspace({ name, withPartitions: true })));
    const { nodes } = await calls.listNodes();
    const { policy } = await calls.getPolicy('');
    const exported = exportedCluster(nodes, keyspaces, policy);
    const document = `${JSON.stringify(exported)}\n`;
    if (flags.output === undefined) {
      io.stdout.write(document);
      return;
    }
    const path = isAbsolute(flags.output) ? flags.output : join(io.cwd, flags.output);
    await writeFile(path, document).catch((error: Error) => {
      throw invalid('--output', error.message, 'give a file that can be written');
    });
    const partitions = keyspaces.reduce((sum, k) => sum + k.partitions, 0);
    out.result(
      { output: flags.output, nodes: nodes.length, keyspaces: names, partitions },
      () => `${plural(nodes.length, 'node')} and ${plural(partitions, 'partition')} were written to ${flags.output}\n`,
    );
  });
};
