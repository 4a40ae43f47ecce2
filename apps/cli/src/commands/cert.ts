import { resolve } from 'node:path';
import type { Command } from 'commander';
import { invalid } from '@cadastre/core';
import type { CertificateView, IssueRole } from '../certificates/cert-files.js';
import { ISSUE_ROLES, issueInto, makeAuthority, viewOf } from '../certificates/cert-files.js';
import { facts } from '../format.js';
import { checkCount } from '../supervisor/topology.js';
import type { Session } from './context.js';
import { act } from './context.js';

const DAYS_MAX = 36_500;

interface IssueFlags {
  readonly ca: string;
  readonly role: string;
  readonly name: string;
  readonly out: string;
  readonly host: string[];
  readonly days: string;
}

/** Certificates for development; for what others depend on, an authority that keeps its key better, such as cert-manager's. */
export const addCertCommands = (program: Command, session: Session): void => {
  const cert = program.command('cert').description('a development CA, and certificates that say who a process is');
  const ca = cert
    .command('ca')
    .description('make an authority: ca.crt to be believed, ca.key to be kept')
    .option('--out <folder>', 'where both are to lie', 'ca')
    .option('--cluster <name>', 'the cluster it speaks for', 'cadastre')
    .option('--days <n>', 'how long it holds', '3650');
  act<{ out: string; cluster: string; days: string }>(session, ca, async ({ io, out }, _, options) => {
    const folder = resolve(io.cwd, options.out);
    const now = io.clock.wallMs();
    const file = makeAuthority(folder, options.cluster, daysOf(options.days), now);
    const view = viewOf(file, now);
    out.result(view, () => viewText(view));
  });
  addIssue(cert, session);
  const show = cert.command('show').argument('<file>').description('who a certificate is of, and until when');
  act(session, show, async ({ io, out }, [file]) => {
    const view = viewOf(resolve(io.cwd, file!), io.clock.wallMs());
    out.result(view, () => viewText(view));
  });
};

const addIssue = (cert: Command, session: Session): void => {
  const issue = cert
    .command('issue')
    .description('issue a certificate: tls.crt, tls.key and ca.crt; again for a new one in the same place')
    .requiredOption('--role <role>', ISSUE_ROLES.join(', '))
    .requiredOption('--name <name>', "who it is: for an agent its node's id")
    .requiredOption('--out <folder>', 'where the files are to lie')
    .option('--ca <folder>', 'the authority', 'ca')
    .option('--host <names...>', 'DNS names and addresses at which others reach it', ['localhost', '127.0.0.1', '::1'])
    .option('--days <n>', 'how long it holds', '365');
  act<IssueFlags>(session, issue, async ({ io, out }, _, options) => {
    const now = io.clock.wallMs();
    const wish = { role: roleOf(options.role), name: options.name, hosts: options.host, days: daysOf(options.days) };
    const files = issueInto(resolve(io.cwd, options.out), resolve(io.cwd, options.ca), wish, now);
    const view = viewOf(files.cert, now);
    out.result({ ...view, ...files }, () => viewText(view));
  });
};

const roleOf = (text: string): IssueRole => {
  const role = ISSUE_ROLES.find((each) => each === text);
  if (role) return role;
  throw invalid('--role', `"${text}" is unknown`, `use one of ${ISSUE_ROLES.join(', ')}`);
};

const daysOf = (text: string): number => checkCount('--days', text, 1, DAYS_MAX);

const viewText = (view: CertificateView): string =>
  facts([
    ['file', view.file],
    ...(view.identity === '' ? [] : [['identity', view.identity] as const]),
    ['subject', view.subject.replaceAll('\n', ', ')],
    ['issuer', view.issuer.replaceAll('\n', ', ')],
    ...(view.names === '' ? [] : [['names', view.names] as const]),
    ['kind', view.authority ? 'authority' : 'of a process or a person'],
    ['valid', `${view.validFrom} to ${view.validUntil}`],
    ['', view.daysLeft < 0 ? 'EXPIRED' : `${view.daysLeft} days left`],
    ['serial', view.serial],
    ['sha256', view.sha256],
  ]);
