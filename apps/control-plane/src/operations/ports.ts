import type { KeyspaceSpec, Policy } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import type { SettingsChange } from './settings.js';

export interface Act {
  /** Who; "unknown" is refused for verbs that change something. */
  readonly actor: string;
  readonly reason?: string;
  /** Nobody asked for it: partitions that moved a short while ago are left where they are, but for repair and constraints. */
  readonly automatic?: boolean;
}

export interface ActOnPlan extends Act {
  readonly id: string;
  readonly action: string;
  readonly digest?: string;
}

/** The operator's verbs and views, the same behind gRPC, REST and the page. Views are the messages of operator.proto. */
export interface OperationsPort {
  createKeyspace(spec: KeyspaceSpec, act: Act): Promise<Wire.Keyspace>;
  getKeyspace(name: string, withPartitions: boolean): Wire.Keyspace;
  listKeyspaces(): Wire.Keyspace[];
  listNodes(): Wire.Node[];
  drainNode(id: string, undo: boolean, act: Act): Promise<Wire.Node>;
  proposePlan(keyspaces: readonly string[], act: Act): Promise<Wire.ProposePlanReply>;
  /** Newest first, without moves. */
  listPlans(): Wire.Plan[];
  /** `id` may be a unique beginning, or "latest". With live progress of each move. */
  getPlan(id: string): Wire.Plan;
  actOnPlan(act: ActOnPlan): Promise<Wire.Plan>;
  unfreeze(act: Act): Promise<Wire.UnfreezeReply>;
  settings(): Wire.Settings;
  changeSettings(change: SettingsChange, act: Act): Promise<Wire.Settings>;
  status(): Wire.StatusReply;
  /** Of the cluster where the name is empty. */
  getPolicy(keyspace: string): Wire.PolicyReply;
  /** @throws CadastreError INVALID_ARGUMENT, UNSATISFIABLE with the smallest conflicting set, FAILED_PRECONDITION while a plan runs */
  setPolicy(keyspace: string, policy: Policy, act: Act): Promise<Wire.PolicyReply>;
  why(keyspace: string, partition: number, node: string): Wire.WhyReply;
}
