import { CadastreError } from '@cadastre/core';
import type { ActiveInfo, Peer, Transport } from '@cadastre/contracts';
import type { Random } from '@cadastre/runtime';

/** Connections by address, one each. */
export class Peers {
  private readonly byAddress = new Map<string, Peer>();

  constructor(private readonly transport: Transport) {}

  at(address: string): Peer {
    let peer = this.byAddress.get(address);
    if (!peer) this.byAddress.set(address, (peer = this.transport.peer(address)));
    return peer;
  }

  close(): void {
    for (const peer of this.byAddress.values()) peer.close();
    this.byAddress.clear();
  }
}

const REDIRECTS = 3;
/** Requests to the active controller under way at once: it decides one after the other, and what waits there too long is lost. */
const AT_ONCE = 16;

/** The control plane as an agent sees it: any replica for reading, the active one for acting. */
export class ControlPlane {
  private active: string | undefined;
  private underWay = 0;
  /** At most one request a partition. */
  private readonly waiting: (() => void)[] = [];
  /** Agents begin at different replicas, so that none gets them all. */
  private turn: number;

  constructor(
    private readonly addresses: readonly string[],
    private readonly peers: Peers,
    random: Random,
  ) {
    this.turn = Math.floor(random() * 1024);
  }

  learnActive(address: string): void {
    this.active = address === '' ? undefined : address;
  }

  all(): Peer[] {
    return this.addresses.map((address) => this.peers.at(address));
  }

  /** The next replica in turn: after a failure another one is asked. */
  next(): Peer {
    this.turn += 1;
    return this.peers.at(this.addresses[this.turn % this.addresses.length]!);
  }

  /** @throws CadastreError NOT_ACTIVE when no controller is active, or what `call` throws */
  async onActive<T>(call: (peer: Peer) => Promise<T>): Promise<T> {
    if (this.underWay >= AT_ONCE) await new Promise<void>((resolve) => this.waiting.push(resolve));
    else this.underWay += 1;
    try {
      return await this.follow(call);
    } finally {
      const next = this.waiting.shift();
      if (next) next();
      else this.underWay -= 1;
    }
  }

  private async follow<T>(call: (peer: Peer) => Promise<T>): Promise<T> {
    for (let redirects = 0; ; redirects += 1) {
      const peer = this.active === undefined ? this.next() : this.peers.at(this.active);
      try {
        return await call(peer);
      } catch (error) {
        const next = activeOf(error);
        this.active = next === undefined || next === peer.address ? undefined : next;
        if (next === undefined || redirects >= REDIRECTS) throw error;
      }
    }
  }
}

/** Where a NOT_ACTIVE answer points to. */
const activeOf = (error: unknown): string | undefined => {
  if (!(error instanceof CadastreError) || error.code !== 'NOT_ACTIVE') return undefined;
  return (error.info as ActiveInfo | undefined)?.activeAddress || undefined;
};
