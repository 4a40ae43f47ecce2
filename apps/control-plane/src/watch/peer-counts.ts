import { CadastreError } from '@cadastre/core';

/** Counts streams, in all and over each connection, against their limits. */
export class PeerCounts {
  private readonly counts = new Map<string, number>();
  private total = 0;

  constructor(
    private readonly max: number,
    private readonly maxPerPeer: number,
  ) {}

  /** @throws CadastreError RESOURCE_EXHAUSTED */
  add(peer: string): void {
    const held = this.counts.get(peer) ?? 0;
    if (this.total >= this.max)
      throw new CadastreError('RESOURCE_EXHAUSTED', `this replica has ${this.max} watchers`, {
        limit: `${this.max} watchers a replica`,
        remedy: 'watch at another replica',
      });
    if (held >= this.maxPerPeer)
      throw new CadastreError('RESOURCE_EXHAUSTED', `${peer} has ${held} watches over this connection`, {
        limit: `${this.maxPerPeer} watches a connection`,
        remedy: 'share one watch between all who need the map in a process',
      });
    this.counts.set(peer, held + 1);
    this.total += 1;
  }

  remove(peer: string): void {
    const left = (this.counts.get(peer) ?? 1) - 1;
    if (left === 0) this.counts.delete(peer);
    else this.counts.set(peer, left);
    this.total -= 1;
  }
}
