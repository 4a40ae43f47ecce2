import { X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Issued } from '@cadastre/certificates';
import { createAuthority, issueCertificate } from '@cadastre/certificates';
import type { PeerIdentity, PeerRole } from '@cadastre/core';
import { CadastreError, identityOfSan, identityUri, invalid, parseIdentityUri, PEER_ROLES } from '@cadastre/core';
import type { CredentialFiles } from '@cadastre/contracts';
import type { WallMs } from '@cadastre/runtime';

const DAY_MS = 86_400_000;
/** Clocks of machines differ. */
const BEFORE_MS = 3_600_000;
const CA = { certificate: 'ca.crt', key: 'ca.key' } as const;

export interface CertificateView {
  readonly file: string;
  /** `spiffe://CLUSTER/ROLE/NAME`; empty when it names nobody of ours. */
  readonly identity: string;
  readonly subject: string;
  readonly issuer: string;
  readonly names: string;
  readonly authority: boolean;
  readonly validFrom: string;
  readonly validUntil: string;
  /** Whole days from now; below 0 when it has expired. */
  readonly daysLeft: number;
  readonly serial: string;
  readonly sha256: string;
}

/** @throws CadastreError ALREADY_EXISTS: what an authority has issued would be believed by nobody any more */
export const makeAuthority = (folder: string, cluster: string, days: number, now: WallMs): string => {
  if (!parseIdentityUri(identityUri({ cluster, role: 'agent', name: 'n1' })))
    throw invalid('--cluster', `"${cluster}" is no name of a cluster`, 'use a-z, 0-9, ., _ and -', '255 characters');
  const certificate = join(folder, CA.certificate);
  if (existsSync(certificate) || existsSync(join(folder, CA.key)))
    throw new CadastreError('ALREADY_EXISTS', `--out: ${folder} holds an authority already`, {
      field: '--out',
      remedy: 'name another folder, or keep that one',
    });
  mkdirSync(folder, { recursive: true });
  const made = createAuthority(cluster, { notBeforeMs: now - BEFORE_MS, notAfterMs: now + days * DAY_MS });
  put(join(folder, CA.key), made.key, 0o600);
  put(certificate, made.certificate, 0o644);
  return certificate;
};

/** etcd is no part of Cadastre: its certificate names nobody of ours. */
export const ISSUE_ROLES = [...PEER_ROLES, 'etcd'] as const;
export type IssueRole = PeerRole | 'etcd';

export interface IssueWish {
  readonly role: IssueRole;
  readonly name: string;
  readonly hosts: readonly string[];
  readonly days: number;
}

/** Writes tls.crt, tls.key and ca.crt, each at once whole; over what an earlier one has left. */
export const issueInto = (folder: string, caFolder: string, wish: IssueWish, now: WallMs): CredentialFiles => {
  const authority = readAuthority(caFolder);
  const identity = identityOf(wish, clusterOf(authority, caFolder));
  if (identity && !parseIdentityUri(identityUri(identity)))
    throw invalid(
      '--name',
      `"${wish.name}" cannot stand in a URI`,
      'use letters, digits, ., _ and -',
      '255 characters',
    );
  const issued = issueCertificate(authority, {
    name: `${wish.role} ${wish.name}`,
    ...(identity && { identity }),
    hosts: wish.hosts,
    notBeforeMs: now - BEFORE_MS,
    notAfterMs: now + wish.days * DAY_MS,
  });
  mkdirSync(folder, { recursive: true });
  const files = { cert: join(folder, 'tls.crt'), key: join(folder, 'tls.key'), ca: join(folder, 'ca.crt') };
  put(files.ca, authority.certificate, 0o644);
  put(files.key, issued.key, 0o600);
  put(files.cert, issued.certificate, 0o644);
  return files;
};

const identityOf = ({ role, name }: IssueWish, cluster: string): PeerIdentity | undefined =>
  role === 'etcd' ? undefined : { cluster, role, name };

/** What a certificate says of itself. @throws CadastreError NOT_FOUND, INVALID_ARGUMENT */
export const viewOf = (file: string, now: WallMs): CertificateView => {
  let parsed: X509Certificate;
  try {
    parsed = new X509Certificate(read(file, 'file'));
  } catch (error) {
    if (error instanceof CadastreError) throw error;
    throw invalid('file', `${file} is no certificate`, 'give a file in PEM');
  }
  const identity = identityOfSan(parsed.subjectAltName);
  const until = Date.parse(parsed.validTo);
  return {
    file,
    identity: identity ? identityUri(identity) : '',
    subject: parsed.subject,
    issuer: parsed.issuer,
    names: parsed.subjectAltName ?? '',
    authority: parsed.ca,
    validFrom: new Date(parsed.validFrom).toISOString(),
    validUntil: new Date(until).toISOString(),
    daysLeft: Math.floor((until - now) / DAY_MS),
    serial: parsed.serialNumber,
    sha256: parsed.fingerprint256,
  };
};

const readAuthority = (folder: string): Issued => ({
  certificate: read(join(folder, CA.certificate), '--ca'),
  key: read(join(folder, CA.key), '--ca'),
});

/** As `createAuthority` puts it into the name. */
const clusterOf = ({ certificate }: Issued, folder: string): string => {
  const [, cluster] = /^CN=cadastre development CA of (\S+)$/m.exec(new X509Certificate(certificate).subject) ?? [];
  if (cluster !== undefined) return cluster;
  throw invalid('--ca', `the authority in ${folder} is none of ours`, 'make one with: cadastre cert ca');
};

const read = (path: string, field: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new CadastreError('NOT_FOUND', `${field}: ${path} cannot be read: ${(error as NodeJS.ErrnoException).code}`, {
      field,
      remedy: field === '--ca' ? 'make an authority first: cadastre cert ca' : 'name a file that can be read',
    });
  }
};

const put = (path: string, text: string, mode: number): void => {
  writeFileSync(`${path}.part`, text, { mode });
  renameSync(`${path}.part`, path);
};
