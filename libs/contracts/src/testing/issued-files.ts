import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Issued } from '@cadastre/certificates';
import { createAuthority, issueCertificate } from '@cadastre/certificates';
import type { PeerRole } from '@cadastre/core';
import type { CredentialFiles } from '../tls/credentials.js';

const DAY_MS = 86_400_000;

export interface IssueWish {
  readonly role?: PeerRole;
  readonly name?: string;
  readonly cluster?: string;
  readonly hosts?: readonly string[];
  /** Ends so long from now; below 0 it has expired. Default a day. */
  readonly endsInMs?: number;
}

/** An authority in memory that writes what it issues where a spec wants it. */
export class SpecAuthority {
  readonly authority: Issued;

  constructor(
    private readonly folder: string,
    private readonly nowMs = Date.now(),
    readonly cluster = 'spec',
  ) {
    this.authority = createAuthority(cluster, { notBeforeMs: nowMs - 10 * DAY_MS, notAfterMs: nowMs + 10 * DAY_MS });
  }

  issue({ role = 'client', name = 'n1', cluster = this.cluster, hosts, endsInMs = DAY_MS }: IssueWish = {}): Issued {
    return issueCertificate(this.authority, {
      name,
      identity: { cluster, role, name },
      hosts: hosts ?? ['localhost', '127.0.0.1'],
      notBeforeMs: this.nowMs + (endsInMs < 0 ? endsInMs - 5 * DAY_MS : -3_600_000),
      notAfterMs: this.nowMs + endsInMs,
    });
  }

  /** Over what was in that place before. */
  write(place: string, issued: Issued, ca = this.authority.certificate): CredentialFiles {
    const at = join(this.folder, place);
    mkdirSync(at, { recursive: true });
    const files = { cert: join(at, 'tls.crt'), key: join(at, 'tls.key'), ca: join(at, 'ca.crt') };
    writeFileSync(files.cert, issued.certificate);
    writeFileSync(files.key, issued.key);
    writeFileSync(files.ca, ca);
    return files;
  }
}
