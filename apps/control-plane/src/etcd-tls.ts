import type { TlsFiles } from '@cadastre/contracts';
import { CredentialSource } from '@cadastre/contracts';
import { CadastreError } from '@cadastre/core';
import type { Clock, Logger } from '@cadastre/runtime';
import type { TlsSettings } from '@cadastre/service-kit';
import { tlsFilesOf } from '@cadastre/service-kit';
import type { EtcdTls } from '@cadastre/store';
import { z } from 'zod';

const file = z.string().min(1, 'names a file').optional();

export const ETCD_TLS_FIELDS = {
  etcdTlsCert: file,
  etcdTlsKey: file,
  etcdTlsCa: file,
  etcdInsecure: z.boolean().default(false),
} as const;

export const ETCD_TLS_FLAGS = {
  'etcd-tls-cert': {
    type: 'string',
    value: 'FILE',
    help: 'certificate for etcd, PEM, read anew when it changes; by default that of --tls-cert',
  },
  'etcd-tls-key': { type: 'string', value: 'FILE', help: 'its private key, PEM' },
  'etcd-tls-ca': {
    type: 'string',
    value: 'FILE',
    help: "authorities of etcd's certificates, PEM; by default --tls-ca",
  },
  'etcd-insecure': { type: 'boolean', help: 'etcd in plaintext although all else has TLS' },
} as const;

export interface EtcdTlsSettings extends TlsSettings {
  readonly etcd: readonly string[];
  readonly etcdTlsCert?: string | undefined;
  readonly etcdTlsKey?: string | undefined;
  readonly etcdTlsCa?: string | undefined;
  readonly etcdInsecure: boolean;
}

/**
 * What etcd is shown and believed by: its own files, or those of everything else.
 * @returns undefined for plaintext. @throws CadastreError INVALID_ARGUMENT with one line that names the flag
 */
export const etcdFilesOf = (settings: EtcdTlsSettings): TlsFiles | undefined => {
  const { etcd, etcdTlsCert: cert, etcdTlsKey: key, etcdTlsCa: ca, etcdInsecure, insecure } = settings;
  const secured = etcd.filter((endpoint) => endpoint.startsWith('https://'));
  if (secured.length > 0 && secured.length < etcd.length)
    throw wrong('--etcd', 'some endpoints are https and some are not', 'give all of them as https://HOST:PORT');
  if ((cert === undefined) !== (key === undefined))
    throw wrong(cert === undefined ? '--etcd-tls-cert' : '--etcd-tls-key', 'is missing', 'give both or none');
  if (secured.length === 0) {
    if (cert ?? ca) throw wrong('--etcd', 'is plaintext, and --etcd-tls files are given', 'give https://HOST:PORT');
    if (insecure || etcdInsecure) return undefined;
    throw wrong('--etcd', 'is plaintext', 'give https://HOST:PORT, or say --etcd-insecure');
  }
  const own = tlsFilesOf(settings);
  const believed = ca ?? own?.ca;
  if (believed === undefined)
    throw wrong('--etcd-tls-ca', 'is missing', 'give the authorities of the etcd certificates');
  if (cert !== undefined && key !== undefined) return { cert, key, ca: believed };
  return own?.cert === undefined ? { ca: believed } : { ...own, ca: believed };
};

const wrong = (flag: string, what: string, remedy: string): CadastreError =>
  new CadastreError('INVALID_ARGUMENT', `${flag}: ${what}`, { field: flag, remedy });

/** The credentials for etcd, followed from now on. @throws CadastreError FAILED_PRECONDITION naming the file */
export const openEtcdCredentials = (
  settings: EtcdTlsSettings,
  around: { readonly clock: Clock; readonly logger: Logger },
): CredentialSource | undefined => {
  const files = etcdFilesOf(settings);
  return files && new CredentialSource(files, around).start();
};

export const etcdTlsOf = ({ current: { ca, own } }: CredentialSource): EtcdTls => ({
  rootCertificate: ca,
  ...(own && { certChain: own.cert, privateKey: own.key }),
});
