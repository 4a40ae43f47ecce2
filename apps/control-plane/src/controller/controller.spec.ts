import { afterEach, describe, expect, it } from '@jest/globals';
import type { KeyspaceSpec, ProbeOutcome } from '@cadastre/core';
import { inSyncOf, leaderOf, replicaOn } from '@cadastre/core';
import { silentLogger, systemClock } from '@cadastre/runtime';
import {
  auditCodec,
  clusterPart,
  keys,
  MemoryDatabase,
  MemoryStore,
  nodePart,
  Register,
  RegisterMirror,
  sessionPart,
} from '@cadastre/store';
import { Operations } from '../operations/operations.js';
import { Controller } from './controller.js';
import { ClusterLoad } from '../load/cluster-load.js';
import { Observed } from './observed.js';
import type { ReplicaReport } from './reports.js';

const act = { actor: 'tester' };
const spec: KeyspaceSpec = {
  name: 'orders',
  scheme: { kind: 'hash-slots', slots: 32, hash: 'murmur3', hashTags: false },
  replicationFactor: 3,
  minInSync: 2,
  spread: [{ label: 'zone', maxPerDomain: 1, hard: true }],
};

const until = async (what: string, test: () => boolean): Promise<void> => {
  for (let i = 0; i < 2_000; i += 1) {
    if (test()) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error(`never: ${what}`);
};

/** One control-plane replica over a shared database. */
class ReplicaUnderTest {
  readonly store: MemoryStore;
  readonly mirror: RegisterMirror;
  readonly register: Register;
  readonly observed = new Observed();
  readonly controller: Controller;
  readonly operations: Operations;
  /** What looking at a node without a session finds. */
  found: ProbeOutcome = 'refused';
  /** Nodes whose process is gone, whatever the register says. */
  readonly refused = new Set<string>();
  /** Nodes looked at, once for each place. */
  readonly probes: string[] = [];
  /** Agents do not reach it. */
  cut = false;

  constructor(
    readonly id: string,
    database: MemoryDatabase,
    settleMs = 10_000,
    keep: { auditKeep?: number; plansKeep?: number } = {},
  ) {
    this.store = new MemoryStore({ database });
    this.mirror = new RegisterMirror(this.store, silentLogger, {
      onChange: (change) => this.controller?.onRegisterChange(change),
      onFatal: (e) => {
        throw e;
      },
    });
    this.register = new Register(this.store, this.mirror, { clock: systemClock });
    const { store, register, observed } = this;
    const common = { store, register, observed, load: new ClusterLoad({ clock: systemClock }), clock: systemClock };
    this.controller = new Controller({
      ...common,
      logger: silentLogger,
      identity: { id, address: `${id}:1`, httpAddress: `${id}:2` },
      electionTtlMs: 2_000,
      targetGraceMs: 50,
      ...keep,
      prober: { probe: (_through, { node }) => Promise.resolve(this.probe(node)) },
      detector: { settleMs, gatherMs: 30, probeEveryMs: 20, silenceMs: 300 },
    });
    this.operations = new Operations({ ...common, replica: id, etcdVersion: () => 'memory', watchers: () => 0 });
  }

  private probe(node: string): ProbeOutcome {
    this.probes.push(node);
    if (this.refused.has(node)) return 'refused';
    return this.register.state.sessions.has(node) ? 'answered' : this.found;
  }

  async start(): Promise<this> {
    await this.mirror.start();
    this.controller.start();
    return this;
  }
}

/** Agents that obey at once: leaders promote learners, everyone applies the map and drops what it no longer holds. */
class ObedientAgents {
  readonly held = new Map<string, Set<string>>();
  readonly deaf = new Set<string>();
  private readonly asked = new Set<string>();
  private readonly timer: NodeJS.Timeout;

  constructor(private readonly replicas: () => ReplicaUnderTest[]) {
    this.timer = setInterval(
      () =>
        this.replicas()
          .filter((r) => !r.cut)
          .forEach((replica) => this.serve(replica)),
      5,
    );
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private serve(replica: ReplicaUnderTest): void {
    const { state } = replica.register;
    for (const node of state.nodes.keys()) {
      if (this.deaf.has(node) || !state.sessions.has(node)) continue;
      this.report(replica, node);
    }
    if (!replica.controller.active) return;
    for (const { map } of state.keyspaces.values()) {
      for (const record of map.records()) {
        const learner = record.replicas.find(
          (r) => r.role === 'learner' && !this.deaf.has(r.node) && state.sessions.has(r.node),
        );
        if (!learner) continue;
        const asked = `${replica.id} ${record.partition} ${record.epoch}`;
        if (this.asked.has(asked)) continue;
        this.asked.add(asked);
        void replica.controller
          .changeInSync({
            node: leaderOf(record)!,
            keyspace: map.spec.name,
            partition: record.partition,
            epoch: record.epoch,
            add: [{ node: learner.node, seq: 0, records: 0, digest: '' }],
            remove: [],
            reason: 'caught up',
          })
          .catch(() => this.asked.delete(asked));
      }
    }
  }

  private report(replica: ReplicaUnderTest, node: string): void {
    const { state } = replica.register;
    const held = this.held.get(node) ?? new Set<string>();
    this.held.set(node, held);
    const replicas: ReplicaReport[] = [];
    for (const { map } of state.keyspaces.values()) {
      for (const record of map.records()) if (replicaOn(record, node)) held.add(`${map.spec.name}/${record.partition}`);
    }
    for (const key of held) {
      const [keyspace, partition] = key.split('/');
      const record = state.keyspaces.get(keyspace!)?.map.record(Number(partition));
      replicas.push({
        keyspace: keyspace!,
        partition: Number(partition),
        epoch: record?.epoch ?? 1,
        phase: record && leaderOf(record) === node ? 'serving' : 'following',
        lastSeq: 0,
        appliedSeq: 0,
        records: 10,
        bytes: 1_000,
        filledBytes: 0,
        fillTotalBytes: 0,
        digest: '',
        whole: true,
        lastEpoch: 1,
      });
    }
    const applied = [...state.keyspaces.values()].map(({ map }) => ({
      keyspace: map.spec.name,
      generation: map.generation,
    }));
    const grants = replica.controller.report({ node, incarnation: 'i', applied, replicas });
    for (const grant of grants) held.delete(`${grant.keyspace}/${grant.partition}`);
  }
}

class World {
  readonly database = new MemoryDatabase(systemClock);
  readonly replicas: ReplicaUnderTest[] = [];
  readonly agents = new ObedientAgents(() => this.replicas);

  keep = {};

  async replica(id: string, settleMs?: number): Promise<ReplicaUnderTest> {
    const replica = await new ReplicaUnderTest(id, this.database, settleMs, this.keep).start();
    this.replicas.push(replica);
    return replica;
  }

  async begin(nodes = 6): Promise<ReplicaUnderTest> {
    const first = await this.replica('cp1');
    await first.register.commit(() => ({ ...clusterPart('test'), result: undefined }));
    for (let i = 1; i <= nodes; i += 1) await this.connect(first, i);
    await until('a controller', () => first.controller.active);
    return first;
  }

  async connect(via: ReplicaUnderTest, i: number): Promise<void> {
    const id = `n${i}`;
    const entry = { id, address: `${id}:1`, labels: { zone: 'abc'[(i - 1) % 3]!, rack: String(i) }, weight: 1 };
    await via.register.commit((state) => {
      const node = state.nodes.has(id)
        ? { compare: [], ops: [] }
        : nodePart(state, { entry, capacity: {}, incarnation: 'i', adminState: 'active', registeredMs: 1 });
      const session = sessionPart({ node: id, incarnation: 'i', address: entry.address }, 0n);
      return { compare: node.compare, ops: [...node.ops, ...session.ops], result: undefined };
    });
  }

  async disconnect(via: ReplicaUnderTest, id: string): Promise<void> {
    await via.register.commit(() => ({
      compare: [],
      ops: [{ kind: 'delete', key: keys.session(id) }],
      result: undefined,
    }));
  }

  async stop(): Promise<void> {
    this.agents.stop();
    await Promise.all(this.replicas.map((r) => r.controller.stop()));
    for (const replica of this.replicas) {
      replica.mirror.stop();
      replica.store.close();
    }
  }
}

let world: World;
afterEach(() => world.stop());

const zonesHold = (replica: ReplicaUnderTest): boolean =>
  replica.register.state.keyspaces
    .get('orders')!
    .map.records()
    .every((record) => {
      const zones = record.replicas.filter((r) => r.role !== 'learner').map((r) => (Number(r.node.slice(1)) - 1) % 3);
      return (
        new Set(inSyncOf(record).map((n) => (Number(n.slice(1)) - 1) % 3)).size >=
          Math.min(3, inSyncOf(record).length) - 1 && zones.length >= 3
      );
    });

describe('moves that are asked for by hand', () => {
  // Plan: one copy is asked to another node of its zone and goes there alone; asked into a zone that has one, nothing is proposed.
  it('are in the plan where the constraints allow, and refused by name where they do not', async () => {
    world = new World();
    const cp = await world.begin();
    await cp.operations.createKeyspace(spec, act);
    const records = cp.register.state.keyspaces.get('orders')!.map.records();
    const zoneOf = (id: string): number => (Number(id.slice(1)) - 1) % 3;
    const [record] = records;
    const held = record!.replicas.map((r) => r.node);
    const from = held[0]!;
    const free = ['n1', 'n2', 'n3', 'n4', 'n5', 'n6'].filter((id) => !held.includes(id));
    const move = { keyspace: 'orders', partition: record!.partition, from, kind: 'replica' as const };
    const to = free.find((id) => zoneOf(id) === zoneOf(from))!;
    const wrong = free.find((id) => zoneOf(id) !== zoneOf(from))!;
    await expect(cp.operations.proposePlan([], act, [{ ...move, to: wrong }])).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      field: 'moves[0]',
    });
    expect(cp.operations.listPlans()).toEqual([]);
    const { plan } = await cp.operations.proposePlan([], act, [{ ...move, to }]);
    const mine = plan!.moves!.filter((m) => m.partition === record!.partition && m.kind === 'replica');
    expect(mine).toMatchObject([{ from, to, reason: `asked for by ${act.actor}: from ${from} to ${to}` }]);
  });
});

describe('a plan through its whole life', () => {
  // Plan: six nodes in three zones, a seventh joins; propose, approve, and see exactly the approved moves made, each once.
  it('moves what was approved, each move once, and then proposes nothing', async () => {
    world = new World();
    const cp = await world.begin();
    await cp.operations.createKeyspace(spec, act);
    await world.connect(cp, 7);
    const { plan } = await cp.operations.proposePlan([], act);
    expect(plan!.moves!.length).toBe(plan!.cost!.lowerBoundMoves);
    expect(plan!.moves!.every((m) => m.to === 'n7' || m.kind === 'leader')).toBe(true);
    await cp.operations.actOnPlan({ id: plan!.id!, action: 'approve', digest: plan!.digest!, ...act });
    await until('completed', () => cp.operations.getPlan(plan!.id!).state === 'completed');
    const after = cp.operations.getPlan(plan!.id!);
    expect(after.moves!.every((m) => m.phase === 'done')).toBe(true);
    expect(after.digest).toBe(plan!.digest);
    const counts = Object.fromEntries(cp.operations.listNodes().map((n) => [n.entry!.id, [n.replicas, n.leaders]]));
    for (const change of plan!.nodes!)
      expect(counts[change.node!]).toEqual([change.replicasAfter, change.leadersAfter]);
    expect(zonesHold(cp)).toBe(true);
    const again = await cp.operations.proposePlan([], act);
    expect(again.plan ?? null).toBeNull();
    expect(again.nothingBecause).not.toBe('');
  });

  // Plan: the active controller loses its store in the middle of a plan; another takes over, the plan ends, no copy is begun twice.
  it('goes on under another controller without doing a move twice', async () => {
    world = new World();
    const cp1 = await world.begin();
    const cp2 = await world.replica('cp2');
    await cp1.operations.createKeyspace({ ...spec, scheme: { ...spec.scheme, slots: 128 } as typeof spec.scheme }, act);
    await world.connect(cp1, 7);
    const { plan } = await cp1.operations.proposePlan([], act);
    await cp1.operations.actOnPlan({ id: plan!.id!, action: 'approve', digest: plan!.digest!, ...act });
    await until('some moves done', () => (cp2.operations.getPlan(plan!.id!).movesDone ?? 0) >= 3);
    cp1.store.setConnected(false);
    cp1.cut = true;
    await until('cp2 active', () => cp2.controller.active);
    expect(cp1.controller.active).toBe(false);
    await until('completed', () => cp2.operations.getPlan(plan!.id!).state === 'completed');
    const moves = [...cp2.register.state.plans.get(plan!.id!)!.moves.values()].map((m) => m.value);
    expect(moves.length).toBe(plan!.moves!.length);
    for (const move of moves.filter((m) => plan!.moves![m.index]!.kind !== 'leader')) expect(move.timesStarted).toBe(1);
    cp1.store.setConnected(true);
  }, 20_000);

  // Plan: the target never answers and its session ends; the plan fails by name, every partition keeps its three in-sync copies.
  it('fails cleanly when the target is lost, with every source whole', async () => {
    world = new World();
    const cp = await world.begin();
    await cp.operations.createKeyspace(spec, act);
    world.agents.deaf.add('n7');
    await world.connect(cp, 7);
    const { plan } = await cp.operations.proposePlan([], act);
    await cp.operations.actOnPlan({ id: plan!.id!, action: 'approve', digest: plan!.digest!, ...act });
    await until('transferring', () => cp.operations.getPlan(plan!.id!).moves!.some((m) => m.phase === 'transferring'));
    await world.disconnect(cp, 'n7');
    await until('failed', () => cp.operations.getPlan(plan!.id!).state === 'failed');
    expect(cp.operations.getPlan(plan!.id!).note).toContain('n7');
    for (const record of cp.register.state.keyspaces.get('orders')!.map.records()) {
      expect(record.replicas.length).toBe(3);
      expect(inSyncOf(record).length).toBe(3);
    }
  });

  // Plan: pause lets nothing new begin, resume goes on, cancel leaves every partition with its three copies.
  it('pauses, resumes and cancels', async () => {
    world = new World();
    const cp = await world.begin();
    await cp.operations.createKeyspace(spec, act);
    world.agents.deaf.add('n7');
    await world.connect(cp, 7);
    const { plan } = await cp.operations.proposePlan([], act);
    const id = plan!.id!;
    await cp.operations.actOnPlan({ id, action: 'approve', digest: plan!.digest!, ...act });
    await until('in flight', () => cp.operations.getPlan(id).moves!.some((m) => m.phase === 'transferring'));
    await cp.operations.actOnPlan({ id, action: 'pause', ...act });
    expect(cp.operations.getPlan(id).allowedActions).toEqual(['resume', 'cancel']);
    world.agents.deaf.delete('n7');
    await until('those in flight end', () =>
      cp.operations.getPlan(id).moves!.every((m) => m.phase === 'done' || m.phase === 'pending'),
    );
    const made = cp.operations.getPlan(id).moves!.filter((m) => m.phase === 'done').length;
    expect(made).toBeLessThan(plan!.moves!.length);
    await cp.operations.actOnPlan({ id, action: 'resume', ...act });
    await until('goes on', () => cp.operations.getPlan(id).moves!.filter((m) => m.phase === 'done').length > made);
    await cp.operations.actOnPlan({ id, action: 'cancel', ...act });
    await until('cancelled', () => cp.operations.getPlan(id).state === 'cancelled');
    for (const record of cp.register.state.keyspaces.get('orders')!.map.records())
      expect(inSyncOf(record).length).toBe(3);
  });
});

describe('what is refused', () => {
  // Plan: between proposal and approval the map changes where the plan touches it; approval is refused with what changed.
  it('refuses a stale plan, a wrong digest, a second approval and an unknown plan', async () => {
    world = new World();
    const cp = await world.begin();
    await cp.operations.createKeyspace(spec, act);
    await world.connect(cp, 7);
    const { plan } = await cp.operations.proposePlan([], act);
    const id = plan!.id!;
    const approve = (digest: string) => cp.operations.actOnPlan({ id, action: 'approve', digest, ...act });
    await expect(approve('f'.repeat(64))).rejects.toMatchObject({ code: 'PLAN_CHANGED', field: 'digest' });
    await expect(approve('')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', field: 'digest' });
    const move = plan!.moves![0]!;
    await cp.controller.changeInSync({
      node: leaderOf(recordOf(cp, move.partition!))!,
      keyspace: 'orders',
      partition: move.partition!,
      epoch: move.baseEpoch as number,
      add: [],
      remove: [followerOf(cp, move.partition!)],
      reason: 'test',
    });
    await expect(approve(plan!.digest!)).rejects.toMatchObject({
      code: 'PLAN_STALE',
      message: expect.stringContaining(`${move.partition}`),
    });
    expect(cp.operations.getPlan(id).state).toBe('superseded');
    await expect(approve(plan!.digest!)).rejects.toMatchObject({ code: 'ILLEGAL_TRANSITION' });
    await expect(
      cp.operations.actOnPlan({ id: 'nosuch', action: 'approve', digest: 'x', ...act }),
    ).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(cp.operations.actOnPlan({ id, action: 'explode', ...act })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      field: 'action',
    });
  });

  // Plan: two approvals at once; exactly one wins.
  it('lets exactly one of two approvals win', async () => {
    world = new World();
    const cp = await world.begin();
    await cp.operations.createKeyspace(spec, act);
    await world.connect(cp, 7);
    const { plan } = await cp.operations.proposePlan([], act);
    const both = await Promise.allSettled(
      [1, 2].map(() => cp.operations.actOnPlan({ id: plan!.id!, action: 'approve', digest: plan!.digest!, ...act })),
    );
    expect(both.filter((r) => r.status === 'fulfilled').length).toBe(1);
    expect((both.find((r) => r.status === 'rejected') as PromiseRejectedResult).reason).toMatchObject({
      code: 'ILLEGAL_TRANSITION',
    });
  });

  // Plan: keyspaces that cannot be, each naming the field.
  it.each([
    ['RF above the zones', { replicationFactor: 4 }, { code: 'UNSATISFIABLE' }],
    ['RF 0', { replicationFactor: 0 }, { code: 'INVALID_ARGUMENT', field: 'replicationFactor' }],
    ['RF 2.5', { replicationFactor: 2.5 }, { code: 'INVALID_ARGUMENT', field: 'replicationFactor' }],
    ['minInSync above RF', { minInSync: 4 }, { code: 'INVALID_ARGUMENT', field: 'minInSync' }],
    ['a name with a slash', { name: 'a/b' }, { code: 'INVALID_ARGUMENT', field: 'name' }],
    [
      'no slots',
      { scheme: { kind: 'hash-slots', slots: 0, hash: 'murmur3', hashTags: false } as const },
      { code: 'INVALID_ARGUMENT', field: 'scheme.slots' },
    ],
  ])('refuses a keyspace with %s', async (_name, wrong, error) => {
    world = new World();
    const cp = await world.begin();
    await expect(cp.operations.createKeyspace({ ...spec, ...wrong }, act)).rejects.toMatchObject({
      ...error,
      remedy: expect.any(String),
    });
    expect(cp.operations.listKeyspaces()).toEqual([]);
  });
});

describe('the in-sync set', () => {
  // Plan: leaders of every partition ask at once, two of them twice; all are answered, most in one generation; a wrong one fails alone.
  it('changes many partitions in one transaction', async () => {
    world = new World();
    const cp = await world.begin();
    await cp.operations.createKeyspace(spec, act);
    const { map } = cp.register.state.keyspaces.get('orders')!;
    const ask = (partition: number, epoch: number) =>
      cp.controller.changeInSync({
        node: leaderOf(map.record(partition))!,
        keyspace: 'orders',
        partition,
        epoch,
        add: [],
        remove: [followerOf(cp, partition)],
        reason: 'test',
      });
    const asked = Array.from({ length: map.partitions }, (_, p) => ask(p, p === 1 ? 77 : map.record(p).epoch));
    const answers = await Promise.allSettled([...asked, ask(0, map.record(0).epoch)]);
    expect(answers.map(({ status }) => status).filter((status) => status === 'rejected')).toHaveLength(1);
    expect(answers[1]).toMatchObject({ status: 'rejected', reason: { code: 'NOT_OWNER' } });
    const generations = answers.flatMap((a) => (a.status === 'fulfilled' ? [a.value.generation.number] : []));
    expect(new Set(generations).size).toBe(1);
  });

  // Plan: a leader asks to take in a copy whose node is gone; the copy is not taken in, and the epoch rises so that the leader may stop waiting.
  it('answers a joiner that is gone with a newer epoch', async () => {
    world = new World();
    const cp = await world.begin();
    await cp.operations.createKeyspace(spec, act);
    const follower = followerOf(cp, 0);
    const leader = leaderOf(recordOf(cp, 0))!;
    const change = (epoch: number, add: string[], remove: string[]) =>
      cp.controller.changeInSync({
        node: leader,
        keyspace: 'orders',
        partition: 0,
        epoch,
        add: add.map((node) => ({ node, seq: 0, records: 0, digest: '' })),
        remove,
        reason: 'test',
      });
    await change(1, [], [follower]);
    await world.disconnect(cp, follower);
    await until('the session is gone', () => !cp.register.state.sessions.has(follower));
    const answer = await change(recordOf(cp, 0).epoch, [follower], []);
    expect(answer.record.epoch).toBe(3);
    expect(inSyncOf(answer.record)).not.toContain(follower);
  });

  // Plan: a leader's session is over when its last words arrive, by which only it would count; they are refused.
  it('takes no word of a leader that has no session', async () => {
    world = new World();
    const cp = await world.begin();
    world.agents.stop();
    await cp.operations.createKeyspace(spec, act);
    const before = recordOf(cp, 0);
    const node = leaderOf(before)!;
    cp.found = 'answered';
    await world.disconnect(cp, node);
    await until('the session is gone', () => !cp.register.state.sessions.has(node));
    const command = { node, keyspace: 'orders', partition: 0, epoch: before.epoch, add: [], reason: 'test' };
    const remove = inSyncOf(before).filter((n) => n !== node);
    const asked = cp.controller.changeInSync({ ...command, remove });
    await expect(asked).rejects.toMatchObject({ code: 'FAILED_PRECONDITION', field: 'node' });
    expect(recordOf(cp, 0)).toEqual(before);
  });

  // Plan: a request made under an older epoch is refused with the record as it is; the same request again after success changes nothing.
  it('refuses an older epoch and answers a repetition', async () => {
    world = new World();
    const cp = await world.begin();
    await cp.operations.createKeyspace(spec, act);
    const follower = followerOf(cp, 0);
    const command = {
      node: leaderOf(recordOf(cp, 0))!,
      keyspace: 'orders',
      partition: 0,
      epoch: 1,
      add: [],
      remove: [follower],
      reason: 'test',
    };
    const first = await cp.controller.changeInSync(command);
    const again = await cp.controller.changeInSync(command);
    expect(again.record).toEqual(first.record);
    const other = recordOf(cp, 0).replicas.find((r) => r.role === 'follower' && r.inSync)!.node;
    await expect(cp.controller.changeInSync({ ...command, remove: [other] })).rejects.toMatchObject({
      code: 'NOT_OWNER',
      info: { record: { epoch: 2 } },
    });
  });
});

describe('failover', () => {
  // Plan: a node's session ends; its leaderships go to in-sync replicas and it leaves every in-sync set, in one generation.
  it('hands the leaderships of a lost node over', async () => {
    world = new World();
    const cp = await world.begin();
    await cp.operations.createKeyspace(spec, act);
    const before = cp.register.state.keyspaces.get('orders')!.map.generation.number;
    await world.disconnect(cp, 'n1');
    await until('n1 leads and counts nowhere', () =>
      cp.register.state.keyspaces
        .get('orders')!
        .map.records()
        .every((r) => !inSyncOf(r).includes('n1') && leaderOf(r) !== 'n1' && leaderOf(r) !== undefined),
    );
    expect(cp.register.state.keyspaces.get('orders')!.map.generation.number).toBe(before + 1);
  });

  // Plan: a node's session is over, but it answers; nothing is taken from it. Then nobody gets an answer, and it is lost.
  it('leaves a node alone that answers without a session', async () => {
    world = new World();
    const cp = await world.begin();
    await cp.operations.createKeyspace(spec, act);
    const before = cp.register.state.keyspaces.get('orders')!.map.generation;
    cp.found = 'answered';
    await world.disconnect(cp, 'n1');
    await until('looked at', () => cp.probes.filter((n) => n === 'n1').length >= 4);
    expect(cp.register.state.keyspaces.get('orders')!.map.generation).toEqual(before);
    cp.found = 'silent';
    await until('n1 counts nowhere', () => recordsOf(cp).every((r) => !inSyncOf(r).includes('n1')));
  });

  // Plan: a leader's process is gone while its session still lives; a peer's hint is confirmed, the session ends, others lead.
  it('does not wait for the session of a node that is found dead', async () => {
    world = new World();
    const cp = await world.begin();
    await cp.operations.createKeyspace(spec, act);
    cp.refused.add('n1');
    cp.controller.suspect('n2', [{ node: 'n1', why: 'the replication stream broke' }]);
    await until('n1 leads nowhere', () =>
      recordsOf(cp).every((r) => leaderOf(r) !== 'n1' && !inSyncOf(r).includes('n1')),
    );
    expect(cp.register.state.sessions.has('n1')).toBe(false);
  });

  // Plan: a peer suspects a node that is fine; nothing changes.
  it('does not take the word of one peer', async () => {
    world = new World();
    const cp = await world.begin();
    await cp.operations.createKeyspace(spec, act);
    const before = cp.register.state.keyspaces.get('orders')!.map.generation;
    cp.controller.suspect('n2', [{ node: 'n1', why: 'the replication stream broke' }]);
    await until('looked at', () => cp.probes.includes('n1'));
    expect(cp.register.state.keyspaces.get('orders')!.map.generation).toEqual(before);
    expect(cp.register.state.sessions.has('n1')).toBe(true);
  });

  // Plan: a new controller takes over while a node that it has never seen is away; for its first while that means nothing, then it does.
  it('gives a node that it has never seen time to come', async () => {
    world = new World();
    const cp1 = await world.begin();
    await cp1.operations.createKeyspace(spec, act);
    cp1.cut = true;
    await cp1.controller.stop();
    await world.disconnect(cp1, 'n1');
    const cp2 = await world.replica('cp2', 500);
    await until('cp2 active', () => cp2.controller.active);
    const since = performance.now();
    await until('n1 leads nowhere', () => recordsOf(cp2).every((r) => leaderOf(r) !== 'n1'));
    expect(performance.now() - since).toBeGreaterThanOrEqual(450);
  });

  // Plan: a keyspace with more segments than one transaction may touch; a node dies, and it leads nowhere any more.
  it('fails over a map that one transaction cannot change', async () => {
    world = new World();
    world.agents.stop();
    const cp = await world.begin();
    await cp.operations.createKeyspace(
      { ...spec, scheme: { ...spec.scheme, slots: 16_384 } as typeof spec.scheme },
      act,
    );
    await world.disconnect(cp, 'n1');
    await until('n1 counts nowhere', () => recordsOf(cp).every((r) => !inSyncOf(r).includes('n1')));
  });

  // Plan: six nodes are registered and gone for good without a copy (drained, then stopped); a node with copies dies and is failed over.
  it('is not frozen by nodes that were gone before', async () => {
    world = new World();
    const cp = await world.begin();
    await cp.operations.createKeyspace(spec, act);
    for (let i = 7; i <= 12; i += 1) await world.connect(cp, i);
    for (let i = 7; i <= 12; i += 1) await world.disconnect(cp, `n${i}`);
    await world.disconnect(cp, 'n1');
    await until('n1 counts nowhere', () => recordsOf(cp).every((r) => !inSyncOf(r).includes('n1')));
    expect(cp.controller.frozen).toBeUndefined();
  });

  // Plan: a leader asks for a joiner and is started anew before the change is made; what its life before asked for is not done.
  it('does not carry out what a leader asked for in a life before', async () => {
    world = new World();
    const cp = await world.begin();
    world.agents.stop();
    await cp.operations.createKeyspace(spec, act);
    const record = recordOf(cp, 0);
    const node = leaderOf(record)!;
    const command = { node, keyspace: 'orders', partition: 0, epoch: record.epoch, add: [], reason: 'test' };
    const lease = await cp.store.grantLease(60_000);
    const anew = cp.register.commit(() => ({
      ...sessionPart({ node, incarnation: 'i', address: `${node}:1` }, lease.id),
      result: undefined,
    }));
    const asked = cp.controller.changeInSync({ ...command, remove: [followerOf(cp, 0)] });
    await expect(asked).rejects.toMatchObject({ code: 'FAILED_PRECONDITION', field: 'node' });
    await anew;
    expect(inSyncOf(recordOf(cp, 0)).length).toBe(3);
  });

  // Plan: half of the nodes vanish at once; nothing is promoted, and the controller says why. A person accepts the loss; then it goes on.
  it('freezes when too many nodes vanish at once', async () => {
    world = new World();
    const cp = await world.begin();
    await cp.operations.createKeyspace(spec, act);
    const before = cp.register.state.keyspaces.get('orders')!.map.generation;
    await cp.register.commit(() => ({
      compare: [],
      ops: ['n1', 'n2', 'n3'].map((id) => ({ kind: 'delete' as const, key: keys.session(id) })),
      result: undefined,
    }));
    await until('frozen', () => cp.controller.frozen !== undefined);
    expect(cp.controller.frozen).toContain('3 of 6');
    expect(cp.register.state.keyspaces.get('orders')!.map.generation).toEqual(before);
    await until('every replica can say so', () => cp.register.state.freeze?.value.nodes.join() === 'n1,n2,n3');
    expect(cp.operations.status().health).toContain('Frozen');
    await cp.operations.unfreeze({ actor: 'anna', reason: 'the rack burned down' });
    const lost = ['n1', 'n2', 'n3'];
    const saved = recordsOf(cp).filter((r) => inSyncOf(r).some((n) => !lost.includes(n)));
    await until('failed over', () => saved.every((r) => !lost.includes(leaderOf(recordOf(cp, r.partition))!)));
    expect(cp.controller.frozen).toBeUndefined();
    await expect(cp.operations.unfreeze(act)).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
  });
});

describe('repair', () => {
  const lose = async (repair: 'auto' | 'propose') => {
    world = new World();
    const cp = await world.begin();
    await cp.operations.createKeyspace(spec, act);
    await world.connect(cp, 7);
    await cp.operations.changeSettings({ repair, repairGraceMs: 300 }, act);
    await world.disconnect(cp, 'n1');
    return cp;
  };

  // Plan: a node is lost for longer than the grace under "auto"; its copies are built elsewhere by a plan that the settings approved.
  it('rebuilds lost copies where the settings approve it', async () => {
    const cp = await lose('auto');
    await until('n1 holds nothing', () => recordsOf(cp).every((r) => !replicaOn(r, 'n1') && inSyncOf(r).length === 3));
    await until('completed', () => cp.operations.listPlans()[0]?.state === 'completed');
    const plan = cp.operations.getPlan('latest');
    expect(plan.moves!.every((m) => m.from === 'n1' && m.kind === 'replica')).toBe(true);
    expect(plan.events!.map((e) => e.what).join()).toContain('settings: repair auto');
    expect(zonesHold(cp)).toBe(true);
  }, 20_000);

  // Plan: the same under "propose": a plan waits for a person, nothing moves; rejected, it is not proposed again.
  it('proposes it otherwise, once', async () => {
    const cp = await lose('propose');
    await until('a proposal', () => cp.operations.listPlans().length === 1);
    const { id, proposer } = cp.operations.getPlan('latest');
    expect(proposer).toBe('cadastre');
    expect(recordsOf(cp).some((r) => replicaOn(r, 'n1'))).toBe(true);
    await cp.operations.actOnPlan({ id: id!, action: 'reject', ...act });
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect(cp.operations.listPlans().length).toBe(1);
  }, 20_000);

  // Plan: a node is back before the grace is over; nothing is proposed, its copies stay where they are.
  it('leaves a node alone that returns in time', async () => {
    world = new World();
    const cp = await world.begin();
    await cp.operations.createKeyspace(spec, act);
    await cp.operations.changeSettings({ repair: 'auto', repairGraceMs: 5_000 }, act);
    await world.disconnect(cp, 'n1');
    await until('failed over', () => recordsOf(cp).every((r) => !inSyncOf(r).includes('n1')));
    await world.connect(cp, 1);
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect(cp.operations.listPlans()).toEqual([]);
    expect(recordsOf(cp).filter((r) => replicaOn(r, 'n1')).length).toBeGreaterThan(0);
  }, 20_000);
});

describe('settings', () => {
  // Plan: amounts that cannot be are refused by name, and nothing is half applied; what is right is kept and audited.
  it('checks what it is given', async () => {
    world = new World();
    const cp = await world.begin();
    const change = (settings: object) => cp.operations.changeSettings(settings, act);
    await expect(change({ repair: 'maybe', repairGraceMs: 1 })).rejects.toMatchObject({ field: 'repair' });
    await expect(change({ nodeBytesPerSecond: 12 })).rejects.toMatchObject({ field: 'nodeBytesPerSecond' });
    await expect(change({ repairGraceMs: -1 })).rejects.toMatchObject({ field: 'repairGraceMs' });
    await expect(change({})).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', field: 'settings' });
    expect(cp.operations.settings()).toMatchObject({ repair: 'propose', repairGraceMs: 600_000 });
    await change({ nodeBytesPerSecond: 1_000_000, clusterBytesPerSecond: 3_000_000 });
    expect(cp.operations.settings()).toMatchObject({ nodeBytesPerSecond: 1_000_000, repairGraceMs: 600_000 });
    expect(cp.controller.pace('n1')).toEqual({ out: 1_000_000, in: 1_000_000 });
  });
});

describe('a keyspace made anew', () => {
  // Plan: a keyspace is dropped at some generation and made again under its name; it goes on above that generation (INV-2).
  it('goes on above the last generation of its name', async () => {
    world = new World();
    const cp = await world.begin();
    await cp.operations.createKeyspace(spec, act);
    await world.disconnect(cp, 'n1');
    await until('failed over', () => recordsOf(cp).every((r) => !inSyncOf(r).includes('n1')));
    await world.connect(cp, 1);
    const last = cp.register.state.keyspaces.get('orders')!.map.generation;
    expect(last.number).toBeGreaterThan(1);
    await cp.operations.dropKeyspace('orders', 'orders', { ...act, reason: 'moved' });
    expect(cp.register.state.keyspaces.size).toBe(0);
    expect((await cp.store.range(keys.map)).kvs).toEqual([]);
    await cp.operations.createKeyspace(spec, act);
    const { map } = cp.register.state.keyspaces.get('orders')!;
    expect(map.generation.number).toBe(last.number + 1);
    expect(map.spec.firstEpoch).toBe(last.number + 1);
    expect(recordsOf(cp).every((r) => r.epoch === last.number + 1)).toBe(true);
  });

  // Plan: each way to ask wrongly, and a plan that is approved; nothing is dropped. A proposal goes with the keyspace.
  it.each([
    ['another keyspace', 'users', 'users', 'gone', { code: 'NOT_FOUND', field: 'keyspace' }],
    ['without its name', 'orders', '', 'gone', { code: 'INVALID_ARGUMENT', field: 'confirm' }],
    ['with another name', 'orders', 'order', 'gone', { code: 'INVALID_ARGUMENT', field: 'confirm' }],
    ['without a reason', 'orders', 'orders', ' ', { code: 'INVALID_ARGUMENT', field: 'reason' }],
  ])('is not dropped when asked for %s', async (_what, name, confirm, reason, error) => {
    world = new World();
    const cp = await world.begin();
    await cp.operations.createKeyspace(spec, act);
    await expect(cp.operations.dropKeyspace(name, confirm, { ...act, reason })).rejects.toMatchObject(error);
    expect(cp.register.state.keyspaces.has('orders')).toBe(true);
  });

  // Plan: an agent reports a copy before and after the drop, under a quarantine and without; and one of a keyspace that never was.
  it('has the copies of the old one purged when their quarantine is over, and no others', async () => {
    world = new World();
    const cp = await world.begin();
    await cp.operations.createKeyspace(spec, act);
    const counts = { epoch: 1, lastSeq: 0, appliedSeq: 0, records: 0, bytes: 0, filledBytes: 0, fillTotalBytes: 0 };
    const figures = { ...counts, whole: true, lastEpoch: 1 };
    const grants = (keyspace: string) => {
      const replicas = [{ keyspace, partition: 0, phase: 'quarantined', digest: '', ...figures }];
      return cp.controller.report({ node: 'n1', incarnation: 'i', applied: [], replicas });
    };
    expect(grants('orders')).toEqual([]);
    await cp.operations.changeSettings({ quarantineMs: 60_000 }, act);
    const last = cp.register.state.keyspaces.get('orders')!.map.generation;
    await cp.operations.dropKeyspace('orders', 'orders', { ...act, reason: 'gone' });
    expect([grants('orders'), grants('orders')]).toEqual([[], []]);
    await cp.operations.changeSettings({ quarantineMs: 0 }, act);
    expect(grants('orders')).toEqual([{ keyspace: 'orders', partition: 0, generation: last }]);
    expect(grants('never-was')).toEqual([]);
  });

  it('is not dropped while a plan on it is approved, and takes a proposal along', async () => {
    world = new World();
    const cp = await world.begin();
    await cp.operations.createKeyspace(spec, act);
    await world.connect(cp, 7);
    const drop = () => cp.operations.dropKeyspace('orders', 'orders', { ...act, reason: 'gone' });
    const { plan } = await cp.operations.proposePlan([], act);
    await cp.operations.actOnPlan({ id: plan!.id!, action: 'approve', digest: plan!.digest!, ...act });
    await expect(drop()).rejects.toMatchObject({ code: 'FAILED_PRECONDITION', field: 'keyspaces' });
    await until('the plan has ended', () => cp.operations.getPlan(plan!.id!).state === 'completed');
    await cp.operations.drainNode('n1', false, act);
    const next = await cp.operations.proposePlan([], act);
    await drop();
    expect(cp.operations.getPlan(next.plan!.id!).state).toBe('superseded');
  });
});

describe('the audit', () => {
  // Plan: after some acts the chain of entries is whole: numbers without a gap, each naming the hash of the one before.
  it('is a chain without a gap', async () => {
    world = new World();
    const cp = await world.begin();
    await cp.operations.createKeyspace(spec, act);
    await cp.operations.drainNode('n1', false, { actor: 'anna', reason: 'disk' });
    const { kvs } = await cp.store.range('cadastre/v1/audit/0');
    const entries = kvs.map((kv) => auditCodec.decode(kv.value));
    expect(entries.map((e) => e.number)).toEqual(entries.map((_, i) => i + 1));
    expect(entries.at(-1)).toMatchObject({ actor: 'anna', verb: 'drain', subject: 'node/n1', reason: 'disk' });
    const { sha256Hex } = await import('@cadastre/runtime');
    kvs.slice(1).forEach((_, i) => expect(entries[i + 1]!.previousHash).toBe(sha256Hex(kvs[i]!.value)));
  });

  // Plan: many acts before a controller with a small allowance begins; the oldest entries go, the rest is one chain up to the newest.
  it('keeps the newest entries, and a chain', async () => {
    world = new World();
    const early = await world.begin();
    for (let i = 0; i < 20; i += 1) await early.operations.drainNode('n1', i % 2 === 1, act);
    early.cut = true;
    await early.controller.stop();
    world.keep = { auditKeep: 5 };
    const cp = await world.replica('cp2', 0);
    await until('cp2 active', () => cp.controller.active);
    const entries = async () => (await cp.store.range(keys.auditEntries)).kvs;
    let kvs = await entries();
    for (let i = 0; i < 400 && kvs.length > 6; i += 1) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      kvs = await entries();
    }
    expect(kvs.length).toBeLessThanOrEqual(6);
    const decoded = kvs.map((kv) => auditCodec.decode(kv.value));
    expect(decoded.at(-1)!.number).toBe(cp.register.state.auditHead!.value.number);
    const { sha256Hex } = await import('@cadastre/runtime');
    kvs.slice(1).forEach((_, k) => expect(decoded[k + 1]!.previousHash).toBe(sha256Hex(kvs[k]!.value)));
  });

  // Plan: a leader takes a copy out of the in-sync set; the log names who asked, why, and what changed.
  it('names changes of in-sync sets', async () => {
    world = new World();
    const cp = await world.begin();
    await cp.operations.createKeyspace(spec, act);
    const [node, follower] = [leaderOf(recordOf(cp, 0))!, followerOf(cp, 0)];
    const command = { node, keyspace: 'orders', partition: 0, epoch: 1, add: [], remove: [follower], reason: 'silent' };
    await cp.controller.changeInSync(command);
    const entries = (await cp.store.range(keys.auditEntries)).kvs.map((kv) => auditCodec.decode(kv.value));
    const entry = entries.find((e) => e.verb === 'change-in-sync')!;
    expect(entry).toMatchObject({ subject: 'keyspace/orders', reason: `${node}: silent` });
    expect(entry.before).toContain(follower);
    expect(entry.after).not.toContain(follower);
  });
});

const recordsOf = (cp: ReplicaUnderTest) => cp.register.state.keyspaces.get('orders')!.map.records();
const recordOf = (cp: ReplicaUnderTest, partition: number) =>
  cp.register.state.keyspaces.get('orders')!.map.record(partition);
const followerOf = (cp: ReplicaUnderTest, partition: number) =>
  recordOf(cp, partition).replicas.find((r) => r.role === 'follower')!.node;
