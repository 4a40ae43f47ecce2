import { CadastreError } from '@cadastre/core';
import type { Cancellable, Clock, Logger } from '@cadastre/runtime';
import type { Credentials, TlsFiles } from './credentials.js';
import { fingerprintOf, iso, readCredentials } from './credentials.js';

export interface CredentialSourceOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** How often the files are looked at. Default 10 s. */
  readonly pollMs?: number;
}

const POLL_MS = 10_000;
/** Less than this share of its life left: whoever renews it is late. */
const LATE = 1 / 6;

/**
 * The credentials of this process, read again whenever their files change. They are looked at instead of watched: Kubernetes turns a
 * symbolic link, which a watch of the file does not see. What is broken or half written is refused with a line, and the last good one kept.
 */
export class CredentialSource {
  private fingerprint: string;
  private held: Credentials;
  private poll: Cancellable | undefined;
  private warned: 'late' | 'expired' | undefined;
  private readonly listeners = new Set<(credentials: Credentials) => void>();

  /** @throws CadastreError FAILED_PRECONDITION naming flag and file */
  constructor(
    readonly files: TlsFiles,
    private readonly options: CredentialSourceOptions,
  ) {
    this.fingerprint = fingerprintOf(files);
    this.held = readCredentials(files, options.clock.wallMs());
  }

  get current(): Credentials {
    return this.held;
  }

  start(): this {
    this.poll ??= this.options.clock.every(this.options.pollMs ?? POLL_MS, () => this.look());
    return this;
  }

  stop(): void {
    this.poll?.cancel();
    this.poll = undefined;
  }

  /** Called after each change. @returns takes the listener off again */
  onChange(listener: (credentials: Credentials) => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  /** Looks at the files now. */
  look(): void {
    const fingerprint = fingerprintOf(this.files);
    if (fingerprint !== this.fingerprint) {
      this.fingerprint = fingerprint;
      this.reload();
    }
    this.warnOfExpiry();
  }

  private reload(): void {
    const { clock, logger } = this.options;
    try {
      this.held = this.sameIdentity(readCredentials(this.files, clock.wallMs()));
    } catch (thrown) {
      const error = CadastreError.from(thrown);
      return logger.warn('new credentials were refused; the old ones are kept', {
        event: 'credentials-refused',
        error,
        ...this.until(),
      });
    }
    this.warned = undefined;
    for (const listener of this.listeners) listener(this.held);
    return logger.info('credentials were read anew', { event: 'credentials-read', files: this.files, ...this.until() });
  }

  /** Who this process is does not change while it runs. */
  private sameIdentity(next: Credentials): Credentials {
    const [was, is] = [this.held.own?.identity, next.own?.identity];
    if (was?.name === is?.name && was?.role === is?.role && was?.cluster === is?.cluster) return next;
    throw new CadastreError('FAILED_PRECONDITION', `--tls-cert: ${next.files.cert} is the certificate of another`, {
      field: '--tls-cert',
      remedy: 'give one with the same SAN URI, or start this process anew',
    });
  }

  private warnOfExpiry(): void {
    const { own, files } = this.held;
    if (!own) return;
    const now = this.options.clock.wallMs();
    const left = own.notAfterMs - now;
    const state = left <= 0 ? 'expired' : left < (own.notAfterMs - own.notBeforeMs) * LATE ? 'late' : undefined;
    if (state === this.warned) return;
    this.warned = state;
    const fields = { event: `certificate-${state}`, file: files.cert, ...this.until() };
    if (state === 'expired')
      this.options.logger.error('the certificate has expired: others refuse it; renew it', fields);
    else if (state === 'late') this.options.logger.warn('the certificate expires soon; renew it', fields);
  }

  private until(): { readonly validUntil?: string } {
    const { own } = this.held;
    return own ? { validUntil: iso(own.notAfterMs) } : {};
  }
}
