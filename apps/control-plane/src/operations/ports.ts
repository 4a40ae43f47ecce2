import type { ApprovalPolicy, ChainHead, KeyspaceSpec, ManualMove, Permission, Policy, Scope } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import type { HeatQuery } from '../load/heat.js';
import type { SettingsChange } from './settings.js';

export interface Act {
  /** Who; "unknown" is refused for verbs that change something. */
  readonly actor: string;
  readonly reason?: string;
  /** Nobody asked for it: partitions that moved a short while ago are left where they are, but for repair and constraints. */
  readonly automatic?: boolean;
  /** The version that is edited: refused if another holds by now. */
  readonly expected?: string;
}

/** Whether whoever did something may still do so: people leave, and lose roles. */
export type MayStill = (actor: string, permission: Permission, scope: Scope) => boolean;

export interface ActOnPlan extends Act {
  readonly id: string;
  readonly action: string;
  readonly digest?: string;
  /** Approve past the rules, for so long; only administrators may. */
  readonly breakGlassMs?: number;
}

export interface ActOnRecovery extends Act {
  /** `approve` what was found, or `finish`: no copy need be kept any more that no map names. */
  readonly action: string;
  /** Of what was read. */
  readonly digest?: string;
  /** Nodes that have not been heard and are not waited for. */
  readonly without?: readonly string[];
}

/** What a restored register asks of the part that recovers it. Implemented by the active controller. */
export interface RecoveryPort {
  view(): Promise<Wire.Recovery>;
  act(act: ActOnRecovery): Promise<Wire.Recovery>;
}

export const FREEZE_BY = ['person', 'automation'] as const;
export type FreezeBy = (typeof FREEZE_BY)[number];

export interface AuditQuery {
  /** Entries with smaller numbers; 0: from the newest. */
  readonly before: number;
  readonly limit: number;
  /** Begins with. */
  readonly subject: string;
  readonly actor: string;
}

/** The operator's verbs and views, the same behind gRPC, REST and the page. Views are the messages of operator.proto. */
export interface OperationsPort {
  createKeyspace(spec: KeyspaceSpec, act: Act): Promise<Wire.Keyspace>;
  /** Refused without its name as `confirm`, without a reason, and while a plan on it is approved or runs. */
  dropKeyspace(name: string, confirm: string, act: Act): Promise<Wire.DropKeyspaceReply>;
  getKeyspace(name: string, withPartitions: boolean): Wire.Keyspace;
  listKeyspaces(): Wire.Keyspace[];
  listNodes(): Wire.Node[];
  drainNode(id: string, undo: boolean, act: Act): Promise<Wire.Node>;
  /**
   * @param keyspaces none: those of `moves`, or all without any
   * @param moves asked for by hand, with all else that is due in the same plan
   * @throws CadastreError FAILED_PRECONDITION naming a move that a hard constraint, a capacity or the state of its nodes forbids
   */
  proposePlan(keyspaces: readonly string[], act: Act, moves?: readonly ManualMove[]): Promise<Wire.ProposePlanReply>;
  /** Newest first, without moves. */
  listPlans(): Wire.Plan[];
  /** `id` may be a unique beginning, or "latest". With live progress of each move. */
  getPlan(id: string): Wire.Plan;
  actOnPlan(act: ActOnPlan): Promise<Wire.Plan>;
  /** A person stops automation; failover goes on. @throws CadastreError FAILED_PRECONDITION when a person has done so already */
  freeze(act: Act): Promise<Wire.FreezeReply>;
  /** `by` may be left out when there is one freeze. @throws CadastreError FAILED_PRECONDITION when there is none */
  unfreeze(act: Act, by?: FreezeBy): Promise<Wire.UnfreezeReply>;
  approvalPolicy(): Wire.ApprovalPolicyReply;
  setApprovalPolicy(policy: ApprovalPolicy, act: Act): Promise<Wire.ApprovalPolicyReply>;
  /** Proposes the way back of a run that has ended. @throws CadastreError FAILED_PRECONDITION, NOT_FOUND */
  undoPlan(id: string, act: Act): Promise<Wire.ProposePlanReply>;
  /** Every plan that runs or is to run; each is one transaction of its own. */
  cancelAll(act: Act): Promise<Wire.CancelAllReply>;
  report(id: string): Wire.Report;
  /** Before a drain: whether it could be done. @throws CadastreError NOT_FOUND */
  drain(node: string): Wire.Drain;
  /** The load of partitions over time. @throws CadastreError NOT_FOUND, INVALID_ARGUMENT naming the field */
  heat(query: HeatQuery): Wire.Heat;
  listAudit(query: AuditQuery): Promise<Wire.ListAuditReply>;
  verifyAudit(checkpoints: readonly ChainHead[]): Promise<Wire.VerifyAuditReply>;
  settings(): Wire.Settings;
  changeSettings(change: SettingsChange, act: Act): Promise<Wire.Settings>;
  status(): Wire.StatusReply;
  /** Of the cluster where the name is empty. */
  getPolicy(keyspace: string): Wire.PolicyReply;
  /** @throws CadastreError INVALID_ARGUMENT, UNSATISFIABLE with the smallest conflicting set, FAILED_PRECONDITION while a plan runs */
  setPolicy(keyspace: string, policy: Policy, act: Act): Promise<Wire.PolicyReply>;
  why(keyspace: string, partition: number, node: string): Wire.WhyReply;
  /** Header, entries, trailer: all of the register at one revision. @throws CadastreError while it is read */
  backup(act: Act): AsyncIterable<Wire.BackupFrame>;
  /** After a restore: what the agents have. @throws CadastreError NOT_ACTIVE with the address of the active controller */
  recovery(): Promise<Wire.Recovery>;
  /** @throws CadastreError NOT_ACTIVE, FAILED_PRECONDITION, PLAN_CHANGED, INVALID_ARGUMENT */
  actOnRecovery(act: ActOnRecovery): Promise<Wire.Recovery>;
}
