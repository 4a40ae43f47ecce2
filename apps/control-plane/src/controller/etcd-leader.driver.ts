import type { Cancellable, Clock, MonotonicMs } from '@cadastre/runtime';
import type { Store } from '@cadastre/store';

const LOOK_MS = 1_000;
const DEADLINE_MS = 2_000;
/** Leases that an old leader of etcd revokes by mistake go within this time of the change. */
const WARY_MS = 30_000;

/** Watches who leads etcd: around a change of it leases tell little of those who hold them. */
export class EtcdLeader {
  private leader: string | undefined;
  private changedAt: MonotonicMs | undefined;
  private readonly timer: Cancellable;
  private asking = false;

  constructor(
    private readonly store: Store,
    private readonly clock: Clock,
  ) {
    this.timer = clock.every(LOOK_MS, () => void this.look());
    void this.look();
  }

  /** Why no data is moved at present, if so. The dead are failed over all the same: that rests on probes, not on leases. */
  get wary(): string | undefined {
    if (this.changedAt === undefined) return undefined;
    const ago = this.clock.monotonicMs() - this.changedAt;
    if (ago > WARY_MS) return undefined;
    return `etcd changed its leader ${Math.round(ago / 1000)} s ago: no data moves until it has been quiet for ${WARY_MS / 1000} s`;
  }

  close(): void {
    this.timer.cancel();
  }

  private async look(): Promise<void> {
    if (this.asking) return;
    this.asking = true;
    try {
      const { leader } = await this.store.status({ deadlineMs: DEADLINE_MS });
      if (leader === undefined) return;
      if (this.leader !== undefined && leader !== this.leader) this.changedAt = this.clock.monotonicMs();
      this.leader = leader;
    } catch {
      // Out of reach: the next look tells who leads then.
    } finally {
      this.asking = false;
    }
  }
}
