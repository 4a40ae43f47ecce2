import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { PeerIdentity } from '@cadastre/core';
import { CadastreError, identityOfSan } from '@cadastre/core';
import type { WallMs } from '@cadastre/runtime';

/** Where a process' credentials lie, PEM: certificate chain, private key, and the authorities whose certificates it believes. */
export interface CredentialFiles {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

/** Where a person's or a program's lie who has a token instead of a certificate. */
export interface AuthorityFile {
  readonly ca: string;
  readonly cert?: never;
  readonly key?: never;
}

export type TlsFiles = CredentialFiles | AuthorityFile;

/** What was read from the files and found to be whole. */
export interface Credentials {
  readonly files: TlsFiles;
  readonly ca: Buffer;
  readonly own: OwnCertificate | undefined;
}

export interface OwnCertificate {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** Undefined when its SAN names nobody of ours, as the certificates that etcd's clients show. */
  readonly identity: PeerIdentity | undefined;
  readonly notBeforeMs: WallMs;
  readonly notAfterMs: WallMs;
}

/** What is in the files at present; absent ones count too. By content: two writes within one tick of the disk's clock leave the same time. */
export const fingerprintOf = (files: TlsFiles): string =>
  pathsOf(files)
    .map((path) => {
      try {
        return createHash('sha256').update(readFileSync(path)).digest('hex');
      } catch {
        return '';
      }
    })
    .join(' ');

const pathsOf = ({ cert, key, ca }: TlsFiles): string[] => [cert, key, ca].filter((path) => path !== undefined);

/**
 * Reads and checks the files.
 * @throws CadastreError FAILED_PRECONDITION naming the flag and the file: unreadable, no PEM, key and certificate that do not go together,
 * expired, not valid yet
 */
export const readCredentials = (files: TlsFiles, nowMs: WallMs): Credentials => {
  const ca = read('--tls-ca', files.ca);
  checkAuthorities(files.ca, ca);
  return { files, ca, own: files.cert === undefined ? undefined : readOwn(files, ca, nowMs) };
};

const readOwn = (files: CredentialFiles, ca: Buffer, nowMs: WallMs): OwnCertificate => {
  const cert = read('--tls-cert', files.cert);
  const key = read('--tls-key', files.key);
  const parsed = attempt('--tls-cert', files.cert, 'is no certificate (PEM)', () => new X509Certificate(cert));
  const privateKey = attempt('--tls-key', files.key, 'is no private key (PEM)', () => createPrivateKey(key));
  if (!parsed.checkPrivateKey(privateKey))
    throw bad('--tls-key', files.key, `is not the key of ${files.cert}`, 'give a certificate and its own key');
  const [notBeforeMs, notAfterMs] = [Date.parse(parsed.validFrom), Date.parse(parsed.validTo)];
  if (nowMs > notAfterMs) throw bad('--tls-cert', files.cert, `expired at ${iso(notAfterMs)}`, 'renew it');
  if (nowMs < notBeforeMs)
    throw bad('--tls-cert', files.cert, `is not valid before ${iso(notBeforeMs)}`, "set this machine's clock right");
  attempt('--tls-cert', files.cert, 'cannot be used', () => createSecureContext({ cert, key, ca }));
  return { cert, key, identity: identityOfSan(parsed.subjectAltName), notBeforeMs, notAfterMs };
};

const checkAuthorities = (path: string, ca: Buffer): void => {
  const blocks = ca.toString('latin1').match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) throw bad('--tls-ca', path, 'holds no certificate (PEM)', 'give those of the authority');
  for (const block of blocks)
    attempt('--tls-ca', path, 'holds what is no certificate', () => new X509Certificate(block));
};

const read = (flag: string, path: string): Buffer => {
  try {
    return readFileSync(path);
  } catch (error) {
    throw bad(flag, path, `cannot be read: ${(error as NodeJS.ErrnoException).code}`, 'give a file that can be read');
  }
};

const attempt = <T>(flag: string, path: string, what: string, work: () => T): T => {
  try {
    return work();
  } catch {
    throw bad(flag, path, what, 'give a PEM file as your authority made it'); // what openssl says may show the content
  }
};

const bad = (flag: string, path: string, what: string, remedy: string): CadastreError =>
  new CadastreError('FAILED_PRECONDITION', `${flag}: ${path} ${what}`, { field: flag, remedy });

export const iso = (ms: WallMs): string => new Date(ms).toISOString();
