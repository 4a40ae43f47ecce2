import type { ApprovalPolicy, ChainHead, KeyspaceSpec, ManualMove, PlanBody, PlanState, Policy } from '@cadastre/core';
import {
  CadastreError,
  canonicalPlanBytes,
  checkKeyspaceSpec,
  createPartitioner,
  invalid,
  LIMITS,
  partitionCount,
  PLAN_TRANSITIONS,
  placeKeyspace,
  policyJson,
  printable,
  proposePlan,
  transition,
  why,
  windowAt,
} from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import { type Clock, type NewId, randomId, sha256Hex } from '@cadastre/runtime';
import type {
  Draft,
  Part,
  PlanEvent,
  PlanHead,
  PlanView,
  Register,
  RegisterState,
  Store,
  StoreConcern,
} from '@cadastre/store';
import {
  approvalPolicyOf,
  firstEpochOf,
  join,
  keyspacePart,
  mapUnchanged,
  newPlanPart,
  nodePart,
  planHeadPart,
  refuseWhileRecovering,
  requireKeyspace,
  requirePlan,
  SEGMENT,
  writeSegments,
} from '@cadastre/store';
import { plannerNodes } from '../controller/world.js';
import type { Observed } from '../controller/observed.js';
import { planInputOf } from '../controller/plan-input.js';
import { requireActor } from './actor.js';
import type { ClusterLoad } from '../load/cluster-load.js';
import type { HeatQuery } from '../load/heat.js';
import { heatOf } from '../load/heat.js';
import type { Convergence } from '../watch/convergence.js';
import { convergenceView } from '../watch/convergence.js';
import { healthOf } from './health.js';
import { approvalPolicyView, setApprovalPolicy } from './approval-policy.js';
import type { ApproveResult } from './approve.js';
import { approveDraft } from './approve.js';
import { listAudit, verifyAudit } from './audit-log.js';
import { backup } from './backup.js';
import { Drains } from './drains.js';
import { checkDrop, dropDraft } from './drop-keyspace.js';
import { freeze, freezesIn, frozenBecause, unfreeze } from './freeze.js';
import { movesNow, planView, windowView } from './plan-view.js';
import { checkPlaceable, policyContent, policyPart, policyView, specWith } from './policies.js';
import type {
  Act,
  ActOnPlan,
  ActOnRecovery,
  AuditQuery,
  FreezeBy,
  MayStill,
  OperationsPort,
  RecoveryPort,
} from './ports.js';
import type { MoveCondition, MoveNow } from './progress.js';
import { Progress } from './progress.js';
import { reportOf } from './report.js';
import { keyspacesOfProposal } from './requested-moves.js';
import { undoBody } from './undo.js';
import { requireVersion } from './versions.js';
import type { SettingsChange } from './settings.js';
import { changeSettings, settingsView } from './settings.js';
import { countsByNode, hasEnded, keyspaceView, nodeView } from './views.js';

export interface OperationsOptions {
  readonly store: Store;
  readonly register: Register;
  readonly observed: Observed;
  readonly load: ClusterLoad;
  readonly clock: Clock;
  readonly newId?: NewId;
  /** Of this replica. */
  readonly replica: string;
  readonly etcdVersion: () => string;
  /** Of etcd, the worst first. */
  readonly concerns?: () => readonly StoreConcern[];
  readonly watchers: () => number;
  readonly convergence?: () => readonly Convergence[];
  /** Why automation is frozen, if it is. */
  readonly frozen?: () => string | undefined;
  /** Absent: nobody loses what it could. */
  readonly mayStill?: MayStill;
  readonly recovery?: RecoveryPort;
  /** How long a proposal may wait for its approval. */
  readonly proposalTtlMs?: number;
  readonly moveLimits?: { readonly perNodeIn: number; readonly perNodeOut: number; readonly cluster: number };
}

const DAY_MS = 24 * 60 * 60 * 1000;
const COOL_DOWN_MS = 10 * 60 * 1000;
const RUNNING: readonly PlanState[] = ['executing', 'paused', 'cancelling'];
const VERBS = ['approve', 'reject', 'pause', 'resume', 'cancel'] as const;
type Verb = (typeof VERBS)[number];

/** The operator's verbs on any replica. Each is one decision on the mirrored state and one transaction that compares what it used. */
export class Operations implements OperationsPort {
  private readonly newId: NewId;
  private readonly progress: Progress;
  private readonly drains = new Drains();

  constructor(private readonly options: OperationsOptions) {
    this.newId = options.newId ?? randomId;
    this.progress = new Progress(options.observed);
  }

  private get state(): RegisterState {
    return this.options.register.state;
  }

  async createKeyspace(given: KeyspaceSpec, act: Act): Promise<Wire.Keyspace> {
    const actor = requireActor(act);
    const checked = given.policy ? specWith(given, given.policy) : checkKeyspaceSpec(given);
    const firstEpoch = firstEpochOf(this.state, checked.name);
    const { firstEpoch: _theirs, ...rest } = checked;
    const spec: KeyspaceSpec = firstEpoch > 1 ? { ...rest, firstEpoch } : rest;
    const { store, register, clock } = this.options;
    const nodes = plannerNodes(this.state);
    checkPlaceable(this.state, spec, partitionCount(spec.scheme));
    if (this.state.keyspaces.has(spec.name)) keyspacePart(this.state, spec, '', 0, 0);
    const placed = placeKeyspace(spec, nodes, this.state.cluster?.value.policy);
    const records = placed.map((record) => ({ ...record, epoch: firstEpoch }));
    const id = this.newId(6);
    await writeSegments(store, id, records, SEGMENT);
    const partitions = createPartitioner(spec.scheme).partitions;
    await register.commit((state) => {
      if (firstEpochOf(state, spec.name) !== firstEpoch) throw raced(spec.name);
      const part = keyspacePart(state, spec, id, partitions, Math.round(clock.wallMs()));
      return {
        ...part,
        result: undefined,
        audit: {
          actor,
          verb: 'create',
          subject: `keyspace/${spec.name}`,
          reason: act.reason ?? '',
          after: `${partitions} partitions, RF ${spec.replicationFactor}`,
        },
      };
    });
    return this.getKeyspace(spec.name, false);
  }

  async dropKeyspace(name: string, confirm: string, act: Act): Promise<Wire.DropKeyspaceReply> {
    const actor = requireActor(act);
    const { result } = await this.options.register.commit((state) => {
      checkDrop(state, name, confirm, act);
      refuseWhileBusy(state, [name]);
      return dropDraft(state, name, { ...act, actor }, this.supersede(state, [name], `the end of ${name}`));
    });
    return result;
  }

  getKeyspace(name: string, withPartitions: boolean): Wire.Keyspace {
    const keyspace = requireKeyspace(this.state, name);
    const { partitions } = keyspace.map;
    return keyspaceView(keyspace, withPartitions ? this.options.observed.sizesOf(name, partitions) : undefined);
  }

  listKeyspaces(): Wire.Keyspace[] {
    return [...this.state.keyspaces.values()]
      .sort((a, b) => (a.record.spec.name < b.record.spec.name ? -1 : 1))
      .map((k) => keyspaceView(k, undefined));
  }

  listNodes(): Wire.Node[] {
    const counts = countsByNode(this.state);
    return [...this.state.nodes.keys()]
      .sort(byNumber)
      .map((id) => nodeView(this.state, this.options.observed, id, counts));
  }

  async drainNode(id: string, undo: boolean, act: Act): Promise<Wire.Node> {
    const actor = requireActor(act);
    await this.options.register.commit((state) => {
      const node = state.nodes.get(id)?.value;
      if (!node)
        throw new CadastreError('NOT_FOUND', `node "${printable(id)}" does not exist`, {
          field: 'id',
          remedy: 'list the nodes to see their ids',
        });
      const adminState = undo ? 'active' : 'draining';
      if (node.adminState === adminState) return { compare: [], ops: [], result: undefined };
      const { drain: _, ...plain } = node;
      const replicas = countsByNode(state).get(id)?.replicas ?? 0;
      const drain = { sinceMs: this.wallMs(), actor, reason: act.reason ?? '', replicas };
      const part = nodePart(state, undo ? { ...plain, adminState } : { ...plain, adminState, drain });
      return {
        ...part,
        result: undefined,
        audit: {
          actor,
          verb: undo ? 'undrain' : 'drain',
          subject: `node/${id}`,
          reason: act.reason ?? '',
          before: node.adminState,
          after: adminState,
        },
      };
    });
    return nodeView(this.state, this.options.observed, id, countsByNode(this.state));
  }

  async proposePlan(
    keyspaces: readonly string[],
    act: Act,
    moves: readonly ManualMove[] = [],
  ): Promise<Wire.ProposePlanReply> {
    const actor = requireActor(act);
    const { register } = this.options;
    const id = `p${this.newId(4)}`;
    let scores: Wire.PlanScore[] = [];
    const committed = await register.commit((state) => {
      refuseWhileRecovering(state);
      const asked = keyspacesOfProposal(keyspaces, moves);
      const names = asked.length > 0 ? asked : [...state.keyspaces.keys()];
      for (const name of names) requireKeyspace(state, name);
      refuseWhileBusy(state, names);
      const proposal = proposePlan({
        ...this.planInput(state, names, act.automatic ? COOL_DOWN_MS : undefined),
        manual: moves.map((move) => ({ ...move, by: actor })),
        manualOrNothing: true,
      });
      if (proposal.kind === 'nothing') {
        scores = proposal.scores.map((score) => ({ ...score }));
        return { compare: [], ops: [], result: proposal.because };
      }
      const body: PlanBody = {
        ...proposal.plan,
        proposer: actor,
        reason: printable(act.reason ?? '', LIMITS.reasonCharsMax),
      };
      return { ...this.proposalDraft(state, names, id, body, proposal.notes), result: '' };
    });
    if (committed.result !== '') return { nothingBecause: committed.result, scores };
    return { plan: this.getPlan(id), nothingBecause: '' };
  }

  private proposalDraft(
    state: RegisterState,
    names: readonly string[],
    id: string,
    body: PlanBody,
    notes: readonly string[],
    undoOf?: string,
  ): Omit<Draft<unknown>, 'result'> {
    const head = { ...this.newHead(id, body, body.proposer), note: notes.join(' '), ...(undoOf && { undoOf }) };
    const part = join(mapUnchanged(state, names), this.supersede(state, names, id), newPlanPart(head, body));
    return {
      ...part,
      audit: {
        actor: body.proposer,
        verb: undoOf === undefined ? 'propose' : 'undo',
        subject: `plan/${id}`,
        reason: body.reason,
        ...(undoOf && { before: `plan/${undoOf}` }),
        after: `${body.moves.length} moves`,
        generation: body.base,
      },
    };
  }

  async undoPlan(id: string, act: Act): Promise<Wire.ProposePlanReply> {
    const actor = requireActor(act);
    const of = this.findPlan(id).head.id;
    const undo = `p${this.newId(4)}`;
    const { result } = await this.options.register.commit((state): Draft<string> => {
      const plan = requirePlan(state, of);
      const names = plan.body.base.map((b) => b.keyspace);
      for (const name of names) requireKeyspace(state, name);
      refuseWhileBusy(state, names);
      const reason = printable(act.reason ?? '', LIMITS.reasonCharsMax);
      const way = undoBody(plan, this.planInput(state, names), { proposer: actor, reason });
      if (way.kind === 'nothing') return { compare: [], ops: [], result: way.because };
      return { ...this.proposalDraft(state, names, undo, way.body, way.notes, of), result: '' };
    });
    if (result !== '') return { nothingBecause: result, scores: [] };
    return { plan: this.getPlan(undo), nothingBecause: '' };
  }

  private planInput(state: RegisterState, names: readonly string[], coolDownMs?: number) {
    const { observed, clock, moveLimits } = this.options;
    return planInputOf(state, observed, names, Math.round(clock.wallMs()), moveLimits, coolDownMs);
  }

  private newHead(id: string, body: PlanBody, actor: string): Omit<PlanHead, 'bodyChunks'> {
    const now = this.wallMs();
    return {
      id,
      state: 'proposed',
      digest: sha256Hex(canonicalPlanBytes(body)),
      moves: body.moves.length,
      createdMs: now,
      expiresMs: now + (this.options.proposalTtlMs ?? DAY_MS),
      events: [{ atMs: now, actor, what: 'proposed' }],
      note: '',
      movesDone: 0,
      movesFailed: 0,
    };
  }

  /** A newer proposal takes the place of those that wait for the same keyspaces. */
  private supersede(state: RegisterState, names: readonly string[], by: string): Part {
    const waiting = [...state.plans.values()].filter((p) => p.head.state === 'proposed' && touches(p, names));
    return join(
      ...waiting.map((p) => planHeadPart(state, this.moved(p.head, 'superseded', 'cadastre', `superseded by ${by}`))),
    );
  }

  listPlans(): Wire.Plan[] {
    return [...this.state.plans.values()]
      .sort((a, b) => b.head.createdMs - a.head.createdMs)
      .map((p) => this.viewOf(p, false));
  }

  getPlan(id: string): Wire.Plan {
    return this.viewOf(this.findPlan(id), true);
  }

  private viewOf(plan: PlanView, detail: boolean): Wire.Plan {
    const { observed, load, clock } = this.options;
    const { state, progress } = this;
    if (detail) progress.keep(new Set(state.plans.keys()));
    return planView(
      plan,
      { state, observed, progress, runs: load.runs, wallMs: this.wallMs(), now: clock.monotonicMs() },
      detail,
    );
  }

  /** Moves of all plans that run, and how each gets on. */
  movesUnderWay(): (MoveNow & MoveCondition)[] {
    const { state, progress } = this;
    const { observed, clock } = this.options;
    progress.keep(new Set(state.plans.keys()));
    const running = [...state.plans.values()].filter(({ head }) => RUNNING.includes(head.state));
    return running.flatMap((plan) => {
      const moves = movesNow(plan, observed);
      const conditions = progress.conditionsOf(state, plan, moves, clock.monotonicMs());
      return moves.map((move, i) => ({ ...move, ...conditions[i]! }));
    });
  }

  private wallMs(): number {
    return Math.round(this.options.clock.wallMs());
  }

  report(id: string): Wire.Report {
    const plan = this.findPlan(id);
    return reportOf(plan, this.viewOf(plan, true), this.wallMs());
  }

  drain(node: string): Wire.Drain {
    const { state } = this;
    return this.drains.drain(node, {
      state,
      observed: this.options.observed,
      input: () => this.planInput(state, [...state.keyspaces.keys()]),
      planView: (plan) => this.viewOf(plan, true),
    });
  }

  heat(query: HeatQuery): Wire.Heat {
    const { map } = requireKeyspace(this.state, query.keyspace);
    const { load } = this.options;
    return heatOf(map, load.look(query.keyspace, this.state), query, this.wallMs(), load.sinceMs);
  }

  listAudit(query: AuditQuery): Promise<Wire.ListAuditReply> {
    return listAudit(this.options.store, this.state, query);
  }

  verifyAudit(checkpoints: readonly ChainHead[]): Promise<Wire.VerifyAuditReply> {
    return verifyAudit(this.options.store, this.state.cluster?.value.clusterId ?? '', checkpoints);
  }

  getPolicy(keyspace: string): Wire.PolicyReply {
    return policyView(this.state, keyspace);
  }

  async setPolicy(keyspace: string, policy: Policy, act: Act): Promise<Wire.PolicyReply> {
    const actor = requireActor(act);
    await this.options.register.commit((state) => {
      if (act.expected !== undefined) requireVersion('the policy', policyContent(state, keyspace), act.expected);
      const changed = policyPart(state, keyspace, policy);
      const part = join(changed, this.supersede(state, changed.keyspaces, 'a change of policy'));
      const before = keyspace === '' ? state.cluster?.value.policy : state.keyspaces.get(keyspace)?.map.spec.policy;
      return {
        ...part,
        result: undefined,
        audit: {
          actor,
          verb: 'set-policy',
          subject: keyspace === '' ? 'cluster' : `keyspace/${keyspace}`,
          reason: printable(act.reason ?? '', LIMITS.reasonCharsMax),
          before: JSON.stringify(policyJson(before ?? {})),
          after: JSON.stringify(policyJson(policy)),
        },
      };
    });
    return this.getPolicy(keyspace);
  }

  why(keyspace: string, partition: number, node: string): Wire.WhyReply {
    requireKeyspace(this.state, keyspace);
    const found = why(this.planInput(this.state, [...this.state.keyspaces.keys()]), keyspace, partition, node);
    return { ...found, checks: found.checks.map((c) => ({ ...c })) };
  }

  private findPlan(id: string): PlanView {
    const plans = [...this.state.plans.values()];
    if (id === 'latest') {
      const latest = plans.sort((a, b) => b.head.createdMs - a.head.createdMs)[0];
      if (latest) return latest;
      throw new CadastreError('NOT_FOUND', 'there is no plan yet', { field: 'id', remedy: 'propose one' });
    }
    const matches = id === '' ? [] : plans.filter((p) => p.head.id.startsWith(id));
    if (matches.length > 1)
      throw invalid('id', `"${printable(id)}" begins the id of ${matches.length} plans`, 'give more of it');
    return matches[0] ?? requirePlan(this.state, printable(id));
  }

  async actOnPlan(act: ActOnPlan): Promise<Wire.Plan> {
    const actor = requireActor(act);
    const verb = VERBS.find((v) => v === act.action);
    if (!verb) throw invalid('action', `"${printable(act.action)}" is unknown`, `use one of ${VERBS.join(', ')}`);
    const { id } = this.findPlan(act.id).head;
    const { result } = await this.options.register.commit((state): Draft<ApproveResult> => {
      const plan = requirePlan(state, id);
      if (verb === 'approve')
        return approveDraft(state, plan, act, actor, this.wallMs(), this.options.mayStill ?? (() => true));
      return { ...this.turnDraft(state, plan, verb, act, actor), result: {} };
    });
    if (result.stale) throw result.stale;
    return this.getPlan(id);
  }

  /** Each verb is one transaction that compares the plan's head: of two at once, one is told that the other was first. */
  private turnDraft(state: RegisterState, plan: PlanView, verb: Exclude<Verb, 'approve'>, act: Act, actor: string) {
    const next = transition(plan.head.state, verb);
    const reason = printable(act.reason ?? '', LIMITS.reasonCharsMax);
    const moved = this.moved(plan.head, next, actor, `${PAST[verb]}${reason === '' ? '' : `: ${reason}`}`);
    const head = hasEnded(next) ? { ...moved, endedMs: this.wallMs() } : moved;
    const { id } = plan.head;
    return {
      ...planHeadPart(state, head),
      audit: { actor, verb, subject: `plan/${id}`, reason, before: plan.head.state, after: next },
    };
  }

  async cancelAll(act: Act): Promise<Wire.CancelAllReply> {
    const actor = requireActor(act);
    const cancelled: string[] = [];
    for (const { head } of this.state.plans.values()) {
      if (PLAN_TRANSITIONS[head.state].cancel === undefined) continue;
      const { result } = await this.options.register.commit((state): Draft<boolean> => {
        const plan = state.plans.get(head.id);
        if (!plan || PLAN_TRANSITIONS[plan.head.state].cancel === undefined)
          return { compare: [], ops: [], result: false }; // it ended by itself in the meantime
        return { ...this.turnDraft(state, plan, 'cancel', act, actor), result: true };
      });
      if (result) cancelled.push(head.id);
    }
    return { plans: cancelled.map((id) => this.viewOf(requirePlan(this.state, id), false)) };
  }

  private moved(head: PlanHead, state: PlanState, actor: string, what: string): PlanHead {
    const event: PlanEvent = { atMs: this.wallMs(), actor, what };
    return { ...head, state, events: [...head.events, event] };
  }

  freeze(act: Act): Promise<Wire.FreezeReply> {
    return freeze(this.options.register, this.options.clock, act);
  }

  unfreeze(act: Act, by?: FreezeBy): Promise<Wire.UnfreezeReply> {
    return unfreeze(this.options.register, act, by);
  }

  approvalPolicy(): Wire.ApprovalPolicyReply {
    return approvalPolicyView(this.state);
  }

  setApprovalPolicy(policy: ApprovalPolicy, act: Act): Promise<Wire.ApprovalPolicyReply> {
    return setApprovalPolicy(this.options.register, policy, act);
  }

  settings(): Wire.Settings {
    return settingsView(this.state);
  }

  changeSettings(change: SettingsChange, act: Act): Promise<Wire.Settings> {
    return changeSettings(this.options.register, change, act);
  }

  backup(act: Act): AsyncIterable<Wire.BackupFrame> {
    return backup({ ...this.options, wallMs: this.wallMs() }, { ...act, actor: requireActor(act) });
  }

  recovery(): Promise<Wire.Recovery> {
    return this.recoveryPort().view();
  }

  async actOnRecovery(act: ActOnRecovery): Promise<Wire.Recovery> {
    return this.recoveryPort().act({ ...act, actor: requireActor(act) });
  }

  private recoveryPort(): RecoveryPort {
    const { recovery } = this.options;
    if (!recovery) throw new CadastreError('UNIMPLEMENTED', 'this replica recovers nothing');
    return recovery;
  }

  status(): Wire.StatusReply {
    const { replica, etcdVersion, watchers, convergence, frozen, concerns } = this.options;
    const warnings = concerns?.() ?? [];
    const { state } = this;
    const nodes = this.listNodes();
    const opened = [...state.plans.values()]
      .filter((p) => !hasEnded(p.head.state))
      .sort((a, b) => b.head.createdMs - a.head.createdMs);
    const [open] = opened;
    const window = windowAt(approvalPolicyOf(state).windows, this.wallMs());
    return {
      clusterId: state.cluster?.value.clusterId ?? '',
      replica,
      active: state.controller?.id ?? '',
      activeAddress: state.controller?.address ?? '',
      term: Number(state.controller?.term ?? 0n),
      etcdVersion: etcdVersion(),
      nodesUp: nodes.filter((n) => n.state !== 'down').length,
      nodesTotal: nodes.length,
      keyspaces: this.listKeyspaces(),
      watchers: watchers(),
      openPlan: open?.head.id ?? '',
      health: healthOf(state, nodes, open, criticalOf(warnings) ?? frozenBecause(state) ?? frozen?.()),
      freezes: freezesIn(state),
      window: window ? windowView(window, this.wallMs(), 0, 0) : null,
      openPlans: opened.map((p) => p.head.id),
      warnings: warnings.map((warning) => ({ ...warning })),
      convergence: (convergence?.() ?? []).map(convergenceView),
    };
  }
}

/** What goes before everything else in the one sentence. */
const criticalOf = (warnings: readonly StoreConcern[]): string | undefined =>
  warnings.find(({ level }) => level === 'critical')?.what;

const PAST: Record<Verb, string> = {
  approve: 'approved',
  reject: 'rejected',
  pause: 'paused',
  resume: 'resumed',
  cancel: 'cancelled',
};

const touches = (plan: PlanView, names: readonly string[]): boolean =>
  plan.body.base.some((b) => names.includes(b.keyspace));

const raced = (name: string): CadastreError =>
  new CadastreError('FAILED_PRECONDITION', `keyspace "${name}" was made and dropped meanwhile`, {
    field: 'name',
    remedy: 'try again',
  });

const refuseWhileBusy = (state: RegisterState, names: readonly string[]): void => {
  for (const plan of state.plans.values()) {
    if (hasEnded(plan.head.state) || plan.head.state === 'proposed' || !touches(plan, names)) continue;
    throw new CadastreError('FAILED_PRECONDITION', `plan ${plan.head.id} is ${plan.head.state} on the same keyspace`, {
      field: 'keyspaces',
      remedy: `wait for it, or cancel it: cadastre plan cancel ${plan.head.id}`,
    });
  }
};

/** n2 before n10. */
const byNumber = (a: string, b: string): number => a.localeCompare(b, 'en', { numeric: true });
