import { CadastreError } from '@cadastre/core';
import type { Clock, Logger, Random } from '@cadastre/runtime';
import { Backoff, delay } from '@cadastre/runtime';
import type { Lease, LeaseId, Store } from '@cadastre/store';

const TTL_MS = 60_000;

/** Keeps one lease for the marks this process leaves in the register, so that they go when it does. */
export class WriterLease {
  private lease: Lease | undefined;
  private readonly stopping = new AbortController();

  constructor(
    private readonly store: Store,
    private readonly clock: Clock,
    private readonly random: Random,
    private readonly logger: Logger,
  ) {}

  readonly id = (): LeaseId | undefined => (this.lease?.isAlive() ? this.lease.id : undefined);

  async start(): Promise<void> {
    const backoff = new Backoff({ initialMs: 100, maxMs: 5_000 }, this.random);
    while (!this.stopping.signal.aborted) {
      try {
        this.hold(await this.store.grantLease(TTL_MS));
        return;
      } catch (error) {
        this.logger.warn('no lease for own marks yet', { reason: CadastreError.from(error).message });
        await delay(this.clock, backoff.nextMs(), this.stopping.signal);
      }
    }
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.lease?.revoke().catch(() => undefined);
  }

  private hold(lease: Lease): void {
    this.lease = lease;
    lease.onLost(() => {
      if (!this.stopping.signal.aborted) void this.start();
    });
  }
}
