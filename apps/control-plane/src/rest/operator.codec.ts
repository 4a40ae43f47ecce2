import type { Wire } from '@cadastre/contracts';
import type { z } from 'zod';
import type * as schemas from './schemas.js';
import type { AuditEntryJson, DrainJson, PlanJson } from './schemas.js';

/** What operators decide and watch, as JSON for people: approval, windows, freezes, progress, drains, the audit log. */
type Json<Schema extends z.ZodType> = z.output<Schema>;
type Count = number | string | { toString(): string } | null | undefined;

const number = (value: Count): number => Number(value ?? 0);
const text = (value: string | undefined): string => value ?? '';

type OfApproval =
  | 'approvals'
  | 'approvalsNeeded'
  | 'approvalsBecause'
  | 'approvedByPolicy'
  | 'breakGlass'
  | 'risk'
  | 'window'
  | 'progress'
  | 'refusedActions'
  | 'askedBy'
  | 'undoOf'
  | 'staleBecause'
  | 'startedMs'
  | 'endedMs';

export const approvalJson = (wire: Wire.Plan): Pick<PlanJson, OfApproval> => ({
  approvals: (wire.approvals ?? []).map((a) => ({
    actor: text(a.actor),
    atMs: number(a.atMs),
    reason: text(a.reason),
  })),
  approvalsNeeded: number(wire.approvalsNeeded),
  approvalsBecause: wire.approvalsBecause ?? [],
  approvedByPolicy: text(wire.approvedByPolicy),
  breakGlass: wire.breakGlass
    ? {
        actor: text(wire.breakGlass.actor),
        reason: text(wire.breakGlass.reason),
        atMs: number(wire.breakGlass.atMs),
        expiresMs: number(wire.breakGlass.expiresMs),
      }
    : null,
  risk: {
    moves: number(wire.risk?.moves),
    bytes: number(wire.risk?.bytes),
    crossesZone: wire.risk?.crossesZone ?? false,
    lowersRedundancy: wire.risk?.lowersRedundancy ?? false,
  },
  window: windowJson(wire.window),
  progress: wire.progress ? progressJson(wire.progress) : null,
  refusedActions: (wire.refusedActions ?? []).map((r) => ({ action: text(r.action), because: text(r.because) })),
  askedBy: wire.askedBy ?? [],
  undoOf: text(wire.undoOf),
  staleBecause: wire.staleBecause ?? [],
  startedMs: number(wire.startedMs),
  endedMs: number(wire.endedMs),
});

export const windowJson = (wire: Wire.PlanWindow | null | undefined): Json<typeof schemas.PlanWindow> | null =>
  wire
    ? {
        name: text(wire.name),
        zone: text(wire.zone),
        open: wire.open ?? false,
        opensMs: number(wire.opensMs),
        closesMs: number(wire.closesMs),
        fits: text(wire.fits) as Json<typeof schemas.PlanWindow>['fits'],
        because: text(wire.because),
      }
    : null;

const progressJson = (wire: Wire.PlanProgress): Json<typeof schemas.PlanProgress> => ({
  condition: text(wire.condition) as Json<typeof schemas.PlanProgress>['condition'],
  because: text(wire.because),
  bytesDone: number(wire.bytesDone),
  bytesTotal: number(wire.bytesTotal),
  bytesPerSecond: number(wire.bytesPerSecond),
  etaLowMs: number(wire.etaLowMs),
  etaHighMs: number(wire.etaHighMs),
  movesRunning: number(wire.movesRunning),
  movesPending: number(wire.movesPending),
});

export const freezeJson = (wire: Wire.Freeze): Json<typeof schemas.Freeze> => ({
  by: text(wire.by) as Json<typeof schemas.Freeze>['by'],
  actor: text(wire.actor),
  because: text(wire.because),
  sinceMs: number(wire.sinceMs),
});

type PolicyReplyJson = Json<typeof schemas.ApprovalPolicyReply>;

export const approvalPolicyJson = ({ policy, version }: Wire.ApprovalPolicyReply): PolicyReplyJson => ({
  policy: {
    fourEyes: policy?.fourEyes ?? false,
    reasonRequired: policy?.reasonRequired ?? false,
    approvals: number(policy?.approvals),
    rules: (policy?.rules ?? []).map((r) => ({
      name: text(r.name),
      approvals: number(r.approvals),
      ...(r.movesOver !== undefined && { movesOver: number(r.movesOver) }),
      ...(r.bytesOver !== undefined && { bytesOver: number(r.bytesOver) }),
      crossesZone: r.crossesZone ?? false,
      lowersRedundancy: r.lowersRedundancy ?? false,
    })),
    automatic: (policy?.automatic ?? []).map((a) => ({
      name: text(a.name),
      kinds: (a.kinds ?? []) as PolicyReplyJson['policy']['automatic'][number]['kinds'],
      movesMax: number(a.movesMax),
      bytesMax: number(a.bytesMax),
      crossesZone: a.crossesZone ?? false,
      keyspaces: a.keyspaces ?? [],
    })),
    windows: (policy?.windows ?? []).map((w) => ({
      name: text(w.name),
      zone: text(w.zone),
      days: (w.days ?? []) as PolicyReplyJson['policy']['windows'][number]['days'],
      from: text(w.from),
      to: text(w.to),
    })),
  },
  version: text(version),
});

export const drainJson = (wire: Wire.Drain): DrainJson => ({
  node: text(wire.node),
  state: text(wire.state) as DrainJson['state'],
  safeToDelete: wire.safeToDelete ?? false,
  blockers: wire.blockers ?? [],
  warnings: wire.warnings ?? [],
  replicasLeft: number(wire.replicasLeft),
  replicasTotal: number(wire.replicasTotal),
  leadersLeft: number(wire.leadersLeft),
  bytesLeft: number(wire.bytesLeft),
  plan: text(wire.plan),
  etaLowMs: number(wire.etaLowMs),
  etaHighMs: number(wire.etaHighMs),
  allowedActions: wire.allowedActions ?? [],
  because: text(wire.because),
});

export const auditEntryJson = (wire: Wire.AuditRecord): AuditEntryJson => ({
  number: number(wire.number),
  atMs: number(wire.atMs),
  actor: text(wire.actor),
  verb: text(wire.verb),
  subject: text(wire.subject),
  reason: text(wire.reason),
  before: text(wire.before),
  after: text(wire.after),
  generation: (wire.generation ?? []).map((g) => ({
    keyspace: text(g.keyspace),
    generation: { incarnation: number(g.generation?.incarnation), number: number(g.generation?.number) },
  })),
  previousHash: text(wire.previousHash),
  hash: text(wire.hash),
});

export const auditVerdictJson = (wire: Wire.VerifyAuditReply): Json<typeof schemas.AuditVerdict> => ({
  intact: wire.intact ?? false,
  first: number(wire.first),
  last: number(wire.last),
  entries: number(wire.entries),
  faults: (wire.faults ?? []).map((f) => ({
    kind: text(f.kind) as Json<typeof schemas.AuditVerdict>['faults'][number]['kind'],
    number: number(f.number),
    detail: text(f.detail),
  })),
  head: {
    number: number(wire.head?.number),
    hash: text(wire.head?.hash),
    atMs: number(wire.head?.atMs),
    clusterId: text(wire.head?.clusterId),
  },
  checkpoints: number(wire.checkpoints),
});
