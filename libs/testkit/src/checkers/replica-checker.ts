import type { HistoryEvent } from './history.js';
import type { StreamChecker, Violation } from './violation.js';
import { NONE } from './violation.js';

interface Seal {
  readonly epoch: number;
  readonly node: string;
  readonly seq: number;
}

interface Fence {
  /** In the order of their epochs. */
  readonly seals: Seal[];
  /** Who acknowledged in an epoch. */
  readonly acknowledgedBy: Map<number, string>;
}

/** What replicas say of themselves: promises that never go back, one leader that acknowledges, requests that take effect once (INV-2, INV-3). */
export class ReplicaChecker implements StreamChecker {
  private readonly promised = new Map<string, number>();
  private readonly fences = new Map<string, Fence>();
  /** Per copy: request id to its place in the log. */
  private readonly effects = new Map<string, Map<string, number>>();
  private readonly lastEffect = new Map<string, number>();

  observe(event: HistoryEvent): readonly Violation[] {
    switch (event.type) {
      case 'promised':
      case 'sealed':
      case 'acknowledged':
      case 'effect':
        break;
      case 'purged':
        this.forget(copyOf(event));
        return NONE;
      default:
        return NONE;
    }
    const key = `${event.keyspace}/${event.partition}`;
    const violation = (rule: string, what: string): readonly Violation[] => [
      { rule, at: event.at, subject: key, what: `${event.node}: ${what}` },
    ];
    const copy = copyOf(event);
    if (event.type === 'promised') {
      const before = this.promised.get(copy) ?? 0;
      this.promised.set(copy, Math.max(before, event.epoch));
      return event.epoch < before ? violation('INV-2', `promised epoch ${event.epoch} after ${before}`) : NONE;
    }
    if (event.type === 'effect') return this.effect(copy, event.requestId, event.seq, violation);
    const fence = this.fenceOf(key);
    if (event.type === 'sealed') {
      const last = fence.seals.at(-1);
      if (last?.epoch === event.epoch && last.node !== event.node)
        return violation('INV-3', `sealed epoch ${event.epoch}, as ${last.node} did`);
      if (event.epoch > (last?.epoch ?? 0)) fence.seals.push(event);
      return NONE;
    }
    return this.acknowledged(fence, event.node, event.epoch, event.seq, violation);
  }

  private acknowledged(
    fence: Fence,
    node: string,
    epoch: number,
    seq: number,
    violation: (rule: string, what: string) => readonly Violation[],
  ): readonly Violation[] {
    const other = fence.acknowledgedBy.get(epoch) ?? node;
    fence.acknowledgedBy.set(epoch, node);
    if (other !== node) return violation('INV-3', `acknowledged in epoch ${epoch}, as ${other} did`);
    // A leader that goes on under a newer epoch still answers for what it wrote before. One that was deposed may learn late that an entry
    // was held by all of its set: whoever sealed after it is one of them and has that entry; what it has not can never have been held by all.
    const seal = fence.seals.find((each) => each.epoch > epoch);
    return seal && seal.node !== node && seq > seal.seq
      ? violation(
          'INV-3',
          `acknowledged ${seq} in epoch ${epoch} after ${seal.node} had sealed ${seal.epoch} at ${seal.seq}`,
        )
      : NONE;
  }

  private effect(
    copy: string,
    requestId: string,
    seq: number,
    violation: (rule: string, what: string) => readonly Violation[],
  ): readonly Violation[] {
    const last = this.lastEffect.get(copy) ?? 0;
    this.lastEffect.set(copy, seq);
    if (seq <= last) return violation('order', `applied ${seq} after ${last}`);
    if (requestId === '') return NONE;
    let known = this.effects.get(copy);
    if (!known) this.effects.set(copy, (known = new Map()));
    const before = known.get(requestId);
    known.set(requestId, seq);
    return before === undefined || before === seq
      ? NONE
      : violation('once', `request ${requestId} took effect at ${before} and again at ${seq}`);
  }

  private forget(copy: string): void {
    this.effects.delete(copy);
    this.lastEffect.delete(copy);
  }

  private fenceOf(key: string): Fence {
    let fence = this.fences.get(key);
    if (!fence) this.fences.set(key, (fence = { seals: [], acknowledgedBy: new Map() }));
    return fence;
  }
}

const copyOf = (event: { node: string; incarnation: string; keyspace: string; partition: number }): string =>
  `${event.node}/${event.incarnation}/${event.keyspace}/${event.partition}`;
