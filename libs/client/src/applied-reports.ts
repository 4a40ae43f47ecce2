import type { KeyspaceGeneration } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import { encodeKnown } from '@cadastre/contracts';
import type { Cancellable, Clock, MonotonicMs, Random } from '@cadastre/runtime';

/** All watchers apply a change at the same moment; were they to say so at once, the server would read while it still has to write. */
const HELD_BACK_MS = 500;
const SPREAD_MS = 1_000;

/**
 * Tells the server what was applied: the newest of each keyspace, and how long ago that was, at a random moment half a second to one
 * and a half later; later still where the server has so many watchers that it asks them to spread.
 */
export class AppliedReports {
  private readonly newest = new Map<string, { readonly applied: KeyspaceGeneration; readonly at: MonotonicMs }>();
  private timer: Cancellable | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly random: Random,
    private readonly spreadMs: () => number,
    private readonly send: (applied: Wire.Applied) => void,
  ) {}

  add(applied: KeyspaceGeneration): void {
    this.newest.set(applied.keyspace, { applied, at: this.clock.monotonicMs() });
    if (this.timer) return;
    const delayMs = HELD_BACK_MS + this.random() * Math.max(SPREAD_MS, this.spreadMs());
    this.timer = this.clock.after(delayMs, () => this.flush(), { background: true });
  }

  stop(): void {
    this.timer?.cancel();
  }

  private flush(): void {
    this.timer = undefined;
    const now = this.clock.monotonicMs();
    for (const { applied, at } of this.newest.values())
      this.send({ applied: encodeKnown([applied]), heldMs: Math.round(now - at) });
    this.newest.clear();
  }
}
