import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { invalid } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import { count, facts, table } from '../format.js';
import { EXIT } from '../io.js';
import type { Session } from './context.js';
import { act } from './context.js';

interface ListFlags {
  readonly limit?: string;
  readonly before?: string;
  readonly subject?: string;
  readonly by?: string;
}

export const addAuditCommands = (program: Command, session: Session): void => {
  const audit = program.command('audit').description('who did what, when and why: append-only, chained by hash');
  const list = audit
    .command('list')
    .description('newest first')
    .option('--limit <n>', 'entries, at most 1,000', '50')
    .option('--before <number>', 'older than this entry')
    .option('--subject <text>', 'begins with, such as plan/p1234 or node/n3')
    .option('--by <name>', 'only of this actor');
  act<ListFlags>(session, list, async ({ out, operator }, _, { limit, before, subject = '', by = '' }) => {
    const page = await operator().listAudit({
      limit: wholeNumber('--limit', limit ?? '50'),
      before: before === undefined ? 0 : wholeNumber('--before', before),
      subject,
      actor: by,
    });
    out.result(page, () => auditText(page));
  });
  const verify = audit
    .command('verify')
    .description('recompute the chain; exit code 1 when it was tampered with')
    .option('--checkpoints <file>', 'the lines that control planes exported with --audit-sink: they show a cut tail');
  act<{ checkpoints?: string }>(session, verify, async ({ out, operator }, _, { checkpoints }) => {
    const verdict = await operator().verifyAudit(checkpoints === undefined ? [] : readCheckpoints(checkpoints));
    out.result(verdict, () => verdictText(verdict));
    return verdict.intact ? EXIT.ok : EXIT.error;
  });
};

const wholeNumber = (field: string, text: string): number => {
  if (!/^[1-9]\d{0,14}$/.test(text)) throw invalid(field, `"${text}" is no number`, 'give a whole number from 1');
  return Number(text);
};

const CHECKPOINTS_MAX = 10_000;

/** The newest lines: an older one says nothing that a newer does not, unless history was rewritten in between. */
const readCheckpoints = (path: string): Wire.AuditCheckpoint[] => {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw invalid(
      '--checkpoints',
      `${path} cannot be read: ${(error as Error).message}`,
      'give the file of --audit-sink',
    );
  }
  const lines = text.split('\n').filter((line) => line.includes('"audit-checkpoint"'));
  if (lines.length === 0) throw invalid('--checkpoints', `${path} has no checkpoint`, 'give the file of --audit-sink');
  return lines.slice(-CHECKPOINTS_MAX).map((line, i) => {
    try {
      const { number, hash, atMs, clusterId } = JSON.parse(line) as Required<Wire.AuditCheckpoint>;
      return { number, hash, atMs, clusterId };
    } catch {
      throw invalid('--checkpoints', `checkpoint ${i + 1} is no JSON`, 'give the lines as they were exported');
    }
  });
};

const auditText = ({ entries, next }: Wire.ListAuditReply__Output): string => {
  const rows = table(entries, [
    { title: '#', align: 'right', value: (e) => e.number },
    { title: 'AT', value: (e) => new Date(e.atMs).toISOString() },
    { title: 'WHO', value: (e) => e.actor },
    { title: 'DID', value: (e) => e.verb },
    { title: 'TO', value: (e) => e.subject },
    { title: 'AFTER', value: (e) => short(e.after) },
    { title: 'WHY', value: (e) => e.reason },
  ]);
  return next > 0 ? `${rows}older ones: cadastre audit list --before ${next}\n` : rows;
};

const short = (text: string): string => (text.length > 60 ? `${text.slice(0, 57)}...` : text);

const verdictText = (v: Wire.VerifyAuditReply__Output): string => {
  const head = facts([
    ['audit log', v.intact ? 'intact' : 'TAMPERED WITH'],
    ['entries', `${count(v.entries)}, ${v.first} to ${v.last}`],
    ['checkpoints', v.checkpoints > 0 ? `${count(v.checkpoints)} compared` : 'none: a cut tail would go unnoticed'],
    ['head', v.head?.hash ?? '-'],
  ]);
  return head + v.faults.map((f) => `${f.kind}: ${f.detail}\n`).join('');
};
