import type { KeyspaceMap } from '@cadastre/core';
import type { Peer, Transport } from '@cadastre/contracts';
import type { Cancellable, Clock } from '@cadastre/runtime';

const SWEEP_AFTER_MS = 10_000;

interface Slot {
  readonly peer: Peer;
  inFlight: number;
}

/** One channel per node address, opened when first needed, closed when no partition is on that node any more. */
export class PeerPool {
  private readonly slots = new Map<string, Slot>();
  private sweep: Cancellable | undefined;

  constructor(
    private readonly transport: Transport,
    private readonly clock: Clock,
    private readonly maps: () => readonly KeyspaceMap[],
  ) {}

  async use<T>(address: string, task: (peer: Peer) => Promise<T>): Promise<T> {
    const slot = this.slotOf(address);
    slot.inFlight += 1;
    try {
      return await task(slot.peer);
    } finally {
      slot.inFlight -= 1;
    }
  }

  get size(): number {
    return this.slots.size;
  }

  /** Looking through a map costs its size, so a burst of changes is looked through once. */
  mapChanged(): void {
    this.sweep ??= this.clock.after(SWEEP_AFTER_MS, () => this.closeUnused(), { background: true });
  }

  closeUnused(): void {
    this.sweep?.cancel();
    this.sweep = undefined;
    const used = new Set(this.maps().flatMap(addressesInUse));
    for (const [address, slot] of this.slots) if (!used.has(address) && slot.inFlight === 0) this.drop(address, slot);
  }

  close(): void {
    this.sweep?.cancel();
    for (const [address, slot] of this.slots) this.drop(address, slot);
  }

  private slotOf(address: string): Slot {
    const held = this.slots.get(address);
    if (held) return held;
    const slot: Slot = { peer: this.transport.peer(address), inFlight: 0 };
    this.slots.set(address, slot);
    return slot;
  }

  private drop(address: string, slot: Slot): void {
    this.slots.delete(address);
    slot.peer.close();
  }
}

const addressesInUse = (map: KeyspaceMap): string[] => {
  const nodes = new Set<number>();
  for (const node of map.replicaNodes) if (node >= 0) nodes.add(node);
  return [...nodes].map((index) => map.nodes[index]!.address);
};
