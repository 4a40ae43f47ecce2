import type { HistoryEvent } from './history.js';
import type { StreamChecker, Violation } from './violation.js';
import { NONE } from './violation.js';

interface Fence {
  sealedEpoch: number;
  sealedBy: string;
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
      if (event.epoch === fence.sealedEpoch && fence.sealedBy !== event.node) {
        return violation('INV-3', `sealed epoch ${event.epoch}, as ${fence.sealedBy} did`);
      }
      if (event.epoch > fence.sealedEpoch) {
        fence.sealedEpoch = event.epoch;
        fence.sealedBy = event.node;
      }
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
    // A leader that goes on under a newer epoch still answers for what it wrote before.
    if (epoch < fence.sealedEpoch && fence.sealedBy !== node) {
      return violation(
        'INV-3',
        `acknowledged ${seq} in epoch ${epoch} after ${fence.sealedBy} had sealed ${fence.sealedEpoch}`,
      );
    }
    return NONE;
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
    if (!fence) this.fences.set(key, (fence = { sealedEpoch: 0, sealedBy: '', acknowledgedBy: new Map() }));
    return fence;
  }
}

const copyOf = (event: { node: string; incarnation: string; keyspace: string; partition: number }): string =>
  `${event.node}/${event.incarnation}/${event.keyspace}/${event.partition}`;
