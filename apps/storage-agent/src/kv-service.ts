import type { KeyspaceMap, LogOp, WriteOutcome } from '@cadastre/core';
import { CadastreError, checkKey, checkValue, compareBytes, invalid, LIMITS } from '@cadastre/core';
import type { KvCaller, KvReply, ReceivedOp, Wire } from '@cadastre/contracts';
import type { StorageEngine } from '@cadastre/engine';
import type { Clock } from '@cadastre/runtime';
import { decodeOp } from './entries.codec.js';
import type { Access, Admitted, Gate, Target } from './gate.js';
import type { LoadBook } from './load-book.js';
import type { Freshness, Reads } from './reads.js';
import type { ReplicaDriver } from './replica.driver.js';

const REQUEST_ID_MAX = 128;
const SCAN_BYTES_MAX = 2 * 1024 * 1024;

export interface KvServiceOptions {
  readonly gate: Gate;
  readonly engine: StorageEngine;
  readonly clock: Clock;
  readonly reads: Reads;
  readonly loads: LoadBook;
}

const targetOf = (target: Wire.Target__Output | null | undefined): Target => {
  if (!target) throw invalid('target', 'is missing', 'name keyspace, partition and epoch');
  // Above it the number was rounded on its way here, so it is nobody's epoch.
  if (!Number.isSafeInteger(target.epoch))
    throw invalid('target.epoch', 'is too large', 'send the epoch of the map', `0 to ${Number.MAX_SAFE_INTEGER}`);
  return target;
};

const checkRequestId = (id: string): void => {
  if (id.length > REQUEST_ID_MAX)
    throw invalid('request_id', `has ${id.length} characters`, 'use client:number', `${REQUEST_ID_MAX} characters`);
};

const checkPlace = (map: KeyspaceMap, key: Uint8Array, { keyspace, partition }: Target, field = 'key'): void => {
  const place = map.partitionOf(key);
  if (place !== partition)
    throw invalid(
      field,
      `belongs to partition ${place} of ${keyspace}, not ${partition}`,
      'compute the partition from the key with the scheme of the map',
    );
};

const gone = (): CadastreError =>
  new CadastreError('CANCELLED', 'the caller has gone', { remedy: 'retry with the same request id' });

const whileWanted = <T>(call: KvCaller, task: Promise<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    call.once('cancelled', () => reject(gone()));
    task.then(resolve, reject);
  });

/** Reads and writes of the partitions that this node leads. */
export class KvService {
  constructor(private readonly options: KvServiceOptions) {}

  /** A read that needs no waiting is answered at once. What was answered is noted, with how long it took. @throws CadastreError */
  serve(op: ReceivedOp, caller: KvCaller): KvReply | Promise<KvReply> {
    const { clock, loads } = this.options;
    const cameAt = clock.monotonicMs();
    const note = () => loads.note(op, clock.monotonicMs() - cameAt);
    const reply = this.answer(op, caller);
    if (reply instanceof Promise) reply.then(note, () => undefined);
    else note();
    return reply;
  }

  private answer(op: ReceivedOp, caller: KvCaller): KvReply | Promise<KvReply> {
    switch (op.kind) {
      case 'get':
        return this.get(op.request, caller);
      case 'put':
        return this.put(op.request, caller);
      case 'delete':
        return this.delete(op.request, caller);
      case 'batch':
        return this.batch(op.request, caller);
      case 'scan':
        return this.scan(op.request, caller);
    }
  }

  private get(request: Wire.GetRequest__Output, caller: KvCaller): Wire.GetReply | Promise<Wire.GetReply> {
    const target = targetOf(request.target);
    checkKey(request.key);
    const follower = this.follower(request, target);
    if (follower) return { ...this.read(follower, request, target), ...follower.freshness };
    const ready = this.options.gate.admitNow(target, 'read');
    if (ready && this.options.reads.mayRead(ready.replica)) return this.read(ready, request, target);
    return this.admitRead(target, caller).then((admitted) => this.read(admitted, request, target));
  }

  private read({ replica, map }: Admitted, { key }: Wire.GetRequest__Output, target: Target): Wire.GetReply {
    checkPlace(map, key, target);
    const value = this.options.engine.get(replica.id, key);
    return value === undefined ? { found: false } : { found: true, value };
  }

  /** Undefined when the leader has to answer: it is asked for, or this node leads. */
  private follower(
    { follower, maxStalenessMs }: Pick<Wire.GetRequest__Output, 'follower' | 'maxStalenessMs'>,
    target: Target,
  ): (Admitted & { readonly freshness: Freshness }) | undefined {
    if (!follower) return undefined;
    const copy = this.options.gate.copy(target);
    if (copy.replica.machine.phase === 'serving') return undefined;
    return { ...copy, freshness: this.options.reads.freshness(copy.replica, target, maxStalenessMs) };
  }

  /** Admitted to answer a linearizable read now. */
  private async admitRead(target: Target, call: KvCaller): Promise<Admitted> {
    const admitted = await this.admit(target, 'read', call);
    const { gate, reads } = this.options;
    if (reads.mayRead(admitted.replica)) return admitted;
    const leads = await gate.hold(() => whileWanted(call, reads.confirm(admitted.replica, target)));
    if (!leads) throw gate.notOwner(target, admitted.map, { held: true });
    return admitted;
  }

  private put(request: Wire.PutRequest__Output, call: KvCaller): Promise<Wire.WriteReply> {
    return this.write(
      targetOf(request.target),
      request.requestId,
      [{ kind: 'put', key: request.key, value: request.value }],
      call,
      () => '',
    );
  }

  private delete(request: Wire.DeleteRequest__Output, call: KvCaller): Promise<Wire.WriteReply> {
    return this.write(
      targetOf(request.target),
      request.requestId,
      [{ kind: 'delete', key: request.key }],
      call,
      () => '',
    );
  }

  private batch(request: Wire.BatchRequest__Output, call: KvCaller): Promise<Wire.WriteReply> {
    const target = targetOf(request.target);
    const { ops } = request;
    if (ops.length === 0) throw invalid('ops', 'is empty', 'give at least one write', `1 to ${LIMITS.batchOpsMax}`);
    if (ops.length > LIMITS.batchOpsMax)
      throw invalid('ops', `has ${ops.length} writes`, 'split the batch', `${LIMITS.batchOpsMax} writes`);
    const bytes = ops.reduce((sum, op) => sum + op.key.length + op.value.length, 0);
    if (bytes > LIMITS.batchBytesMax)
      throw invalid('ops', `has ${bytes} bytes`, 'split the batch', `${LIMITS.batchBytesMax} bytes`);
    return this.write(target, request.requestId, ops.map(decodeOp), call, (i) => `ops[${i}].`);
  }

  private async scan(request: Wire.ScanRequest__Output, call: KvCaller): Promise<Wire.ScanReply> {
    const target = targetOf(request.target);
    const { start, end, limit, reverse } = request;
    if (limit < 1 || limit > LIMITS.scanLimitMax)
      throw invalid('limit', `is ${limit}`, 'give a limit and go on from `next`', `1 to ${LIMITS.scanLimitMax}`);
    if (start.length > 0) checkKey(start, 'start');
    if (end.length > 0) checkKey(end, 'end');
    if (start.length > 0 && end.length > 0 && compareBytes(start, end) > 0)
      throw invalid('end', 'is before start', 'give start <= end, also with reverse');
    const follower = this.follower(request, target);
    const { replica } = follower ?? (await this.admitRead(target, call));
    const { entries, next } = this.options.engine.scan(replica.id, {
      ...(start.length > 0 && { start }),
      ...(end.length > 0 && { end }),
      limit,
      maxBytes: SCAN_BYTES_MAX,
      reverse,
    });
    return {
      entries: entries.map(([key, value]) => ({ key, value })),
      more: next !== undefined,
      ...(next && { next }),
      ...follower?.freshness,
    };
  }

  private write(
    target: Target,
    requestId: string,
    ops: readonly LogOp[],
    call: KvCaller,
    path: (i: number) => string,
  ): Promise<Wire.WriteReply> {
    checkRequestId(requestId);
    ops.forEach((op, i) => {
      checkKey(op.key, `${path(i)}key`);
      if (op.kind === 'put') checkValue(op.value, `${path(i)}value`);
    });
    const begin = ({ replica, map }: Admitted): Promise<Wire.WriteReply> => {
      ops.forEach((op, i) => checkPlace(map, op.key, target, `${path(i)}key`));
      return this.commit(replica, map, target, requestId, ops, call);
    };
    const ready = this.options.gate.admitNow(target, 'write');
    return ready ? begin(ready) : this.admit(target, 'write', call).then(begin);
  }

  /** A caller that has gone away no longer counts among those who wait; what it asked for may still take effect. */
  private commit(
    replica: ReplicaDriver,
    map: KeyspaceMap,
    target: Target,
    requestId: string,
    ops: readonly LogOp[],
    call: KvCaller,
  ): Promise<Wire.WriteReply> {
    const { gate } = this.options;
    gate.enter();
    const span = call.span?.child('replication wait');
    return new Promise((resolve, reject) => {
      let waits = true;
      const leave = () => {
        if (waits) gate.leave();
        waits = false;
      };
      call.once('cancelled', () => {
        if (!waits) return;
        leave();
        span?.end(gone());
        reject(gone());
      });
      replica.write(requestId, ops, (outcome) => {
        const waited = waits;
        leave();
        const error = outcome.kind === 'done' ? undefined : this.failure(outcome, target, map);
        if (waited) span?.end(error);
        if (outcome.kind === 'done') resolve({ epoch: outcome.epoch, seq: outcome.seq });
        else reject(error!);
      });
    });
  }

  private failure(outcome: Exclude<WriteOutcome, { kind: 'done' }>, target: Target, map: KeyspaceMap): CadastreError {
    if (outcome.kind === 'not-leader')
      return this.options.gate.notOwner(target, map, { mayHaveHappened: outcome.appended, held: true });
    const place = `${target.keyspace}/${target.partition}`;
    if (outcome.appended)
      return new CadastreError('UNKNOWN_OUTCOME', `${place}: the write is in the leader's log and not acknowledged`, {
        remedy: 'retry with the same request id',
      });
    if (outcome.kind === 'busy')
      return new CadastreError('RESOURCE_EXHAUSTED', `${place}: ${outcome.uncommitted} writes wait for its followers`, {
        remedy: 'back off and retry',
      });
    return new CadastreError(
      'UNAVAILABLE',
      `${place} has ${outcome.inSync} in-sync replicas and writes need minInSync ${outcome.minInSync}; nothing was changed`,
      {
        limit: `minInSync ${outcome.minInSync}`,
        remedy: 'retry with backoff; bring a replica back or add one',
      },
    );
  }

  private admit(target: Target, access: Access, call: KvCaller): Promise<Admitted> {
    const deadline = call.getDeadline();
    const remainingMs = (deadline instanceof Date ? deadline.getTime() : deadline) - this.options.clock.wallMs();
    return this.options.gate.admit(target, access, remainingMs);
  }
}
