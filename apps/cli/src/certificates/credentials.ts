import { resolve } from 'node:path';
import { CadastreError } from '@cadastre/core';
import type { TlsFiles, Transport } from '@cadastre/contracts';
import { CredentialSource, grpcTransport, tlsTransport } from '@cadastre/contracts';
import { silentLogger } from '@cadastre/runtime';
import { findClusterFolder, readClusterFile } from '../cluster-file.js';
import type { Io } from '../io.js';

export interface TlsOptions {
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsCa?: string;
  readonly server?: string;
  readonly http?: string;
}

/**
 * What the command line shows and believes: flags, CADASTRE_TLS_*, the cluster of this folder (unless another server is named), in that
 * order. Undefined: plaintext. @throws CadastreError INVALID_ARGUMENT naming the flag
 */
export const resolveTls = (io: Io, options: TlsOptions): TlsFiles | undefined => {
  const at = (path: string | undefined) => (path ? resolve(io.cwd, path) : undefined);
  const cert = at(options.tlsCert ?? io.env['CADASTRE_TLS_CERT']);
  const key = at(options.tlsKey ?? io.env['CADASTRE_TLS_KEY']);
  const ca = at(options.tlsCa ?? io.env['CADASTRE_TLS_CA']);
  if (cert === undefined && key === undefined && ca === undefined) return ofFolder(io, options);
  if (ca === undefined) throw missing('--tls-ca');
  if (cert === undefined && key === undefined) return { ca };
  if (cert === undefined) throw missing('--tls-cert');
  if (key === undefined) throw missing('--tls-key');
  return { cert, key, ca };
};

const ofFolder = (io: Io, { server, http }: TlsOptions): TlsFiles | undefined => {
  if (server ?? http ?? io.env['CADASTRE_SERVER'] ?? io.env['CADASTRE_HTTP']) return undefined;
  const folder = findClusterFolder(io.cwd);
  return folder === undefined ? undefined : readClusterFile(folder)?.tls;
};

const missing = (flag: string): CadastreError =>
  new CadastreError('INVALID_ARGUMENT', `${flag}: is missing`, {
    field: flag,
    remedy: 'give --tls-ca, and with a certificate --tls-cert and --tls-key',
  });

/** For the time of one command: files are read once. @throws CadastreError FAILED_PRECONDITION naming the file */
export const transportOf = (io: Io, files: TlsFiles | undefined): Transport =>
  files
    ? tlsTransport(new CredentialSource(files, { clock: io.clock, logger: silentLogger }), io.clock)
    : grpcTransport;
