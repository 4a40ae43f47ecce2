import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { CadastreError, shrinkInSync, changeLeader, leaderOf } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import { agentService, fromServiceError, GrpcServer, Peer } from '@cadastre/contracts';
import { silentLogger, systemClock } from '@cadastre/runtime';
import { keys, MemoryDatabase, partitionsPart } from '@cadastre/store';
import type { ControllerPort } from '../controller/ports.js';
import type { AgentReport } from '../controller/reports.js';
import type { RegisterKit } from '../testing/register-kit.js';
import { fillRegister, openRegister } from '../testing/register-kit.js';
import { agentHandlers, SessionStreams } from './agent.grpc.js';
import { SessionService } from './session.service.js';

const TTL_MS = 1_000;

interface Replica {
  readonly kit: RegisterKit;
  readonly peer: Peer;
  readonly reports: AgentReport[];
  refuse: boolean;
  stop(): Promise<void>;
}

let database: MemoryDatabase;
let a: Replica;
let b: Replica;

const openReplica = async (): Promise<Replica> => {
  const state = { refuse: false };
  const kit = await openRegister(database, {
    fault: (call) => (state.refuse && call.kind === 'keepalive' ? 'refused' : undefined),
  });
  const sessions = new SessionService({
    store: kit.store,
    register: kit.register,
    clock: systemClock,
    logger: silentLogger,
    ttlMs: TTL_MS,
  });
  const streams = new SessionStreams({ sessions, clock: systemClock, logger: silentLogger });
  const reports: AgentReport[] = [];
  const controller: ControllerPort = {
    active: true,
    report: (report) => {
      reports.push(report);
      return [{ keyspace: 'orders', partition: 3, generation: { incarnation: 1, number: 4 } }];
    },
    suspect: () => undefined,
    pace: () => ({ out: 0, in: 0 }),
    changeInSync: () =>
      Promise.reject(new CadastreError('NOT_ACTIVE', 'not active', { info: { activeAddress: '127.0.0.1:9' } })),
  };
  const server = new GrpcServer().add(agentService, agentHandlers({ streams, controller }) as never);
  const peer = new Peer(`127.0.0.1:${await server.listen({ host: '127.0.0.1', port: 0 })}`);
  const stop = async (): Promise<void> => {
    streams.close();
    peer.close();
    await server.stop(100);
    kit.stop();
  };
  return Object.assign(state, { kit, peer, reports, stop });
};

const hello = (over: Partial<Wire.NodeEntry> = {}, rest: Partial<Wire.Hello> = {}): Wire.Hello => ({
  node: { id: 'n1', address: '127.0.0.1:7010', labels: { zone: 'n1' }, weight: 1, ...over },
  capacity: { bytes: 1_000 },
  incarnation: 'n1-a',
  leaseId: '',
  ...rest,
});

/** One agent's stream: `say` resolves to the next reply or to the error that ended the stream. */
const session = ({ peer }: Replica) => {
  const call = peer.agent.session();
  const replies: (Wire.SessionReply__Output | CadastreError | 'end')[] = [];
  let wake = (): void => undefined;
  const push = (reply: (typeof replies)[number]): void => {
    replies.push(reply);
    wake();
  };
  call.on('data', push);
  call.on('end', () => push('end'));
  call.on('error', (error: Parameters<typeof fromServiceError>[0]) => push(fromServiceError(error)));
  const next = async () => {
    while (replies.length === 0) await new Promise<void>((resolve) => (wake = resolve));
    return replies.shift()!;
  };
  const say = (request: Wire.SessionRequest) => {
    call.write(request);
    return next();
  };
  return { call, say, next };
};

const welcomed = (reply: unknown): Wire.Welcome__Output => {
  const { welcome } = reply as Wire.SessionReply__Output;
  expect(welcome).toBeTruthy();
  return welcome!;
};

const until = async (condition: () => boolean): Promise<void> => {
  const giveUpAt = Date.now() + 8_000;
  while (!condition()) {
    if (Date.now() > giveUpAt) throw new Error('the condition did not come true');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
};

const sessionOf = (id: string) => a.kit.mirror.state.sessions.get(id);

beforeEach(async () => {
  database = new MemoryDatabase(systemClock);
  [a, b] = [await openReplica(), await openReplica()];
  await fillRegister(a.kit, 'orders', 8);
});
afterEach(() => Promise.all([a.stop(), b.stop()]));

describe('Agent.Session', () => {
  it('registers a node, keeps it while it asks, and forgets it when it says goodbye', async () => {
    // Plan: Hello, three KeepAlives over more than one term, Goodbye; the session key is there, then gone at once.
    const agent = session(a);
    const welcome = welcomed(
      await agent.say({ hello: hello({ id: 'n9', labels: { zone: 'z' } }, { incarnation: 'n9-a' }) }),
    );
    expect(welcome).toMatchObject({ clusterId: 'test-cluster', ttlMs: TTL_MS, activeAddress: '' });
    expect(a.kit.mirror.state.nodes.get('n9')?.value).toMatchObject({
      incarnation: 'n9-a',
      adminState: 'active',
      capacity: { bytes: 1_000 },
    });
    for (let i = 0; i < 3; i += 1) {
      await new Promise((resolve) => setTimeout(resolve, TTL_MS / 2));
      expect(await agent.say({ keepAlive: {} })).toMatchObject({ kept: { activeAddress: '' } });
    }
    expect(sessionOf('n9')?.leaseId.toString(16)).toBe(welcome.leaseId);
    expect(await agent.say({ goodbye: {} })).toBe('end');
    await until(() => sessionOf('n9') === undefined);
  });

  it('loses a node that is silent for its term, though its stream is open', async () => {
    // Plan: no KeepAlive comes; nobody else keeps the lease; a late KeepAlive ends the stream so that the agent says Hello again.
    const agent = session(a);
    welcomed(await agent.say({ hello: hello() }));
    await until(() => sessionOf('n1') === undefined);
    const error = await agent.say({ keepAlive: {} });
    expect(error).toMatchObject({ code: 'UNAVAILABLE', remedy: 'say Hello again' });
  });

  it('lets a node go on at another replica with the same lease', async () => {
    // Plan: connect to a, drop the stream, go to b with the lease: the same session, never absent, no new lease.
    const first = session(a);
    const welcome = welcomed(await first.say({ hello: hello() }));
    first.call.cancel();
    const second = session(b);
    const again = welcomed(await second.say({ hello: hello({}, { leaseId: welcome.leaseId }) }));
    expect(again.leaseId).toBe(welcome.leaseId);
    expect(await second.say({ keepAlive: {} })).toHaveProperty('kept');
    expect(sessionOf('n1')?.leaseId.toString(16)).toBe(welcome.leaseId);
  });

  it('gives a restarted node a new lease at once when it comes from the same address with the same data', async () => {
    // Plan: the process dies and comes back without its lease within the term; it must not have to wait.
    const before = welcomed(await session(a).say({ hello: hello() }));
    const after = welcomed(await session(b).say({ hello: hello() }));
    expect(after.leaseId).not.toBe(before.leaseId);
    await until(() => sessionOf('n1')?.leaseId.toString(16) === after.leaseId);
  });

  it.each([
    { story: 'another address', over: { address: '127.0.0.1:9999' }, rest: {} },
    { story: 'another incarnation', over: {}, rest: { incarnation: 'n1-b' } },
  ])('refuses a second process under the same name: $story', async ({ over, rest }) => {
    // Plan: n1 is live on a; another n1 comes to b; the first stays.
    const first = welcomed(await session(a).say({ hello: hello() }));
    expect(await session(b).say({ hello: hello(over, rest) })).toMatchObject({
      code: 'ALREADY_EXISTS',
      field: 'node.id',
      remedy: expect.any(String),
    });
    expect(sessionOf('n1')?.leaseId.toString(16)).toBe(first.leaseId);
  });

  it('refuses wiped data while the map counts on the old, and takes it afterwards', async () => {
    // Plan: n1 comes with a new incarnation while it leads and is in sync; after the failover it is taken, with its new incarnation.
    const refused = await session(a).say({ hello: hello({}, { incarnation: 'n1-wiped' }) });
    expect(refused).toMatchObject({ code: 'FAILED_PRECONDITION', field: 'incarnation' });
    expect(a.kit.mirror.state.nodes.get('n1')?.value.incarnation).toBe('n1-a');
    await a.kit.register.commit((state) => {
      const { map } = state.keyspaces.get('orders')!;
      const failedOver = map
        .records()
        .filter((r) => r.replicas.some((x) => x.node === 'n1'))
        .map((r) => {
          const other = r.replicas.find((x) => x.node !== 'n1')!.node;
          return leaderOf(r) === 'n1' ? changeLeader(r, other, false) : shrinkInSync(r, 'n1');
        });
      return { ...partitionsPart(state, 'orders', failedOver), result: 0 };
    });
    welcomed(await session(a).say({ hello: hello({}, { incarnation: 'n1-wiped' }) }));
    expect(a.kit.mirror.state.nodes.get('n1')?.value.incarnation).toBe('n1-wiped');
  });

  it('does not touch a lease that is not the session of the node that names it', async () => {
    // Plan: n2 names the lease of n1; it gets one of its own, and its goodbye leaves n1 connected.
    const first = welcomed(await session(a).say({ hello: hello() }));
    const thief = session(b);
    const own = welcomed(
      await thief.say({
        hello: hello(
          { id: 'n2', address: '127.0.0.1:7020', labels: { zone: 'n2' } },
          { incarnation: 'n2-a', leaseId: first.leaseId },
        ),
      }),
    );
    expect(own.leaseId).not.toBe(first.leaseId);
    await thief.say({ goodbye: {} });
    expect(await a.kit.store.get(keys.session('n1'))).toBeDefined();
  });

  it('lets a node that was declared dead register anew, though its lease lives', async () => {
    // Plan: the controller ends the session by deleting its key; the next KeepAlive is answered with an end, the next Hello with a session.
    const agent = session(a);
    const first = welcomed(await agent.say({ hello: hello() }));
    await a.kit.store.txn({ compare: [], success: [{ kind: 'delete', key: keys.session('n1') }], failure: [] });
    await until(() => sessionOf('n1') === undefined);
    expect(await agent.say({ keepAlive: {} })).not.toMatchObject({ kept: expect.anything() });
    welcomed(await session(a).say({ hello: hello({}, { leaseId: first.leaseId }) }));
    await until(() => sessionOf('n1') !== undefined);
  });

  it('bridges one failed keepalive and sends the agent away after half a term', async () => {
    // Plan: the replica loses the register; early KeepAlives are not answered but the stream stays; later ones end it.
    const agent = session(a);
    welcomed(await agent.say({ hello: hello() }));
    a.refuse = true;
    const answer = agent.say({ keepAlive: {} });
    const ticker = setInterval(() => agent.call.write({ keepAlive: {} }), 100);
    expect(await answer).toMatchObject({ code: 'UNAVAILABLE', remedy: 'connect to another replica' });
    clearInterval(ticker);
  });

  it.each([
    ['a keepalive first', { keepAlive: {} }, 'kind'],
    ['no message', {}, 'kind'],
    ['a name with a slash', { hello: hello({ id: 'a/b' }) }, 'node.id'],
    ['an address without a port', { hello: hello({ address: 'localhost' }) }, 'node.address'],
    ['a port that is none', { hello: hello({ address: 'localhost:70000' }) }, 'node.address'],
    ['no weight', { hello: hello({ weight: 0 }) }, 'node.weight'],
    ['a weight that is no number', { hello: hello({ weight: NaN }) }, 'node.weight'],
    ['a huge label', { hello: hello({ labels: { zone: 'z'.repeat(257) } }) }, 'node.labels.zone'],
    ['an infinite capacity', { hello: hello({}, { capacity: { bytes: Infinity } }) }, 'capacity.bytes'],
    ['no incarnation', { hello: hello({}, { incarnation: '' }) }, 'incarnation'],
    ['a lease that is none', { hello: hello({}, { leaseId: 'xyz' }) }, 'leaseId'],
  ] as const)('refuses %s, naming the field', async (_story, request, field) => {
    // Plan: one bad Hello each; nothing is written.
    expect(await session(a).say(request as Wire.SessionRequest)).toMatchObject({
      code: 'INVALID_ARGUMENT',
      field,
      remedy: expect.any(String),
    });
    expect(a.kit.mirror.state.sessions.size).toBe(0);
  });
});

describe('Agent.Report and ChangeInSync', () => {
  const report = (over: Partial<Wire.ReplicaReport> = {}): Wire.ReportRequest => ({
    node: 'n1',
    incarnation: 'n1-a',
    applied: [{ keyspace: 'orders', generation: { incarnation: 1, number: 1 } }],
    replicas: [{ keyspace: 'orders', partition: 3, epoch: 1, phase: 'serving', lastSeq: 9, appliedSeq: 9, ...over }],
  });
  const send = (request: Wire.ReportRequest) =>
    new Promise<Wire.ReportReply__Output | CadastreError>((resolve) =>
      a.peer.agent.report(request, (error, reply) => resolve(error ? fromServiceError(error) : reply!)),
    );

  it('hands reports to the controller and its grants back', async () => {
    // Plan: one report; what arrives is what was sent, and the grant returns.
    expect(await send(report())).toMatchObject({
      purge: [{ keyspace: 'orders', partition: 3, generation: { incarnation: 1, number: 4 } }],
    });
    expect(a.reports[0]).toMatchObject({
      node: 'n1',
      applied: [{ keyspace: 'orders' }],
      replicas: [{ partition: 3, phase: 'serving', lastSeq: 9 }],
    });
  });

  it.each([
    [{ phase: 'dancing' }, 'replicas[0].phase'],
    [{ appliedSeq: 10 }, 'replicas[0].appliedSeq'],
    [{ bytes: '9007199254740993' }, 'replicas[0].bytes'],
    [{ keyspace: '../etc' }, 'replicas[0].keyspace'],
  ])('refuses a report with %j', async (over, field) => {
    // Plan: one wrong field each; the controller sees nothing.
    expect(await send(report(over))).toMatchObject({ code: 'INVALID_ARGUMENT', field });
    expect(a.reports).toEqual([]);
  });

  it('passes on where the active controller is', async () => {
    // Plan: a replica that is not active says so with the address.
    const error = await new Promise<CadastreError>((resolve) =>
      a.peer.agent.changeInSync({ node: 'n1', keyspace: 'orders', partition: 0, epoch: 1, remove: ['n2'] }, (e) =>
        resolve(fromServiceError(e!)),
      ),
    );
    expect(error).toMatchObject({ code: 'NOT_ACTIVE', info: { activeAddress: '127.0.0.1:9' } });
  });
});
