import { CadastreError } from '@cadastre/core';
import type { Clock, MonotonicMs } from '@cadastre/runtime';

export interface AttemptLimits {
  /** Failures of one name (from anywhere) or of one address (for any name) before it has to wait. */
  readonly free: number;
  readonly perAddress: number;
  /** The wait doubles with each failure more, from the first to the longest. */
  readonly firstMs: number;
  readonly longestMs: number;
  /** Names and addresses that are remembered; the one that failed longest ago is forgotten first. */
  readonly remembered: number;
}

const DEFAULTS: AttemptLimits = { free: 5, perAddress: 30, firstMs: 1_000, longestMs: 15 * 60_000, remembered: 10_000 };

interface Record {
  failures: number;
  until: MonotonicMs;
}

/**
 * Slows guessing down. Names wait, so that a password cannot be guessed from many places; addresses wait, so that one place cannot go
 * through many names. A wait is never for ever: else anybody could lock anybody out.
 */
export class Attempts {
  private readonly limits: AttemptLimits;
  private readonly names = new Map<string, Record>();
  private readonly addresses = new Map<string, Record>();

  constructor(
    private readonly clock: Clock,
    limits: Partial<AttemptLimits> = {},
  ) {
    this.limits = { ...DEFAULTS, ...limits };
  }

  /** @throws CadastreError RESOURCE_EXHAUSTED, with the same words for a name that exists and for one that does not */
  admit(name: string, address: string): void {
    const now = this.clock.monotonicMs();
    const until = Math.max(this.names.get(name)?.until ?? 0, this.addresses.get(address)?.until ?? 0);
    if (until <= now) return;
    throw new CadastreError('RESOURCE_EXHAUSTED', 'too many failed sign-ins', {
      limit: `${this.limits.free} failures`,
      remedy: `try again in ${Math.ceil((until - now) / 1000)} s`,
    });
  }

  failed(name: string, address: string): void {
    this.count(this.names, name, this.limits.free);
    this.count(this.addresses, address, this.limits.perAddress);
  }

  succeeded(name: string): void {
    this.names.delete(name);
  }

  private count(records: Map<string, Record>, key: string, free: number): void {
    const { firstMs, longestMs, remembered } = this.limits;
    const failures = (records.get(key)?.failures ?? 0) + 1;
    const waitMs = failures < free ? 0 : Math.min(longestMs, firstMs * 2 ** Math.min(30, failures - free));
    records.delete(key);
    records.set(key, { failures, until: this.clock.monotonicMs() + waitMs });
    const [oldest] = records.keys();
    if (records.size > remembered && oldest !== undefined) records.delete(oldest);
  }
}
