import { CadastreError } from '@cadastre/core';
import type { Clock, MonotonicMs } from '@cadastre/runtime';
import { networkOf } from './client-address.js';

export interface AttemptLimits {
  /** Failures of one name before it has to wait, from anywhere or from one address. */
  readonly free: number;
  /** Failures of one address, for any name, before it has to wait. */
  readonly perAddress: number;
  /** The wait doubles with each failure more, from the first to the longest. What was quiet for the longest is forgotten. */
  readonly firstMs: number;
  readonly longestMs: number;
  /** Of a name from anywhere: long enough to slow guessing from many places, too short to lock its owner out. */
  readonly longestNameMs: number;
  /** Of each kind; the one that failed longest ago is forgotten first. */
  readonly remembered: number;
}

const DEFAULTS: AttemptLimits = {
  free: 5,
  perAddress: 30,
  firstMs: 1_000,
  longestMs: 15 * 60_000,
  longestNameMs: 30_000,
  remembered: 10_000,
};

interface Record {
  failures: number;
  until: MonotonicMs;
}

/** Failures of one kind of key. */
class Waits {
  private readonly records = new Map<string, Record>();

  constructor(
    private readonly limits: AttemptLimits,
    private readonly free: number,
    private readonly longestMs: number,
  ) {}

  until(key: string): MonotonicMs {
    return this.records.get(key)?.until ?? 0;
  }

  failed(key: string, now: MonotonicMs): void {
    const { firstMs, longestMs, remembered } = this.limits;
    const known = this.records.get(key);
    const failures = known === undefined || now - known.until > longestMs ? 1 : known.failures + 1;
    const waitMs =
      failures < this.free ? 0 : Math.min(this.longestMs, firstMs * 2 ** Math.min(30, failures - this.free));
    this.records.delete(key);
    this.records.set(key, { failures, until: now + waitMs });
    forgetOldest(this.records, remembered);
  }

  forget(key: string): void {
    this.records.delete(key);
  }
}

/**
 * Slows guessing down. A name waits long where it was guessed at, and shortly from anywhere else, unless it signed in from there before:
 * so nobody can lock somebody else out. Addresses wait, so that one place cannot go through many names.
 */
export class Attempts {
  private readonly limits: AttemptLimits;
  private readonly names: Waits;
  private readonly pairs: Waits;
  private readonly addresses: Waits;
  /** Where a name has signed in from. */
  private readonly known = new Map<string, true>();

  constructor(
    private readonly clock: Clock,
    limits: Partial<AttemptLimits> = {},
  ) {
    this.limits = { ...DEFAULTS, ...limits };
    const { free, perAddress, longestMs, longestNameMs } = this.limits;
    this.names = new Waits(this.limits, free, longestNameMs);
    this.pairs = new Waits(this.limits, free, longestMs);
    this.addresses = new Waits(this.limits, perAddress, longestMs);
  }

  /** @throws CadastreError RESOURCE_EXHAUSTED, with the same words for a name that exists and for one that does not */
  admit(name: string, address: string): void {
    const now = this.clock.monotonicMs();
    const pair = pairOf(name, address);
    const byName = this.known.has(pair) ? 0 : this.names.until(name);
    const until = Math.max(byName, this.pairs.until(pair), this.addresses.until(networkOf(address)));
    if (until <= now) return;
    throw new CadastreError('RESOURCE_EXHAUSTED', 'too many failed sign-ins', {
      limit: `${this.limits.free} failures`,
      remedy: `try again in ${Math.ceil((until - now) / 1000)} s`,
    });
  }

  failed(name: string, address: string): void {
    const now = this.clock.monotonicMs();
    this.names.failed(name, now);
    this.pairs.failed(pairOf(name, address), now);
    this.addresses.failed(networkOf(address), now);
  }

  succeeded(name: string, address: string): void {
    const pair = pairOf(name, address);
    this.names.forget(name);
    this.pairs.forget(pair);
    this.known.delete(pair);
    this.known.set(pair, true);
    forgetOldest(this.known, this.limits.remembered);
  }
}

const pairOf = (name: string, address: string): string => JSON.stringify([name, networkOf(address)]);

const forgetOldest = (records: Map<string, unknown>, remembered: number): void => {
  const [oldest] = records.keys();
  if (records.size > remembered && oldest !== undefined) records.delete(oldest);
};
