import type { PeerRole } from '@cadastre/core';
import { CadastreError } from '@cadastre/core';
import type { TlsFiles, Transport } from '@cadastre/contracts';
import { CredentialSource, grpcTransport, tlsTransport } from '@cadastre/contracts';
import type { Clock, Logger } from '@cadastre/runtime';
import { z } from 'zod';

const file = z.string().min(1, 'names a file').optional();

/** Of every program that others connect to. */
export const TLS_FIELDS = {
  tlsCert: file,
  tlsKey: file,
  tlsCa: file,
  insecure: z.boolean().default(false),
} as const;

export const TLS_FLAGS = {
  'tls-cert': {
    type: 'string',
    value: 'FILE',
    help: 'certificate of this process, PEM; its SAN URI spiffe://CLUSTER/ROLE/NAME says who it is; read anew when it changes',
  },
  'tls-key': { type: 'string', value: 'FILE', help: 'its private key, PEM' },
  'tls-ca': { type: 'string', value: 'FILE', help: 'authorities whose certificates are believed, PEM' },
  insecure: { type: 'boolean', help: 'speaks plaintext, and lets everybody in who can connect; instead of --tls-*' },
} as const;

export interface TlsSettings {
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
  readonly tlsCa?: string | undefined;
  readonly insecure: boolean;
}

/**
 * All three files, or plaintext by name.
 * @returns undefined for plaintext. @throws CadastreError INVALID_ARGUMENT with one line that names the flag
 */
export const tlsFilesOf = ({ tlsCert, tlsKey, tlsCa, insecure }: TlsSettings): TlsFiles | undefined => {
  const given = { '--tls-cert': tlsCert, '--tls-key': tlsKey, '--tls-ca': tlsCa };
  const missing = Object.entries(given).filter(([, path]) => path === undefined);
  const [some] = Object.entries(given).filter(([, path]) => path !== undefined);
  if (insecure && some) throw wrong(some[0], 'contradicts --insecure', 'give the --tls files, or --insecure, not both');
  if (insecure) return undefined;
  if (tlsCert !== undefined && tlsKey !== undefined && tlsCa !== undefined)
    return { cert: tlsCert, key: tlsKey, ca: tlsCa };
  throw wrong(missing[0]![0], 'is missing', 'give --tls-cert, --tls-key and --tls-ca, or say --insecure for plaintext');
};

const wrong = (flag: string, what: string, remedy: string): CadastreError =>
  new CadastreError('INVALID_ARGUMENT', `${flag}: ${what}`, { field: flag, remedy });

/** What this process has to be, by its certificate. */
export interface Myself {
  readonly role: PeerRole;
  /** Where it matters whose certificate it is, and not only of what kind. */
  readonly name?: string;
}

export interface OpenedTransport {
  readonly transport: Transport;
  /** Undefined for plaintext. */
  readonly credentials: CredentialSource | undefined;
}

/**
 * The way to other processes as the settings say; certificates are followed from now on.
 * @throws CadastreError FAILED_PRECONDITION naming flag and file: not to be used, expired, or of somebody else
 */
export const openTransport = (
  settings: TlsSettings,
  me: Myself,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): OpenedTransport => {
  const files = tlsFilesOf(settings);
  if (!files) return { transport: grpcTransport, credentials: undefined };
  const credentials = new CredentialSource(files, { clock, logger });
  checkMyself(credentials, me);
  return { transport: tlsTransport(credentials.start(), clock), credentials };
};

const checkMyself = ({ current, files }: CredentialSource, { role, name }: Myself): void => {
  const identity = current.own?.identity;
  if (identity?.role === role && (name === undefined || identity.name === name)) return;
  const wanted = `spiffe://CLUSTER/${role}/${name ?? 'NAME'}`;
  const is = identity ? `that of ${identity.role} ${identity.name}` : 'without a URI of ours in its SAN';
  throw new CadastreError('FAILED_PRECONDITION', `--tls-cert: ${files.cert} is ${is}, and ${wanted} is needed`, {
    field: '--tls-cert',
    remedy: `give one whose SAN has the URI ${wanted}`,
  });
};
