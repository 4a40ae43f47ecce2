import { CadastreError, invalid } from '@cadastre/core';
import type { Clock, MonotonicMs, Span } from '@cadastre/runtime';
import type * as Wire from '../generated/index.js';
import { endWithError, type DuplexCall } from '../server.js';
import { encodeError } from '../status.js';
import { DeadlineSweep } from './deadline-sweep.js';
import type { FramedReply, KvKind, ReceivedFrameOp, ReceivedOp, ReceivedRequest } from './frames.codec.js';
import { encodeReplyFrame, FrameReader } from './frames.codec.js';
import { PendingReply, type ReplyReceiver } from './pending-reply.js';

export const PIPELINE_LIMITS = {
  /** Requests a frame. */
  frameRequestsMax: 1024,
  /** Requests of one stream under way; above it the stream is not read. */
  inFlightMax: 4096,
  /** Bytes of replies in one frame, give or take one reply. */
  replyFrameBytes: 256 * 1024,
  defaultTimeoutMs: 10_000,
} as const;

/** What a handler is told of who asks; the part that handlers of unary calls use too. */
export interface KvCaller {
  /** The stream on which it came; requests of one stream take turns with those of others. */
  readonly stream?: object | undefined;
  /** Milliseconds since 1970. */
  getDeadline(): Date | number;
  /** The caller has cancelled the request, or is gone. */
  once(event: 'cancelled', listener: () => void): unknown;
  /** W3C Trace Context of who asks; empty or undefined when nothing is recorded. */
  readonly traceparent?: string;
  /** Of this request, where it is recorded: set by whoever answers it. */
  span?: Span | undefined;
}

export type KvReply = Wire.GetReply | Wire.WriteReply | Wire.ScanReply;

/** Told of a request once, when it was answered or refused; `error` is what was thrown. For figures: it must not throw, and be cheap. */
export type KvWitness = (op: ReceivedOp, tookMs: number, error: unknown, traceId: string | undefined) => void;

export interface FrameServerOptions {
  readonly clock: Clock;
  readonly witness?: KvWitness;
  /** Answers at once where it can: replies of one frame that are known at once travel in one frame. @throws CadastreError */
  serve(op: ReceivedOp, caller: KvCaller): KvReply | Promise<KvReply> | PendingReply;
}

/** A request under way: who asks, and where its reply goes. */
class FramedCaller implements KvCaller, ReplyReceiver {
  span: Span | undefined = undefined;
  private gone = false;
  private listeners: (() => void)[] | undefined;
  private pending: PendingReply | undefined;

  constructor(
    private readonly from: FrameStream,
    private readonly clock: Clock,
    readonly op: ReceivedRequest,
    readonly beganAt: MonotonicMs,
    readonly dueAt: MonotonicMs,
  ) {}

  get traceparent(): string {
    return this.op.traceparent;
  }

  get stream(): object {
    return this.from;
  }

  getDeadline(): number {
    return this.clock.wallMs() + this.dueAt - this.clock.monotonicMs();
  }

  await(pending: PendingReply): void {
    this.pending = pending;
    pending.receive(this);
  }

  answered(reply: KvReply, at: MonotonicMs): void {
    this.from.answered(this, reply, at);
  }

  refused(error: unknown, at: MonotonicMs): void {
    this.from.refused(this, error, at);
  }

  once(_event: 'cancelled', listener: () => void): this {
    if (this.gone) listener();
    else (this.listeners ??= []).push(listener);
    return this;
  }

  leave(): void {
    this.gone = true;
    const listeners = this.listeners ?? [];
    this.listeners = undefined;
    for (const listener of listeners) listener();
    this.pending?.abandon();
  }
}

type Call = DuplexCall<Buffer, Buffer>;

/** The server's side of Kv.Pipeline, for all streams of a process. */
export class FrameServer {
  private readonly streams = new Set<FrameStream>();
  private draining = false;

  constructor(private readonly options: FrameServerOptions) {}

  get inFlight(): number {
    let sum = 0;
    for (const stream of this.streams) sum += stream.inFlight;
    return sum;
  }

  handle(call: Call): void {
    const stream = new FrameStream(call, this.options, () => this.streams.delete(stream));
    this.streams.add(stream);
    if (this.draining) stream.drain();
  }

  /** To every stream that has asked for the partition: it is led elsewhere now, as `error` says. Answers no request. */
  tell(keyspace: string, partition: number, error: CadastreError): void {
    const news = encodeError(error);
    for (const stream of this.streams) stream.tell(keyspace, partition, news);
  }

  /** Takes nothing more; each stream ends when all that it took has been answered. */
  drain(): void {
    this.draining = true;
    for (const stream of this.streams) stream.drain();
  }
}

const EMPTY = Buffer.alloc(0);
/** Beyond this all is forgotten and gathered anew: who is not told learns from NOT_OWNER. */
const PARTITIONS_REMEMBERED = 16_384;
const KEYSPACES_REMEMBERED = 64;

/** What the requests of one stream are about: a caller may name far more partitions than there are, so it is bounded. */
class Asked {
  private readonly partitions = new Map<string, Set<number>>();
  private keyspace = '';
  private last: Set<number> = new Set();

  add({ keyspace, partition }: Wire.Target__Output): void {
    if (keyspace !== this.keyspace) {
      this.keyspace = keyspace;
      this.last = this.partitions.get(keyspace) ?? new Set();
      if (this.partitions.size >= KEYSPACES_REMEMBERED) this.partitions.clear();
      this.partitions.set(keyspace, this.last);
    }
    if (this.last.size >= PARTITIONS_REMEMBERED) this.last.clear();
    this.last.add(partition);
  }

  has(keyspace: string, partition: number): boolean {
    return this.partitions.get(keyspace)?.has(partition) ?? false;
  }
}

class FrameStream {
  private readonly asked = new Asked();
  private readonly reader = new FrameReader();
  private readonly callers = new Map<number, FramedCaller>();
  private replies: FramedReply[] = [];
  private replyBytes = 0;
  private highestId = 0;
  private scheduled = false;
  private blocked = false;
  private paused = false;
  private ended = false;
  private lastFrame = false;
  private readonly deadlines: DeadlineSweep;

  constructor(
    private readonly call: Call,
    private readonly options: FrameServerOptions,
    private readonly onClosed: () => void,
  ) {
    this.deadlines = new DeadlineSweep(options.clock, (now) => this.expire(now));
    call.on('data', (frame: Buffer) => this.receive(frame));
    call.on('drain', () => this.unblock());
    call.on('end', () => this.drain());
    call.on('cancelled', () => this.close());
    call.on('close', () => this.close());
    call.on('error', () => this.close());
  }

  get inFlight(): number {
    return this.callers.size;
  }

  drain(): void {
    this.lastFrame = true;
    this.endWhenIdle();
  }

  /** Not to a caller that does not read: it would only wait in memory. */
  tell(keyspace: string, partition: number, news: Buffer): void {
    if (this.ended || this.blocked || !this.asked.has(keyspace, partition)) return;
    this.push({ id: 0, kind: 'error', reply: news }, news.length);
    this.schedule();
  }

  private receive(frame: Buffer): void {
    if (this.ended || this.lastFrame) return;
    try {
      const now = this.options.clock.monotonicMs();
      for (const op of this.reader.requests(frame, PIPELINE_LIMITS.frameRequestsMax)) this.take(op, now);
    } catch (error) {
      return this.break(error);
    }
    this.flush();
    this.paceReading();
  }

  private take(op: ReceivedFrameOp, now: MonotonicMs): void {
    if (op.kind === 'cancel') {
      const caller = this.callers.get(op.id);
      this.callers.delete(op.id);
      return caller?.leave();
    }
    if (!Number.isSafeInteger(op.id) || op.id <= this.highestId)
      throw invalid('id', `is ${op.id} after ${this.highestId}`, 'count the requests of a stream from 1 on');
    this.highestId = op.id;
    if (op.kind === 'unknown') return this.fail(op.id, unknownOp());
    return this.serve(op, now);
  }

  private serve(op: ReceivedRequest, now: MonotonicMs): void {
    const { clock } = this.options;
    if (op.request.target) this.asked.add(op.request.target);
    const timeoutMs = op.timeoutMs === 0 ? PIPELINE_LIMITS.defaultTimeoutMs : op.timeoutMs;
    const caller = new FramedCaller(this, clock, op, now, now + timeoutMs);
    try {
      const reply = this.options.serve(op, caller);
      if (reply instanceof PendingReply || reply instanceof Promise) return this.wait(caller, reply);
      this.answer(op.id, op.kind, reply);
      this.witnessed(caller, clock.monotonicMs(), undefined);
    } catch (error) {
      this.fail(op.id, error);
      this.witnessed(caller, clock.monotonicMs(), error);
    }
  }

  private witnessed({ op, beganAt, span }: FramedCaller, at: MonotonicMs, error: unknown): void {
    this.options.witness?.(op, at - beganAt, error, span?.context.traceId);
  }

  private wait(caller: FramedCaller, reply: Promise<KvReply> | PendingReply): void {
    this.callers.set(caller.op.id, caller);
    this.deadlines.expect(caller.dueAt);
    if (reply instanceof PendingReply) return caller.await(reply);
    const { clock } = this.options;
    reply.then(
      (value) => this.answered(caller, value, clock.monotonicMs()),
      (error: unknown) => this.refused(caller, error, clock.monotonicMs()),
    );
  }

  /** @internal */
  answered(caller: FramedCaller, reply: KvReply, at: MonotonicMs): void {
    const { id, kind } = caller.op;
    if (this.isWaitedFor(caller)) this.answer(id, kind, reply);
    this.witnessed(caller, at, undefined);
  }

  /** @internal */
  refused(caller: FramedCaller, error: unknown, at: MonotonicMs): void {
    if (this.isWaitedFor(caller)) this.fail(caller.op.id, error);
    this.witnessed(caller, at, error);
  }

  /** A request that was cancelled is not answered. */
  private isWaitedFor(caller: FramedCaller): boolean {
    const { id } = caller.op;
    if (this.callers.get(id) !== caller) {
      this.endWhenIdle();
      return false;
    }
    this.callers.delete(id);
    this.schedule();
    return true;
  }

  /** A caller whose time is over is told so by its handler, as one that has gone. */
  private expire(now: MonotonicMs): MonotonicMs | undefined {
    let next: MonotonicMs | undefined;
    for (const caller of this.callers.values()) {
      if (caller.dueAt <= now) caller.leave();
      else if (next === undefined || caller.dueAt < next) next = caller.dueAt;
    }
    return next;
  }

  private answer(id: number, kind: KvKind, reply: KvReply): void {
    if (kind === 'get') {
      const { found = false, value, ...freshness } = reply as Partial<Wire.GetReply__Output>;
      this.push({ id, kind, reply: { ...freshness, found, value: value ?? EMPTY } }, value?.length ?? 0);
    } else if (kind === 'scan') {
      const { entries = [], more = false, next, ...freshness } = reply as Wire.ScanReply__Output;
      const bytes = entries.reduce((sum, entry) => sum + entry.key.length + entry.value.length, 0);
      this.push({ id, kind, reply: { ...freshness, entries, more, next: next ?? EMPTY } }, bytes);
    } else {
      this.push({ id, kind: 'write', reply: reply as Wire.WriteReply__Output }, 0);
    }
  }

  private fail(id: number, error: unknown): void {
    const reply = encodeError(error);
    this.push({ id, kind: 'error', reply }, reply.length);
  }

  private push(reply: FramedReply, bytes: number): void {
    this.replies.push(reply);
    this.replyBytes += bytes;
    if (this.replyBytes >= PIPELINE_LIMITS.replyFrameBytes) this.flush();
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    this.options.clock.soon(() => {
      this.scheduled = false;
      this.flush();
      this.paceReading();
    });
  }

  private flush(): void {
    if (this.replies.length > 0 && !this.ended) {
      const frame = encodeReplyFrame(this.replies);
      this.replies = [];
      this.replyBytes = 0;
      if (!this.call.write(frame)) this.blocked = true;
    }
    this.endWhenIdle();
  }

  private unblock(): void {
    this.blocked = false;
    this.paceReading();
  }

  /** A caller that does not read its answers, or that has too much under way, is not read either. */
  private paceReading(): void {
    if (this.ended) return;
    const pause = this.blocked || this.callers.size >= PIPELINE_LIMITS.inFlightMax;
    if (pause === this.paused) return;
    this.paused = pause;
    if (pause) this.call.pause();
    else this.call.resume();
  }

  private endWhenIdle(): void {
    if (!this.lastFrame || this.ended || this.callers.size > 0 || this.replies.length > 0) return;
    this.ended = true;
    this.deadlines.stop();
    this.call.end();
    this.onClosed();
  }

  /** What was answered before the mistake is still sent. */
  private break(error: unknown): void {
    this.flush();
    if (this.ended) return;
    this.close();
    endWithError(this.call, error);
  }

  private close(): void {
    if (this.ended && this.callers.size === 0) return;
    this.ended = true;
    const callers = [...this.callers.values()];
    this.callers.clear();
    this.deadlines.stop();
    for (const caller of callers) caller.leave();
    this.onClosed();
  }
}

const unknownOp = (): CadastreError =>
  new CadastreError('UNIMPLEMENTED', 'op: none that is known here', {
    field: 'op',
    remedy: 'send get, put, delete, batch or scan; check that both sides have the same version',
  });
