import type { ApprovalPolicy, ChainHead, KeyspaceSpec, ManualMove, Permission, Policy, Scope } from '@cadastre/core';
import { CadastreError, invalid, permissionsOf, permits, printable } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import type { Act, ActOnPlan, ActOnRecovery, AuditQuery, FreezeBy, OperationsPort } from '../operations/ports.js';
import type { HeatQuery } from '../load/heat.js';
import { keyspacesOfProposal } from '../operations/requested-moves.js';
import type { SettingsChange } from '../operations/settings.js';
import type { FreshnessRules } from './fresh-proof.js';
import { requireFreshProof } from './fresh-proof.js';
import { planForCaller } from './plan-for-caller.js';
import type { Principal } from './principal.js';

const ACTS_ON_PLANS: ReadonlyMap<string, Permission> = new Map<string, Permission>([
  ['approve', 'approve'],
  ['reject', 'approve'],
  ['pause', 'halt'],
  ['resume', 'control'],
  ['cancel', 'halt'],
]);

/**
 * The operator's verbs in the name of one principal: what it may not do is refused, and what it does bears its name, whatever the
 * request says. Every surface goes through here; a new verb does not compile before it has its decision.
 */
export class AuthorizedOperations implements OperationsPort {
  constructor(
    private readonly operations: OperationsPort,
    private readonly principal: Principal,
    private readonly rules: FreshnessRules,
  ) {}

  createKeyspace(spec: KeyspaceSpec, act: Act): Promise<Wire.Keyspace> {
    return this.operations.createKeyspace(spec, this.need('administer', [spec.name], act));
  }

  dropKeyspace(name: string, confirm: string, act: Act): Promise<Wire.DropKeyspaceReply> {
    const named = this.need('administer', [name], act);
    requireFreshProof(this.principal, this.rules);
    return this.operations.dropKeyspace(name, confirm, named);
  }

  getKeyspace(name: string, withPartitions: boolean): Wire.Keyspace {
    this.look();
    return this.operations.getKeyspace(name, withPartitions);
  }

  listKeyspaces(): Wire.Keyspace[] {
    this.look();
    return this.operations.listKeyspaces();
  }

  listNodes(): Wire.Node[] {
    this.look();
    return this.operations.listNodes();
  }

  drainNode(id: string, undo: boolean, act: Act): Promise<Wire.Node> {
    return this.operations.drainNode(id, undo, this.need('control', 'cluster', act));
  }

  async proposePlan(
    keyspaces: readonly string[],
    act: Act,
    moves: readonly ManualMove[] = [],
  ): Promise<Wire.ProposePlanReply> {
    const names = keyspacesOfProposal(keyspaces, moves);
    const scope = names.length > 0 ? names : 'cluster';
    return this.ownReply(await this.operations.proposePlan(names, this.need('propose', scope, act), moves));
  }

  async undoPlan(id: string, act: Act): Promise<Wire.ProposePlanReply> {
    const scope = this.scopeOf(id);
    return this.ownReply(await this.operations.undoPlan(id, this.need('propose', scope, act)));
  }

  listPlans(): Wire.Plan[] {
    this.look();
    return this.operations.listPlans().map((plan) => this.own(plan));
  }

  getPlan(id: string): Wire.Plan {
    this.look();
    return this.own(this.operations.getPlan(id));
  }

  async actOnPlan(act: ActOnPlan): Promise<Wire.Plan> {
    const permission = ACTS_ON_PLANS.get(act.action);
    if (!permission)
      throw invalid(
        'action',
        `"${printable(act.action)}" is unknown`,
        `use one of ${[...ACTS_ON_PLANS.keys()].join(', ')}`,
      );
    const { actor } = this.need(permission, this.scopeOf(act.id), act);
    if (act.breakGlassMs !== undefined) this.need('administer', 'cluster', act);
    if (act.action === 'approve') requireFreshProof(this.principal, this.rules);
    return this.own(await this.operations.actOnPlan({ ...act, actor }));
  }

  async cancelAll(act: Act): Promise<Wire.CancelAllReply> {
    const { plans = [] } = await this.operations.cancelAll(this.need('halt', 'cluster', act));
    return { plans: plans.map((plan) => this.own(plan)) };
  }

  report(id: string): Wire.Report {
    this.look();
    return this.operations.report(id);
  }

  drain(node: string): Wire.Drain {
    this.look();
    return this.operations.drain(node);
  }

  freeze(act: Act): Promise<Wire.FreezeReply> {
    return this.operations.freeze(this.need('halt', 'cluster', act));
  }

  /** To let go on what a person stopped sets moves going; to give nodes up for lost is more than that. */
  unfreeze(act: Act, by?: FreezeBy): Promise<Wire.UnfreezeReply> {
    if (by === 'person') return this.operations.unfreeze(this.need('control', 'cluster', act), by);
    const named = this.need('administer', 'cluster', act);
    requireFreshProof(this.principal, this.rules);
    return this.operations.unfreeze(named, by);
  }

  approvalPolicy(): Wire.ApprovalPolicyReply {
    this.look();
    return this.operations.approvalPolicy();
  }

  setApprovalPolicy(policy: ApprovalPolicy, act: Act): Promise<Wire.ApprovalPolicyReply> {
    const named = this.need('administer', 'cluster', act);
    requireFreshProof(this.principal, this.rules);
    return this.operations.setApprovalPolicy(policy, named);
  }

  heat(query: HeatQuery): Wire.Heat {
    this.look();
    return this.operations.heat(query);
  }

  listAudit(query: AuditQuery): Promise<Wire.ListAuditReply> {
    this.look();
    return this.operations.listAudit(query);
  }

  verifyAudit(checkpoints: readonly ChainHead[]): Promise<Wire.VerifyAuditReply> {
    this.look();
    return this.operations.verifyAudit(checkpoints);
  }

  settings(): Wire.Settings {
    this.look();
    return this.operations.settings();
  }

  /** How fast data moves is the operators' affair; what happens without being asked is the administrators'. */
  changeSettings(change: SettingsChange, act: Act): Promise<Wire.Settings> {
    const isThrottle = Object.keys(change).every((field) => field.endsWith('BytesPerSecond'));
    const named = this.need(isThrottle ? 'control' : 'administer', 'cluster', act);
    if (!isThrottle) requireFreshProof(this.principal, this.rules);
    return this.operations.changeSettings(change, named);
  }

  getPolicy(keyspace: string): Wire.PolicyReply {
    this.look();
    return this.operations.getPolicy(keyspace);
  }

  setPolicy(keyspace: string, policy: Policy, act: Act): Promise<Wire.PolicyReply> {
    const scope = keyspace === '' ? 'cluster' : [keyspace];
    return this.operations.setPolicy(keyspace, policy, this.need('administer', scope, act));
  }

  why(keyspace: string, partition: number, node: string): Wire.WhyReply {
    this.look();
    return this.operations.why(keyspace, partition, node);
  }

  /** Whoever has it has everything that the register knows, password hashes too. */
  backup(act: Act): AsyncIterable<Wire.BackupFrame> {
    return this.operations.backup(this.need('administer', 'cluster', act));
  }

  async recovery(): Promise<Wire.Recovery> {
    this.look();
    return this.operations.recovery();
  }

  async actOnRecovery(act: ActOnRecovery): Promise<Wire.Recovery> {
    const { actor } = this.need('administer', 'cluster', act);
    if (act.action === 'approve') requireFreshProof(this.principal, this.rules);
    return this.operations.actOnRecovery({ ...act, actor });
  }

  status(): Wire.StatusReply {
    this.look();
    return this.operations.status();
  }

  private scopeOf(plan: string): string[] {
    this.look();
    return (this.operations.getPlan(plan).base ?? []).map((b) => b.keyspace ?? '');
  }

  private own(plan: Wire.Plan): Wire.Plan {
    const { grants, source, subject } = this.principal;
    const viewer = {
      subject: source === 'open' ? undefined : subject,
      may: (permission: Permission, scope: Scope) => permits(grants, permission, scope),
    };
    return planForCaller(plan, viewer, this.operations.approvalPolicy().policy?.fourEyes ?? false);
  }

  private ownReply(reply: Wire.ProposePlanReply): Wire.ProposePlanReply {
    return reply.plan ? { ...reply, plan: this.own(reply.plan) } : reply;
  }

  /** Any role, over whatever keyspaces, lets one look: the map is no secret among those who may sign in. */
  private look(): void {
    if (!permissionsOf(this.principal.grants).includes('view')) throw this.denied('view');
  }

  private need(permission: Permission, scope: Scope, act: Act): Act {
    if (!permits(this.principal.grants, permission, scope)) throw this.denied(permission, scope);
    return { ...act, actor: this.actor(act.actor) };
  }

  /** With access open the request says who acts, since nobody else can. */
  private actor(claimed: string): string {
    const { source, subject, name } = this.principal;
    if (source === 'open') {
      if (claimed.trim() === '')
        throw invalid(
          'actor',
          'is missing',
          'say who acts: --actor NAME (a token kept for another cluster stands in its way: cadastre logout)',
        );
      return claimed;
    }
    if (claimed === '' || claimed === subject || claimed === name) return subject;
    throw new CadastreError('PERMISSION_DENIED', `${printable(name)} cannot act as ${printable(claimed)}`, {
      field: 'actor',
      remedy: 'leave the actor out: it is who signed in',
    });
  }

  private denied(permission: Permission, scope: Scope = 'cluster'): CadastreError {
    const { name } = this.principal;
    const where = scope === 'cluster' || scope.length === 0 ? 'the cluster' : scope.map((s) => printable(s)).join(', ');
    return new CadastreError('PERMISSION_DENIED', `${printable(name)} may not ${permission} on ${where}`, {
      field: 'role',
      remedy: 'ask an administrator for the role, or somebody who has it',
    });
  }
}
