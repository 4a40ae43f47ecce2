import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { CadastreError, invalid } from '@cadastre/core';
import type { Restored, RestoreTarget } from '../backup/restore-file.js';
import { count, facts } from '../format.js';
import type { Session } from './context.js';
import { act } from './context.js';

interface RestoreFlags {
  readonly etcd?: string;
  readonly etcdTlsCa?: string;
  readonly etcdTlsCert?: string;
  readonly etcdTlsKey?: string;
  readonly incarnation?: string;
  readonly raiseIncarnation?: boolean;
  readonly ask: boolean;
  readonly reason?: string;
}

const library = () => import('../backup/restore-file.js');

export const addRestoreCommand = (program: Command, session: Session): void => {
  const restore = program
    .command('restore')
    .argument('[file]', 'that cadastre backup wrote')
    .description(
      'write a backup into a new, empty etcd, under a higher incarnation; before any control plane is started on it',
    )
    .option('--etcd <urls>', 'members of the new etcd, several with commas; it is spoken to directly')
    .option('--etcd-tls-ca <file>', 'authorities of its certificates, PEM')
    .option('--etcd-tls-cert <file>', 'certificate for it, PEM')
    .option('--etcd-tls-key <file>', 'its private key, PEM')
    .option('--incarnation <number>', 'of the register from now on; by default one above all that is known')
    .option('--raise-incarnation', 'no file: etcd itself was restored, from a snapshot or by hand')
    .option('--no-ask', 'do not ask the agents which incarnations they have heard of')
    .option('--reason <text>', 'for the audit log');
  act<RestoreFlags>(session, restore, async ({ io, out, actor, transport }, [file], options) => {
    const { raiseIncarnation = false, reason = '', ask } = options;
    if (raiseIncarnation === (file !== undefined))
      throw invalid(
        'file',
        raiseIncarnation ? 'goes with no --raise-incarnation' : 'is missing',
        'give one of the two',
      );
    const target = targetOf(options);
    const incarnation = incarnationOf(options.incarnation);
    const { restoreFile, raise } = await library();
    const wish = { target, actor, reason, ask, incarnation, clock: io.clock, transport: transport() };
    const restored = await (file === undefined ? raise(wish) : restoreFile(file, wish)).catch((error: unknown) => {
      throw forOperator(error);
    });
    out.result(restoredJson(restored), () => restoredText(restored));
  });
};

/** A program would try again; a person at a command line has given something wrong. */
export const forOperator = (error: unknown): unknown =>
  error instanceof CadastreError && error.code === 'UNAVAILABLE' && error.message.startsWith('no etcd endpoint')
    ? new CadastreError('UNAVAILABLE', error.message, {
        field: '--etcd',
        remedy:
          'check that etcd runs there; https needs --etcd-tls-ca, and --etcd-tls-cert with --etcd-tls-key where etcd asks who calls',
        cause: error,
      })
    : error;

const targetOf = ({ etcd, etcdTlsCa: ca, etcdTlsCert: cert, etcdTlsKey: key }: RestoreFlags): RestoreTarget => {
  const endpoints = (etcd ?? '').split(',').filter((each) => each !== '');
  if (endpoints.length === 0) throw invalid('--etcd', 'is missing', 'name the members of the new etcd');
  const wrong = endpoints.find((each) => !/^(https?:\/\/)?[^\s/,]+:[0-9]{1,5}$/.test(each));
  if (wrong !== undefined) throw invalid('--etcd', `"${wrong}" is no endpoint`, 'give http://HOST:PORT');
  if ((cert === undefined) !== (key === undefined))
    throw invalid(cert === undefined ? '--etcd-tls-cert' : '--etcd-tls-key', 'is missing', 'give both or none');
  if (ca === undefined) return { endpoints };
  return {
    endpoints,
    tls: {
      rootCertificate: read('--etcd-tls-ca', ca),
      ...(cert !== undefined &&
        key !== undefined && {
          certChain: read('--etcd-tls-cert', cert),
          privateKey: read('--etcd-tls-key', key),
        }),
    },
  };
};

const read = (flag: string, path: string): Buffer => {
  try {
    return readFileSync(path);
  } catch (error) {
    throw invalid(flag, `${path} cannot be read (${(error as NodeJS.ErrnoException).code})`, 'name a PEM file');
  }
};

const incarnationOf = (text: string | undefined): number | undefined => {
  if (text === undefined) return undefined;
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw invalid('--incarnation', `"${text}" is no number`, 'give a whole number, or leave it out');
};

const restoredJson = ({ cluster, asked, report }: Restored) => ({
  clusterId: cluster.clusterId,
  incarnation: cluster.incarnation,
  agents: asked.nodes,
  agentsAnswered: asked.answered,
  ...(report && { sha256: report.trailer.sha256, entries: report.trailer.entries, revision: report.header.revision }),
});

const restoredText = ({ cluster, asked, report }: Restored): string =>
  facts([
    ['cluster', `${cluster.clusterId}, incarnation ${cluster.incarnation}`],
    ...(report ? [['entries', `${count(report.trailer.entries)} of the backup`] as const] : []),
    ['agents', `${asked.answered} of ${asked.nodes} said which incarnations they have heard of`],
  ]) +
  '\nStart the control planes on this etcd. They give nobody a map and change nothing until you have read what the\n' +
  'agents have and approved it: cadastre recovery show, cadastre recovery approve. Until then agents and clients go on\n' +
  'by the last map that they had.\n';
