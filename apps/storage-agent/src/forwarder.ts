import type { KeyspaceMap } from '@cadastre/core';
import { CadastreError, printable } from '@cadastre/core';
import type { LinkPool } from '@cadastre/client';
import { placeOf } from '@cadastre/client';
import type { KvCaller, KvReply, KvServe, OwnerInfo, PendingReply, ReceivedOp, Wire } from '@cadastre/contracts';
import { asPromise, isAnswer } from '@cadastre/contracts';
import type { Clock } from '@cadastre/runtime';
import { traceparentOf } from '@cadastre/runtime';

/** Kept back of the caller's time for the way back, so that the caller hears what became of it. */
const WAY_BACK_MS = 5;
/** More hops never help: who is asked by a forwarder and does not lead says so, with the record. */
const HOPS_MAX = 1;

export interface ForwarderOptions {
  readonly node: string;
  readonly clock: Clock;
  readonly links: LinkPool;
  mapOf(keyspace: string): KeyspaceMap | undefined;
  /** Of the partitions that this node leads. */
  readonly serve: KvServe;
}

/**
 * Lets any node be asked. A request that says so (`target.forward`) is passed to the leader when this node is not it, once: what was
 * forwarded is never forwarded again. `target.by_key` has the partition found here, for callers without a map. All else is served as it is.
 */
export class Forwarder {
  constructor(private readonly options: ForwarderOptions) {}

  serve(op: ReceivedOp, caller: KvCaller): KvReply | Promise<KvReply> | PendingReply {
    const { target } = op.request;
    if (!target || !(target.forward || target.byKey)) return this.options.serve(op, caller);
    const placed = target.byKey ? this.placed(op, target) : op;
    if (!target.forward || target.hops >= HOPS_MAX) return this.options.serve(placed, caller);
    return this.serveOrForward(placed, caller);
  }

  private async serveOrForward(op: ReceivedOp, caller: KvCaller): Promise<KvReply> {
    const { keyspace, partition } = op.request.target!;
    const anyCopy = 'follower' in op.request && op.request.follower;
    const map = this.options.mapOf(keyspace);
    const leader = map && partition < map.partitions ? map.leader(partition) : undefined;
    if (!anyCopy && leader && leader.id !== this.options.node && leader.address !== '')
      return this.forward(op, caller, leader.address, map!.epochOf(partition));
    try {
      return await asPromise(this.options.serve(op, caller), caller);
    } catch (error) {
      const info = ownerOf(error);
      // Of a write that may have happened the caller must hear, whatever the next node says.
      if (!info?.leaderAddress || info.mayHaveHappened) throw error;
      return this.forward(op, caller, info.leaderAddress, info.record.epoch);
    }
  }

  private async forward(op: ReceivedOp, caller: KvCaller, address: string, epoch: number): Promise<KvReply> {
    const target = { ...op.request.target!, hops: op.request.target!.hops + 1, epoch, byKey: false };
    const deadline = caller.getDeadline();
    const remainingMs = (typeof deadline === 'number' ? deadline : deadline.getTime()) - this.options.clock.wallMs();
    const deadlineMs = Math.max(1, Math.min(remainingMs - WAY_BACK_MS, remainingMs));
    const gone = new AbortController();
    caller.once('cancelled', () => gone.abort());
    try {
      const request = { ...op.request, target };
      const link = this.options.links.at(address);
      const traceparent = caller.span && traceparentOf(caller.span.context);
      return await link.send({ kind: op.kind, request } as ReceivedOp, {
        deadlineMs,
        signal: gone.signal,
        traceparent,
      });
    } catch (thrown) {
      throw told(CadastreError.from(thrown), op, address);
    }
  }

  /** @throws CadastreError INVALID_ARGUMENT for what has no single place, NOT_FOUND */
  private placed(op: ReceivedOp, target: Wire.Target__Output): ReceivedOp {
    const map = this.options.mapOf(target.keyspace);
    if (!map)
      throw new CadastreError(
        'NOT_FOUND',
        `keyspace "${printable(target.keyspace)}" is not known to ${this.options.node}`,
        {
          field: 'target.keyspace',
          remedy: 'name a keyspace that exists',
        },
      );
    const partition = placeOf(op, map);
    const place = { ...target, partition, epoch: map.epochOf(partition), byKey: false };
    return { kind: op.kind, request: { ...op.request, target: place } } as ReceivedOp;
  }
}

const ownerOf = (error: unknown): OwnerInfo | undefined =>
  error instanceof CadastreError && error.code === 'NOT_OWNER' ? (error.info as OwnerInfo | undefined) : undefined;

/** What the leader said is passed on as it is. What the way there says of a write is that nobody knows. */
const told = (error: CadastreError, op: ReceivedOp, address: string): CadastreError => {
  if (isAnswer(error)) return error;
  const read = op.kind === 'get' || op.kind === 'scan';
  return new CadastreError(
    read ? 'UNAVAILABLE' : 'UNKNOWN_OUTCOME',
    `forwarded to ${address}, which did not answer: ${error.message}`,
    { remedy: read ? 'retry' : 'retry with the same request id', cause: error },
  );
};
