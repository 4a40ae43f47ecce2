import type { ApprovalPolicy, Policy } from '@cadastre/core';
import { CadastreError, checkApprovalPolicy, DEFAULT_APPROVAL_POLICY } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import { encodeApprovalPolicy, encodePolicy } from '@cadastre/contracts';
import type { Act, ActOnPlan, OperationsPort } from '../../apps/control-plane/src/operations/ports.js';
import { heatOf, type HeatQuery } from '../../apps/control-plane/src/load/heat.js';
import type { KeyspaceLoad } from '../../apps/control-plane/src/load/keyspace-load.js';
import { requireVersion, versionOf } from '../../apps/control-plane/src/operations/versions.js';
import { fakeLoad } from './fake-load.js';

const GIB = 1024 ** 3;
const DIGEST = '9f2c4b7a1e5d8036c2a94f7be01d53886ab47cf20e91d5b3a7c60f4e8d2b1953';

const node = (i: number, state: string, replicas: number, leaders: number): Wire.Node => ({
  entry: {
    id: `n${i}`,
    address: `10.0.${i % 3}.${10 + i}:7500`,
    labels: { zone: `zone-${'abc'[i % 3]}`, rack: `rack-${1 + (i % 2)}` },
    weight: i === 6 ? 2 : 1,
  },
  state,
  incarnation: `inc-${i}`,
  replicas,
  leaders,
  bytes: Math.round(replicas * 1.37 * GIB),
  records: replicas * 12_000,
  allowedActions: [state === 'draining' ? 'undrain' : 'drain'],
});

const keyspace = (name: string, partitions: number, over: Partial<Wire.Keyspace> = {}): Wire.Keyspace => ({
  spec: {
    name,
    scheme: { hashSlots: { slots: partitions, hash: 'murmur3', hashTags: false } },
    replicationFactor: 3,
    minInSync: 2,
    spread: [{ label: 'zone', maxPerDomain: 1, hard: true }],
  },
  generation: { incarnation: 1, number: 417 },
  partitions,
  underReplicated: 0,
  withoutLeader: 0,
  moving: 0,
  records: Array.from({ length: partitions }, (_, partition) => ({
    partition,
    epoch: 3,
    replicas: [{ node: 'n1', role: 'LEADER', state: 'AVAILABLE', inSync: true }],
  })),
  ...over,
});

const PHASES = ['done', 'done', 'done', 'cleaning-up', 'catching-up', 'transferring', 'transferring', 'preparing'];

const moves = (running: boolean): Wire.PlanMove[] =>
  Array.from({ length: 42 }, (_, index) => {
    const kind = index % 7 === 6 ? 'leader' : 'replica';
    const phase = running ? (PHASES[index] ?? 'pending') : 'pending';
    const bytes = kind === 'leader' ? 0 : Math.round(1.3 * GIB) + index * 4_000_000;
    return {
      index,
      step: 1 + Math.floor(index / 6),
      keyspace: index % 3 ? 'orders' : 'sessions',
      partition: 7 + index * 5,
      kind,
      from: `n${1 + (index % 6)}`,
      to: 'n7',
      leaderAfter: 'n1',
      baseEpoch: 3,
      reason:
        kind === 'leader'
          ? 'n7 leads fewer than its share'
          : 'n7 holds 0 of 43 that are its share; keeps one copy a zone',
      bytes,
      phase,
      note: phase === 'preparing' && index === 7 ? 'waits: n3 sends two copies already' : '',
      bytesDone:
        phase === 'transferring' ? Math.round(bytes * 0.37) : phase === 'done' || phase.endsWith('up') ? bytes : 0,
      phaseSinceMs: running ? Date.now() - 8_000 : 0,
    };
  });

/** A small cluster with one plan, so that the page can be looked at without one. Acts change the plan's state, as the real verbs do. */
export class FakeOperations implements OperationsPort {
  private readonly policies = new Map<string, Policy>();
  readonly acts: (ActOnPlan | { readonly action: 'propose' | 'drain'; readonly actor: string; readonly id: string })[] =
    [];
  plan: Wire.Plan | undefined;
  nodes: Wire.Node[] = [];
  keyspaces: Wire.Keyspace[] = [];
  health = 'Healthy; there is no keyspace yet.';

  fill(): this {
    this.nodes = [1, 2, 3, 4, 5, 6].map((i) =>
      node(i, i === 5 ? 'draining' : 'up', i === 6 ? 82 : 43 - (i % 3) * 2, 14 + (i % 2)),
    );
    this.nodes.push(node(7, 'up', 0, 0), node(8, 'down', 12, 0));
    this.keyspaces = [keyspace('orders', 256, { underReplicated: 12, moving: 5 }), keyspace('sessions', 64)];
    this.health = 'N8 down; 12 partitions have fewer in-sync copies than wanted.';
    return this;
  }

  propose(): Wire.Plan {
    this.plan = {
      id: '7c1e44d0',
      state: 'proposed',
      digest: DIGEST,
      base: [
        { keyspace: 'orders', generation: { incarnation: 1, number: 417 } },
        { keyspace: 'sessions', generation: { incarnation: 1, number: 88 } },
      ],
      proposer: 'mara',
      reason: 'n7 joined',
      createdMs: Date.now() - 60_000,
      expiresMs: Date.now() + 86_000_000,
      moves: moves(false),
      nodes: [1, 2, 3, 4, 5, 6, 7].map((i) => ({
        node: `n${i}`,
        replicasBefore: i === 7 ? 0 : 43,
        replicasAfter: 37 - (i % 2),
        leadersBefore: i === 7 ? 0 : 14,
        leadersAfter: 12,
      })),
      cost: {
        replicaMoves: 36,
        leaderTransfers: 6,
        bytes: Math.round(36 * 1.37 * GIB),
        lowerBoundMoves: 36,
        boundBecause: 'n7 must receive 36 replicas to reach its share',
        lowerBoundBytes: Math.round(36 * 1.37 * GIB),
        because: ['n7 is 36 replicas below its share', 'each replica that a node gains is one move'],
        ratio: 1,
        imbalanceBefore: 1,
        imbalanceAfter: 0.004,
        violationsBefore: 0,
        violationsAfter: 0,
        scores: [
          { name: 'replicas', before: 1, after: 0.004 },
          { name: 'leaders', before: 1, after: 0.01 },
        ],
        estimateLowMs: 410_000,
        estimateMs: 790_000,
        estimateHighMs: 1_640_000,
      },
      movesTotal: 42,
      movesDone: 0,
      movesFailed: 0,
      allowedActions: ['approve', 'reject'],
      events: [{ atMs: Date.now() - 60_000, actor: 'mara', what: 'proposed' }],
      note: '',
    };
    return this.plan;
  }

  become(state: string, allowedActions: string[], over: Partial<Wire.Plan> = {}): Wire.Plan {
    const plan = this.plan ?? this.propose();
    this.plan = { ...plan, state, allowedActions, moves: moves(state === 'executing' || state === 'paused'), ...over };
    return this.plan;
  }

  async dropKeyspace(): Promise<Wire.DropKeyspaceReply> {
    return {};
  }

  async createKeyspace(): Promise<Wire.Keyspace> {
    throw new CadastreError('UNSATISFIABLE', 'three zones are needed, there are two', {
      field: 'spread[0]',
      remedy: 'add a zone, or allow two replicas a zone',
    });
  }
  getKeyspace(name: string): Wire.Keyspace {
    const found = this.keyspaces.find((k) => k.spec?.name === name);
    if (!found)
      throw new CadastreError('NOT_FOUND', `keyspace "${name}" does not exist`, {
        field: 'keyspace',
        remedy: 'create it',
      });
    return found;
  }
  listKeyspaces(): Wire.Keyspace[] {
    return this.keyspaces;
  }
  listNodes(): Wire.Node[] {
    return this.nodes;
  }
  async drainNode(id: string, _undo: boolean, act: { actor: string }): Promise<Wire.Node> {
    this.acts.push({ action: 'drain', id, ...act });
    return this.nodes.find((n) => n.entry?.id === id)!;
  }
  async proposePlan(_keyspaces: readonly string[], act: { actor: string }): Promise<Wire.ProposePlanReply> {
    this.acts.push({ action: 'propose', id: '', ...act });
    return this.nodes.length === 0 ? { nothingBecause: 'there are no nodes' } : { plan: this.propose() };
  }
  listPlans(): Wire.Plan[] {
    return this.plan ? [{ ...this.plan, moves: [] }] : [];
  }
  getPlan(id: string): Wire.Plan {
    if (!this.plan || !(id === 'latest' || this.plan.id!.startsWith(id)))
      throw new CadastreError('NOT_FOUND', `plan "${id}" does not exist`, {
        field: 'id',
        remedy: 'list the plans to see their ids',
      });
    return this.plan;
  }
  async actOnPlan(act: ActOnPlan): Promise<Wire.Plan> {
    this.getPlan(act.id);
    this.acts.push(act);
    if (act.action === 'approve' && act.digest !== DIGEST)
      throw new CadastreError('PLAN_CHANGED', 'the digest is another', {
        field: 'digest',
        remedy: 'read the plan again',
      });
    if (act.action === 'approve' || act.action === 'resume')
      return this.become('executing', ['pause', 'cancel'], {
        movesDone: 3,
        events: [...this.plan!.events!, { atMs: Date.now(), actor: act.actor, what: 'approved' }],
      });
    if (act.action === 'pause') return this.become('paused', ['resume', 'cancel']);
    return this.become(act.action === 'reject' ? 'rejected' : 'cancelled', []);
  }
  freezes: Wire.Freeze[] = [];
  async freeze({ actor, reason = '' }: Act): Promise<Wire.FreezeReply> {
    this.freezes = [{ by: 'person', actor, because: reason, sinceMs: Date.now() }];
    return { freezes: this.freezes };
  }
  async unfreeze(): Promise<Wire.UnfreezeReply> {
    const [ended] = this.freezes;
    this.freezes = [];
    return { nodes: [], by: ended?.by ?? 'automation' };
  }
  private approvals: ApprovalPolicy = DEFAULT_APPROVAL_POLICY;
  approvalPolicy(): Wire.ApprovalPolicyReply {
    return { policy: encodeApprovalPolicy(this.approvals), version: versionOf(this.approvals) };
  }
  async setApprovalPolicy(policy: ApprovalPolicy, { expected }: Act): Promise<Wire.ApprovalPolicyReply> {
    requireVersion('the approval policy', this.approvals, expected);
    this.approvals = checkApprovalPolicy(policy);
    return this.approvalPolicy();
  }
  async undoPlan(id: string, act: Act): Promise<Wire.ProposePlanReply> {
    const undoOf = this.getPlan(id).id!;
    this.acts.push({ ...act, action: 'undo', id });
    return { plan: { ...this.propose(), undoOf } };
  }
  async cancelAll({ actor }: Act): Promise<Wire.CancelAllReply> {
    return { plans: this.plan ? [await this.actOnPlan({ id: 'latest', action: 'cancel', actor })] : [] };
  }
  report(id: string): Wire.Report {
    return { plan: this.getPlan(id), final: false, outcome: 'it has not ended' };
  }
  drain(of: string): Wire.Drain {
    return { node: of, state: 'not-draining', allowedActions: ['drain'], because: 'all of its copies could leave' };
  }
  private readonly loads = new Map<string, KeyspaceLoad>();
  heat(query: HeatQuery): Wire.Heat {
    const found = this.getKeyspace(query.keyspace);
    const partitions = found.partitions!;
    const map = { partitions, leader: (p: number) => ({ id: `n${1 + (p % 6)}` }) };
    if (this.health.startsWith('Healthy; there is')) return heatOf(map, undefined, query, Date.now(), Date.now());
    const load = this.loads.get(query.keyspace) ?? fakeLoad(Math.min(partitions, 1_024), Date.now());
    this.loads.set(query.keyspace, load);
    return heatOf(map, load, query, Date.now(), Date.now() - 3_600_000);
  }
  async listAudit(): Promise<Wire.ListAuditReply> {
    const entry = { number: 1, atMs: 1_000, actor: 'mara', verb: 'propose', subject: 'plan/7c1e44d0', hash: DIGEST };
    return { entries: [entry], next: 0 };
  }
  async verifyAudit(): Promise<Wire.VerifyAuditReply> {
    return { intact: true, first: 1, last: 1, entries: 1, head: { number: 1, hash: DIGEST } };
  }
  settings(): Wire.Settings {
    return { repair: 'propose', version: versionOf('propose') };
  }
  changeSettings(): Promise<Wire.Settings> {
    return Promise.resolve(this.settings());
  }
  getPolicy(of: string): Wire.PolicyReply {
    const policy = encodePolicy(this.policies.get(of) ?? {});
    return { keyspace: of, policy, version: versionOf(policy) };
  }
  async setPolicy(of: string, policy: Policy): Promise<Wire.PolicyReply> {
    this.policies.set(of, policy);
    return this.getPolicy(of);
  }
  why(of: string, partition: number, on: string): Wire.WhyReply {
    const decided = { rule: 'state', value: 'draining', limit: 'up' };
    const text = `${on} is draining: its copies leave, and none come`;
    const checks = [{ ...decided, verdict: 'fail', text }];
    return { keyspace: of, partition, node: on, role: 'none', verdict: 'cannot', ...decided, because: text, checks };
  }
  async recovery(): Promise<Wire.Recovery> {
    return { state: 'none' };
  }
  async actOnRecovery(): Promise<Wire.Recovery> {
    return { state: 'none' };
  }
  async *backup(): AsyncGenerator<Wire.BackupFrame> {
    yield { trailer: { entries: 0 } };
  }
  status(): Wire.StatusReply {
    return {
      clusterId: 'd68dec17b469d1bf',
      replica: 'cp1',
      active: 'cp2',
      activeAddress: '10.0.0.2:7400',
      term: 31,
      etcdVersion: '3.5.16',
      nodesUp: this.nodes.filter((n) => n.state !== 'down').length,
      nodesTotal: this.nodes.length,
      keyspaces: this.keyspaces,
      watchers: 214,
      openPlan: this.plan && ['proposed', 'executing', 'paused'].includes(this.plan.state ?? '') ? this.plan.id! : '',
      health: this.health,
      freezes: this.freezes,
      convergence: this.keyspaces.map(({ spec, generation }) => ({
        keyspace: spec!.name!,
        generation: generation!,
        watchers: 214,
        converged: 212,
        lagReports: 900,
        lagP99Ms: 12.4,
      })),
    };
  }
}
