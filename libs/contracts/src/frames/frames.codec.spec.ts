import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import type * as Wire from '../generated/index.js';
import { messageCodec, messageFields } from '../proto.js';
import type { FramedOp, FramedReply } from './frames.codec.js';
import { encodeReplyFrame, encodeRequestFrame, FrameReader } from './frames.codec.js';

const requestFrames = messageCodec<Wire.RequestFrame, Wire.RequestFrame__Output>('RequestFrame');
const replyFrames = messageCodec<Wire.ReplyFrame, Wire.ReplyFrame__Output>('ReplyFrame');

const bytes = fc.uint8Array({ maxLength: 300 }).map((b) => Buffer.from(b));
const count = fc.oneof(fc.nat(200), fc.maxSafeInteger().map(Math.abs));
const count32 = fc.oneof(fc.nat(200), fc.nat(0xffffffff));
const text = fc.string({ unit: 'binary', maxLength: 40 }).map((t) => Buffer.from(t).toString());
const target = fc.option(
  fc.record({
    keyspace: text,
    partition: count32,
    epoch: count,
    forward: fc.boolean(),
    hops: count32,
    byKey: fc.boolean(),
  }),
);
const writeOp = fc.record({ delete: fc.boolean(), key: bytes, value: bytes });
const requests = {
  get: fc.record({ target, key: bytes, follower: fc.boolean(), maxStalenessMs: count32 }),
  put: fc.record({ target, requestId: text, key: bytes, value: bytes }),
  delete: fc.record({ target, requestId: text, key: bytes }),
  batch: fc.record({ target, requestId: text, ops: fc.array(writeOp, { maxLength: 5 }) }),
  scan: fc.record({
    target,
    start: bytes,
    end: bytes,
    limit: count32,
    reverse: fc.boolean(),
    follower: fc.boolean(),
    maxStalenessMs: count32,
  }),
};
const head = { id: count, timeoutMs: count32 };
const op: fc.Arbitrary<FramedOp> = fc.oneof(
  ...Object.entries(requests).map(([kind, request]) =>
    fc.record({ ...head, traceparent: text, kind: fc.constant(kind), request }),
  ),
  fc.record({ ...head, kind: fc.constant('cancel') }),
) as never;
const replies = {
  get: fc.record({ found: fc.boolean(), value: bytes, epoch: count, appliedSeq: count, stalenessMs: count32 }),
  write: fc.record({ epoch: count, seq: count }),
  scan: fc.record({
    entries: fc.array(fc.record({ key: bytes, value: bytes }), { maxLength: 5 }),
    more: fc.boolean(),
    next: bytes,
    epoch: count,
    appliedSeq: count,
    stalenessMs: count32,
  }),
  error: bytes,
};
const reply: fc.Arbitrary<FramedReply> = fc.oneof(
  ...Object.entries(replies).map(([kind, body]) => fc.record({ id: count, kind: fc.constant(kind), reply: body })),
) as never;

const asWire = (each: FramedOp) =>
  each.kind === 'cancel'
    ? { id: each.id, timeoutMs: each.timeoutMs, traceparent: '', cancel: true }
    : { id: each.id, timeoutMs: each.timeoutMs, traceparent: each.traceparent, [each.kind]: each.request };

/** Buffers that are views of another one, as plain ones; what is absent, left out. */
const plain = (value: unknown): unknown =>
  value instanceof Uint8Array
    ? Buffer.from(value).toString('hex')
    : Array.isArray(value)
      ? value.map(plain)
      : value && typeof value === 'object'
        ? Object.fromEntries(
            Object.entries(value)
              .filter(([, v]) => v !== null && v !== undefined)
              .map(([k, v]) => [k, plain(v)]),
          )
        : value;

describe('frames of the pipeline', () => {
  // Plan: random requests of each kind: protobufjs reads the same from our bytes as we do from its own.
  it('writes and reads requests as the proto says', () => {
    fc.assert(
      fc.property(fc.array(op, { maxLength: 6 }), (ops) => {
        const wire = ops.map(asWire) as Wire.FramedRequest[];
        const theirs = requestFrames.decode(encodeRequestFrame(ops)).requests.map(({ op: _, ...rest }) => rest);
        expect(plain(theirs)).toEqual(plain(wire));
        const ours = new FrameReader().requests(requestFrames.encode({ requests: wire }), 1024);
        expect(plain(ours)).toEqual(plain(ops));
      }),
      { numRuns: 100 },
    );
  });

  // Plan: the same for replies; an error is checked as the bytes of its message.
  it('writes and reads replies as the proto says', () => {
    fc.assert(
      fc.property(fc.array(reply, { maxLength: 6 }), (all) => {
        const known = all.filter((r) => r.kind !== 'error');
        const wire = known.map((r) => ({ id: r.id, [r.kind]: r.reply })) as Wire.FramedReply[];
        const theirs = replyFrames.decode(encodeReplyFrame(known)).replies.map(({ result: _, ...rest }) => rest);
        expect(plain(theirs)).toEqual(plain(wire));
        expect(plain(new FrameReader().replies(replyFrames.encode({ replies: wire })))).toEqual(plain(known));
        expect(plain(new FrameReader().replies(encodeReplyFrame(all)))).toEqual(plain(all));
      }),
      { numRuns: 100 },
    );
  });

  // Plan: the fields of every message of a frame, by the proto, are those that the generators above bring: none can be forgotten here.
  it.each([
    ['RequestFrame', ['requests']],
    ['FramedRequest', ['id', 'timeoutMs', ...Object.keys(requests), 'cancel', 'traceparent']],
    ['Target', ['keyspace', 'partition', 'epoch', 'forward', 'hops', 'byKey']],
    ['GetRequest', ['target', 'key', 'follower', 'maxStalenessMs']],
    ['PutRequest', ['target', 'requestId', 'key', 'value']],
    ['DeleteRequest', ['target', 'requestId', 'key']],
    ['BatchRequest', ['target', 'requestId', 'ops']],
    ['WriteOp', ['delete', 'key', 'value']],
    ['ScanRequest', ['target', 'start', 'end', 'limit', 'reverse', 'follower', 'maxStalenessMs']],
    ['ReplyFrame', ['replies']],
    ['FramedReply', ['id', 'get', 'write', 'scan', 'error']],
    ['GetReply', ['found', 'value', 'epoch', 'appliedSeq', 'stalenessMs']],
    ['WriteReply', ['epoch', 'seq']],
    ['ScanReply', ['entries', 'more', 'next', 'epoch', 'appliedSeq', 'stalenessMs']],
    ['KeyValue', ['key', 'value']],
  ])('knows every field of %s', (message, fields) => {
    expect(messageFields(message).sort()).toEqual([...fields].sort());
  });

  // Plan: cut and damage a good frame at every byte; each attempt reads something or is refused by name, and never anything else.
  it('refuses what is no frame', () => {
    const target0 = { keyspace: 'ks', partition: 3, epoch: 9, forward: false, hops: 0, byKey: false };
    const good = encodeRequestFrame([
      { id: 1, timeoutMs: 500, kind: 'get', request: { target: target0, key: Buffer.from('key') } },
      {
        id: 2,
        timeoutMs: 500,
        kind: 'batch',
        request: {
          target: target0,
          requestId: 'c:1',
          ops: [{ delete: true, key: Buffer.from('k'), value: Buffer.alloc(0) }],
        },
      },
    ]);
    const refused = expect.objectContaining({ code: 'INVALID_ARGUMENT', field: 'frame', remedy: expect.any(String) });
    const attempt = (frame: Buffer) => {
      try {
        return new FrameReader().requests(frame, 1024);
      } catch (error) {
        expect(error).toEqual(refused);
        return undefined;
      }
    };
    let refusals = 0;
    for (let at = 0; at < good.length; at += 1) {
      if (!attempt(good.subarray(0, at))) refusals += 1;
      for (const flip of [0x01, 0x80, 0xff]) {
        const damaged = Buffer.from(good);
        damaged[at] = damaged[at]! ^ flip;
        if (!attempt(damaged)) refusals += 1;
      }
    }
    expect(refusals).toBeGreaterThan(good.length);
    expect(() => new FrameReader().requests(good, 1)).toThrow(refused);
  });

  // Plan: an operation and a field of a newer version are passed over; the rest of the frame is read.
  it('passes over what it does not know yet', () => {
    const future = Buffer.from([0x0a, 0x09, 0x08, 0x05, 0x7a, 0x02, 0x01, 0x02, 0xa0, 0x06, 0x01]);
    expect(new FrameReader().requests(future, 10)).toEqual([{ id: 5, timeoutMs: 0, kind: 'unknown' }]);
    expect(new FrameReader().replies(future)).toEqual([{ id: 5, kind: 'unknown', reply: undefined }]);
  });
});
