import type { Wire } from '@cadastre/contracts';
import { callUnary } from '@cadastre/contracts';
import type { Cancellable, Clock } from '@cadastre/runtime';
import type { ControlPlane } from './control-plane.js';

export interface BrokenLinksOptions {
  readonly node: string;
  readonly controlPlane: ControlPlane;
  readonly clock: Clock;
}

/** Said again so often, because a controller may have changed; and for so long, because then all who can do something have heard it. */
const REPEAT_MS = 1_000;
const REPEAT_FOR_MS = 15_000;
const DEADLINE_MS = 2_000;

/** Tells every control-plane replica at once of a node whose replication stream broke: the first hint that it may be dead. */
export class BrokenLinks {
  private readonly broken = new Map<string, number>();
  private timer: Cancellable | undefined;
  private scheduled = false;
  private stopped = false;

  constructor(private readonly options: BrokenLinksOptions) {}

  onLink(node: string, up: boolean): void {
    if (up) return void (this.broken.size > 0 && this.broken.delete(node));
    if (this.stopped || this.broken.has(node)) return undefined;
    this.broken.set(node, this.options.clock.monotonicMs());
    this.timer ??= this.options.clock.every(REPEAT_MS, () => this.repeat());
    // Several streams of one node break in the same turn.
    if (this.scheduled) return undefined;
    this.scheduled = true;
    queueMicrotask(() => {
      this.scheduled = false;
      this.tell([...this.broken.keys()]);
    });
    return undefined;
  }

  stop(): void {
    this.stopped = true;
    this.timer?.cancel();
    this.broken.clear();
  }

  private repeat(): void {
    const oldest = this.options.clock.monotonicMs() - REPEAT_FOR_MS;
    for (const [node, since] of this.broken) if (since < oldest) this.broken.delete(node);
    if (this.broken.size > 0) return this.tell([...this.broken.keys()]);
    this.timer?.cancel();
    this.timer = undefined;
    return undefined;
  }

  private tell(nodes: readonly string[]): void {
    const { node, controlPlane } = this.options;
    const suspicions = nodes.map((id) => ({ node: id, why: 'the replication stream broke' }));
    for (const { agent } of controlPlane.all()) {
      const told = callUnary<Wire.SuspectRequest, Wire.SuspectReply__Output>(
        agent,
        agent.suspect,
        { node, suspicions },
        { deadlineMs: DEADLINE_MS },
      );
      void told.catch(() => undefined); // a hint: who does not hear it hears the next
    }
  }
}
