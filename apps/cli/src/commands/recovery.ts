import type { Command } from 'commander';
import type { Wire } from '@cadastre/contracts';
import { count, facts, table } from '../format.js';
import { EXIT } from '../io.js';
import type { Session } from './context.js';
import { act } from './context.js';

interface ApproveFlags {
  readonly digest?: string;
  readonly without?: string;
  readonly reason?: string;
}

export const addRecoveryCommands = (program: Command, session: Session): void => {
  const recovery = program
    .command('recovery')
    .description('after a restore: what the agents have, and going on with it');
  const show = recovery
    .command('show')
    .description('what the copy does not know and the agents do; exit code 2 while it waits');
  act(session, show, async ({ out, operator }) => {
    const found = await operator().getRecovery();
    out.result(found, () => recoveryText(found));
    return found.state === 'waiting' ? EXIT.pending : EXIT.ok;
  });
  const approve = recovery
    .command('approve')
    .description('go on with what was found')
    .option('--digest <digest>', 'of what was read; by default what is found now')
    .option('--without <nodes>', 'nodes that have not been heard, with commas: what only they know is given up')
    .option('--reason <text>', 'for the audit log');
  act<ApproveFlags>(session, approve, async ({ out, operator, actor }, _, { digest, without = '', reason = '' }) => {
    const calls = operator();
    const found = await calls.actOnRecovery({
      action: 'approve',
      digest: digest ?? (await calls.getRecovery()).digest,
      without: without.split(',').filter((node) => node !== ''),
      actor,
      reason,
    });
    out.result(found, () => recoveryText(found));
  });
  const finish = recovery
    .command('finish')
    .description('nothing is missed: copies that no map names may be purged again')
    .option('--reason <text>', 'for the audit log');
  act<ApproveFlags>(session, finish, async ({ out, operator, actor }, _, { reason = '' }) => {
    const found = await operator().actOnRecovery({ action: 'finish', actor, reason });
    out.result(found, () => recoveryText(found));
  });
};

const moment = (ms: number): string => (ms > 0 ? new Date(ms).toISOString() : '-');

const recoveryText = (r: Wire.Recovery__Output): string => {
  if (r.state === 'none') return facts([['recovery', r.because]]);
  const head = facts([
    ['recovery', `${r.state}: ${r.because}`],
    ['incarnation', `${r.incarnation}, the copy's was ${r.fromIncarnation}`],
    ['restored', `${moment(r.sinceMs)} by ${r.actor}${r.reason ? `: ${r.reason}` : ''}`],
    ['copy', r.sha256 ? `taken ${moment(r.takenMs)}, sha256 ${r.sha256}` : 'etcd itself was restored'],
    ...(r.digest ? [['digest', r.digest] as const] : []),
    ...(r.waitsFor.length > 0 ? [['not heard', r.waitsFor.join(', ')] as const] : []),
    ['kept copies', `${count(r.keptCopies)} that no map names`],
    ...(r.approvedBy ? [['approved', `${moment(r.approvedMs)} by ${r.approvedBy}`] as const] : []),
    ...r.found.map((sentence) => ['found', sentence] as const),
  ]);
  if (r.keyspaces.length === 0) return head;
  const rows = table(r.keyspaces, [
    { title: 'KEYSPACE', value: (k) => k.name },
    { title: 'VERDICT', value: (k) => k.verdict },
    { title: 'CHANGED', align: 'right', value: (k) => `${count(k.changed)} of ${count(k.partitions)}` },
    { title: 'WHAT', value: (k) => k.sentence },
  ]);
  return `${head}\n${rows}`;
};
