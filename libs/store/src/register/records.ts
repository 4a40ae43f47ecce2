import type {
  ApprovalPolicy,
  Generation,
  KeyspaceGeneration,
  KeyspaceSpec,
  NodeEntry,
  PartitionRecord,
  PlanBody,
  PlanRisk,
  Policy,
  PlanState,
} from '@cadastre/core';
import {
  decodeApprovalPolicy,
  decodeNode,
  decodePolicy,
  decodeSegment,
  decodeSpec,
  encodeApprovalPolicy,
  encodeNode,
  encodePolicy,
  encodeRecord,
  encodeSpec,
  messageCodec,
  requireGeneration,
  type Wire,
} from '@cadastre/contracts';

/** The records of the register as values, and their bytes in etcd. */

export interface ClusterRecord {
  readonly clusterId: string;
  /** Of the register: rises when it is restored from a backup. */
  readonly incarnation: number;
  /** Inherited by every keyspace. */
  readonly policy?: Policy;
}

export interface KeyspaceRecord {
  readonly spec: KeyspaceSpec;
  /** Names the map's keys, so that a keyspace made anew under the same name shares none. */
  readonly id: string;
  readonly createdMs: number;
  readonly segmentSize: number;
  readonly partitions: number;
}

export interface NodeRecord {
  readonly entry: NodeEntry;
  readonly capacity: Readonly<Record<string, number>>;
  readonly incarnation: string;
  readonly adminState: 'active' | 'draining';
  readonly registeredMs: number;
  /** While draining. */
  readonly drain?: DrainRecord;
}

export interface DrainRecord {
  readonly sinceMs: number;
  readonly actor: string;
  readonly reason: string;
  /** Copies on the node when it was to be emptied. */
  readonly replicas: number;
}

export interface SessionRecord {
  readonly node: string;
  readonly incarnation: string;
  readonly address: string;
}

export interface PlanEvent {
  readonly atMs: number;
  readonly actor: string;
  readonly what: string;
}

export interface PlanHead {
  readonly id: string;
  readonly state: PlanState;
  readonly digest: string;
  readonly bodyChunks: number;
  readonly moves: number;
  readonly createdMs: number;
  readonly expiresMs: number;
  readonly events: readonly PlanEvent[];
  readonly note: string;
  readonly movesDone: number;
  readonly movesFailed: number;
  /** Of different people, the first first. */
  readonly approvals?: readonly PlanApproval[];
  /** The rule by which nobody was asked. */
  readonly approvedByPolicy?: string;
  readonly breakGlass?: BreakGlass;
  /** The plan whose way back this is. */
  readonly undoOf?: string;
  readonly startedMs?: number;
  readonly endedMs?: number;
  /** When it was approved. */
  readonly risk?: PlanRisk;
  /** What clients felt of the run; written as it ends. */
  readonly latency?: RunLatency;
  /** Of the minute after it; written then, once. */
  readonly latencyAfter?: LatencyFigure;
}

/** Of answers about the partitions of a run. */
export interface LatencyFigure {
  readonly answers: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

export interface RunLatency {
  readonly before: LatencyFigure;
  readonly during: LatencyFigure;
  readonly stepMs: number;
  /** At most 120. */
  readonly points: readonly LatencyPoint[];
}

export interface LatencyPoint {
  readonly atMs: number;
  readonly figure: LatencyFigure;
}

export interface PlanApproval {
  readonly actor: string;
  readonly atMs: number;
  readonly reason: string;
}

/** Approved past the rules, until it expires: not begun by then it never is, running it is cancelled. */
export interface BreakGlass extends PlanApproval {
  readonly expiresMs: number;
}

export interface PhaseTime {
  readonly phase: string;
  readonly sinceMs: number;
}

export interface MoveRecord {
  readonly plan: string;
  readonly index: number;
  readonly phase: string;
  readonly note: string;
  readonly sinceMs: number;
  readonly cutoverGeneration: Generation | undefined;
  /** How often a copy was begun: 1 for a move that ran through, however often its controller changed. */
  readonly timesStarted: number;
  /** Each phase that it went through, in order. */
  readonly phases?: readonly PhaseTime[];
  /** As the target's agent counted them. */
  readonly bytesMoved?: number;
}

export interface ControllerRecord {
  readonly id: string;
  /** host:port of its gRPC server */
  readonly address: string;
  readonly httpAddress: string;
}

/** How much automation may do, and how fast data may move. */
export interface Settings {
  /** Of a copy lost for longer than the grace: rebuilt, proposed as a plan, or left to the operator. */
  readonly repair: RepairMode;
  readonly repairGraceMs: number;
  /** Of copies out of one node and into one; 0 for no limit. */
  readonly nodeBytesPerSecond: number;
  /** Of all copies together; 0 for no limit. */
  readonly clusterBytesPerSecond: number;
  /** A copy that was moved away is kept so long before it is purged. */
  readonly quarantineMs: number;
}

export const REPAIR_MODES = ['auto', 'propose', 'off'] as const;
export type RepairMode = (typeof REPAIR_MODES)[number];

export const SETTINGS_DEFAULTS: Settings = {
  repair: 'propose',
  repairGraceMs: 600_000,
  nodeBytesPerSecond: 0,
  clusterBytesPerSecond: 0,
  quarantineMs: 0,
};

export interface FreezeRecord {
  readonly sinceMs: number;
  readonly because: string;
  /** Those that are gone. */
  readonly nodes: readonly string[];
  /** Who decided that automation goes on without them; empty: nobody. */
  readonly acceptedBy: string;
}

/** A person has stopped automation. */
export interface ManualFreezeRecord {
  readonly sinceMs: number;
  readonly actor: string;
  readonly reason: string;
}

/** The register was restored from a copy of it. `waiting`: nothing is decided by it yet; `adopted`: it goes on, and nothing is purged. */
export interface RecoveryRecord {
  readonly state: 'waiting' | 'adopted';
  readonly sinceMs: number;
  readonly actor: string;
  readonly reason: string;
  /** Of the backup; empty when the store itself was restored. */
  readonly sha256: string;
  readonly takenMs: number;
  readonly revision: number;
  readonly fromIncarnation: number;
  readonly approvedBy: string;
  readonly approvedMs: number;
  /** One sentence a keyspace, as it was approved. */
  readonly found: readonly string[];
}

/** By keyspace. */
export type OwedLeads = Readonly<Record<string, number>>;

export interface AuditHead {
  readonly number: number;
  readonly hash: string;
}

export interface AuditEntry {
  readonly number: number;
  readonly atMs: number;
  readonly actor: string;
  readonly verb: string;
  readonly subject: string;
  readonly reason: string;
  readonly before: string;
  readonly after: string;
  readonly generation: readonly KeyspaceGeneration[];
  readonly previousHash: string;
}

const wire = {
  cluster: messageCodec<Wire.ClusterRecord, Wire.ClusterRecord__Output>('ClusterRecord'),
  keyspace: messageCodec<Wire.KeyspaceRecord, Wire.KeyspaceRecord__Output>('KeyspaceRecord'),
  head: messageCodec<Wire.MapHead, Wire.MapHead__Output>('MapHead'),
  segment: messageCodec<Wire.MapSegment, Wire.MapSegment__Output>('MapSegment'),
  node: messageCodec<Wire.NodeRecord, Wire.NodeRecord__Output>('NodeRecord'),
  session: messageCodec<Wire.SessionRecord, Wire.SessionRecord__Output>('SessionRecord'),
  planHead: messageCodec<Wire.PlanHead, Wire.PlanHead__Output>('PlanHead'),
  planBody: messageCodec<Wire.PlanBody, Wire.PlanBody__Output>('PlanBody'),
  move: messageCodec<Wire.MoveRecord, Wire.MoveRecord__Output>('MoveRecord'),
  controller: messageCodec<Wire.ControllerRecord, Wire.ControllerRecord__Output>('ControllerRecord'),
  settings: messageCodec<Wire.SettingsRecord, Wire.SettingsRecord__Output>('SettingsRecord'),
  freeze: messageCodec<Wire.FreezeRecord, Wire.FreezeRecord__Output>('FreezeRecord'),
  manualFreeze: messageCodec<Wire.ManualFreezeRecord, Wire.ManualFreezeRecord__Output>('ManualFreezeRecord'),
  approvalPolicy: messageCodec<Wire.ApprovalPolicyRecord, Wire.ApprovalPolicyRecord__Output>('ApprovalPolicyRecord'),
  owed: messageCodec<Wire.OwedLeadsRecord, Wire.OwedLeadsRecord__Output>('OwedLeadsRecord'),
  recovery: messageCodec<Wire.RecoveryRecord, Wire.RecoveryRecord__Output>('RecoveryRecord'),
  auditHead: messageCodec<Wire.AuditHead, Wire.AuditHead__Output>('AuditHead'),
  audit: messageCodec<Wire.AuditEntry, Wire.AuditEntry__Output>('AuditEntry'),
};

export interface RecordCodec<T> {
  encode(value: T): Uint8Array;
  decode(bytes: Uint8Array): T;
}

export const clusterCodec: RecordCodec<ClusterRecord> = {
  encode: ({ clusterId, incarnation, policy }) =>
    wire.cluster.encode({ clusterId, incarnation, policy: policy ? encodePolicy(policy) : null }),
  decode: (bytes) => {
    const { clusterId, incarnation, policy } = wire.cluster.decode(bytes);
    return { clusterId, incarnation, ...(policy && { policy: decodePolicy(policy) }) };
  },
};

export const keyspaceCodec: RecordCodec<KeyspaceRecord> = {
  encode: (r) => wire.keyspace.encode({ ...r, spec: encodeSpec(r.spec) }),
  decode: (bytes) => {
    const w = wire.keyspace.decode(bytes);
    return {
      spec: decodeSpec(w.spec),
      id: w.id,
      createdMs: w.createdMs,
      segmentSize: w.segmentSize,
      partitions: w.partitions,
    };
  },
};

export const headCodec: RecordCodec<Generation> = {
  encode: (generation) => wire.head.encode({ generation }),
  decode: (bytes) => requireGeneration(wire.head.decode(bytes).generation),
};

export const segmentCodec: RecordCodec<readonly PartitionRecord[]> = {
  encode: (records) => wire.segment.encode({ records: records.map(encodeRecord) }),
  decode: decodeSegment,
};

export const nodeCodec: RecordCodec<NodeRecord> = {
  encode: (r) =>
    wire.node.encode({ ...r, entry: encodeNode(r.entry), capacity: { ...r.capacity }, drain: r.drain ?? null }),
  decode: (bytes) => {
    const w = wire.node.decode(bytes);
    if (!w.entry) throw new Error('a node record without its entry');
    return {
      entry: decodeNode(w.entry),
      capacity: w.capacity,
      incarnation: w.incarnation,
      adminState: w.adminState === 'draining' ? 'draining' : 'active',
      registeredMs: w.registeredMs,
      ...(w.drain && { drain: w.drain }),
    };
  },
};

export const sessionCodec: RecordCodec<SessionRecord> = wire.session;

const NO_FIGURE: LatencyFigure = { answers: 0, p50Us: 0, p99Us: 0 };

const latencyOf = ({ before, during, stepMs, points }: Wire.RunLatency__Output): RunLatency => ({
  before: before ?? NO_FIGURE,
  during: during ?? NO_FIGURE,
  stepMs,
  points: points.map(({ atMs, figure }) => ({ atMs, figure: figure ?? NO_FIGURE })),
});

export const planHeadCodec: RecordCodec<PlanHead> = {
  encode: (r) =>
    wire.planHead.encode({
      ...r,
      events: r.events.map((e) => ({ ...e })),
      approvals: (r.approvals ?? []).map((a) => ({ ...a })),
      breakGlass: r.breakGlass ?? null,
      risk: r.risk ?? null,
      latency: r.latency ? { ...r.latency, points: [...r.latency.points] } : null,
      latencyAfter: r.latencyAfter ?? null,
    }),
  decode: (bytes) => {
    const { breakGlass, risk, latency, latencyAfter, ...w } = wire.planHead.decode(bytes);
    return {
      ...w,
      state: w.state as PlanState,
      ...(breakGlass && { breakGlass }),
      ...(risk && { risk }),
      ...(latency && { latency: latencyOf(latency) }),
      ...(latencyAfter && { latencyAfter }),
    };
  },
};

export const planBodyCodec: RecordCodec<PlanBody> = {
  encode: (b) =>
    wire.planBody.encode({
      base: b.base.map((k) => ({ keyspace: k.keyspace, generation: k.generation })),
      moves: b.moves.map((m) => ({ ...m })),
      nodes: b.nodes.map((n) => ({ ...n })),
      cost: { ...b.cost, because: [...b.cost.because], scores: b.cost.scores.map((s) => ({ ...s })) },
      proposer: b.proposer,
      reason: b.reason,
    }),
  decode: (bytes) => {
    const w = wire.planBody.decode(bytes);
    if (!w.cost) throw new Error('a plan without its cost');
    return {
      base: w.base.map((k) => ({ keyspace: k.keyspace, generation: requireGeneration(k.generation) })),
      moves: w.moves.map((m) => ({
        index: m.index,
        step: m.step,
        keyspace: m.keyspace,
        partition: m.partition,
        kind: m.kind as PlanBody['moves'][number]['kind'],
        from: m.from,
        to: m.to,
        leaderAfter: m.leaderAfter,
        baseEpoch: m.baseEpoch,
        reason: m.reason,
        bytes: m.bytes,
      })),
      nodes: w.nodes,
      cost: w.cost,
      proposer: w.proposer,
      reason: w.reason,
    };
  },
};

export const moveCodec: RecordCodec<MoveRecord> = {
  encode: (r) =>
    wire.move.encode({
      ...r,
      cutoverGeneration: r.cutoverGeneration ?? null,
      phases: (r.phases ?? []).map((p) => ({ ...p })),
    }),
  decode: (bytes) => {
    const w = wire.move.decode(bytes);
    return { ...w, cutoverGeneration: w.cutoverGeneration ? requireGeneration(w.cutoverGeneration) : undefined };
  },
};

export const controllerCodec: RecordCodec<ControllerRecord> = wire.controller;

export const settingsCodec: RecordCodec<Settings> = {
  encode: (settings) => wire.settings.encode({ settings }),
  decode: (bytes) => {
    const { settings: found } = wire.settings.decode(bytes);
    if (!found) return SETTINGS_DEFAULTS;
    const { version: _, ...settings } = found;
    return { ...settings, repair: REPAIR_MODES.find((m) => m === settings.repair) ?? SETTINGS_DEFAULTS.repair };
  },
};

export const freezeCodec: RecordCodec<FreezeRecord> = {
  encode: (r) => wire.freeze.encode({ ...r, nodes: [...r.nodes] }),
  decode: (bytes) => wire.freeze.decode(bytes),
};

export const manualFreezeCodec: RecordCodec<ManualFreezeRecord> = wire.manualFreeze;

/** What is not known stays waiting: that is the safe one. */
export const recoveryCodec: RecordCodec<RecoveryRecord> = {
  encode: (record) => wire.recovery.encode({ ...record, found: [...record.found] }),
  decode: (bytes) => {
    const { state, ...record } = wire.recovery.decode(bytes);
    return { ...record, state: state === 'adopted' ? 'adopted' : 'waiting' };
  },
};

export const approvalPolicyCodec: RecordCodec<ApprovalPolicy> = {
  encode: (policy) => wire.approvalPolicy.encode({ policy: encodeApprovalPolicy(policy) }),
  decode: (bytes) => decodeApprovalPolicy(wire.approvalPolicy.decode(bytes).policy),
};

export const owedCodec: RecordCodec<OwedLeads> = {
  encode: (owed) => wire.owed.encode({ owed: Object.entries(owed).map(([keyspace, leads]) => ({ keyspace, leads })) }),
  decode: (bytes) => Object.fromEntries(wire.owed.decode(bytes).owed.map(({ keyspace, leads }) => [keyspace, leads])),
};

export const auditHeadCodec: RecordCodec<AuditHead> = wire.auditHead;

export const auditCodec: RecordCodec<AuditEntry> = {
  encode: (e) =>
    wire.audit.encode({
      ...e,
      generation: e.generation.map((g) => ({ keyspace: g.keyspace, generation: g.generation })),
    }),
  decode: (bytes) => {
    const w = wire.audit.decode(bytes);
    return {
      ...w,
      generation: w.generation.map((g) => ({ keyspace: g.keyspace, generation: requireGeneration(g.generation) })),
    };
  },
};
