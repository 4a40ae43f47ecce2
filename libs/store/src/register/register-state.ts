import type { ApprovalPolicy, Generation, KeyspaceMap, MapDelta, NodeEntry, PlanBody } from '@cadastre/core';
import type { LeaseId, Revision } from '../store.js';
import type {
  AuditHead,
  ClusterRecord,
  ControllerRecord,
  FreezeRecord,
  KeyspaceRecord,
  ManualFreezeRecord,
  MoveRecord,
  NodeRecord,
  OwedLeads,
  PlanHead,
  RecoveryRecord,
  SessionRecord,
  Settings,
} from './records.js';
import { DEFAULT_APPROVAL_POLICY } from '@cadastre/core';
import { SETTINGS_DEFAULTS } from './records.js';

/** A record with the revision that a compare-and-set of it names. */
export interface Stored<T> {
  readonly value: T;
  readonly revision: Revision;
}

export interface KeyspaceView {
  readonly record: KeyspaceRecord;
  readonly map: KeyspaceMap;
  readonly headRevision: Revision;
  /** By segment number. */
  readonly segmentRevisions: readonly Revision[];
}

export interface SessionView extends SessionRecord {
  readonly leaseId: LeaseId;
}

export interface PlanView {
  readonly head: PlanHead;
  readonly headRevision: Revision;
  readonly body: PlanBody;
  /** By move index; a move that has not begun has none. */
  readonly moves: ReadonlyMap<number, Stored<MoveRecord>>;
}

export interface ControllerView extends ControllerRecord {
  /** The create revision of its election key. */
  readonly term: bigint;
  readonly key: string;
}

/** All of the register as one replica last saw it. Each value in it is immutable; the maps are replaced, not edited, by each change. */
export interface RegisterState {
  readonly revision: Revision;
  readonly cluster: Stored<ClusterRecord> | undefined;
  readonly keyspaces: ReadonlyMap<string, KeyspaceView>;
  readonly nodes: ReadonlyMap<string, Stored<NodeRecord>>;
  readonly sessions: ReadonlyMap<string, SessionView>;
  /** Nodes that said goodbye and have not come back. */
  readonly departed: ReadonlySet<string>;
  readonly plans: ReadonlyMap<string, PlanView>;
  /** Undefined: SETTINGS_DEFAULTS. */
  readonly settings: Stored<Settings> | undefined;
  readonly freeze: Stored<FreezeRecord> | undefined;
  readonly manualFreeze: Stored<ManualFreezeRecord> | undefined;
  /** The register was restored, and a person has not yet said that this is over. */
  readonly recovery: Stored<RecoveryRecord> | undefined;
  /** A restore into this store has not ended. */
  readonly restoring: boolean;
  /** Undefined: DEFAULT_APPROVAL_POLICY. */
  readonly approvalPolicy: Stored<ApprovalPolicy> | undefined;
  /** By node. */
  readonly owed: ReadonlyMap<string, Stored<OwedLeads>>;
  /** Last generation of keyspaces that were dropped, by name. */
  readonly floors: ReadonlyMap<string, Stored<Generation>>;
  readonly controller: ControllerView | undefined;
  readonly auditHead: Stored<AuditHead> | undefined;
}

/** What one revision (or a resync) changed, for those who pass it on. */
export interface RegisterChange {
  readonly revision: Revision;
  /** One per keyspace whose map moved on by exactly one generation. */
  readonly deltas: readonly MapDelta[];
  /** Keyspaces to be sent as a snapshot: new ones, and those that a resync replaced. */
  readonly snapshots: readonly string[];
  readonly dropped: readonly string[];
  readonly nodes: readonly string[];
  readonly sessions: readonly string[];
  readonly plans: readonly string[];
  readonly controller: boolean;
}

export const nodeEntries = (state: RegisterState): NodeEntry[] => [...state.nodes.values()].map((n) => n.value.entry);

export const settingsOf = (state: RegisterState): Settings => state.settings?.value ?? SETTINGS_DEFAULTS;

export const approvalPolicyOf = (state: RegisterState): ApprovalPolicy =>
  state.approvalPolicy?.value ?? DEFAULT_APPROVAL_POLICY;
