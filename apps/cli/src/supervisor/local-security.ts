import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { PeerRole } from '@cadastre/core';
import type { CredentialFiles } from '@cadastre/contracts';
import type { Clock } from '@cadastre/runtime';
import type { IssueRole } from '../certificates/cert-files.js';
import { issueInto, makeAuthority } from '../certificates/cert-files.js';

const HOSTS = ['localhost', '127.0.0.1', '::1'];
const AUTHORITY_DAYS = 3_650;
const DAYS = 365;

export interface EtcdSecurity {
  /** For etcd's own command line. */
  readonly flags: Readonly<Record<string, string>>;
  /** What its clients show and believe. */
  readonly client: CredentialFiles;
}

/**
 * TLS for a cluster on one machine: an authority of its own, and one for etcd alone, so that no certificate of an agent or a client opens
 * the register. Every start issues anew.
 */
export class LocalSecurity {
  constructor(
    private readonly folder: string,
    private readonly cluster: string,
    private readonly clock: Clock,
  ) {}

  /** What the person who runs the cluster shows. */
  operator(name: string): CredentialFiles {
    return this.issue('ca', 'operator', name);
  }

  /** Flags of one program. */
  argsOf(role: PeerRole, name: string): string[] {
    const { cert, key, ca } = this.issue('ca', role, name);
    return ['--tls-cert', cert, '--tls-key', key, '--tls-ca', ca];
  }

  etcdArgsOf(client: CredentialFiles): string[] {
    return ['--etcd-tls-cert', client.cert, '--etcd-tls-key', client.key, '--etcd-tls-ca', client.ca];
  }

  etcd(): EtcdSecurity {
    const { cert, key, ca } = this.issue('etcd-ca', 'etcd', 'etcd');
    return {
      flags: {
        '--cert-file': cert,
        '--key-file': key,
        '--trusted-ca-file': ca,
        '--client-cert-auth': 'true',
        '--peer-cert-file': cert,
        '--peer-key-file': key,
        '--peer-trusted-ca-file': ca,
        '--peer-client-cert-auth': 'true',
      },
      client: this.issue('etcd-ca', 'etcd', 'etcd-client'),
    };
  }

  private issue(authority: 'ca' | 'etcd-ca', role: IssueRole, name: string): CredentialFiles {
    const now = this.clock.wallMs();
    const ca = join(this.folder, authority);
    if (!existsSync(join(ca, 'ca.crt'))) makeAuthority(ca, this.cluster, AUTHORITY_DAYS, now);
    return issueInto(join(this.folder, `${role}-${name}`), ca, { role, name, hosts: HOSTS, days: DAYS }, now);
  }
}
