import type * as Wire from '../generated/index.js';
import { BackwardWriter } from './backward-writer.js';
import { ForwardReader, malformed } from './forward-reader.js';

/**
 * Frames of Kv.Pipeline by hand, because this is the path of every read and write: protobufjs through the loader takes several objects and
 * conversions a message, more time than the agent needs to look a key up. A test compares all of it with the proto, field for field, both
 * ways: a field that is added there and not here fails it.
 */
export interface KvRequests {
  readonly get: Wire.GetRequest__Output;
  readonly put: Wire.PutRequest__Output;
  readonly delete: Wire.DeleteRequest__Output;
  readonly batch: Wire.BatchRequest__Output;
  readonly scan: Wire.ScanRequest__Output;
}

export interface KvReplies {
  readonly get: Wire.GetReply__Output;
  readonly put: Wire.WriteReply__Output;
  readonly delete: Wire.WriteReply__Output;
  readonly batch: Wire.WriteReply__Output;
  readonly scan: Wire.ScanReply__Output;
}

export type KvKind = keyof KvRequests;

/** As it is read, but with any bytes and immutable: what may be written. */
export type Sendable<T> = T extends Uint8Array
  ? Uint8Array
  : T extends readonly (infer E)[]
    ? readonly Sendable<E>[]
    : T extends object
      ? { readonly [K in keyof T]: Sendable<T[K]> }
      : T;

/** Left out, a field is what proto3 makes of it. */
type May<T, K extends string> = Omit<T, K> & Partial<Pick<T, Extract<keyof T, K>>>;
export type SentRequest<T> = Sendable<May<T, 'follower' | 'maxStalenessMs'>>;
type SentReply<T> = Sendable<May<T, 'epoch' | 'appliedSeq' | 'stalenessMs'>>;

export type KvOp = { [K in KvKind]: { readonly kind: K; readonly request: SentRequest<KvRequests[K]> } }[KvKind];
export type ReceivedOp = { [K in KvKind]: { readonly kind: K; readonly request: KvRequests[K] } }[KvKind];

export type FramedOp = {
  readonly id: number;
  readonly timeoutMs: number;
  readonly traceparent?: string | undefined;
} & (KvOp | { readonly kind: 'cancel'; readonly request?: undefined });
export type ReceivedRequest = {
  [K in KvKind]: {
    readonly id: number;
    readonly timeoutMs: number;
    readonly kind: K;
    readonly request: KvRequests[K];
    readonly traceparent: string;
  };
}[KvKind];
/** `unknown`: an operation of a newer version, or none at all. */
export type ReceivedFrameOp =
  | ReceivedRequest
  | { readonly id: number; readonly timeoutMs: number; readonly kind: 'cancel' }
  | { readonly id: number; readonly timeoutMs: number; readonly kind: 'unknown' };

export type ReplyKind = 'get' | 'write' | 'scan' | 'error';
/** An error is the bytes of an ErrorDetail. */
export type FramedReply = { readonly id: number } & (
  | { readonly kind: 'get'; readonly reply: SentReply<Wire.GetReply__Output> }
  | { readonly kind: 'write'; readonly reply: Sendable<Wire.WriteReply__Output> }
  | { readonly kind: 'scan'; readonly reply: SentReply<Wire.ScanReply__Output> }
  | { readonly kind: 'error'; readonly reply: Uint8Array }
);
export type ReceivedReply = { readonly id: number } & (
  | { readonly kind: 'get'; readonly reply: Wire.GetReply__Output }
  | { readonly kind: 'write'; readonly reply: Wire.WriteReply__Output }
  | { readonly kind: 'scan'; readonly reply: Wire.ScanReply__Output }
  | { readonly kind: 'error'; readonly reply: Buffer }
  | { readonly kind: 'unknown'; readonly reply?: undefined }
);

const REQUESTS = 1;
const REPLIES = 1;
const OP_FIELD = { get: 3, put: 4, delete: 5, batch: 6, scan: 7, cancel: 8 } as const;
const RESULT_FIELD = { get: 2, write: 3, scan: 4, error: 5 } as const;
const EMPTY = Buffer.alloc(0);

/** One writer, because nothing here waits: a frame is whole before the next one begins. */
const writer = new BackwardWriter();

export const encodeRequestFrame = (requests: readonly FramedOp[]): Buffer => {
  for (let i = requests.length - 1; i >= 0; i -= 1) {
    const mark = writer.used;
    writeOp(requests[i]!);
    writer.nest(REQUESTS, mark);
  }
  return writer.take();
};

export const encodeReplyFrame = (replies: readonly FramedReply[]): Buffer => {
  for (let i = replies.length - 1; i >= 0; i -= 1) {
    const mark = writer.used;
    writeReply(replies[i]!);
    writer.nest(REPLIES, mark);
  }
  return writer.take();
};

const writeOp = (op: FramedOp): void => {
  if (op.traceparent !== undefined) writer.text(9, op.traceparent);
  if (op.kind === 'cancel') writer.bool(OP_FIELD.cancel, true);
  else {
    const mark = writer.used;
    writeRequest(op);
    writer.nest(OP_FIELD[op.kind], mark);
  }
  writer.uint(2, op.timeoutMs);
  writer.uint(1, op.id);
};

const writeRequest = (op: KvOp): void => {
  switch (op.kind) {
    case 'get':
      writer.uint(4, op.request.maxStalenessMs ?? 0);
      writer.bool(3, op.request.follower ?? false);
      writer.bytes(2, op.request.key);
      break;
    case 'put':
      writer.bytes(4, op.request.value);
      writer.bytes(3, op.request.key);
      writer.text(2, op.request.requestId);
      break;
    case 'delete':
      writer.bytes(3, op.request.key);
      writer.text(2, op.request.requestId);
      break;
    case 'batch':
      for (let i = op.request.ops.length - 1; i >= 0; i -= 1) writeWriteOp(op.request.ops[i]!);
      writer.text(2, op.request.requestId);
      break;
    case 'scan':
      writer.uint(7, op.request.maxStalenessMs ?? 0);
      writer.bool(6, op.request.follower ?? false);
      writer.bool(5, op.request.reverse);
      writer.uint(4, op.request.limit);
      writer.bytes(3, op.request.end);
      writer.bytes(2, op.request.start);
  }
  if (op.request.target) writeTarget(op.request.target);
};

const writeWriteOp = (op: Sendable<Wire.WriteOp__Output>): void => {
  const mark = writer.used;
  writer.bytes(3, op.value);
  writer.bytes(2, op.key);
  writer.bool(1, op.delete);
  writer.nest(3, mark);
};

const writeTarget = (target: Sendable<Wire.Target__Output>): void => {
  const mark = writer.used;
  writer.bool(6, target.byKey);
  writer.uint(5, target.hops);
  writer.bool(4, target.forward);
  writer.uint(3, target.epoch);
  writer.uint(2, target.partition);
  writer.text(1, target.keyspace);
  writer.nest(1, mark);
};

const writeReply = (framed: FramedReply): void => {
  if (framed.kind === 'error') writer.raw(RESULT_FIELD.error, framed.reply);
  else {
    const mark = writer.used;
    if (framed.kind === 'get') {
      writer.uint(5, framed.reply.stalenessMs ?? 0);
      writer.uint(4, framed.reply.appliedSeq ?? 0);
      writer.uint(3, framed.reply.epoch ?? 0);
      writer.bytes(2, framed.reply.value);
      writer.bool(1, framed.reply.found);
    } else if (framed.kind === 'write') {
      writer.uint(2, framed.reply.seq);
      writer.uint(1, framed.reply.epoch);
    } else writeScanReply(framed.reply);
    writer.nest(RESULT_FIELD[framed.kind], mark);
  }
  writer.uint(1, framed.id);
};

const writeScanReply = (reply: SentReply<Wire.ScanReply__Output>): void => {
  writer.uint(6, reply.stalenessMs ?? 0);
  writer.uint(5, reply.appliedSeq ?? 0);
  writer.uint(4, reply.epoch ?? 0);
  writer.bytes(3, reply.next);
  writer.bool(2, reply.more);
  for (let i = reply.entries.length - 1; i >= 0; i -= 1) {
    const mark = writer.used;
    writer.bytes(2, reply.entries[i]!.value);
    writer.bytes(1, reply.entries[i]!.key);
    writer.nest(1, mark);
  }
};

/** Reads frames; keep one per stream. What it returns are views of the frame. */
export class FrameReader {
  private readonly reader = new ForwardReader();

  /** @throws CadastreError INVALID_ARGUMENT `frame` when the bytes are none, or hold more than `max` requests */
  requests(frame: Buffer, max: number): ReceivedFrameOp[] {
    return this.all(frame, max, () => this.op());
  }

  /** @throws CadastreError INVALID_ARGUMENT `frame` */
  replies(frame: Buffer): ReceivedReply[] {
    return this.all(frame, Infinity, () => this.reply());
  }

  private all<T>(frame: Buffer, max: number, read: () => T): T[] {
    const reader = this.reader.load(frame);
    const items: T[] = [];
    while (!reader.done) {
      const tag = reader.tag();
      if (tag !== ((1 << 3) | 2)) reader.skip(tag);
      else if (items.length >= max) throw malformed(`has more than ${max} requests`);
      else {
        const outer = reader.enter();
        items.push(read());
        reader.leave(outer);
      }
    }
    return items;
  }

  private op(): ReceivedFrameOp {
    const { reader } = this;
    let id = 0;
    let timeoutMs = 0;
    let traceparent = '';
    let kind: ReceivedFrameOp['kind'] = 'unknown';
    let request: ReceivedOp['request'] | undefined;
    while (!reader.done) {
      const tag = reader.tag();
      switch (tag) {
        case (1 << 3) | 0:
          id = reader.uint();
          break;
        case (2 << 3) | 0:
          timeoutMs = reader.uint32();
          break;
        case (OP_FIELD.get << 3) | 2:
          kind = 'get';
          request = this.getRequest();
          break;
        case (OP_FIELD.put << 3) | 2:
          kind = 'put';
          request = this.putRequest();
          break;
        case (OP_FIELD.delete << 3) | 2:
          kind = 'delete';
          request = this.deleteRequest();
          break;
        case (OP_FIELD.batch << 3) | 2:
          kind = 'batch';
          request = this.batchRequest();
          break;
        case (OP_FIELD.scan << 3) | 2:
          kind = 'scan';
          request = this.scanRequest();
          break;
        case (OP_FIELD.cancel << 3) | 0:
          kind = reader.bool() ? 'cancel' : 'unknown';
          break;
        case (9 << 3) | 2:
          traceparent = reader.text();
          break;
        default:
          reader.skip(tag);
      }
    }
    if (kind === 'cancel' || kind === 'unknown') return { id, timeoutMs, kind };
    return { id, timeoutMs, kind, request, traceparent } as ReceivedRequest;
  }

  private getRequest(): Wire.GetRequest__Output {
    const { reader } = this;
    const outer = reader.enter();
    const request: Wire.GetRequest__Output = { target: null, key: EMPTY, follower: false, maxStalenessMs: 0 };
    while (!reader.done) {
      const tag = reader.tag();
      if (tag === ((1 << 3) | 2)) request.target = this.target();
      else if (tag === ((2 << 3) | 2)) request.key = reader.bytes();
      else if (tag === ((3 << 3) | 0)) request.follower = reader.bool();
      else if (tag === ((4 << 3) | 0)) request.maxStalenessMs = reader.uint32();
      else reader.skip(tag);
    }
    reader.leave(outer);
    return request;
  }

  private putRequest(): Wire.PutRequest__Output {
    const { reader } = this;
    const outer = reader.enter();
    const request: Wire.PutRequest__Output = { target: null, requestId: '', key: EMPTY, value: EMPTY };
    while (!reader.done) {
      const tag = reader.tag();
      if (tag === ((1 << 3) | 2)) request.target = this.target();
      else if (tag === ((2 << 3) | 2)) request.requestId = reader.text();
      else if (tag === ((3 << 3) | 2)) request.key = reader.bytes();
      else if (tag === ((4 << 3) | 2)) request.value = reader.bytes();
      else reader.skip(tag);
    }
    reader.leave(outer);
    return request;
  }

  private deleteRequest(): Wire.DeleteRequest__Output {
    const { reader } = this;
    const outer = reader.enter();
    const request: Wire.DeleteRequest__Output = { target: null, requestId: '', key: EMPTY };
    while (!reader.done) {
      const tag = reader.tag();
      if (tag === ((1 << 3) | 2)) request.target = this.target();
      else if (tag === ((2 << 3) | 2)) request.requestId = reader.text();
      else if (tag === ((3 << 3) | 2)) request.key = reader.bytes();
      else reader.skip(tag);
    }
    reader.leave(outer);
    return request;
  }

  private batchRequest(): Wire.BatchRequest__Output {
    const { reader } = this;
    const outer = reader.enter();
    const request: Wire.BatchRequest__Output = { target: null, requestId: '', ops: [] };
    while (!reader.done) {
      const tag = reader.tag();
      if (tag === ((1 << 3) | 2)) request.target = this.target();
      else if (tag === ((2 << 3) | 2)) request.requestId = reader.text();
      else if (tag === ((3 << 3) | 2)) request.ops.push(this.writeOp());
      else reader.skip(tag);
    }
    reader.leave(outer);
    return request;
  }

  private writeOp(): Wire.WriteOp__Output {
    const { reader } = this;
    const outer = reader.enter();
    const op: Wire.WriteOp__Output = { delete: false, key: EMPTY, value: EMPTY };
    while (!reader.done) {
      const tag = reader.tag();
      if (tag === ((1 << 3) | 0)) op.delete = reader.bool();
      else if (tag === ((2 << 3) | 2)) op.key = reader.bytes();
      else if (tag === ((3 << 3) | 2)) op.value = reader.bytes();
      else reader.skip(tag);
    }
    reader.leave(outer);
    return op;
  }

  private scanRequest(): Wire.ScanRequest__Output {
    const { reader } = this;
    const outer = reader.enter();
    const request: Wire.ScanRequest__Output = {
      target: null,
      start: EMPTY,
      end: EMPTY,
      limit: 0,
      reverse: false,
      follower: false,
      maxStalenessMs: 0,
    };
    while (!reader.done) {
      const tag = reader.tag();
      if (tag === ((1 << 3) | 2)) request.target = this.target();
      else if (tag === ((2 << 3) | 2)) request.start = reader.bytes();
      else if (tag === ((3 << 3) | 2)) request.end = reader.bytes();
      else if (tag === ((4 << 3) | 0)) request.limit = reader.uint32();
      else if (tag === ((5 << 3) | 0)) request.reverse = reader.bool();
      else if (tag === ((6 << 3) | 0)) request.follower = reader.bool();
      else if (tag === ((7 << 3) | 0)) request.maxStalenessMs = reader.uint32();
      else reader.skip(tag);
    }
    reader.leave(outer);
    return request;
  }

  private target(): Wire.Target__Output {
    const { reader } = this;
    const outer = reader.enter();
    const target: Wire.Target__Output = {
      keyspace: '',
      partition: 0,
      epoch: 0,
      forward: false,
      hops: 0,
      byKey: false,
    };
    while (!reader.done) {
      const tag = reader.tag();
      if (tag === ((1 << 3) | 2)) target.keyspace = reader.sameText();
      else if (tag === ((2 << 3) | 0)) target.partition = reader.uint32();
      else if (tag === ((3 << 3) | 0)) target.epoch = reader.uint();
      else if (tag === ((4 << 3) | 0)) target.forward = reader.bool();
      else if (tag === ((5 << 3) | 0)) target.hops = reader.uint32();
      else if (tag === ((6 << 3) | 0)) target.byKey = reader.bool();
      else reader.skip(tag);
    }
    reader.leave(outer);
    return target;
  }

  private reply(): ReceivedReply {
    const { reader } = this;
    let id = 0;
    let result: { kind: ReceivedReply['kind']; reply?: unknown } = { kind: 'unknown' };
    while (!reader.done) {
      const tag = reader.tag();
      switch (tag) {
        case (1 << 3) | 0:
          id = reader.uint();
          break;
        case (RESULT_FIELD.get << 3) | 2:
          result = { kind: 'get', reply: this.getReply() };
          break;
        case (RESULT_FIELD.write << 3) | 2:
          result = { kind: 'write', reply: this.writeReply() };
          break;
        case (RESULT_FIELD.scan << 3) | 2:
          result = { kind: 'scan', reply: this.scanReply() };
          break;
        case (RESULT_FIELD.error << 3) | 2:
          result = { kind: 'error', reply: reader.bytes() };
          break;
        default:
          reader.skip(tag);
      }
    }
    return { id, kind: result.kind, reply: result.reply } as ReceivedReply;
  }

  private getReply(): Wire.GetReply__Output {
    const { reader } = this;
    const outer = reader.enter();
    const reply: Wire.GetReply__Output = { found: false, value: EMPTY, epoch: 0, appliedSeq: 0, stalenessMs: 0 };
    while (!reader.done) {
      const tag = reader.tag();
      if (tag === ((1 << 3) | 0)) reply.found = reader.bool();
      else if (tag === ((2 << 3) | 2)) reply.value = reader.bytes();
      else if (tag === ((3 << 3) | 0)) reply.epoch = reader.uint();
      else if (tag === ((4 << 3) | 0)) reply.appliedSeq = reader.uint();
      else if (tag === ((5 << 3) | 0)) reply.stalenessMs = reader.uint32();
      else reader.skip(tag);
    }
    reader.leave(outer);
    return reply;
  }

  private writeReply(): Wire.WriteReply__Output {
    const { reader } = this;
    const outer = reader.enter();
    const reply: Wire.WriteReply__Output = { epoch: 0, seq: 0 };
    while (!reader.done) {
      const tag = reader.tag();
      if (tag === ((1 << 3) | 0)) reply.epoch = reader.uint();
      else if (tag === ((2 << 3) | 0)) reply.seq = reader.uint();
      else reader.skip(tag);
    }
    reader.leave(outer);
    return reply;
  }

  private scanReply(): Wire.ScanReply__Output {
    const { reader } = this;
    const outer = reader.enter();
    const reply: Wire.ScanReply__Output = {
      entries: [],
      more: false,
      next: EMPTY,
      epoch: 0,
      appliedSeq: 0,
      stalenessMs: 0,
    };
    while (!reader.done) {
      const tag = reader.tag();
      if (tag === ((1 << 3) | 2)) reply.entries.push(this.entry());
      else if (tag === ((2 << 3) | 0)) reply.more = reader.bool();
      else if (tag === ((3 << 3) | 2)) reply.next = reader.bytes();
      else if (tag === ((4 << 3) | 0)) reply.epoch = reader.uint();
      else if (tag === ((5 << 3) | 0)) reply.appliedSeq = reader.uint();
      else if (tag === ((6 << 3) | 0)) reply.stalenessMs = reader.uint32();
      else reader.skip(tag);
    }
    reader.leave(outer);
    return reply;
  }

  private entry(): Wire.KeyValue__Output {
    const { reader } = this;
    const outer = reader.enter();
    const entry: Wire.KeyValue__Output = { key: EMPTY, value: EMPTY };
    while (!reader.done) {
      const tag = reader.tag();
      if (tag === ((1 << 3) | 2)) entry.key = reader.bytes();
      else if (tag === ((2 << 3) | 2)) entry.value = reader.bytes();
      else reader.skip(tag);
    }
    reader.leave(outer);
    return entry;
  }
}
