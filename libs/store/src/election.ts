import { Backoff, delay, silentLogger, systemClock, systemRandom } from '@cadastre/runtime';
import type { Clock, Logger, Random } from '@cadastre/runtime';
import { compare, op } from './ops.js';
import { settle } from './settle.js';
import { errorMessage } from './store-errors.js';
import type { Compare, KeyValue, Lease, Resync, Revision, Store, Watch, WatchBatch } from './store.js';

/** What the winner holds until `onDeposed`. */
export interface Mandate {
  /** createRevision of the winner's key: rises from leader to leader. */
  readonly term: Revision;
  readonly key: string;
  /** Add it to every transaction: it fails once the mandate is over, whatever the clocks say. */
  readonly fence: Compare;
}

export interface Leader {
  readonly term: Revision;
  readonly key: string;
  readonly value: Uint8Array;
}

export type Deposition = 'lease-deadline' | 'lease-gone' | 'key-deleted' | 'resigned' | 'closed' | 'watch-failed';

export interface ElectionOptions {
  readonly store: Store;
  /** Candidates' keys are `<prefix>/<lease id in hex>`. */
  readonly prefix: string;
  /** Told to everyone, e.g. the leader's address. */
  readonly value: Uint8Array;
  readonly ttlMs: number;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly logger?: Logger;
  onElected?(mandate: Mandate): void;
  /** Called as soon as the mandate cannot be trusted: before the lease's TTL is over. */
  onDeposed?(reason: Deposition): void;
  /** As the watch shows it, so possibly late: a hint for redirects, not a permission. Undefined: nobody. */
  onLeader?(leader: Leader | undefined): void;
  /** The store's watch is over for good. */
  onError?(error: Error): void;
}

/** One stay in the queue: one lease, one key. A new lease makes a new candidacy, so an old one can never be announced. */
interface Candidacy {
  readonly lease: Lease;
  readonly key: string;
  readonly term: Revision;
  mandate: Mandate | undefined;
  verifying: boolean;
}

/**
 * Leader = the candidate whose key was created first. A candidate announces itself only after one linearizable read that shows
 * its own key, on its own lease, as the oldest, while its lease is alive by the monotonic clock.
 * Safety comes from `fence` alone; the callbacks only say when to begin and to stop.
 */
export class Election {
  private readonly clock: Clock;
  private readonly logger: Logger;
  private readonly random: Random;
  private readonly candidates = new Map<string, KeyValue>();
  private watch: Watch | undefined;
  private candidacy: Candidacy | undefined;
  private announced: string | undefined;
  /** Aborted by `resign` and `close`; each campaign has its own. */
  private campaigning: AbortController | undefined;

  constructor(private readonly options: ElectionOptions) {
    this.clock = options.clock ?? systemClock;
    this.logger = options.logger ?? silentLogger;
    this.random = options.random ?? systemRandom;
  }

  /** Follows who leads, without standing. */
  observe(): void {
    this.watch ??= this.options.store.watch(`${this.options.prefix}/`, {
      onResync: (resync) => this.onResync(resync),
      onBatch: (batch) => this.onBatch(batch),
      onError: (error) => {
        void this.leave('watch-failed');
        this.options.onError?.(error);
      },
    });
  }

  /** Stands, and stands again with a new lease whenever one is lost, until `resign` or `close`. */
  campaign(): void {
    if (this.campaigning) return;
    this.campaigning = new AbortController();
    this.observe();
    void this.stand(this.campaigning.signal);
  }

  get mandate(): Mandate | undefined {
    return this.candidacy?.lease.isAlive() ? this.candidacy.mandate : undefined;
  }

  /** Steps down or leaves the queue. The next candidate leads when it resolves, or at the TTL when the store is out of reach. */
  async resign(): Promise<void> {
    await this.leave('resigned');
  }

  async close(): Promise<void> {
    this.watch?.close();
    this.watch = undefined;
    await this.leave('closed');
  }

  private async leave(reason: Deposition): Promise<void> {
    this.campaigning?.abort();
    this.campaigning = undefined;
    const { candidacy } = this;
    if (!candidacy) return;
    this.drop(candidacy, reason);
    await candidacy.lease
      .revoke()
      .catch((error: unknown) =>
        this.logger.warn('election: lease not revoked, its TTL ends it', { error: errorMessage(error) }),
      );
  }

  private async stand(signal: AbortSignal): Promise<void> {
    const backoff = new Backoff({ initialMs: 50, maxMs: 2_000 }, this.random);
    while (!signal.aborted) {
      try {
        const candidacy = await this.enter(signal);
        if (candidacy) this.accept(candidacy, signal);
        return;
      } catch (error) {
        this.logger.warn('election: could not stand', { error: errorMessage(error) });
        await delay(this.clock, backoff.nextMs(), signal);
      }
    }
  }

  /** Writes the own key once; undefined when the campaign ended or the lease was lost meanwhile. */
  private async enter(signal: AbortSignal): Promise<Candidacy | undefined> {
    const { store, prefix, value, ttlMs } = this.options;
    const lease = await store.grantLease(ttlMs);
    const key = `${prefix}/${lease.id.toString(16)}`;
    try {
      const txn = { compare: [compare.absent(key)], success: [op.put(key, value, lease.id)] };
      const written = await settle(
        store,
        txn,
        { key, matches: (kv) => kv.leaseId === lease.id },
        { clock: this.clock, random: this.random, giveUpMs: ttlMs },
      );
      if (written.kind !== 'committed') throw new Error(`own key: ${written.kind}`);
      if (!signal.aborted) return { lease, key, term: written.revision, mandate: undefined, verifying: false };
    } catch (error) {
      await lease.revoke().catch(() => undefined);
      throw error;
    }
    await lease.revoke().catch(() => undefined);
    return undefined;
  }

  private accept(candidacy: Candidacy, signal: AbortSignal): void {
    this.candidacy = candidacy;
    candidacy.lease.onLost((reason) => {
      if (this.candidacy !== candidacy) return;
      this.drop(candidacy, reason === 'gone' ? 'lease-gone' : 'lease-deadline');
      void this.stand(signal);
    });
    this.consider();
  }

  private drop(candidacy: Candidacy, reason: Deposition): void {
    if (this.candidacy === candidacy) this.candidacy = undefined;
    if (!candidacy.mandate) return;
    candidacy.mandate = undefined;
    this.options.onDeposed?.(reason);
  }

  private onResync(resync: Resync): void {
    this.candidates.clear();
    for (const kv of resync.kvs) this.candidates.set(kv.key, kv);
    this.onChange(resync.revision);
  }

  private onBatch(batch: WatchBatch): void {
    for (const event of batch.events) {
      if (event.type === 'put') this.candidates.set(event.kv.key, event.kv);
      else this.candidates.delete(event.kv.key);
    }
    this.onChange(batch.revision);
  }

  private onChange(revision: Revision): void {
    this.announceLeader();
    const { candidacy, campaigning } = this;
    if (!candidacy || !campaigning) return;
    if (revision >= candidacy.term && !this.candidates.has(candidacy.key))
      return this.loseKey(candidacy, campaigning.signal);
    this.consider();
  }

  /** Someone deleted our key while our lease lives: stand anew. */
  private loseKey(candidacy: Candidacy, signal: AbortSignal): void {
    this.drop(candidacy, 'key-deleted');
    void candidacy.lease.revoke().catch(() => undefined);
    void this.stand(signal);
  }

  private announceLeader(): void {
    const first = oldest(this.candidates.values());
    const name = first && `${first.key}@${first.createRevision}`;
    if (name === this.announced) return;
    this.announced = name;
    this.options.onLeader?.(first && { term: first.createRevision, key: first.key, value: first.value });
  }

  private consider(): void {
    const { candidacy } = this;
    if (!candidacy || candidacy.mandate || candidacy.verifying) return;
    if (oldest(this.candidates.values())?.key !== candidacy.key) return;
    candidacy.verifying = true;
    void this.verify(candidacy);
  }

  /** The same read shows the own key and that nobody is before it. */
  private async verify(candidacy: Candidacy): Promise<void> {
    const backoff = new Backoff({ initialMs: 20, maxMs: 500 }, this.random);
    while (this.candidacy === candidacy) {
      try {
        const { kvs } = await this.options.store.range(`${this.options.prefix}/`);
        candidacy.verifying = false;
        return this.elect(candidacy, oldest(kvs));
      } catch (error) {
        this.logger.warn('election: could not verify', { error: errorMessage(error) });
        await delay(this.clock, backoff.nextMs());
      }
    }
  }

  private elect(candidacy: Candidacy, first: KeyValue | undefined): void {
    if (this.candidacy !== candidacy || candidacy.mandate || !candidacy.lease.isAlive()) return;
    const { key, term, lease } = candidacy;
    if (first?.key !== key || first.createRevision !== term || first.leaseId !== lease.id) return;
    candidacy.mandate = { term, key, fence: compare.createRevision(key, term) };
    this.options.onElected?.(candidacy.mandate);
  }
}

function oldest(candidates: Iterable<KeyValue>): KeyValue | undefined {
  let first: KeyValue | undefined;
  for (const kv of candidates) if (!first || kv.createRevision < first.createRevision) first = kv;
  return first;
}
