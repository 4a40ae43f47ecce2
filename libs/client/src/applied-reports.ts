import type { KeyspaceGeneration } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import { encodeKnown } from '@cadastre/contracts';
import type { Cancellable, Clock, MonotonicMs, Random } from '@cadastre/runtime';

/** All watchers apply a change at the same moment; were they to say so at once, the server would have as much to read as it wrote. */
const HELD_BACK_MS = 1_000;

/** Tells the server what was applied: the newest of each keyspace, at a random moment within a second, and how long ago that was. */
export class AppliedReports {
  private readonly newest = new Map<string, { readonly applied: KeyspaceGeneration; readonly at: MonotonicMs }>();
  private timer: Cancellable | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly random: Random,
    private readonly send: (applied: Wire.Applied) => void,
  ) {}

  add(applied: KeyspaceGeneration): void {
    this.newest.set(applied.keyspace, { applied, at: this.clock.monotonicMs() });
    this.timer ??= this.clock.after(this.random() * HELD_BACK_MS, () => this.flush(), { background: true });
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
