import type { Cancellable, Clock, Logger } from '@cadastre/runtime';
import type { Store, StoreConcern, StoreStatus } from '@cadastre/store';
import { concernsOf } from '@cadastre/store';

export interface StoreCareOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  /** What etcd's members were started with. */
  readonly quotaBytes: number;
}

const LOOK_MS = 10_000;
const DEADLINE_MS = 3_000;

/** Looks at etcd's size, alarms and version; says in the log what begins and what is over. */
export class StoreCare {
  private timer: Cancellable | undefined;
  private asking: Promise<void> | undefined;
  private seen: StoreStatus | undefined;
  private found: readonly StoreConcern[] = [];
  /** Of etcd's leader, as seen from look to look. */
  leaderChanges = 0;

  constructor(private readonly options: StoreCareOptions) {}

  /** As of the last look that was answered; undefined before the first. */
  get status(): StoreStatus | undefined {
    return this.seen;
  }

  get quotaBytes(): number {
    return this.options.quotaBytes;
  }

  /** The worst first. */
  get concerns(): readonly StoreConcern[] {
    return this.found;
  }

  start(): Promise<void> {
    this.timer ??= this.options.clock.every(LOOK_MS, () => void this.look());
    return this.look();
  }

  stop(): void {
    this.timer?.cancel();
  }

  /** Never throws: while etcd is out of reach what was seen last stays. */
  look(): Promise<void> {
    this.asking ??= this.ask().finally(() => (this.asking = undefined));
    return this.asking;
  }

  private async ask(): Promise<void> {
    const { store, quotaBytes } = this.options;
    const status = await store.status({ deadlineMs: DEADLINE_MS }).catch(() => undefined);
    if (!status) return;
    const known = this.seen?.leader;
    if (known !== undefined && status.leader !== undefined && status.leader !== known) this.leaderChanges += 1;
    this.seen = status;
    const before = this.found;
    this.found = concernsOf(status, quotaBytes);
    this.tell(before);
  }

  private tell(before: readonly StoreConcern[]): void {
    const { logger } = this.options;
    for (const { id, level, what, remedy } of this.found) {
      if (before.some((c) => c.id === id)) continue;
      logger[level === 'critical' ? 'error' : 'warn'](what, { event: 'etcd-concern', concern: id, remedy });
    }
    for (const { id, what } of before)
      if (!this.found.some((c) => c.id === id))
        logger.info(`over: ${what}`, { event: 'etcd-concern-over', concern: id });
  }
}
