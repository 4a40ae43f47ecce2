import type { KeyspaceSpec } from '@cadastre/core';
import { Field, readPolicy } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import type { z } from 'zod';
import { schemeJson, schemeOf } from './scheme.codec.js';
import type * as schemas from './schemas.js';
import { approvalJson, freezeJson, windowJson } from './operator.codec.js';
import { runLatencyJson } from './heat.codec.js';
import { policyOf, rehearsalJson, scoreJson } from './planning.codec.js';
import type { KeyspaceJson, NodeJson, PartitionPageJson, PlanJson, StatusJson } from './schemas.js';

/** Messages of operator.proto as JSON for people: lower-case words, no 64-bit strings, every field there. */
type Count = number | string | { toString(): string } | null | undefined;

const number = (value: Count): number => Number(value ?? 0);
const text = (value: string | undefined): string => value ?? '';

const generationJson = (wire: Wire.Generation | null | undefined) => ({
  incarnation: number(wire?.incarnation),
  number: number(wire?.number),
});

export const specOf = (json: z.output<typeof schemas.KeyspaceSpec>): KeyspaceSpec => ({
  name: json.name,
  scheme: schemeOf(json.scheme),
  replicationFactor: json.replicationFactor,
  minInSync: json.minInSync,
  spread: json.spread,
  ...(json.policy && { policy: readPolicy(new Field(json.policy, 'policy')) }),
});

export const keyspaceJson = (wire: Wire.Keyspace): KeyspaceJson => ({
  spec: {
    name: text(wire.spec?.name),
    scheme: schemeJson(wire.spec?.scheme),
    replicationFactor: number(wire.spec?.replicationFactor),
    minInSync: number(wire.spec?.minInSync),
    spread: (wire.spec?.spread ?? []).map((s) => ({
      label: text(s.label),
      maxPerDomain: number(s.maxPerDomain),
      hard: s.hard ?? false,
    })),
    ...(wire.spec?.policy && { policy: policyOf(wire.spec.policy) }),
  },
  generation: generationJson(wire.generation),
  partitions: number(wire.partitions),
  underReplicated: number(wire.underReplicated),
  withoutLeader: number(wire.withoutLeader),
  moving: number(wire.moving),
});

export const partitionPageJson = (wire: Wire.Keyspace, from: number, limit: number): PartitionPageJson => {
  const records = wire.records ?? [];
  const end = from + limit;
  return {
    keyspace: text(wire.spec?.name),
    generation: generationJson(wire.generation),
    partitions: records.slice(from, end).map(recordJson),
    ...(end < records.length && { next: end }),
  };
};

type ReplicaJson = z.output<typeof schemas.Replica>;

const recordJson = (wire: Wire.PartitionRecord) => ({
  partition: number(wire.partition),
  epoch: number(wire.epoch),
  replicas: (wire.replicas ?? []).map((r) => ({
    node: text(r.node),
    role: String(r.role).toLowerCase() as ReplicaJson['role'],
    state: String(r.state).toLowerCase() as ReplicaJson['state'],
    inSync: r.inSync ?? false,
  })),
});

export const nodeJson = (wire: Wire.Node): NodeJson => ({
  id: text(wire.entry?.id),
  address: text(wire.entry?.address),
  labels: { ...wire.entry?.labels },
  weight: number(wire.entry?.weight),
  state: text(wire.state) as NodeJson['state'],
  incarnation: text(wire.incarnation),
  replicas: number(wire.replicas),
  leaders: number(wire.leaders),
  bytes: number(wire.bytes),
  records: number(wire.records),
  capacity: Object.fromEntries(Object.entries(wire.capacity ?? {}).map(([name, amount]) => [name, number(amount)])),
  allowedActions: wire.allowedActions ?? [],
  safeToDelete: wire.safeToDelete ?? false,
});

export const settingsJson = (wire: Wire.Settings): z.output<typeof schemas.Settings> => ({
  repair: text(wire.repair) as z.output<typeof schemas.Settings>['repair'],
  repairGraceMs: number(wire.repairGraceMs),
  nodeBytesPerSecond: number(wire.nodeBytesPerSecond),
  clusterBytesPerSecond: number(wire.clusterBytesPerSecond),
  quarantineMs: number(wire.quarantineMs),
  version: text(wire.version),
});

const moveJson = (wire: Wire.PlanMove): PlanJson['moves'][number] => ({
  index: number(wire.index),
  step: number(wire.step),
  keyspace: text(wire.keyspace),
  partition: number(wire.partition),
  kind: text(wire.kind) as PlanJson['moves'][number]['kind'],
  from: text(wire.from),
  to: text(wire.to),
  leaderAfter: text(wire.leaderAfter),
  baseEpoch: number(wire.baseEpoch),
  reason: text(wire.reason),
  bytes: number(wire.bytes),
  phase: text(wire.phase),
  note: text(wire.note),
  bytesDone: number(wire.bytesDone),
  phaseSinceMs: number(wire.phaseSinceMs),
  bytesPerSecond: number(wire.bytesPerSecond),
  condition: text(wire.condition) as PlanJson['moves'][number]['condition'],
  because: text(wire.because),
  phases: (wire.phases ?? []).map((p) => ({ phase: text(p.phase), sinceMs: number(p.sinceMs) })),
});

export const planJson = (wire: Wire.Plan): PlanJson => ({
  id: text(wire.id),
  state: text(wire.state),
  digest: text(wire.digest),
  base: (wire.base ?? []).map((b) => ({ keyspace: text(b.keyspace), generation: generationJson(b.generation) })),
  proposer: text(wire.proposer),
  reason: text(wire.reason),
  createdMs: number(wire.createdMs),
  expiresMs: number(wire.expiresMs),
  moves: (wire.moves ?? []).map(moveJson),
  movesTotal: number(wire.movesTotal),
  nodes: (wire.nodes ?? []).map((n) => ({
    node: text(n.node),
    replicasBefore: number(n.replicasBefore),
    replicasAfter: number(n.replicasAfter),
    leadersBefore: number(n.leadersBefore),
    leadersAfter: number(n.leadersAfter),
  })),
  cost: {
    replicaMoves: number(wire.cost?.replicaMoves),
    leaderTransfers: number(wire.cost?.leaderTransfers),
    bytes: number(wire.cost?.bytes),
    lowerBoundMoves: number(wire.cost?.lowerBoundMoves),
    boundBecause: text(wire.cost?.boundBecause),
    lowerBoundBytes: number(wire.cost?.lowerBoundBytes),
    because: wire.cost?.because ?? [],
    ratio: number(wire.cost?.ratio),
    imbalanceBefore: number(wire.cost?.imbalanceBefore),
    imbalanceAfter: number(wire.cost?.imbalanceAfter),
    violationsBefore: number(wire.cost?.violationsBefore),
    violationsAfter: number(wire.cost?.violationsAfter),
    scores: (wire.cost?.scores ?? []).map(scoreJson),
    estimateLowMs: number(wire.cost?.estimateLowMs),
    estimateMs: number(wire.cost?.estimateMs),
    estimateHighMs: number(wire.cost?.estimateHighMs),
  },
  movesDone: number(wire.movesDone),
  movesFailed: number(wire.movesFailed),
  allowedActions: wire.allowedActions ?? [],
  events: (wire.events ?? []).map((e) => ({ atMs: number(e.atMs), actor: text(e.actor), what: text(e.what) })),
  note: text(wire.note),
  rehearsal: wire.rehearsal ? rehearsalJson(wire.rehearsal) : null,
  ...approvalJson(wire),
  latency: wire.latency ? runLatencyJson(wire.latency) : null,
});

export const reportJson = (wire: Wire.Report): z.output<typeof schemas.Report> => ({
  plan: planJson(wire.plan ?? {}),
  final: wire.final ?? false,
  sha256: text(wire.sha256),
  plannedMs: number(wire.plannedMs),
  actualMs: number(wire.actualMs),
  plannedBytes: number(wire.plannedBytes),
  actualBytes: number(wire.actualBytes),
  pausedMs: number(wire.pausedMs),
  outcome: text(wire.outcome),
});

export const statusJson = (wire: Wire.StatusReply): StatusJson => ({
  clusterId: text(wire.clusterId),
  replica: text(wire.replica),
  active: text(wire.active),
  activeAddress: text(wire.activeAddress),
  term: number(wire.term),
  etcdVersion: text(wire.etcdVersion),
  nodesUp: number(wire.nodesUp),
  nodesTotal: number(wire.nodesTotal),
  keyspaces: (wire.keyspaces ?? []).map(keyspaceJson),
  watchers: number(wire.watchers),
  openPlan: text(wire.openPlan),
  health: text(wire.health),
  freezes: (wire.freezes ?? []).map(freezeJson),
  window: windowJson(wire.window),
  openPlans: wire.openPlans ?? [],
  warnings: (wire.warnings ?? []).map(({ id, level, what, remedy }) => ({
    id: text(id),
    level: text(level),
    what: text(what),
    remedy: text(remedy),
  })),
  convergence: (wire.convergence ?? []).map((c) => ({
    keyspace: text(c.keyspace),
    watchers: number(c.watchers),
    converged: number(c.converged),
    lagReports: number(c.lagReports),
    lagP99Ms: Math.round(number(c.lagP99Ms) * 10) / 10,
  })),
});
