import type { KeyspaceMap, LogOp, WriteOutcome } from '@cadastre/core';
import { CadastreError, checkKey, checkValue, compareBytes, invalid, LIMITS } from '@cadastre/core';
import type { KvCaller, KvReply, ReceivedOp, Wire } from '@cadastre/contracts';
import { asPromise, PendingReply } from '@cadastre/contracts';
import type { StorageEngine } from '@cadastre/engine';
import type { Clock, Span } from '@cadastre/runtime';
import { decodeOp } from './entries.codec.js';
import type { Access, Admitted, Gate, Target } from './gate.js';
import type { LoadBook } from './load-book.js';
import type { Freshness, Reads } from './reads.js';
import type { WriteCall } from './replica.driver.js';

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

const fieldOf = (path: number | '', field: string): string => (path === '' ? field : `ops[${path}].${field}`);

const checkPlace = (
  map: KeyspaceMap,
  key: Uint8Array,
  { keyspace, partition }: Target,
  path: number | '' = '',
): void => {
  const place = map.partitionOf(key);
  if (place !== partition)
    throw invalid(
      fieldOf(path, 'key'),
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

type ReceivedWrite = Extract<ReceivedOp, { kind: 'put' | 'delete' | 'batch' }>;

/** The place of an operation among those of a batch, for who is told of a mistake in it: put into words only then. */
const pathOf = ({ kind }: ReceivedWrite, i: number): number | '' => (kind === 'batch' ? i : '');

const checkOp = (op: LogOp, path: number | ''): void => {
  if (path === '') {
    checkKey(op.key);
    if (op.kind === 'put') checkValue(op.value);
    return;
  }
  checkKey(op.key, fieldOf(path, 'key'));
  if (op.kind === 'put') checkValue(op.value, fieldOf(path, 'value'));
};

/** @throws CadastreError INVALID_ARGUMENT */
const opsOf = (op: ReceivedWrite): readonly LogOp[] => {
  if (op.kind === 'put') return [{ kind: 'put', key: op.request.key, value: op.request.value }];
  if (op.kind === 'delete') return [{ kind: 'delete', key: op.request.key }];
  const { ops } = op.request;
  if (ops.length === 0) throw invalid('ops', 'is empty', 'give at least one write', `1 to ${LIMITS.batchOpsMax}`);
  if (ops.length > LIMITS.batchOpsMax)
    throw invalid('ops', `has ${ops.length} writes`, 'split the batch', `${LIMITS.batchOpsMax} writes`);
  const bytes = ops.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
  if (bytes > LIMITS.batchBytesMax)
    throw invalid('ops', `has ${bytes} bytes`, 'split the batch', `${LIMITS.batchBytesMax} bytes`);
  return ops.map(decodeOp);
};

/** A write on its way through the log. A caller that has gone no longer waits for it; what it asked for may still take effect. */
class PendingWrite extends PendingReply implements WriteCall {
  /** Of the wait for the copies, where the request is recorded. */
  span: Span | undefined;
  private waits = true;

  constructor(
    private readonly service: KvService,
    private readonly op: ReceivedOp,
    readonly target: Target,
    private readonly map: KeyspaceMap,
    readonly sentAt: number,
    private readonly noted: boolean,
  ) {
    super();
  }

  done(outcome: WriteOutcome, at: number): void {
    const { waits } = this;
    this.leave();
    const error = outcome.kind === 'done' ? undefined : this.service.failure(outcome, this.target, this.map);
    if (waits) this.span?.end(error);
    if (outcome.kind !== 'done') return this.refuse(error, at);
    if (this.noted) this.service.note(this.op, at - this.sentAt);
    this.answer({ epoch: outcome.epoch, seq: outcome.seq }, at);
  }

  abandon(): void {
    if (!this.waits) return;
    this.leave();
    const error = gone();
    this.span?.end(error);
    this.refuse(error, this.service.now());
  }

  private leave(): void {
    if (this.waits) this.service.leave();
    this.waits = false;
  }
}

/** Reads and writes of the partitions that this node leads. */
export class KvService {
  constructor(private readonly options: KvServiceOptions) {}

  /** A read that needs no waiting is answered at once. What was answered is noted, with how long it took. @throws CadastreError */
  serve(op: ReceivedOp, caller: KvCaller): KvReply | Promise<KvReply> | PendingReply {
    const { clock, loads } = this.options;
    const cameAt = clock.monotonicMs();
    const reply = this.answer(op, caller, cameAt);
    // Writes that nothing keeps from the log note themselves.
    if (reply instanceof PendingReply) return reply;
    const note = () => loads.note(op, clock.monotonicMs() - cameAt);
    if (reply instanceof Promise) reply.then(note, () => undefined);
    else note();
    return reply;
  }

  private answer(op: ReceivedOp, caller: KvCaller, now: number): KvReply | Promise<KvReply> | PendingReply {
    switch (op.kind) {
      case 'get':
        return this.get(op.request, caller);
      case 'scan':
        return this.scan(op.request, caller);
      default:
        return this.write(op, caller, now);
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

  private write(op: ReceivedWrite, caller: KvCaller, now: number): Promise<KvReply> | PendingReply {
    const target = targetOf(op.request.target);
    const ops = opsOf(op);
    checkRequestId(op.request.requestId);
    for (let i = 0; i < ops.length; i += 1) checkOp(ops[i]!, pathOf(op, i));
    const ready = this.options.gate.admitNow(target, 'write');
    if (ready) return this.commit(ready, op, ops, caller, new PendingWrite(this, op, target, ready.map, now, true));
    return this.admit(target, 'write', caller).then(async (admitted) => {
      const { clock } = this.options;
      // Who asked waits for this promise, which notes it.
      const write = new PendingWrite(this, op, target, admitted.map, clock.monotonicMs(), false);
      return asPromise(this.commit(admitted, op, ops, caller, write), caller);
    });
  }

  private commit(
    { replica, map }: Admitted,
    op: ReceivedWrite,
    ops: readonly LogOp[],
    caller: KvCaller,
    write: PendingWrite,
  ): PendingReply {
    for (let i = 0; i < ops.length; i += 1) checkPlace(map, ops[i]!.key, write.target, pathOf(op, i));
    this.options.gate.enter();
    write.span = caller.span?.child('replication wait');
    replica.write(op.request.requestId, ops, write);
    return write;
  }

  /** @internal A write is over, or its caller has gone: it no longer counts among those that wait. */
  leave(): void {
    this.options.gate.leave();
  }

  /** @internal */
  note(op: ReceivedOp, tookMs: number): void {
    this.options.loads.note(op, tookMs);
  }

  /** @internal */
  now(): number {
    return this.options.clock.monotonicMs();
  }

  /** @internal */
  failure(outcome: Exclude<WriteOutcome, { kind: 'done' }>, target: Target, map: KeyspaceMap): CadastreError {
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
