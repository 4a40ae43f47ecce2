import { CadastreError } from '@cadastre/core';
import type { FramedOp, KvKind, KvOp, KvReplies, OwnerInfo, Peer, ReceivedReply } from '@cadastre/contracts';
import {
  answered,
  DeadlineSweep,
  decodeError,
  encodeRequestFrame,
  FrameReader,
  fromServiceError,
  PIPELINE_LIMITS,
} from '@cadastre/contracts';
import type { Clock, MonotonicMs } from '@cadastre/runtime';
import type { Queued } from './fair-queue.js';
import { FairQueue } from './fair-queue.js';
import { callKv } from './unary.js';

export interface LinkLimits {
  /** Requests that one node has been sent and not answered. */
  readonly inFlightMax: number;
  /** Requests that wait here for their turn; one more is refused. */
  readonly queuedMax: number;
  readonly queuedBytesMax: number;
  readonly frameBytes: number;
}

export const LINK_LIMITS: LinkLimits = {
  inFlightMax: 1024,
  queuedMax: 16_384,
  queuedBytesMax: 64 * 1024 * 1024,
  frameBytes: 64 * 1024,
};

export interface LinkOptions {
  readonly clock: Clock;
  readonly limits?: LinkLimits;
  /** The node has ceased to lead a partition that it was asked for: what it knows of it. */
  onNews?(info: OwnerInfo): void;
}

export interface SendLimits {
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Requests of one flow keep their order on their way out; flows take turns. */
  readonly flow?: object | undefined;
  /** W3C Trace Context of the span that it belongs to. */
  readonly traceparent?: string | undefined;
}

/** The part of a bidirectional stream of grpc-js that is used here. */
interface FrameCall {
  write(frame: Buffer): boolean;
  cancel(): void;
  end(): void;
  on(event: 'data', listener: (frame: Buffer) => void): unknown;
  on(event: 'drain' | 'end', listener: () => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

class Pending implements Queued {
  /** Above 0 once it has been sent. */
  id = 0;
  settled = false;
  forget: (() => void) | undefined;

  constructor(
    readonly op: KvOp,
    readonly bytes: number,
    readonly deadline: MonotonicMs,
    readonly signal: AbortSignal | undefined,
    readonly resolve: (reply: never) => void,
    readonly reject: (error: CadastreError) => void,
    readonly traceparent: string | undefined,
  ) {}
}

/** How long a node that serves no stream is believed to go on without. */
const UNARY_FOR_MS = 60_000;
const OVERHEAD_BYTES = 64;

/**
 * Requests to one node. What is asked for in one turn of the event loop travels in one frame of one long-lived stream, answers come in
 * any order. A node that does not serve the stream is asked one by one. What `send` throws is marked (`isAnswer`) where it is certain
 * that it means what it says; otherwise the request may have taken effect.
 */
export class NodeLink {
  private readonly reader = new FrameReader();
  private readonly queue = new FairQueue<Pending>();
  private readonly inFlight = new Map<number, Pending>();
  private readonly deadlines: DeadlineSweep;
  private readonly waiting = new Set<Pending>();
  private readonly limits: LinkLimits;
  private readonly flushNow = () => this.flush();
  private cancels: FramedOp[] = [];
  private queuedBytes = 0;
  private unaryInFlight = 0;
  private unaryUntil: MonotonicMs = -Infinity;
  private call: FrameCall | undefined;
  private lastId = 0;
  private scheduled = false;
  private blocked = false;
  private closed = false;

  constructor(
    private readonly peer: Peer,
    private readonly options: LinkOptions,
  ) {
    this.limits = options.limits ?? LINK_LIMITS;
    this.deadlines = new DeadlineSweep(options.clock, (now) => this.expire(now));
  }

  /** Requests that wait or are under way. */
  get busy(): number {
    return this.inFlight.size + this.waiting.size + this.unaryInFlight;
  }

  get streams(): number {
    return this.call ? 1 : 0;
  }

  /** `K` is the kind of `op`. */
  send<K extends KvKind>(op: KvOp, limits: SendLimits): Promise<KvReplies[K]> {
    const now = this.options.clock.monotonicMs();
    if (now < this.unaryUntil) return this.sendAlone(op, limits) as Promise<KvReplies[K]>;
    return new Promise((resolve, reject) => {
      const { signal, deadlineMs, flow = this, traceparent } = limits;
      const due = now + deadlineMs;
      const pending = new Pending(op, sizeOf(op), due, signal, resolve as never, reject, traceparent);
      const refusal = this.refusal(pending);
      if (refusal) return reject(refusal);
      this.waiting.add(pending);
      this.queuedBytes += pending.bytes;
      this.queue.push(flow, pending);
      this.deadlines.expect(pending.deadline);
      if (signal) this.watch(signal, pending);
      return this.schedule();
    });
  }

  close(): void {
    this.closed = true;
    this.deadlines.stop();
    this.call?.end();
    this.call = undefined;
    this.failInFlight(() => gone(this.peer.address));
    for (const pending of this.waiting) this.settle(pending, () => pending.reject(answered(gone(this.peer.address))));
    this.peer.close();
  }

  private refusal({ bytes, signal }: Pending): CadastreError | undefined {
    if (this.closed) return answered(gone(this.peer.address));
    if (signal?.aborted) return cancelled();
    const { queuedMax, queuedBytesMax } = this.limits;
    if (this.waiting.size < queuedMax && this.queuedBytes + bytes <= queuedBytesMax) return undefined;
    return answered(
      new CadastreError('RESOURCE_EXHAUSTED', `${this.waiting.size} requests wait to be sent to ${this.peer.address}`, {
        field: 'requests',
        limit: `${queuedMax} requests, ${queuedBytesMax} bytes`,
        remedy:
          'await some of them before more are made, or use batch, bulkWriter and scatter, which keep within bounds',
      }),
    );
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    this.options.clock.soon(this.flushNow);
  }

  private flush(): void {
    this.scheduled = false;
    const { clock } = this.options;
    this.flushCancels();
    while (!this.blocked && !this.closed && this.waiting.size > 0 && this.inFlight.size < this.limits.inFlightMax) {
      const frame = this.nextFrame(clock.monotonicMs());
      if (frame.length === 0) return;
      this.call ??= this.open();
      if (!this.call.write(encodeRequestFrame(frame))) this.blocked = true;
    }
  }

  /** They are given up rather than kept while the node does not read: then it answers into the void. */
  private flushCancels(): void {
    if (this.cancels.length === 0) return;
    const cancels = this.cancels.splice(0, PIPELINE_LIMITS.frameRequestsMax);
    this.cancels = [];
    if (this.call && !this.blocked && !this.call.write(encodeRequestFrame(cancels))) this.blocked = true;
  }

  private nextFrame(now: MonotonicMs): FramedOp[] {
    const frame: FramedOp[] = [];
    const room = Math.min(PIPELINE_LIMITS.frameRequestsMax, this.limits.inFlightMax - this.inFlight.size);
    for (let bytes = 0; frame.length < room && bytes < this.limits.frameBytes;) {
      const pending = this.queue.shift();
      if (!pending) break;
      if (pending.deadline <= now) {
        this.giveUp(pending, tooLate(this.peer.address, false));
        continue;
      }
      this.waiting.delete(pending);
      this.queuedBytes -= pending.bytes;
      bytes += pending.bytes;
      pending.id = this.lastId += 1;
      this.inFlight.set(pending.id, pending);
      const timeoutMs = Math.max(1, Math.ceil(pending.deadline - now));
      const { id, op, traceparent } = pending;
      frame.push({ id, timeoutMs, kind: op.kind, request: op.request, traceparent } as FramedOp);
    }
    return frame;
  }

  private open(): FrameCall {
    const call = this.peer.kv.Pipeline() as unknown as FrameCall;
    this.blocked = false;
    this.cancels = [];
    call.on('data', (frame) => this.receive(call, frame));
    call.on('drain', () => {
      if (this.call !== call) return;
      this.blocked = false;
      this.flush();
    });
    call.on('error', (error) => this.lost(call, fromServiceError(error as never)));
    call.on('end', () => this.endedBy(call));
    return call;
  }

  private receive(call: FrameCall, frame: Buffer): void {
    if (this.call !== call) return;
    let replies: ReceivedReply[];
    try {
      replies = this.reader.replies(frame);
    } catch (error) {
      call.cancel();
      return this.lost(call, CadastreError.from(error));
    }
    for (const reply of replies) this.take(reply);
    if (this.waiting.size > 0) this.schedule();
  }

  /** Of what cannot be read nothing is missed: the map's watch says it too, and a NOT_OWNER. */
  private hear(reply: ReceivedReply): void {
    if (reply.kind !== 'error') return;
    const { code, info } = errorOf(reply.reply);
    if (code === 'NOT_OWNER' && info) this.options.onNews?.(info as OwnerInfo);
  }

  private take(reply: ReceivedReply): void {
    if (reply.id === 0) return this.hear(reply);
    const pending = this.inFlight.get(reply.id);
    if (!pending) return; // given up here before
    this.settle(pending, () => {
      if (reply.kind === 'error') pending.reject(errorOf(reply.reply));
      else if (reply.kind === REPLY_OF[pending.op.kind]) pending.resolve(reply.reply as never);
      else pending.reject(broken(this.peer.address, `a reply of the kind ${reply.kind}`));
    });
  }

  /** The stream has ended well: what was not answered was not looked at (the contract of Pipeline). */
  private endedBy(call: FrameCall): void {
    if (this.call !== call) return;
    this.call = undefined;
    call.end();
    this.failInFlight(() => answered(gone(this.peer.address)));
    if (this.waiting.size > 0) this.schedule();
  }

  private lost(call: FrameCall, error: CadastreError): void {
    if (this.call !== call) return;
    this.call = undefined;
    if (error.code === 'UNIMPLEMENTED') return this.goUnary();
    // A connection that was never made has carried nothing.
    const nothingSent = /No connection established|ECONNREFUSED/.test(error.message);
    const code = error.code === 'UNAVAILABLE' || error.code === 'CANCELLED' ? 'UNAVAILABLE' : 'UNKNOWN_OUTCOME';
    this.failInFlight(() => {
      const each = new CadastreError(code, error.message, {
        cause: error,
        remedy: error.remedy ?? 'retry with backoff',
      });
      return nothingSent ? answered(each) : each;
    });
    if (this.waiting.size > 0) this.schedule();
  }

  /** None of them was looked at: the node does not know what they came with. */
  private goUnary(): void {
    const now = this.options.clock.monotonicMs();
    this.unaryUntil = now + UNARY_FOR_MS;
    for (const pending of [...this.inFlight.values(), ...this.waiting]) {
      this.settle(pending, () => {
        const { op, signal, deadline, traceparent, resolve, reject } = pending;
        this.sendAlone(op, { deadlineMs: Math.max(1, deadline - now), signal, traceparent }).then(
          resolve as never,
          reject,
        );
      });
    }
  }

  private async sendAlone(op: KvOp, limits: SendLimits): Promise<unknown> {
    this.unaryInFlight += 1;
    try {
      return await callKv(this.peer, op, limits);
    } finally {
      this.unaryInFlight -= 1;
    }
  }

  private expire(now: MonotonicMs): MonotonicMs | undefined {
    let next: MonotonicMs | undefined;
    for (const group of [this.waiting, this.inFlight.values()])
      for (const pending of group) {
        if (pending.deadline <= now) this.giveUp(pending, tooLate(this.peer.address, pending.id > 0));
        else if (next === undefined || pending.deadline < next) next = pending.deadline;
      }
    return next;
  }

  private watch(signal: AbortSignal, pending: Pending): void {
    const abort = () => this.giveUp(pending, pending.id > 0 ? given() : cancelled());
    signal.addEventListener('abort', abort, { once: true });
    pending.forget = () => signal.removeEventListener('abort', abort);
  }

  private giveUp(pending: Pending, error: CadastreError): void {
    if (pending.settled) return;
    if (pending.id > 0) {
      this.cancels.push({ id: pending.id, timeoutMs: 0, kind: 'cancel' });
      this.schedule();
    }
    this.settle(pending, () => pending.reject(error));
  }

  private settle(pending: Pending, tell: () => void): void {
    if (this.waiting.delete(pending)) this.queuedBytes -= pending.bytes;
    else this.inFlight.delete(pending.id);
    pending.settled = true;
    pending.forget?.();
    tell();
  }

  private failInFlight(error: () => CadastreError): void {
    for (const pending of [...this.inFlight.values()]) this.settle(pending, () => pending.reject(error()));
  }
}

const REPLY_OF = { get: 'get', put: 'write', delete: 'write', batch: 'write', scan: 'scan' } as const;

/** Nearly what it takes on the wire: for bounds, not for accounts. */
const sizeOf = (op: KvOp): number => {
  switch (op.kind) {
    case 'get':
    case 'delete':
      return OVERHEAD_BYTES + op.request.key.length;
    case 'put':
      return OVERHEAD_BYTES + op.request.key.length + op.request.value.length;
    case 'batch':
      return op.request.ops.reduce((sum, { key, value }) => sum + key.length + value.length + 8, OVERHEAD_BYTES);
    case 'scan':
      return OVERHEAD_BYTES + op.request.start.length + op.request.end.length;
  }
};

const errorOf = (bytes: Uint8Array): CadastreError => {
  try {
    return decodeError(bytes);
  } catch (error) {
    return new CadastreError('UNKNOWN_OUTCOME', 'an error came that cannot be read', {
      cause: error,
      remedy: 'check that both sides have the same version',
    });
  }
};

const broken = (address: string, what: string): CadastreError =>
  new CadastreError('UNKNOWN_OUTCOME', `${address} answered with ${what}`, {
    remedy: 'check that both sides have the same version',
  });

const gone = (address: string): CadastreError =>
  new CadastreError('UNAVAILABLE', `${address} takes no more requests on this connection`, { remedy: 'retry' });

/** Of who gave it up the router knows; here it only matters that it was not sent. */
const cancelled = (): CadastreError =>
  answered(
    new CadastreError('UNAVAILABLE', 'cancelled before it was sent', { remedy: 'call again if it is still wanted' }),
  );

const given = (): CadastreError =>
  new CadastreError('CANCELLED', 'cancelled while it was under way', {
    remedy: 'it may or may not have taken effect: look before it is sent again',
  });

const tooLate = (address: string, sent: boolean): CadastreError =>
  sent
    ? new CadastreError('DEADLINE_EXCEEDED', `${address} has not answered in time`, {
        remedy: 'retry, or give it more time',
      })
    : answered(
        new CadastreError('UNAVAILABLE', `it was not sent to ${address} in time: others are before it`, {
          remedy: 'make fewer requests at once, or give them more time',
        }),
      );
