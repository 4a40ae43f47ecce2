import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { CadastreError } from '@cadastre/core';
import type { KvCaller, KvOp, KvReply, KvServe, ReceivedOp } from '@cadastre/contracts';
import { GrpcServer, isAnswer, kvService, kvSurface, Peer } from '@cadastre/contracts';
import { systemClock } from '@cadastre/runtime';
import type { LinkLimits } from './node-link.js';
import { LINK_LIMITS, NodeLink } from './node-link.js';

const target = { keyspace: 'ks', partition: 0, epoch: 1, forward: false, hops: 0, byKey: false };
const get = (key: string): KvOp => ({ kind: 'get', request: { target, key: Buffer.from(key) } });
const put = (key: string, bytes = 1): KvOp => ({
  kind: 'put',
  request: { target, requestId: 'c:1', key: Buffer.from(key), value: Buffer.alloc(bytes) },
});
const keyOf = (op: ReceivedOp): string => ('key' in op.request ? op.request.key.toString() : '');
const echo = (op: ReceivedOp): KvReply =>
  op.kind === 'get' ? { found: true, value: op.request.key } : { epoch: 1, seq: 1 };
const failure = async (promise: Promise<unknown>): Promise<CadastreError> => {
  const error = await promise.then(
    () => undefined,
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(CadastreError);
  return error as CadastreError;
};
const until = async (what: string, condition: () => boolean): Promise<void> => {
  for (const end = Date.now() + 15_000; !condition(); await sleep(2))
    if (Date.now() > end) throw new Error(`never: ${what}`);
};

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

const serverOf = async (serve: KvServe, { pipeline = true } = {}) => {
  const surface = kvSurface(systemClock, serve);
  const frames: number[] = [];
  const { pipeline: handler, ...unaries } = surface.handlers;
  const counted = (call: { on(event: 'data', listener: (frame: Buffer) => void): void }) => {
    call.on('data', (frame) => void frames.push(frame.length));
    (handler as (c: unknown) => void)(call);
  };
  const server = new GrpcServer().add(kvService, pipeline ? { ...unaries, pipeline: counted as never } : unaries);
  const address = `127.0.0.1:${await server.listen({ host: '127.0.0.1', port: 0 })}`;
  ends.push(() => server.cut());
  return { server, address, frames, surface };
};

const linkTo = (address: string, limits: Partial<LinkLimits> = {}): NodeLink => {
  const link = new NodeLink(new Peer(address), { clock: systemClock, limits: { ...LINK_LIMITS, ...limits } });
  ends.push(() => link.close());
  return link;
};
const soon = { deadlineMs: 5_000 };

describe('NodeLink', () => {
  // Plan: a hundred requests of one turn are one frame; those of a later turn another one, on the same stream.
  it('sends what is asked for in one turn as one frame', async () => {
    const { address, frames } = await serverOf(echo);
    const link = linkTo(address);
    const replies = await Promise.all(Array.from({ length: 100 }, (_, i) => link.send<'get'>(get(`k${i}`), soon)));
    expect(replies.map((r) => r.value.toString())).toEqual(Array.from({ length: 100 }, (_, i) => `k${i}`));
    expect(frames).toHaveLength(1);
    await Promise.all([link.send(get('a'), soon), link.send(put('b'), soon)]);
    expect(frames).toHaveLength(2);
    expect(link.busy).toBe(0);
  });

  // Plan: answers that come in another order than the requests reach those who asked.
  it('takes answers in any order', async () => {
    const { address } = await serverOf(async (op) => {
      await sleep(keyOf(op) === 'slow' ? 60 : 0);
      return echo(op);
    });
    const link = linkTo(address);
    const order: string[] = [];
    const ask = async (key: string) => {
      expect((await link.send<'get'>(get(key), soon)).value.toString()).toBe(key);
      order.push(key);
    };
    await Promise.all([ask('slow'), ask('fast')]);
    expect(order).toEqual(['fast', 'slow']);
  });

  // Plan: a node that answers late is never given more than the bound; in the end all are answered.
  it('keeps within its bound of requests under way', async () => {
    let now = 0;
    let most = 0;
    const { address } = await serverOf(async (op) => {
      most = Math.max(most, (now += 1));
      await sleep(1);
      now -= 1;
      return echo(op);
    });
    const link = linkTo(address, { inFlightMax: 8 });
    await Promise.all(Array.from({ length: 200 }, (_, i) => link.send(get(`k${i}`), soon)));
    expect(most).toBeLessThanOrEqual(8);
    expect(most).toBeGreaterThan(1);
  });

  // Plan: one more than may wait, by count and by bytes, is refused at once by a typed error that says that nothing was sent.
  it('refuses what is more than it may keep', async () => {
    const { address } = await serverOf(echo);
    for (const limits of [{ queuedMax: 10 }, { queuedBytesMax: 10_000 }]) {
      const link = linkTo(address, limits);
      const size = 'queuedMax' in limits ? 1 : 800;
      const results = await Promise.allSettled(
        Array.from({ length: 20 }, (_, i) => link.send(put(`k${i}`, size), soon)),
      );
      const refused = results.flatMap((r) => (r.status === 'rejected' ? [r.reason as CadastreError] : []));
      expect(refused.length).toBeGreaterThanOrEqual(9);
      expect(refused[0]).toMatchObject({ code: 'RESOURCE_EXHAUSTED', field: 'requests', remedy: expect.any(String) });
      expect(isAnswer(refused[0]!)).toBe(true);
    }
  });

  // Plan: a bulk load of another flow waits before a lone read; the read is answered while most of the load still waits.
  it('is fair between flows', async () => {
    let served = 0;
    let readAt = -1;
    const { address } = await serverOf(async (op) => {
      if (op.kind === 'get') readAt = served;
      served += 1;
      await sleep(1);
      return echo(op);
    });
    const link = linkTo(address, { inFlightMax: 4 });
    const bulk = {};
    const load = Array.from({ length: 100 }, (_, i) => link.send(put(`k${i}`, 20_000), { ...soon, flow: bulk }));
    await link.send(get('lone'), soon);
    await Promise.all(load);
    expect(readAt).toBeGreaterThanOrEqual(0);
    expect(readAt).toBeLessThan(20);
  });

  // Plan: of two requests to a node that never answers, the sent one's outcome is unknown, the waiting one's is known: not sent.
  it('tells apart what was sent in time and what was not', async () => {
    const callers: KvCaller[] = [];
    let told = 0;
    const { address } = await serverOf((_, caller) => {
      callers.push(caller);
      caller.once('cancelled', () => (told += 1));
      return new Promise(() => undefined);
    });
    const link = linkTo(address, { inFlightMax: 1 });
    const sent = failure(link.send(put('a'), { deadlineMs: 600 }));
    const waiting = failure(link.send(put('b'), { deadlineMs: 80 }));
    expect(await sent).toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    expect(isAnswer(await sent)).toBe(false);
    expect(await waiting).toMatchObject({ code: 'UNAVAILABLE' });
    expect(isAnswer(await waiting)).toBe(true);
    await until('the node knows that nobody waits', () => told === 1);
    expect(callers).toHaveLength(1);
    expect(link.busy).toBe(0);
  });

  // Plan: abort one that is under way, and one that still waits; the node is told of the first and never sees the second.
  it('cancels', async () => {
    const seen: string[] = [];
    let told = 0;
    const { address } = await serverOf((op, caller) => {
      seen.push(keyOf(op));
      caller.once('cancelled', () => (told += 1));
      return new Promise(() => undefined);
    });
    const link = linkTo(address, { inFlightMax: 1 });
    const abort = new AbortController();
    const results = ['a', 'b'].map((key) => failure(link.send(put(key), { ...soon, signal: abort.signal })));
    await until('it is under way', () => seen.length === 1);
    abort.abort();
    const [sent, waiting] = await Promise.all(results);
    expect([sent!.code, isAnswer(sent!)]).toEqual(['CANCELLED', false]);
    expect([waiting!.code, isAnswer(waiting!)]).toEqual(['UNAVAILABLE', true]);
    await until('the node was told', () => told === 1);
    expect(seen).toEqual(['a']);
    expect(isAnswer(await failure(link.send(put('c'), { ...soon, signal: abort.signal })))).toBe(true);
  });

  // Plan: a node that is ending answers what it took, and says of the rest that it was not looked at.
  it('loses nothing when a node ends its streams', async () => {
    let release: () => void = () => undefined;
    const { address, surface } = await serverOf(
      (op) => new Promise((resolve) => ((release = () => resolve(echo(op))), undefined)),
    );
    const link = linkTo(address);
    const first = link.send<'get'>(get('taken'), soon);
    await until('it was taken', () => surface.frames.inFlight === 1);
    surface.frames.drain();
    const late = failure(link.send(put('late'), soon));
    await sleep(20);
    release();
    expect((await first).found).toBe(true);
    expect([(await late).code, isAnswer(await late)]).toEqual(['UNAVAILABLE', true]);
  });

  // Plan: the connection breaks under a write; its outcome is unknown. Then nobody listens there: the next one certainly did not happen.
  it('says that it does not know when the way breaks', async () => {
    const { address, server, surface } = await serverOf(() => new Promise(() => undefined));
    const link = linkTo(address);
    const broken = failure(link.send(put('a'), soon));
    await until('it was taken', () => surface.frames.inFlight === 1);
    server.cut();
    expect((await broken).code).toBe('UNAVAILABLE');
    expect(isAnswer(await broken)).toBe(false);
    const refused = await failure(link.send(put('b'), soon));
    expect([refused.code, isAnswer(refused)]).toEqual(['UNAVAILABLE', true]);
  });

  // Plan: a node of before there were frames: the first requests are asked again one by one, and all are answered.
  it('goes on one by one where there are no frames', async () => {
    const { address, frames } = await serverOf(echo, { pipeline: false });
    const link = linkTo(address);
    const keys = Array.from({ length: 20 }, (_, i) => `k${i}`);
    for (let round = 0; round < 2; round += 1) {
      const replies = await Promise.all(keys.map((key) => link.send<'get'>(get(key), soon)));
      expect(replies.map((r) => r.value.toString())).toEqual(keys);
    }
    expect(frames).toHaveLength(0);
    expect(link.streams).toBe(0);
  });

  // Plan: what a node refuses comes with field, limit, remedy and info, as in a call of its own.
  it('carries errors whole', async () => {
    const record = {
      partition: 3,
      epoch: 7,
      replicas: [{ node: 'n2', role: 'leader', state: 'available', inSync: true }],
    } as const;
    const { address } = await serverOf(() => {
      throw new CadastreError('NOT_OWNER', 'elsewhere', {
        field: 'target.epoch',
        remedy: 'ask the leader',
        info: { keyspace: 'ks', record, leaderAddress: 'h:1' },
      });
    });
    const error = await failure(linkTo(address).send(get('a'), soon));
    expect(error).toMatchObject({ code: 'NOT_OWNER', field: 'target.epoch', remedy: 'ask the leader' });
    expect(error.info).toMatchObject({ keyspace: 'ks', record, leaderAddress: 'h:1' });
    expect(isAnswer(error)).toBe(true);
  });
});
