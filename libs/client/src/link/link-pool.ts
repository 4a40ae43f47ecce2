import type { KeyspaceMap } from '@cadastre/core';
import type { OwnerInfo, Transport } from '@cadastre/contracts';
import type { Cancellable, Clock } from '@cadastre/runtime';
import type { LinkLimits } from './node-link.js';
import { NodeLink } from './node-link.js';

const SWEEP_AFTER_MS = 10_000;

export interface LinkPoolOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly limits?: LinkLimits;
  maps(): readonly KeyspaceMap[];
  /** See LinkOptions. */
  onNews?(info: OwnerInfo): void;
  onOpen?(address: string): void;
  onClose?(address: string): void;
}

/** One link, and so one channel, per node address: opened when first needed, closed when no partition is on that node any more. */
export class LinkPool {
  private readonly links = new Map<string, NodeLink>();
  private sweep: Cancellable | undefined;

  constructor(private readonly options: LinkPoolOptions) {}

  at(address: string): NodeLink {
    const held = this.links.get(address);
    if (held) return held;
    const { transport, clock, limits, onNews } = this.options;
    const link = new NodeLink(transport.peer(address), {
      clock,
      ...(limits && { limits }),
      ...(onNews && { onNews: (info) => onNews(info) }),
    });
    this.links.set(address, link);
    this.options.onOpen?.(address);
    return link;
  }

  get size(): number {
    return this.links.size;
  }

  /** Requests that wait or are under way. */
  get busy(): number {
    let sum = 0;
    for (const link of this.links.values()) sum += link.busy;
    return sum;
  }

  /** Looking through a map costs its size, so a burst of changes is looked through once. */
  mapChanged(): void {
    this.sweep ??= this.options.clock.after(SWEEP_AFTER_MS, () => this.closeUnused(), { background: true });
  }

  closeUnused(): void {
    this.sweep?.cancel();
    this.sweep = undefined;
    const used = new Set(this.options.maps().flatMap(addressesInUse));
    for (const [address, link] of this.links) if (!used.has(address) && link.busy === 0) this.drop(address, link);
  }

  close(): void {
    this.sweep?.cancel();
    for (const [address, link] of this.links) this.drop(address, link);
  }

  private drop(address: string, link: NodeLink): void {
    this.links.delete(address);
    link.close();
    this.options.onClose?.(address);
  }
}

const addressesInUse = (map: KeyspaceMap): string[] => {
  const nodes = new Set<number>();
  for (const node of map.replicaNodes) if (node >= 0) nodes.add(node);
  return [...nodes].map((index) => map.nodes[index]!.address);
};
