import { CadastreError } from '@cadastre/core';
import type { Clock, Logger } from '@cadastre/runtime';
import type { Draft, LeaseId, Register, Store } from '@cadastre/store';
import { departurePart, keys } from '@cadastre/store';
import type { Hello } from './hello.codec.js';
import { decideRegistration } from './registration.js';

export interface SessionServiceOptions {
  readonly store: Store;
  readonly register: Register;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Of a node's session, default 10,000: so long may an agent be silent, or on its way to another replica. */
  readonly ttlMs?: number;
}

/** One node's registered presence. The lease is the node's, not this replica's. */
export interface Session {
  readonly node: string;
  readonly incarnation: string;
  readonly leaseId: LeaseId;
  readonly ttlMs: number;
}

interface HeldLease {
  readonly id: LeaseId;
  readonly ttlMs: number;
  readonly adopted: boolean;
}

/** Registers nodes and keeps their leases alive, only when they ask: a silent agent loses its session. */
export class SessionService {
  private readonly options: Required<SessionServiceOptions>;

  constructor(options: SessionServiceOptions) {
    this.options = { ttlMs: 10_000, ...options };
  }

  get clusterId(): string {
    return this.options.register.state.cluster?.value.clusterId ?? '';
  }

  /** gRPC address of the active controller as this replica sees it; empty when there is none. */
  get activeAddress(): string {
    return this.options.register.state.controller?.address ?? '';
  }

  /** @throws CadastreError ALREADY_EXISTS, FAILED_PRECONDITION, UNAVAILABLE */
  async open(hello: Hello): Promise<Session> {
    const adopted = await this.adopt(hello);
    if (!adopted) return this.openWith(hello, await this.grant());
    try {
      return await this.openWith(hello, adopted);
    } catch (error) {
      // The lease ran out between the question and its use.
      if (CadastreError.from(error).code !== 'NOT_FOUND') throw error;
      return this.openWith(hello, await this.grant());
    }
  }

  private async openWith(hello: Hello, lease: HeldLease): Promise<Session> {
    const { register, clock, store, logger } = this.options;
    try {
      const { result: before } = await register.commit((state) =>
        decideRegistration(state, hello, lease.id, clock.wallMs(), this.options.ttlMs),
      );
      if (before && before.leaseId !== lease.id) void store.revokeLease(before.leaseId).catch(() => undefined);
    } catch (error) {
      if (!lease.adopted) void store.revokeLease(lease.id).catch(() => undefined);
      throw error;
    }
    logger.info('node connected', {
      node: hello.entry.id,
      incarnation: hello.incarnation,
      address: hello.entry.address,
      session: lease.id.toString(16),
      adopted: lease.adopted,
    });
    return { node: hello.entry.id, incarnation: hello.incarnation, leaseId: lease.id, ttlMs: lease.ttlMs };
  }

  /** `gone` says that the session is over: the node must register anew. @throws CadastreError when the register is out of reach */
  async keepAlive({ node, leaseId, ttlMs }: Session): Promise<'kept' | 'gone'> {
    // A node that was declared dead lost its session, not its lease: kept alive, that would never let it in again.
    if (this.options.register.state.sessions.get(node)?.leaseId !== leaseId) return 'gone';
    const answer = await this.options.store.keepAliveOnce(leaseId, { deadlineMs: ttlMs / 4 });
    return answer === 'gone' ? 'gone' : 'kept';
  }

  /** The node leaves of its own accord, which the register remembers: nobody need find out whether it is dead. */
  async end({ node, incarnation, leaseId }: Session): Promise<void> {
    const { register, store, logger } = this.options;
    await register.commit((state): Draft<void> =>
      state.sessions.get(node)?.leaseId === leaseId
        ? { ...departurePart(node, leaseId), result: undefined }
        : { compare: [], ops: [], result: undefined },
    );
    void store.revokeLease(leaseId).catch(() => undefined);
    logger.info('node said goodbye', { node, incarnation, session: leaseId.toString(16) });
  }

  /** Only a lease that carries this node's session: any other is none of its business. */
  private async adopt({ leaseId, entry }: Hello): Promise<HeldLease | undefined> {
    if (leaseId === undefined) return undefined;
    const { store } = this.options;
    const kv = await store.get(keys.session(entry.id));
    if (kv?.leaseId !== leaseId) return undefined;
    const kept = await store.keepAliveOnce(leaseId);
    return kept === 'gone' ? undefined : { id: leaseId, ttlMs: kept.ttlMs, adopted: true };
  }

  private async grant(): Promise<HeldLease> {
    const lease = await this.options.store.grantLease(this.options.ttlMs);
    lease.release();
    return { id: lease.id, ttlMs: lease.ttlMs, adopted: false };
  }
}

export const sessionOver = (node: string): CadastreError =>
  new CadastreError('UNAVAILABLE', `the session of ${node} is over: its lease ran out`, { remedy: 'say Hello again' });
