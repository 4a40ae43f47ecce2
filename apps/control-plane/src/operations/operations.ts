import type { KeyspaceSpec, PlanBody, PlanState, Policy } from '@cadastre/core';
import {
  CadastreError,
  canonicalPlanBytes,
  checkKeyspaceSpec,
  checkStale,
  createPartitioner,
  invalid,
  LIMITS,
  partitionCount,
  placeKeyspace,
  policyJson,
  printable,
  proposePlan,
  transition,
  why,
} from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import { type Clock, type NewId, randomId, sha256Hex } from '@cadastre/runtime';
import type { Part, PlanEvent, PlanHead, PlanView, Register, RegisterState, Store } from '@cadastre/store';
import {
  join,
  keyspacePart,
  mapUnchanged,
  newPlanPart,
  nodePart,
  planHeadPart,
  requireKeyspace,
  requirePlan,
  SEGMENT,
  writeSegments,
} from '@cadastre/store';
import { plannerNodes } from '../controller/world.js';
import type { Observed } from '../controller/observed.js';
import { planInputOf } from '../controller/plan-input.js';
import { healthOf } from './health.js';
import { checkPlaceable, policyPart, policyView, specWith } from './policies.js';
import type { Act, ActOnPlan, OperationsPort } from './ports.js';
import { unfreeze } from './unfreeze.js';
import type { SettingsChange } from './settings.js';
import { changeSettings, settingsView } from './settings.js';
import { rehearsalView } from './rehearsal-view.js';
import { countsByNode, hasEnded, keyspaceView, nodeView, planView } from './views.js';

export interface OperationsOptions {
  readonly store: Store;
  readonly register: Register;
  readonly observed: Observed;
  readonly clock: Clock;
  readonly newId?: NewId;
  /** Of this replica. */
  readonly replica: string;
  readonly etcdVersion: () => string;
  readonly watchers: () => number;
  /** Why automation is frozen, if it is. */
  readonly frozen?: () => string | undefined;
  /** How long a proposal may wait for its approval. */
  readonly proposalTtlMs?: number;
  readonly moveLimits?: { readonly perNodeIn: number; readonly perNodeOut: number; readonly cluster: number };
}

const DAY_MS = 24 * 60 * 60 * 1000;
const COOL_DOWN_MS = 10 * 60 * 1000;
const VERBS = ['approve', 'reject', 'pause', 'resume', 'cancel'] as const;
type Verb = (typeof VERBS)[number];

/** The operator's verbs on any replica. Each is one decision on the mirrored state and one transaction that compares what it used. */
export class Operations implements OperationsPort {
  private readonly newId: NewId;

  constructor(private readonly options: OperationsOptions) {
    this.newId = options.newId ?? randomId;
  }

  private get state(): RegisterState {
    return this.options.register.state;
  }

  async createKeyspace(given: KeyspaceSpec, act: Act): Promise<Wire.Keyspace> {
    const actor = requireActor(act);
    const spec = given.policy ? specWith(given, given.policy) : checkKeyspaceSpec(given);
    const { store, register, clock } = this.options;
    const nodes = plannerNodes(this.state);
    checkPlaceable(this.state, spec, partitionCount(spec.scheme));
    if (this.state.keyspaces.has(spec.name)) keyspacePart(this.state, spec, '', 0, 0);
    const records = placeKeyspace(spec, nodes, this.state.cluster?.value.policy);
    const id = this.newId(6);
    await writeSegments(store, id, records, SEGMENT);
    const partitions = createPartitioner(spec.scheme).partitions;
    await register.commit((state) => {
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
      const part = nodePart(state, { ...node, adminState });
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

  async proposePlan(keyspaces: readonly string[], act: Act): Promise<Wire.ProposePlanReply> {
    const actor = requireActor(act);
    const { register } = this.options;
    const id = `p${this.newId(4)}`;
    let scores: Wire.PlanScore[] = [];
    const committed = await register.commit((state) => {
      const names = keyspaces.length > 0 ? keyspaces : [...state.keyspaces.keys()];
      for (const name of names) requireKeyspace(state, name);
      refuseWhileBusy(state, names);
      const proposal = proposePlan(this.planInput(state, names, act.automatic ? COOL_DOWN_MS : undefined));
      if (proposal.kind === 'nothing') {
        scores = proposal.scores.map((score) => ({ ...score }));
        return { compare: [], ops: [], result: proposal.because };
      }
      const body: PlanBody = {
        ...proposal.plan,
        proposer: actor,
        reason: printable(act.reason ?? '', LIMITS.reasonCharsMax),
      };
      const note = proposal.notes.join(' ');
      const part = join(
        mapUnchanged(state, names),
        this.supersede(state, names, id),
        newPlanPart({ ...this.newHead(id, body, actor), note }, body),
      );
      return {
        ...part,
        result: '',
        audit: {
          actor,
          verb: 'propose',
          subject: `plan/${id}`,
          reason: body.reason,
          after: `${body.moves.length} moves`,
          generation: body.base,
        },
      };
    });
    if (committed.result !== '') return { nothingBecause: committed.result, scores };
    return { plan: this.getPlan(id), nothingBecause: '' };
  }

  private planInput(state: RegisterState, names: readonly string[], coolDownMs?: number) {
    const { observed, clock, moveLimits } = this.options;
    return planInputOf(state, observed, names, Math.round(clock.wallMs()), moveLimits, coolDownMs);
  }

  private newHead(id: string, body: PlanBody, actor: string): Omit<PlanHead, 'bodyChunks'> {
    const now = Math.round(this.options.clock.wallMs());
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
      .map((p) => planView(p, this.options.observed, false));
  }

  getPlan(id: string): Wire.Plan {
    const plan = this.findPlan(id);
    return {
      ...planView(plan, this.options.observed, true),
      rehearsal: rehearsalView(this.state, plan, this.options.clock.monotonicMs()),
    };
  }

  getPolicy(keyspace: string): Wire.PolicyReply {
    return policyView(this.state, keyspace);
  }

  async setPolicy(keyspace: string, policy: Policy, act: Act): Promise<Wire.PolicyReply> {
    const actor = requireActor(act);
    await this.options.register.commit((state) => {
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
    let stale: CadastreError | undefined;
    await this.options.register.commit((state) => {
      const plan = requirePlan(state, id);
      const next = transition(plan.head.state, verb);
      stale = verb === 'approve' ? this.checkApproval(state, plan, act) : undefined;
      if (stale) return { ...this.staleDraft(state, plan, stale), result: undefined };
      const head = this.moved(
        plan.head,
        next,
        actor,
        `${PAST[verb]}${act.reason ? `: ${printable(act.reason, LIMITS.reasonCharsMax)}` : ''}`,
      );
      const guard =
        verb === 'approve'
          ? mapUnchanged(
              state,
              plan.body.base.map((b) => b.keyspace),
            )
          : join();
      const part = join(guard, planHeadPart(state, head));
      return {
        ...part,
        result: undefined,
        audit: { actor, verb, subject: `plan/${id}`, reason: act.reason ?? '', before: plan.head.state, after: next },
      };
    });
    if (stale) throw stale;
    return this.getPlan(id);
  }

  /** @returns the staleness; @throws PLAN_CHANGED when the digest is not that of what would run */
  private checkApproval(state: RegisterState, plan: PlanView, act: ActOnPlan): CadastreError | undefined {
    if (!act.digest)
      throw invalid('digest', 'is missing', 'give the digest of the plan that was read; plan show prints it');
    if (act.digest !== plan.head.digest || plan.head.digest !== sha256Hex(canonicalPlanBytes(plan.body))) {
      throw new CadastreError(
        'PLAN_CHANGED',
        `plan ${plan.head.id} has digest ${plan.head.digest}, ${printable(act.digest)} was approved`,
        { field: 'digest', remedy: 'read the plan again and approve what it says now' },
      );
    }
    if (plan.head.expiresMs < this.options.clock.wallMs()) {
      throw new CadastreError('FAILED_PRECONDITION', `plan ${plan.head.id} expired`, {
        field: 'id',
        remedy: 'propose anew',
      });
    }
    const check = checkStale(
      plan.body,
      (keyspace, partition) => state.keyspaces.get(keyspace)?.map.record(partition),
      plannerNodes(state),
    );
    if (check.fresh) return undefined;
    return new CadastreError(
      'PLAN_STALE',
      `plan ${plan.head.id} is stale: ${check.changes.slice(0, 5).join('; ')}${check.changes.length > 5 ? `; and ${check.changes.length - 5} more` : ''}`,
      {
        field: 'id',
        remedy: 'propose again: cadastre plan propose',
      },
    );
  }

  private staleDraft(state: RegisterState, plan: PlanView, stale: CadastreError) {
    const part = planHeadPart(state, {
      ...this.moved(plan.head, 'superseded', 'cadastre', 'found stale when it was to be approved'),
      note: stale.message,
    });
    return {
      ...part,
      audit: {
        actor: 'cadastre',
        verb: 'supersede',
        subject: `plan/${plan.head.id}`,
        reason: stale.message,
        before: plan.head.state,
        after: 'superseded',
      },
    };
  }

  private moved(head: PlanHead, state: PlanState, actor: string, what: string): PlanHead {
    const event: PlanEvent = { atMs: Math.round(this.options.clock.wallMs()), actor, what };
    return { ...head, state, events: [...head.events, event] };
  }

  unfreeze(act: Act): Promise<Wire.UnfreezeReply> {
    return unfreeze(this.options.register, act);
  }

  settings(): Wire.Settings {
    return settingsView(this.state);
  }

  changeSettings(change: SettingsChange, act: Act): Promise<Wire.Settings> {
    return changeSettings(this.options.register, change, act);
  }

  status(): Wire.StatusReply {
    const { replica, etcdVersion, watchers, frozen } = this.options;
    const { state } = this;
    const nodes = this.listNodes();
    const open = [...state.plans.values()]
      .filter((p) => !hasEnded(p.head.state))
      .sort((a, b) => b.head.createdMs - a.head.createdMs)[0];
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
      health: healthOf(state, nodes, open, frozen?.() ?? frozenIn(state)),
    };
  }
}

const PAST: Record<Verb, string> = {
  approve: 'approved',
  reject: 'rejected',
  pause: 'paused',
  resume: 'resumed',
  cancel: 'cancelled',
};

const requireActor = ({ actor, reason }: Act): string => {
  if (!actor.trim()) throw invalid('actor', 'is missing', 'say who acts');
  if ((reason?.length ?? 0) > LIMITS.reasonCharsMax)
    throw invalid('reason', `has ${reason!.length} characters`, 'shorten it', `${LIMITS.reasonCharsMax} characters`);
  return printable(actor);
};

const touches = (plan: PlanView, names: readonly string[]): boolean =>
  plan.body.base.some((b) => names.includes(b.keyspace));

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

/** As the active controller wrote it down. */
const frozenIn = (state: RegisterState): string | undefined =>
  state.freeze && state.freeze.value.acceptedBy === '' ? state.freeze.value.because : undefined;
