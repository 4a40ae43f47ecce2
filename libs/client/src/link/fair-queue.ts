/** What a flow earns in each turn, in bytes: what is larger waits for several turns. */
const QUANTUM_BYTES = 16 * 1024;
const COMPACT_AFTER = 1024;

export interface Queued {
  readonly bytes: number;
  /** It is no longer wanted: it is passed over, and does not count. */
  settled: boolean;
}

class Flow<T extends Queued> {
  private readonly items: T[] = [];
  private head = 0;
  credit = 0;

  push(item: T): void {
    this.items.push(item);
  }

  peek(): T | undefined {
    while (this.items[this.head]?.settled) this.head += 1;
    return this.items[this.head];
  }

  /** Only after `peek`. */
  drop(): void {
    this.head += 1;
    if (this.head < COMPACT_AFTER || this.head * 2 < this.items.length) return;
    this.items.splice(0, this.head);
    this.head = 0;
  }
}

/**
 * Requests in the order in which they came within a flow, and flows in turn by bytes (deficit round robin, Shreedhar and Varghese 1995): a
 * scan of all partitions or a bulk load does not make a lone read wait for all of itself.
 */
export class FairQueue<T extends Queued> {
  private readonly flows = new Map<object, Flow<T>>();

  push(key: object, item: T): void {
    const flow = this.flows.get(key) ?? new Flow<T>();
    if (!this.flows.has(key)) this.flows.set(key, flow);
    flow.push(item);
  }

  /** @returns undefined when nothing that is wanted is left */
  shift(): T | undefined {
    for (const [key, flow] of this.flows) {
      const item = flow.peek();
      if (!item) {
        this.flows.delete(key);
        continue;
      }
      if (this.flows.size > 1 && flow.credit < item.bytes) {
        this.toTheEnd(key, flow);
        continue;
      }
      flow.drop();
      flow.credit = Math.max(0, flow.credit - item.bytes);
      return item;
    }
    return undefined;
  }

  /** A Map keeps the order in which keys were added: who was just considered comes last. */
  private toTheEnd(key: object, flow: Flow<T>): void {
    flow.credit += QUANTUM_BYTES;
    this.flows.delete(key);
    this.flows.set(key, flow);
  }
}
