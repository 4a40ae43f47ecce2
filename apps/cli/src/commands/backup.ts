import type { Command } from 'commander';
import { CadastreError, invalid } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import type { BackupFrame, BackupReport } from '@cadastre/store';
import { bytes, count, facts, table } from '../format.js';
import type { OperatorCalls } from '../operator-calls.js';
import type { Session } from './context.js';
import { act } from './context.js';

interface BackupFlags {
  readonly out?: string;
  readonly reason?: string;
}

/** The store's library is loaded by those commands alone that need it: it takes a tenth of a second. */
const library = () => import('../backup/backup-files.js');

export const addBackupCommands = (program: Command, session: Session): void => {
  const backup = program
    .command('backup')
    .description('copy the whole register, as it is at one moment, into a file; never the data of the agents')
    .option('--out <file>', 'a new file; only you can read it, since it holds password hashes')
    .option('--reason <text>', 'for the audit log');
  act<BackupFlags>(session, backup, async ({ out, operator, actor }, _, { out: path, reason = '' }) => {
    if (!path) throw invalid('--out', 'is missing', 'name the file that is to be written');
    const { writeBackup } = await library();
    const report = await writeBackup(path, framesFrom(operator(), { actor, reason }));
    out.result(reportJson(path, report), () => reportText(path, report));
  });
  const verify = backup
    .command('verify')
    .argument('<file>')
    .description('read a backup to its end: digest, counts, one revision, every record, whole maps, the audit chain');
  act(session, verify, async ({ out }, [path = '']) => {
    const { checkBackup } = await library();
    const report = await checkBackup(path);
    out.result(reportJson(path, report), () => reportText(path, report));
  });
};

async function* framesFrom(operator: OperatorCalls, request: Wire.BackupRequest): AsyncGenerator<BackupFrame> {
  const { decodeBackupFrame } = await import('@cadastre/store');
  for await (const wire of operator.backup(request)) {
    const frame = decodeBackupFrame(wire);
    if (!frame)
      throw new CadastreError('UNIMPLEMENTED', 'the control plane sends a backup of a kind that is not known here', {
        remedy: 'use the command line of the same release',
      });
    yield frame;
  }
}

const reportJson = (file: string, { header, trailer, audit, auditHead }: BackupReport) => ({
  file,
  ...header,
  entries: trailer.entries,
  bytes: trailer.bytes,
  sha256: trailer.sha256,
  counts: Object.fromEntries(trailer.counts.map((c) => [c.kind, c.entries])),
  audit: { intact: audit.intact, entries: audit.entries, head: auditHead?.number ?? 0, faults: audit.faults.length },
});

const reportText = (file: string, { header, trailer, audit, auditHead }: BackupReport): string => {
  const head = facts([
    ['file', file],
    ['cluster', `${header.clusterId}, incarnation ${header.incarnation}`],
    ['as of', `revision ${header.revision}, ${new Date(header.takenMs).toISOString()}, taken by ${header.actor}`],
    ['from', `etcd ${header.storeVersion}, cluster ${header.storeClusterId}`],
    ['entries', `${count(trailer.entries)}, ${bytes(trailer.bytes)}`],
    ['sha256', trailer.sha256],
    [
      'audit log',
      audit.intact
        ? `intact up to entry ${auditHead?.number ?? 0}`
        : `NOT INTACT: ${audit.faults.length} faults, as in the register: cadastre audit verify`,
    ],
  ]);
  const kinds = table(trailer.counts, [
    { title: 'KIND', value: (c) => c.kind },
    { title: 'ENTRIES', value: (c) => count(c.entries) },
  ]);
  return `${head}\n${kinds}`;
};
