/** What REST gives, as far as the page shows it (see /api/openapi.json). Optional: what older replicas do not have. */
export interface Generation {
  readonly incarnation: number;
  readonly number: number;
}

export interface Scheme {
  readonly kind: string;
  readonly hash?: string;
  readonly slots?: number;
  readonly partitions?: number;
  readonly splitPoints?: readonly string[];
  readonly nodes?: readonly unknown[];
  readonly entries?: readonly unknown[];
  readonly hashTags?: boolean;
}

export interface Keyspace {
  readonly spec: {
    readonly name: string;
    readonly scheme: Scheme;
    readonly replicationFactor: number;
    readonly minInSync: number;
    readonly spread: readonly { readonly label: string; readonly maxPerDomain: number; readonly hard: boolean }[];
  };
  readonly generation: Generation;
  readonly partitions: number;
  readonly underReplicated: number;
  readonly withoutLeader: number;
  readonly moving: number;
}

export interface Replica {
  readonly node: string;
  readonly role: 'leader' | 'follower' | 'learner';
  readonly state: 'initializing' | 'available' | 'leaving';
  readonly inSync: boolean;
}

export interface Partition {
  readonly partition: number;
  readonly epoch: number;
  readonly bytes?: number;
  readonly replicas: readonly Replica[];
}

export interface PartitionPage {
  readonly keyspace: string;
  readonly generation: Generation;
  readonly partitions: readonly Partition[];
  readonly next?: number;
}

export interface Node {
  readonly id: string;
  readonly address: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly weight: number;
  readonly state: string;
  readonly replicas: number;
  readonly leaders: number;
  readonly bytes: number;
  readonly records: number;
  readonly capacity: Readonly<Record<string, number>>;
  readonly allowedActions: readonly string[];
}

export interface Move {
  readonly index: number;
  readonly step: number;
  readonly keyspace: string;
  readonly partition: number;
  readonly kind: string;
  readonly from: string;
  readonly to: string;
  readonly reason: string;
  readonly bytes: number;
  readonly phase: string;
  readonly note: string;
  readonly bytesDone: number;
  readonly phaseSinceMs: number;
  readonly bytesPerSecond?: number;
  /** '', pending, moving, throttled, waiting or stalled */
  readonly condition?: string;
  readonly because?: string;
}

export interface NodeChange {
  readonly node: string;
  readonly replicasBefore: number;
  readonly replicasAfter: number;
  readonly leadersBefore: number;
  readonly leadersAfter: number;
}

export interface Score {
  readonly name: string;
  readonly before: number;
  readonly after: number;
}

export interface Cost {
  readonly replicaMoves: number;
  readonly leaderTransfers: number;
  readonly bytes: number;
  readonly lowerBoundMoves: number;
  readonly boundBecause: string;
  readonly lowerBoundBytes: number;
  readonly because: readonly string[];
  readonly ratio: number;
  readonly imbalanceBefore: number;
  readonly imbalanceAfter: number;
  readonly violationsBefore: number;
  readonly violationsAfter: number;
  readonly scores: readonly Score[];
  readonly estimateLowMs: number;
  readonly estimateMs: number;
  readonly estimateHighMs: number;
}

export interface Loss {
  readonly domain: string;
  readonly partitions: number;
}

export interface RehearsalPoint {
  readonly step: number;
  readonly unavailable: number;
  readonly dataLoss: number;
  readonly risks: readonly { readonly label: string; readonly unavailable: Loss; readonly dataLoss: Loss }[];
}

export interface Rehearsal {
  readonly before: RehearsalPoint;
  readonly during: readonly RehearsalPoint[];
  readonly after: RehearsalPoint;
  readonly steps: number;
  readonly verdict: string;
  readonly raisedOnTheWay: boolean;
  readonly summary: string;
}

export interface PlanEvent {
  readonly atMs: number;
  readonly actor: string;
  readonly what: string;
}

export interface PlanWindow {
  readonly name: string;
  readonly zone: string;
  readonly open: boolean;
  readonly opensMs: number;
  readonly closesMs: number;
  readonly fits: 'yes' | 'perhaps' | 'no';
  readonly because: string;
}

export interface PlanProgress {
  /** waiting, moving, throttled, stalled, paused, frozen or ended */
  readonly condition: string;
  readonly because: string;
  readonly bytesDone: number;
  readonly bytesTotal: number;
  readonly bytesPerSecond: number;
  readonly etaLowMs: number;
  readonly etaHighMs: number;
}

export interface Plan {
  readonly id: string;
  readonly state: string;
  readonly digest: string;
  readonly base: readonly { readonly keyspace: string; readonly generation: Generation }[];
  readonly proposer: string;
  readonly reason: string;
  readonly createdMs: number;
  readonly expiresMs: number;
  readonly moves: readonly Move[];
  readonly movesTotal: number;
  readonly nodes: readonly NodeChange[];
  readonly cost: Cost;
  readonly movesDone: number;
  readonly movesFailed: number;
  readonly allowedActions: readonly string[];
  readonly events: readonly PlanEvent[];
  readonly note: string;
  readonly rehearsal: Rehearsal | null;
  readonly approvals?: readonly { readonly actor: string; readonly atMs: number; readonly reason: string }[];
  readonly approvalsNeeded?: number;
  readonly approvalsBecause?: readonly string[];
  /** The rule by which nobody was asked; else empty. */
  readonly approvedByPolicy?: string;
  readonly breakGlass?: { readonly actor: string; readonly reason: string; readonly atMs: number } | null;
  readonly window?: PlanWindow | null;
  readonly progress?: PlanProgress | null;
  readonly latency?: RunLatency | null;
  readonly refusedActions?: readonly { readonly action: string; readonly because: string }[];
  readonly undoOf?: string;
  readonly staleBecause?: readonly string[];
}

export interface Status {
  readonly clusterId: string;
  readonly replica: string;
  readonly active: string;
  readonly activeAddress: string;
  readonly term: number;
  readonly etcdVersion: string;
  readonly nodesUp: number;
  readonly nodesTotal: number;
  readonly keyspaces: readonly Keyspace[];
  readonly watchers: number;
  readonly openPlan: string;
  readonly health: string;
  readonly freezes?: readonly Freeze[];
  readonly window?: PlanWindow | null;
  readonly warnings?: readonly Warning[];
  readonly convergence?: readonly Convergence[];
}

/** Of those who watch one keyspace's map at the replica that answers. */
export interface Convergence {
  readonly keyspace: string;
  readonly watchers: number;
  readonly converged: number;
  readonly lagReports: number;
  readonly lagP99Ms: number;
}

export interface LatencyFigure {
  readonly answers: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Of the partitions of a run, as the nodes that answer measure it. */
export interface RunLatency {
  readonly before: LatencyFigure;
  readonly during: LatencyFigure;
  readonly after: LatencyFigure | null;
  readonly stepMs: number;
  readonly points: readonly { readonly atMs: number; readonly figure: LatencyFigure }[];
}

export type Metric = 'reads' | 'writes' | 'bytes' | 'p99';

export interface HotPartition {
  readonly partition: number;
  readonly leader: string;
  readonly readsPerSecond: number;
  readonly writesPerSecond: number;
  readonly bytes: number;
  readonly p99Ms: number | null;
}

/** Load over time: bucket after bucket, each with its steps. */
export interface Heat {
  readonly keyspace: string;
  readonly metric: Metric;
  readonly fromMs: number;
  readonly stepMs: number;
  readonly steps: number;
  readonly firstPartition: number;
  readonly partitionsPerBucket: number;
  readonly buckets: number;
  readonly partitions: number;
  readonly values: readonly (number | null)[];
  readonly hottest: readonly HotPartition[];
  readonly sinceMs: number;
  readonly mean: number;
  readonly measuredTogether: number;
}

export interface Warning {
  readonly id: string;
  readonly level: string;
  readonly what: string;
  readonly remedy: string;
}

export interface Freeze {
  readonly by: 'person' | 'automation';
  readonly actor: string;
  readonly because: string;
  readonly sinceMs: number;
}

/** One event of the stream: the whole state. */
export interface World {
  readonly status: Status;
  readonly nodes: readonly Node[];
  readonly plan: Plan | null;
}

export interface Settings {
  readonly repair: string;
  readonly repairGraceMs: number;
  readonly nodeBytesPerSecond: number;
  readonly clusterBytesPerSecond: number;
  readonly quarantineMs: number;
}

export interface User {
  readonly subject: string;
  readonly name: string;
  readonly source: string;
  readonly roles: readonly string[];
  readonly permissions: readonly string[];
}

export interface Session {
  readonly access: 'open' | 'required';
  readonly user: User | null;
  readonly csrf: string;
  readonly providers: readonly string[];
}

export interface Why {
  readonly node: string;
  readonly role: string;
  readonly verdict: string;
  readonly rule: string;
  readonly because: string;
  readonly checks: readonly { readonly rule: string; readonly verdict: string; readonly text: string }[];
}

export interface Located {
  readonly keyspace: string;
  readonly scheme: string;
  readonly keyHex: string;
  readonly token: string;
  readonly partition: number;
  readonly ranges: readonly string[];
  readonly generation: Generation;
  readonly replicas: readonly Replica[];
}

export interface Drain {
  readonly node: string;
  readonly state: string;
  readonly safeToDelete: boolean;
  readonly blockers: readonly string[];
  readonly warnings: readonly string[];
  readonly replicasLeft: number;
  readonly replicasTotal: number;
  readonly leadersLeft: number;
  readonly bytesLeft: number;
  readonly plan: string;
  readonly etaLowMs: number;
  readonly etaHighMs: number;
  readonly allowedActions: readonly string[];
  readonly because: string;
}

export interface Report {
  readonly final: boolean;
  readonly sha256: string;
  readonly plannedMs: number;
  readonly actualMs: number;
  readonly plannedBytes: number;
  readonly actualBytes: number;
  readonly pausedMs: number;
  readonly outcome: string;
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
  readonly hash: string;
}

export interface AuditPage {
  readonly entries: readonly AuditEntry[];
  readonly next?: number;
}

export interface AuditVerdict {
  readonly intact: boolean;
  readonly entries: number;
  readonly faults: readonly { readonly kind: string; readonly number: number; readonly detail: string }[];
}
