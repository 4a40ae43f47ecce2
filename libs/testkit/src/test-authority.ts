import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Issued } from '@cadastre/certificates';
import { createAuthority, issueCertificate } from '@cadastre/certificates';
import type { PeerRole } from '@cadastre/core';
import type { CredentialFiles } from '@cadastre/contracts';

const DAY_MS = 86_400_000;

interface Place {
  readonly role: PeerRole | 'etcd';
  readonly name: string;
}

/** An authority for one test, with the files that it has written. */
export class TestAuthority {
  readonly issued: Issued;
  private readonly places = new Map<string, Place>();

  constructor(
    private readonly folder: string,
    readonly cluster = 'test',
  ) {
    this.issued = createAuthority(cluster, term());
  }

  /** Made when first asked for. `etcd` names nobody. */
  files(role: Place['role'], name: string): CredentialFiles {
    const at = join(this.folder, `${role}-${name}`);
    if (!this.places.has(at)) {
      mkdirSync(at, { recursive: true });
      this.places.set(at, { role, name });
      this.write(at);
    }
    return { cert: join(at, 'tls.crt'), key: join(at, 'tls.key'), ca: join(at, 'ca.crt') };
  }

  /** Other certificates and keys in every place, as an authority renews them. */
  renewAll(): void {
    for (const at of this.places.keys()) this.write(at);
  }

  private write(at: string): void {
    const { role, name } = this.places.get(at)!;
    const { certificate, key } = issueCertificate(this.issued, {
      ...term(),
      name,
      ...(role !== 'etcd' && { identity: { cluster: this.cluster, role, name } }),
      hosts: ['localhost', '127.0.0.1'],
    });
    put(join(at, 'ca.crt'), this.issued.certificate);
    put(join(at, 'tls.key'), key);
    put(join(at, 'tls.crt'), certificate);
  }
}

const term = () => ({ notBeforeMs: Date.now() - DAY_MS, notAfterMs: Date.now() + DAY_MS });

const put = (path: string, text: string): void => {
  writeFileSync(`${path}.part`, text, { mode: 0o600 });
  renameSync(`${path}.part`, path);
};
