import type { AddressInfo, Server, Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { CadastreError, KeyspaceGeneration, PartitionRecord } from '@cadastre/core';
import { addLearner, changeLeader, growInSync, KeyspaceMap, newRecord, removeReplica } from '@cadastre/core';
import type { SharedMessage, Wire } from '@cadastre/contracts';
import {
  decodeDelta,
  GrpcServer,
  mapDigest,
  mapService,
  messageCodec,
  Peer,
  SnapshotAssembler,
  encodeKnown,
  fromServiceError,
} from '@cadastre/contracts';
import { silentLogger, systemClock } from '@cadastre/runtime';
import { keys, MemoryDatabase } from '@cadastre/store';
import { fillRegister, openRegister, swapLeaders } from '../testing/register-kit.js';
import type { RegisterKit } from '../testing/register-kit.js';
import { mapHandlers } from './map.grpc.js';
import type { Sink, Wish } from './reader.js';
import { WatchHub } from './watch-hub.js';

const events = messageCodec<Wire.MapEvent, Wire.MapEvent__Output>('MapEvent');

/** What a client makes of the events, strictly: a change that does not fit is an error. */
class Follower {
  readonly maps = new Map<string, KeyspaceMap>();
  readonly kinds: string[] = [];
  private readonly assembler = new SnapshotAssembler();

  take(event: Wire.MapEvent__Output): void {
    if (event.snapshot) {
      const map = this.assembler.add(event.snapshot);
      if (map) this.kinds.push('snapshot');
      if (map) this.maps.set(map.spec.name, map);
    } else if (event.delta) {
      const delta = decodeDelta(event.delta);
      this.kinds.push(`${delta.from.number}-${delta.to.number}`);
      this.maps.set(delta.keyspace, this.maps.get(delta.keyspace)!.withDelta(delta));
    } else if (event.dropped) {
      this.kinds.push('dropped');
      this.maps.delete(event.dropped.keyspace);
    } else this.kinds.push('mark');
  }

  known(): KeyspaceGeneration[] {
    return [...this.maps].map(([keyspace, map]) => ({ keyspace, generation: map.generation }));
  }
}

/** A reader that takes bytes only when it is told to. */
class SlowSink implements Sink {
  readonly peer = 'test';
  readonly waiting: { message: SharedMessage; flushed: () => void }[] = [];
  constructor(readonly follower = new Follower()) {}

  readonly write = (message: SharedMessage, flushed: () => void): void => {
    this.waiting.push({ message, flushed });
  };

  get waitingBytes(): number {
    return this.waiting.reduce((sum, w) => sum + w.message.framed.length, 0);
  }

  drain(): void {
    for (let next = this.waiting.shift(); next; next = this.waiting.shift()) {
      this.follower.take(events.decode(next.message.payload));
      next.flushed();
    }
  }
}

let kit: RegisterKit;
let hub: WatchHub;
let caughtUp: () => Promise<void>;

const openHub = (options: Partial<ConstructorParameters<typeof WatchHub>[0]> = {}): void => {
  const opened = new WatchHub({
    clock: systemClock,
    logger: silentLogger,
    catchUp: () => caughtUp(),
    sliceMs: 1_000,
    ...options,
  });
  kit.feed.subscribe((change, state) => opened.onRegisterChange(change, state));
  hub = opened;
};

const wish = (of: Partial<Wish> = {}): Wish => ({
  known: [],
  form: 'packed',
  keyspaces: undefined,
  node: undefined,
  ...of,
});

/** The hub's own end after each test is the only cut that may come. */
const never = (error: CadastreError): void => {
  if (error.code !== 'UNAVAILABLE') throw error;
};

/** A TCP connection that can be made to stand still on its way to the client, as a network does. */
class Road {
  private readonly pairs = new Set<readonly [Socket, Socket]>();
  private readonly server: Server;
  private closed = false;

  private constructor(target: number) {
    this.server = createServer((client) => {
      const upstream = connect(target, '127.0.0.1');
      this.pairs.add([client, upstream]);
      for (const socket of [client, upstream]) socket.on('error', () => undefined);
      client.pipe(upstream);
      upstream.on('data', (bytes) => client.write(bytes));
      upstream.on('end', () => client.end());
      if (this.closed) upstream.pause();
    });
  }

  static async to(target: number): Promise<Road> {
    const road = new Road(target);
    await new Promise<void>((resolve) => road.server.listen(0, '127.0.0.1', resolve));
    return road;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  close(): void {
    this.closed = true;
    for (const [, upstream] of this.pairs) upstream.pause();
  }

  open(): void {
    this.closed = false;
    for (const [, upstream] of this.pairs) upstream.resume();
  }

  end(): void {
    this.server.close();
    for (const pair of this.pairs) for (const socket of pair) socket.destroy();
  }
}

const until = async (condition: () => boolean): Promise<void> => {
  const giveUpAt = Date.now() + 8_000;
  while (!condition()) {
    if (Date.now() > giveUpAt) throw new Error('the condition did not come true');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
};

beforeEach(async () => {
  caughtUp = () => Promise.resolve();
  kit = await openRegister(new MemoryDatabase(systemClock));
});
afterEach(() => {
  hub.close();
  kit.stop();
});

describe('WatchHub', () => {
  it('gives a snapshot, a mark, then each change once', async () => {
    // Plan: subscribe to a filled register, change it three times, and hold the follower's map against the mirror's.
    openHub();
    await fillRegister(kit, 'orders', 100);
    const sink = new SlowSink();
    hub.subscribe('client', wish(), sink, never);
    sink.drain();
    expect(sink.follower.kinds).toEqual(['snapshot', 'mark']);
    for (const p of [1, 2, 3]) await swapLeaders(kit, 'orders', [p]);
    sink.drain();
    expect(sink.follower.kinds.slice(2)).toEqual(['1-2', '2-3', '3-4']);
    expect(mapDigest(sink.follower.maps.get('orders')!)).toBe(mapDigest(kit.map('orders')));
  });

  it('resumes from a generation with the changes alone, and tells the addresses anew', async () => {
    // Plan: a client leaves at generation 2 and comes back at 4: no snapshot; the first event names nodes at the client's generation.
    openHub();
    await fillRegister(kit, 'orders', 100);
    const first = new SlowSink();
    const subscription = hub.subscribe('client', wish(), first, never);
    await swapLeaders(kit, 'orders', [1]);
    first.drain();
    subscription.close();
    await swapLeaders(kit, 'orders', [2]);
    await swapLeaders(kit, 'orders', [1]);
    const again = new SlowSink(first.follower);
    const before = first.follower.kinds.length;
    hub.subscribe('client', wish({ known: first.follower.known() }), again, never);
    again.drain();
    expect(first.follower.kinds.slice(before)).toEqual(['2-2', '2-3', '3-4', 'mark']);
    expect(mapDigest(first.follower.maps.get('orders')!)).toBe(mapDigest(kit.map('orders')));
  });

  it('sends the same bytes to all', async () => {
    // Plan: two readers at the same place are handed the very same Buffer.
    openHub();
    await fillRegister(kit, 'orders', 100);
    const [a, b] = [new SlowSink(), new SlowSink()];
    for (const sink of [a, b]) hub.subscribe('client', wish(), sink, never);
    a.drain();
    b.drain();
    await swapLeaders(kit, 'orders', [1]);
    expect(a.waiting).toHaveLength(1);
    expect(a.waiting[0]!.message).toBe(b.waiting[0]!.message);
  });

  it.each([
    { story: 'from the ring, merged', ringSize: 1_024, expected: /^merged/ },
    { story: 'by a new snapshot when the ring forgot', ringSize: 16, expected: /^snapshot/ },
  ])(
    'bounds what waits for a reader that takes nothing, which later has the same map: $story',
    async ({ ringSize, expected }) => {
      // Plan: 300 changes go by a reader that takes nothing; at most a window of messages waits; when it reads on it has the newest map.
      openHub({ ringSize });
      await fillRegister(kit, 'orders', 2_000);
      const sink = new SlowSink();
      hub.subscribe('slow', wish(), sink, never);
      sink.drain();
      const before = sink.follower.kinds.length;
      for (let i = 0; i < 300; i += 1) await swapLeaders(kit, 'orders', [i % 50]);
      expect(sink.waiting.length).toBeLessThanOrEqual(16);
      expect(sink.waitingBytes).toBeLessThan(1024 * 1024);
      expect(hub.watchers()[0]!.behind).toBeGreaterThan(200);
      sink.drain();
      const catchUp = sink.follower.kinds.slice(before + 16);
      const [from = 0, to = 0] = catchUp[0]!.split('-').map(Number);
      expect(to - from > 8 ? `merged ${from}-${to}` : catchUp[0]).toMatch(expected);
      expect(catchUp.length).toBeLessThanOrEqual(3);
      expect(mapDigest(sink.follower.maps.get('orders')!)).toBe(mapDigest(kit.map('orders')));
      expect(hub.watchers()[0]!.behind).toBe(0);
    },
  );

  it('cuts a reader that takes nothing for too long', async () => {
    // Plan: with 50 ms patience a reader that never drains is cut with the limit that it broke.
    openHub({ stalledMs: 50, progressMs: 20 });
    await fillRegister(kit, 'orders', 10);
    const cuts: CadastreError[] = [];
    hub.subscribe('dead', wish(), new SlowSink(), (error) => cuts.push(error));
    await until(() => cuts.length > 0);
    expect(cuts[0]!.code).toBe('RESOURCE_EXHAUSTED');
    expect(hub.size).toBe(0);
  });

  it('marks progress while nothing changes', async () => {
    // Plan: an idle reader that drains gets mark after mark.
    openHub({ progressMs: 20 });
    await fillRegister(kit, 'orders', 10);
    const sink = new SlowSink();
    hub.subscribe('idle', wish(), sink, never);
    await until(() => {
      sink.drain();
      return sink.follower.kinds.filter((k) => k === 'mark').length >= 3;
    });
  });

  it('refuses one reader too many', async () => {
    // Plan: with room for one, the second is told the limit.
    openHub({ maxReaders: 1 });
    hub.subscribe('a', wish(), new SlowSink(), never);
    expect(() => hub.subscribe('b', wish(), new SlowSink(), never)).toThrow(
      expect.objectContaining({ code: 'RESOURCE_EXHAUSTED' }),
    );
  });

  it('never takes a reader back to an older map because this replica lags', async () => {
    // Plan: a reader knows generation 9 while the mirror has 1; it gets nothing until the replica is sure, and then the world as it is.
    let sure: () => void = () => undefined;
    caughtUp = () => new Promise((resolve) => (sure = resolve));
    openHub();
    await fillRegister(kit, 'orders', 10);
    const sink = new SlowSink();
    hub.subscribe(
      'ahead',
      wish({ known: [{ keyspace: 'orders', generation: { incarnation: 1, number: 9 } }] }),
      sink,
      never,
    );
    sink.drain();
    expect(sink.follower.kinds).toEqual([]);
    sure();
    await until(() => sink.waiting.length > 0);
    sink.drain();
    expect(sink.follower.kinds).toEqual(['dropped', 'snapshot', 'mark']);
  });

  it('tells of a keyspace that is gone', async () => {
    // Plan: drop the keyspace's record; the reader forgets its map; one who comes back knowing it is told too.
    openHub();
    await fillRegister(kit, 'orders', 10);
    const sink = new SlowSink();
    hub.subscribe('client', wish(), sink, never);
    sink.drain();
    const known = sink.follower.known();
    await kit.register.commit(() => ({
      compare: [],
      ops: [{ kind: 'delete', key: keys.keyspace('orders') }],
      result: 0,
    }));
    sink.drain();
    expect(sink.follower.maps.size).toBe(0);
    const late = new SlowSink();
    hub.subscribe('late', wish({ known }), late, never);
    late.drain();
    expect(late.follower.kinds).toEqual(['dropped', 'mark']);
  });
});

describe('WatchHub at scale', () => {
  /** Changes without the register, for speed: the hub sees what a mirror would show it. */
  const world = (partitions: number) => {
    let map = KeyspaceMap.fromRecords(
      {
        name: 'k',
        scheme: { kind: 'hash-slots', slots: partitions, hash: 'murmur3', hashTags: false },
        replicationFactor: 2,
        minInSync: 1,
        spread: [],
      },
      { incarnation: 1, number: 1 },
      Array.from({ length: partitions }, (_, p) => newRecord(p, [`n${p % 4}`, `n${(p + 1) % 4}`])),
      Array.from({ length: 4 }, (_, i) => ({ id: `n${i}`, address: `n${i}:1`, labels: {}, weight: 1 })),
    );
    const state = () =>
      ({ cluster: { value: { clusterId: 'c' } }, keyspaces: new Map([['k', { record: { id: 'k' }, map }]]) }) as never;
    const change = (parts: object) => ({ deltas: [], snapshots: [], dropped: [], plans: [], ...parts }) as never;
    const tell = (records: readonly PartitionRecord[]) => {
      const to = { ...map.generation, number: map.generation.number + 1 };
      const delta = { keyspace: 'k', from: map.generation, to, records, nodes: [] };
      map = map.withDelta(delta);
      hub.onRegisterChange(change({ deltas: [delta] }), state());
    };
    hub.onRegisterChange(change({ snapshots: ['k'] }), state());
    return {
      map: () => map,
      tell,
      turn: (p: number) => {
        const record = map.record(p % partitions);
        tell([changeLeader(record, record.replicas[1]!.node)]);
      },
    };
  };

  it('brings 1,000 readers that come back at random generations to the very map that it has', async () => {
    // Plan: 3,000 changes of one keyspace with a ring of 512; 1,000 readers left at seeded random generations, some at none, some older
    // than the ring. Each comes back once, and its digest is the hub's; who was away for few changes needs no snapshot.
    hub = new WatchHub({
      clock: systemClock,
      logger: silentLogger,
      catchUp: () => caughtUp(),
      ringSize: 512,
      sliceMs: 1_000,
      maxReadersPerPeer: 2_000,
    });
    const { map, turn } = world(256);
    let seed = 20_260;
    const random = (): number => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
    const left: { follower: Follower; at: number }[] = [];
    const leaves = Array.from({ length: 1_000 }, () => Math.floor(random() * 3_000)).sort((a, b) => a - b);
    for (let n = 0; n < 3_000; n += 1) {
      for (; leaves[0] === n; leaves.shift()) {
        const follower = new Follower();
        if (random() > 0.05) follower.maps.set('k', map());
        left.push({ follower, at: n });
      }
      turn(Math.floor(random() * 256));
    }
    expect(left).toHaveLength(1_000);
    const wanted = mapDigest(map());
    for (const { follower, at } of left) {
      const sink = new SlowSink(follower);
      const known = follower.known();
      const subscription = hub.subscribe('again', wish({ known }), sink, never);
      sink.drain();
      expect([at, mapDigest(follower.maps.get('k')!)]).toEqual([at, wanted]);
      const whole = follower.kinds.includes('snapshot');
      if (known.length === 0 || at < 3_000 - 512) expect(whole).toBe(true);
      else if (at >= 3_000 - 80) expect(whole).toBe(false);
      expect(follower.kinds.at(-1)).toBe('mark');
      subscription.close();
    }
  }, 120_000);

  it('tells a reader that asks for one node only of what that node holds', async () => {
    // Plan: n0 loses partition 3 and gains partition 1; a reader of n0 hears of those two, once, and of nothing that passes by between;
    // a reader of another keyspace hears nothing at all.
    hub = new WatchHub({
      clock: systemClock,
      logger: silentLogger,
      catchUp: () => caughtUp(),
      sliceMs: 1_000,
      progressMs: 20,
    });
    const { map, tell, turn } = world(16);
    const [sink, other] = [new SlowSink(), new SlowSink()];
    hub.subscribe('n0', wish({ node: 'n0' }), sink, never);
    hub.subscribe('other', wish({ keyspaces: new Set(['else']) }), other, never);
    sink.drain();
    const holders = () =>
      [...Array(16).keys()].filter((p) => sink.follower.maps.get('k')!.record(p).replicas.length > 0);
    expect(holders()).toEqual([0, 3, 4, 7, 8, 11, 12, 15]);
    turn(1);
    turn(2);
    tell([removeReplica(changeLeader(growInSync(addLearner(map().record(3), 'n1'), 'n1'), 'n1'), 'n0', 1)]);
    tell([addLearner(map().record(1), 'n0')]);
    turn(2);
    sink.drain();
    expect(holders()).toEqual([0, 1, 4, 7, 8, 11, 12, 15]);
    expect(sink.follower.maps.get('k')!.record(1)).toEqual(map().record(1));
    expect(sink.follower.kinds.slice(2)).toEqual(['1-4', '4-5']);
    await until(() => {
      sink.drain();
      return sink.follower.kinds.at(-1) === 'mark' && sink.follower.kinds.length > 4;
    });
    expect(sink.follower.maps.get('k')!.generation).toEqual(map().generation);
    other.drain();
    expect(other.follower.maps.size).toBe(0);
  });

  it('knows who has applied what, and how long it took', () => {
    // Plan: of three readers two report the newest generation, one of them 40 ms late by its own word.
    hub = new WatchHub({ clock: systemClock, logger: silentLogger, catchUp: () => caughtUp(), sliceMs: 1_000 });
    const { map, turn } = world(16);
    const readers = [1, 2, 3].map(() => hub.subscribe('r', wish(), new SlowSink(), never));
    turn(1);
    const applied = [{ keyspace: 'k', generation: map().generation }];
    readers[0]!.applied(applied, 0);
    readers[1]!.applied(applied, 0);
    const [convergence] = hub.convergence();
    expect(convergence).toMatchObject({ keyspace: 'k', watchers: 3, converged: 2, lagMs: { n: 2 } });
    expect(convergence!.lagMs.max).toBeLessThan(5_000);
    expect(hub.laggards(10)).toEqual([{ name: 'r', peer: 'test', applied: [], behind: 0 }]);
  });

  it('limits the streams of one connection', () => {
    // Plan: with room for two over one connection the third is refused by name, until one has ended.
    hub = new WatchHub({ clock: systemClock, logger: silentLogger, catchUp: () => caughtUp(), maxReadersPerPeer: 2 });
    const [first] = [1, 2].map(() => hub.subscribe('r', wish(), new SlowSink(), never));
    const third = () => hub.subscribe('r', wish(), new SlowSink(), never);
    expect(third).toThrow(expect.objectContaining({ code: 'RESOURCE_EXHAUSTED', limit: '2 watches a connection' }));
    first!.close();
    expect(third).not.toThrow();
  });

  it('refuses a reader that knows a later incarnation of the register', async () => {
    // Plan: the register was set back without raising its incarnation; once this replica is sure, the reader is told, not served.
    hub = new WatchHub({ clock: systemClock, logger: silentLogger, catchUp: () => caughtUp(), sliceMs: 1_000 });
    world(16);
    const cuts: CadastreError[] = [];
    const sink = new SlowSink();
    const known = [{ keyspace: 'k', generation: { incarnation: 2, number: 1 } }];
    hub.subscribe('later', wish({ known }), sink, (error) => void cuts.push(error));
    await until(() => cuts.length > 0);
    expect(cuts[0]).toMatchObject({ code: 'FAILED_PRECONDITION', field: 'subscribe.known' });
    expect(sink.waiting).toEqual([]);
  });

  it('never holds a turn of the event loop for long, however many come back at once', async () => {
    // Plan: on a clock by which each look takes 0.1 ms, 10,000 readers subscribe within one turn; the hub takes 3 ms of it, other work
    // comes in between, and in the end all are served. Then one change goes to all of them in slices of 30 looks, 8 readers a look: 42.
    let now = 0;
    let turns = 0;
    const clock = {
      ...systemClock,
      monotonicMs: () => (now += 0.1),
      soon: (task: () => void) => void setImmediate(() => ((turns += 1), task())),
    };
    hub = new WatchHub({
      clock,
      logger: silentLogger,
      catchUp: () => caughtUp(),
      maxReadersPerPeer: 20_000,
      progressMs: 1e9,
      sliceMs: 3,
    });
    const { turn } = world(16);
    let written = 0;
    const flush = (_message: SharedMessage, flushed: () => void): void => {
      written += 1;
      setImmediate(flushed);
    };
    for (let i = 0; i < 10_000; i += 1) hub.subscribe('r', wish(), { peer: 'storm', write: flush }, never);
    expect(written).toBeLessThan(1_000);
    await until(() => written === 20_000);
    const before = turns;
    turn(3);
    await until(() => written === 30_000);
    expect(turns - before).toBeGreaterThanOrEqual(40);
    expect(hub.takeLongestHoldMs()).toBeLessThan(4);
  }, 60_000);
});

describe('WatchMap over gRPC', () => {
  let server: GrpcServer;
  let peer: Peer;
  beforeEach(async () => {
    openHub();
    await fillRegister(kit, 'orders', 500);
    server = new GrpcServer();
    server.add(mapService, mapHandlers({ hub, clock: systemClock, state: () => kit.mirror.state }) as never);
    peer = new Peer(`127.0.0.1:${await server.listen({ host: '127.0.0.1', port: 0 })}`);
  });
  afterEach(async () => {
    peer.close();
    hub.close();
    await server.stop(100);
  });

  const watch = (follower: Follower) => {
    const call = peer.map.watchMap();
    const ended = new Promise<CadastreError>((resolve) =>
      call.on('error', (error: Parameters<typeof fromServiceError>[0]) => resolve(fromServiceError(error))),
    );
    call.on('data', (event: Wire.MapEvent__Output) => follower.take(event));
    call.write({ subscribe: { watcher: 'client', known: encodeKnown(follower.known()) } });
    return { call, ended };
  };

  it('follows through a disconnection and reports what was applied', async () => {
    // Plan: a real stream converges, reports, is cancelled, and resumes with changes alone.
    const follower = new Follower();
    const { call } = watch(follower);
    await swapLeaders(kit, 'orders', [1, 2, 3]);
    await until(() => follower.maps.get('orders')?.generation.number === 2);
    call.write({ applied: { applied: encodeKnown(follower.known()) } });
    await until(() => hub.watchers()[0]?.applied[0]?.generation.number === 2);
    call.cancel();
    await until(() => hub.size === 0);
    await swapLeaders(kit, 'orders', [4]);
    follower.kinds.length = 0;
    const again = watch(follower);
    await until(() => follower.kinds.includes('mark'));
    expect(follower.kinds).toEqual(['2-2', '2-3', 'mark']);
    expect(mapDigest(follower.maps.get('orders')!)).toBe(mapDigest(kit.map('orders')));
    again.call.cancel();
  });

  it('converges after a pause of the reader, and is told when the replica stops', async () => {
    // Plan: a paused stream holds a bounded amount on the server while changes of the whole map go by; resumed, it has the newest map.
    const follower = new Follower();
    const { call, ended } = watch(follower);
    await until(() => follower.kinds.includes('mark'));
    call.pause();
    const all = Array.from({ length: 500 }, (_, p) => p);
    for (let i = 0; i < 30; i += 1) await swapLeaders(kit, 'orders', all);
    call.resume();
    await until(() => follower.maps.get('orders')?.generation.number === 31);
    expect(mapDigest(follower.maps.get('orders')!)).toBe(mapDigest(kit.map('orders')));
    hub.close();
    expect((await ended).code).toBe('UNAVAILABLE');
  });

  it('frees what waits for a reader that stays away, which learns why', async () => {
    // Plan: the network to one reader stands still (a reader that merely pauses still buffers); it is cut, and once bytes flow
    // again it sees RESOURCE_EXHAUSTED.
    hub.close();
    openHub({ stalledMs: 1_000, progressMs: 50 });
    await server.stop(100);
    server = new GrpcServer();
    server.add(mapService, mapHandlers({ hub, clock: systemClock, state: () => kit.mirror.state }) as never);
    const road = await Road.to(await server.listen({ host: '127.0.0.1', port: 0 }));
    peer.close();
    peer = new Peer(`127.0.0.1:${road.port}`);
    await fillRegister(kit, 'large', 20_000);
    const follower = new Follower();
    const { ended } = watch(follower);
    await until(() => follower.kinds.includes('mark'));
    road.close();
    const all = Array.from({ length: 5_000 }, (_, p) => p);
    for (let i = 0; i < 60 && hub.size > 0; i += 1) await swapLeaders(kit, 'large', all);
    await until(() => hub.size === 0);
    road.open();
    expect((await ended).code).toBe('RESOURCE_EXHAUSTED');
    road.end();
  }, 60_000);

  it('asks connections to go when they are old, and their readers resume elsewhere', async () => {
    // Plan: a server whose connections live 50 ms with 50 ms of grace ends the stream; the reader comes back and misses nothing.
    const short = new GrpcServer({ maxConnectionAgeMs: 50, maxConnectionAgeGraceMs: 50 });
    short.add(mapService, mapHandlers({ hub, clock: systemClock, state: () => kit.mirror.state }) as never);
    const address = `127.0.0.1:${await short.listen({ host: '127.0.0.1', port: 0 })}`;
    const aging = new Peer(address);
    const follower = new Follower();
    const call = aging.map.watchMap();
    const ended = new Promise((resolve) => call.on('error', resolve));
    call.on('data', (event: Wire.MapEvent__Output) => follower.take(event));
    call.write({ subscribe: { watcher: 'old', forms: [1] } });
    await ended;
    aging.close();
    await until(() => hub.size === 0);
    await swapLeaders(kit, 'orders', [1]);
    follower.kinds.length = 0;
    const again = watch(follower);
    await until(() => follower.kinds.includes('mark'));
    expect(follower.kinds).toEqual(['1-1', '1-2', 'mark']);
    again.call.cancel();
    short.cut();
  });

  it('answers GetMap with what is newer than the caller knows', async () => {
    // Plan: without a known generation the map and a mark; with the newest, the mark alone; of another keyspace, the mark alone.
    const ask = async (request: Wire.GetMapRequest): Promise<Follower> => {
      const follower = new Follower();
      const call = peer.map.GetMap(request, { deadline: Date.now() + 5_000 });
      call.on('data', (event: Wire.MapEvent__Output) => follower.take(event));
      await new Promise((resolve, reject) => call.on('end', resolve).on('error', reject));
      return follower;
    };
    const whole = await ask({ forms: [1] });
    expect(whole.kinds).toEqual(['snapshot', 'mark']);
    expect(mapDigest(whole.maps.get('orders')!)).toBe(mapDigest(kit.map('orders')));
    expect((await ask({ known: encodeKnown(whole.known()) })).kinds).toEqual(['mark']);
    expect((await ask({ keyspaces: ['other'] })).kinds).toEqual(['mark']);
  });

  it('refuses what is no subscription', async () => {
    // Plan: no name, a second subscription, an empty message: each ends the stream with the field.
    for (const request of [{ subscribe: { watcher: '' } }, {}] as const) {
      const call = peer.map.watchMap();
      const ended = new Promise<CadastreError>((resolve) =>
        call.on('error', (error: Parameters<typeof fromServiceError>[0]) => resolve(fromServiceError(error))),
      );
      call.on('data', () => undefined);
      call.write(request);
      expect((await ended).code).toBe('INVALID_ARGUMENT');
    }
    const follower = new Follower();
    const { call, ended } = watch(follower);
    call.write({ subscribe: { watcher: 'again' } });
    expect((await ended).field).toBe('kind');
  });
});
