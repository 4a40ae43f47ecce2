import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { PartitionRecord } from '@cadastre/core';
import { CadastreError } from '@cadastre/core';
import { systemClock } from '@cadastre/runtime';
import { Peer } from '../channels.js';
import { GrpcServer } from '../server.js';
import type { OwnerInfo } from '../status.js';
import { decodeError, fromServiceError } from '../status.js';
import { kvService } from '../proto.js';
import type { KvReply } from './frame-server.js';
import { PIPELINE_LIMITS } from './frame-server.js';
import type { FramedOp, ReceivedOp, ReceivedReply } from './frames.codec.js';
import { encodeRequestFrame, FrameReader } from './frames.codec.js';
import { kvSurface } from './kv-handlers.js';
import { asPromise, PendingReply } from './pending-reply.js';

interface RawStream {
  write(frame: Buffer): boolean;
  end(): void;
  cancel(): void;
  pause(): void;
  resume(): void;
  on(event: string, listener: (value: never) => void): unknown;
}

const target = { keyspace: 'ks', partition: 0, epoch: 1, forward: false, hops: 0, byKey: false };
const get = (id: number, timeoutMs = 1_000): FramedOp => ({
  id,
  timeoutMs,
  kind: 'get',
  request: { target, key: Buffer.from(`k${id}`) },
});
const until = async (what: string, condition: () => boolean): Promise<void> => {
  for (const end = Date.now() + 15_000; !condition(); await sleep(2))
    if (Date.now() > end) throw new Error(`never: ${what}`);
};

/** Answers when the test says so. */
class Later extends PendingReply {
  abandoned = false;

  abandon(): void {
    this.abandoned = true;
    this.refuse(new CadastreError('CANCELLED', 'gone', { remedy: 'ask again' }), 0);
  }

  found(): void {
    this.answer({ found: true }, 0);
  }

  fail(): void {
    this.refuse(new CadastreError('UNAVAILABLE', 'not now', { remedy: 'retry' }), 0);
  }
}

let serve: (op: ReceivedOp) => KvReply | Promise<KvReply> | PendingReply;
let server: GrpcServer;
let peer: Peer;
let gone: number;
let surface: ReturnType<typeof kvSurface>;

beforeEach(async () => {
  gone = 0;
  serve = (op) => ({ found: true, value: 'key' in op.request ? op.request.key : Buffer.alloc(0) });
  surface = kvSurface(systemClock, (op, caller) => {
    caller.once('cancelled', () => (gone += 1));
    return serve(op);
  });
  server = new GrpcServer().add(kvService, surface.handlers);
  peer = new Peer(`127.0.0.1:${await server.listen({ host: '127.0.0.1', port: 0 })}`);
});
afterEach(() => {
  peer.close();
  server.cut();
});

/** A caller that writes whatever it likes. */
const open = () => {
  const call = peer.kv.Pipeline() as unknown as RawStream;
  const replies: ReceivedReply[] = [];
  const state: { error: CadastreError | undefined; ended: boolean } = { error: undefined, ended: false };
  call.on('data', (frame: Buffer) => replies.push(...new FrameReader().replies(frame)));
  call.on('error', (error) => (state.error = fromServiceError(error as never)));
  call.on('end', () => (state.ended = true));
  return { call, replies, state };
};

describe('a stream of frames', () => {
  // Plan: each way of breaking the stream's own rules ends it with a typed error that names the field and the remedy; what was asked before
  // the mistake is answered, and the process serves the next stream.
  it.each([
    ['bytes that are no frame', Buffer.from('not a frame at all'), 'frame'],
    ['a frame that ends in the middle', encodeRequestFrame([get(2)]).subarray(0, 9), 'frame'],
    [
      'more requests than a frame may have',
      encodeRequestFrame(Array.from({ length: 1025 }, (_, i) => get(i + 2))),
      'frame',
    ],
    ['an id of 0', encodeRequestFrame([get(0)]), 'id'],
    ['an id that is in use', encodeRequestFrame([get(1)]), 'id'],
    ['an id twice in a frame', encodeRequestFrame([get(5), get(5)]), 'id'],
    ['ids that fall', encodeRequestFrame([get(9), get(8)]), 'id'],
    ['an id above 2^53', encodeRequestFrame([get(2 ** 60)]), 'id'],
  ])('ends at %s', async (_, frame, field) => {
    const { call, replies, state } = open();
    call.write(encodeRequestFrame([get(1)]));
    await until('the first is answered', () => replies.length === 1);
    call.write(frame);
    await until('the stream has ended', () => state.error !== undefined);
    expect(state.error).toMatchObject({ code: 'INVALID_ARGUMENT', field, remedy: expect.any(String) });
    const next = open();
    next.call.write(encodeRequestFrame([get(1)]));
    await until('the next stream is served', () => next.replies.length === 1);
    next.call.cancel();
  });

  // Plan: 9 MiB in one frame are refused by the transport's own limit, typed, and the process serves on.
  it('refuses a frame that is too large', async () => {
    const { call, state } = open();
    call.write(Buffer.alloc(9 * 1024 * 1024));
    await until('the stream has ended', () => state.error !== undefined);
    expect(state.error).toMatchObject({ code: 'RESOURCE_EXHAUSTED', remedy: expect.stringContaining('smaller') });
  });

  // Plan: an operation of the future, one that throws at once and one that fails later are each their own answer; the stream goes on.
  it('answers what one request breaks to that request alone', async () => {
    const refusal = new CadastreError('NOT_FOUND', 'no such thing', { field: 'key', remedy: 'name another' });
    serve = (op) => {
      const key = 'key' in op.request ? op.request.key.toString() : '';
      if (key === 'k2') throw refusal;
      if (key === 'k3') return Promise.reject(new Error('a bug'));
      return { found: false };
    };
    const { call, replies } = open();
    const unknownOp = Buffer.from([0x0a, 0x04, 0x08, 0x01, 0xa0, 0x06, 0x01]);
    unknownOp[1] = unknownOp.length - 2;
    call.write(unknownOp);
    call.write(encodeRequestFrame([get(2), get(3), { id: 4, timeoutMs: 0, kind: 'cancel' }, get(5)]));
    await until('all are answered', () => replies.length === 4);
    const errors = new Map(replies.flatMap((r) => (r.kind === 'error' ? [[r.id, decodeError(r.reply)]] : [])));
    expect(errors.get(1)).toMatchObject({ code: 'UNIMPLEMENTED', field: 'op', remedy: expect.any(String) });
    expect(errors.get(2)).toMatchObject({ code: 'NOT_FOUND', field: 'key', remedy: 'name another' });
    expect(errors.get(3)).toMatchObject({ code: 'INTERNAL' });
    expect(replies.find((r) => r.id === 5)).toMatchObject({ kind: 'get', reply: { found: false } });
    call.cancel();
  });

  // Plan: two streams ask for two partitions; word of one goes to who asked for it, under an id that no request has, and not to the other.
  it('tells those who asked for a partition that it is led elsewhere', async () => {
    const [mine, other] = [open(), open()];
    mine.call.write(encodeRequestFrame([get(1)]));
    const elsewhere = { ...target, partition: 1 };
    const ask = (id: number): Buffer =>
      encodeRequestFrame([
        { id, timeoutMs: 1_000, kind: 'get', request: { target: elsewhere, key: Buffer.from('k') } },
      ]);
    other.call.write(ask(1));
    await until('both are answered', () => mine.replies.length === 1 && other.replies.length === 1);
    const record: PartitionRecord = {
      partition: 0,
      epoch: 7,
      replicas: [{ node: 'b', role: 'leader', state: 'available', inSync: true }],
    };
    const info: OwnerInfo = { keyspace: 'ks', record, leaderAddress: 'b:1' };
    surface.frames.tell('ks', 0, new CadastreError('NOT_OWNER', 'led by b', { info }));
    await until('it is told', () => mine.replies.length === 2);
    const news = mine.replies[1]!;
    expect(news).toMatchObject({ id: 0, kind: 'error' });
    expect(news.kind === 'error' && decodeError(news.reply)).toMatchObject({ code: 'NOT_OWNER', info });
    other.call.write(ask(2));
    await until('the other is served', () => other.replies.length === 2);
    expect(other.replies.map((r) => r.id)).toEqual([1, 2]);
    mine.call.cancel();
    other.call.cancel();
  });

  // Plan: a caller that reads no answers is not read on: of 20,000 requests for 10 KiB each only what fits the buffers is served.
  it('does not serve a caller that does not read', async () => {
    let served = 0;
    const value = Buffer.alloc(10 * 1024);
    serve = () => {
      served += 1;
      return { found: true, value };
    };
    const call = peer.kv.Pipeline() as unknown as RawStream;
    call.on('error', () => undefined);
    // It reads once and stalls then: grpc-js keeps whatever comes before the first read, however much.
    let answers = 0;
    let stalls = true;
    call.on('data', (frame: Buffer) => {
      answers += new FrameReader().replies(frame).length;
      if (stalls) call.pause();
    });
    for (let i = 0; i < 20_000; i += 100)
      call.write(encodeRequestFrame(Array.from({ length: 100 }, (_, j) => get(i + j + 1))));
    let before = -1;
    let since = Date.now();
    await until('nothing more is served for a while', () => {
      if (served !== before) since = Date.now();
      before = served;
      return served > 0 && Date.now() - since > 400;
    });
    expect(served).toBeLessThan(10_000);
    stalls = false;
    call.resume();
    await until('all are served in the end', () => answers === 20_000);
    call.cancel();
  });

  // Plan: requests that are never answered: more than the bound of one stream are not read; when the stream breaks, all are told.
  it('bounds what one stream has under way, and lets it go with the stream', async () => {
    serve = () => new Promise(() => undefined);
    const { call } = open();
    const frames = 8;
    for (let i = 0; i < frames; i += 1)
      call.write(encodeRequestFrame(Array.from({ length: 1024 }, (_, j) => get(i * 1024 + j + 1, 60_000))));
    await until('the bound is met', () => surface.frames.inFlight >= PIPELINE_LIMITS.inFlightMax);
    await sleep(50);
    expect(surface.frames.inFlight).toBeLessThan(PIPELINE_LIMITS.inFlightMax + 1024);
    call.cancel();
    await until('all are told', () => surface.frames.inFlight === 0 && gone >= PIPELINE_LIMITS.inFlightMax);
  });

  // Plan: a request's own time runs out at the server too, whether or not its caller says anything.
  it('tells a handler that the time of its caller is over', async () => {
    serve = () => new Promise(() => undefined);
    const { call } = open();
    call.write(encodeRequestFrame([get(1, 50), get(2, 60_000)]));
    await until('the first is told', () => gone === 1);
    call.cancel();
  });

  // Plan: the caller half-closes with one request under way; it is answered, then the stream ends well.
  it('ends well after its last answer', async () => {
    serve = async () => {
      await sleep(30);
      return { found: false };
    };
    const { call, replies, state } = open();
    call.write(encodeRequestFrame([get(1)]));
    call.end();
    await until('it has ended', () => state.ended);
    expect(replies).toHaveLength(1);
    expect(state.error).toBeUndefined();
  });

  // Plan: replies that come later without a promise: known at once, later, refused, cancelled and too late; each is told once, and only to who waits.
  it('takes replies that come later, and abandons those that nobody waits for', async () => {
    const laters = new Map<number, Later>();
    serve = (op) => {
      const later = new Later();
      const id = Number('key' in op.request ? op.request.key.toString().slice(1) : 0);
      laters.set(id, later);
      if (id === 1) later.found();
      return later;
    };
    const { call, replies } = open();
    call.write(encodeRequestFrame([get(1), get(2), get(3), get(4, 60_000), get(5, 60_000)]));
    await until('all are under way', () => laters.size === 5);
    laters.get(2)!.found();
    laters.get(2)!.fail();
    laters.get(3)!.fail();
    call.write(encodeRequestFrame([{ id: 4, timeoutMs: 0, kind: 'cancel' }]));
    await until('the cancelled one is told', () => laters.get(4)!.abandoned);
    laters.get(4)!.found();
    await until('three are answered', () => replies.length === 3);
    expect(new Map(replies.map(({ id, kind }) => [id, kind]))).toEqual(
      new Map([
        [1, 'get'],
        [2, 'get'],
        [3, 'error'],
      ]),
    );
    call.cancel();
    await until('the last one is told that its caller has gone', () => laters.get(5)!.abandoned);
    expect(surface.frames.inFlight).toBe(0);
  });

  // Plan: the same replies for a unary call: as a promise, which ends with the first word.
  it('makes a promise of a reply that comes later', async () => {
    const caller = { getDeadline: () => 0, once: () => undefined };
    const later = new Later();
    const answered = asPromise(later, caller);
    later.found();
    later.fail();
    await expect(answered).resolves.toEqual({ found: true });
    const refused = new Later();
    refused.fail();
    await expect(asPromise(refused, caller)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });
});
