import { experimental, type ServerCredentials } from '@grpc/grpc-js';
import type { CredentialSource } from './credential-source.driver.js';
import type { Credentials } from './credentials.js';

type Provider = experimental.CertificateProvider;
type CaListener = experimental.CaCertificateUpdateListener;
type IdentityListener = experimental.IdentityCertificateUpdateListener;

/** The credentials of a source as grpc-js takes those that change. Its own reader of files passes on what is broken, and then serves nobody. */
class SourceProvider implements Provider {
  private readonly offs = new Map<CaListener | IdentityListener, () => void>();

  constructor(private readonly source: CredentialSource) {}

  addCaCertificateListener(listener: CaListener): void {
    this.add(listener, ({ ca }) => listener({ caCertificate: ca }));
  }

  removeCaCertificateListener(listener: CaListener): void {
    this.remove(listener);
  }

  addIdentityCertificateListener(listener: IdentityListener): void {
    this.add(listener, ({ own }) => listener(own ? { certificate: own.cert, privateKey: own.key } : null));
  }

  removeIdentityCertificateListener(listener: IdentityListener): void {
    this.remove(listener);
  }

  /** The first time only once the caller is done: grpc-js counts a watcher after it has asked for the certificates. */
  private add(key: CaListener | IdentityListener, tell: (credentials: Credentials) => void): void {
    this.offs.set(key, this.source.onChange(tell));
    queueMicrotask(() => this.offs.has(key) && tell(this.source.current));
  }

  private remove(key: CaListener | IdentityListener): void {
    this.offs.get(key)?.();
    this.offs.delete(key);
  }
}

/**
 * A certificate is asked for and checked, and a connection without a good one is made all the same: the guard then refuses its calls with
 * a reason, instead of a connection that breaks without one. Nothing but its refusal is ever sent on such a connection.
 */
export const serverCredentials = (source: CredentialSource): ServerCredentials => {
  const provider = new SourceProvider(source);
  return experimental.createCertificateProviderServerCredentials(provider, provider, false);
};
