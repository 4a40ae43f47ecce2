import { BREAK_GLASS_MAX_MS, invalid } from '@cadastre/core';
import type { Wire, WritableCall } from '@cadastre/contracts';
import { decodeApprovalPolicy, decodePolicy, decodeSpec, streaming, unary } from '@cadastre/contracts';
import type { Act, FreezeBy, OperationsPort } from '../operations/ports.js';
import { FREEZE_BY } from '../operations/ports.js';
import { manualMoves } from '../operations/requested-moves.js';
import type { SettingsChange } from '../operations/settings.js';
import type { BackupCall } from './backup-stream.js';
import { serveBackup } from './backup-stream.js';
import type { PlanWatches } from './plan-watches.js';

export interface OperatorHandlerOptions {
  readonly operations: OperationsPort;
  readonly planWatches: PlanWatches;
  /** Called in the caller's scope; what it gives says later whether that caller may still read. */
  readonly holds: () => () => boolean;
}

type PlanCall = WritableCall<Wire.GetPlanRequest__Output, Wire.Plan>;

interface Acted {
  readonly actor: string;
  readonly reason?: string;
  readonly ifVersion?: string;
}

const actOf = ({ actor, reason = '', ifVersion = '' }: Acted): Act => ({
  actor,
  ...(reason !== '' && { reason }),
  ...(ifVersion !== '' && { expected: ifVersion }),
});

const freezeByOf = (by: string): FreezeBy | undefined => {
  const found = FREEZE_BY.find((each) => each === by);
  if (found !== undefined || by === '') return found;
  throw invalid('by', 'names no freeze', `use one of ${FREEZE_BY.join(', ')}`);
};

const settingsChangeOf = (r: Wire.ChangeSettingsRequest__Output): SettingsChange => ({
  ...(r.repair !== undefined && { repair: r.repair }),
  ...(r.repairGraceMs !== undefined && { repairGraceMs: r.repairGraceMs }),
  ...(r.nodeBytesPerSecond !== undefined && { nodeBytesPerSecond: r.nodeBytesPerSecond }),
  ...(r.clusterBytesPerSecond !== undefined && { clusterBytesPerSecond: r.clusterBytesPerSecond }),
  ...(r.quarantineMs !== undefined && { quarantineMs: r.quarantineMs }),
});

export const operatorHandlers = ({ operations, planWatches, holds }: OperatorHandlerOptions) => ({
  CreateKeyspace: unary<Wire.CreateKeyspaceRequest__Output, Wire.Keyspace>((r) =>
    operations.createKeyspace(decodeSpec(r.spec), actOf(r)),
  ),
  DropKeyspace: unary<Wire.DropKeyspaceRequest__Output, Wire.DropKeyspaceReply>((r) =>
    operations.dropKeyspace(r.name, r.confirm, actOf(r)),
  ),
  GetKeyspace: unary<Wire.GetKeyspaceRequest__Output, Wire.Keyspace>((r) =>
    operations.getKeyspace(r.name, r.withPartitions),
  ),
  ListKeyspaces: unary<Wire.ListKeyspacesRequest__Output, Wire.ListKeyspacesReply>(() => ({
    keyspaces: operations.listKeyspaces(),
  })),
  ListNodes: unary<Wire.ListNodesRequest__Output, Wire.ListNodesReply>(() => ({ nodes: operations.listNodes() })),
  DrainNode: unary<Wire.DrainNodeRequest__Output, Wire.Node>((r) => operations.drainNode(r.id, r.undo, actOf(r))),
  ProposePlan: unary<Wire.ProposePlanRequest__Output, Wire.ProposePlanReply>((r) =>
    operations.proposePlan(r.keyspaces, actOf(r), manualMoves(r.moves)),
  ),
  ListPlans: unary<Wire.ListPlansRequest__Output, Wire.ListPlansReply>(() => ({ plans: operations.listPlans() })),
  GetPlan: unary<Wire.GetPlanRequest__Output, Wire.Plan>((r) => operations.getPlan(r.id)),
  ActOnPlan: unary<Wire.ActOnPlanRequest__Output, Wire.Plan>((r) =>
    operations.actOnPlan({
      id: r.id,
      action: r.action,
      ...actOf(r),
      ...(r.digest !== '' && { digest: r.digest }),
      ...(r.breakGlass && { breakGlassMs: r.breakGlassMs || BREAK_GLASS_MAX_MS }),
    }),
  ),
  WatchPlan: streaming((call: PlanCall) => planWatches.serve(call, holds())),
  Unfreeze: unary<Wire.UnfreezeRequest__Output, Wire.UnfreezeReply>((r) =>
    operations.unfreeze(actOf(r), freezeByOf(r.by)),
  ),
  Freeze: unary<Wire.FreezeRequest__Output, Wire.FreezeReply>((r) => operations.freeze(actOf(r))),
  GetApprovalPolicy: unary<Wire.GetApprovalPolicyRequest__Output, Wire.ApprovalPolicyReply>(() =>
    operations.approvalPolicy(),
  ),
  SetApprovalPolicy: unary<Wire.SetApprovalPolicyRequest__Output, Wire.ApprovalPolicyReply>((r) => {
    if (!r.policy) throw invalid('policy', 'is missing', 'give the policy that is to hold');
    return operations.setApprovalPolicy(decodeApprovalPolicy(r.policy), actOf(r));
  }),
  UndoPlan: unary<Wire.UndoPlanRequest__Output, Wire.ProposePlanReply>((r) => operations.undoPlan(r.id, actOf(r))),
  CancelAll: unary<Wire.CancelAllRequest__Output, Wire.CancelAllReply>((r) => operations.cancelAll(actOf(r))),
  GetReport: unary<Wire.GetReportRequest__Output, Wire.Report>((r) => operations.report(r.plan)),
  GetDrain: unary<Wire.GetDrainRequest__Output, Wire.Drain>((r) => operations.drain(r.node)),
  GetHeat: unary<Wire.GetHeatRequest__Output, Wire.Heat>((r) => operations.heat(r)),
  ListAudit: unary<Wire.ListAuditRequest__Output, Wire.ListAuditReply>((r) =>
    operations.listAudit({ before: r.before, limit: r.limit || 100, subject: r.subject, actor: r.actor }),
  ),
  VerifyAudit: unary<Wire.VerifyAuditRequest__Output, Wire.VerifyAuditReply>((r) =>
    operations.verifyAudit(r.checkpoints),
  ),
  GetSettings: unary<Wire.GetSettingsRequest__Output, Wire.Settings>(() => operations.settings()),
  ChangeSettings: unary<Wire.ChangeSettingsRequest__Output, Wire.Settings>((r) =>
    operations.changeSettings(settingsChangeOf(r), actOf(r)),
  ),
  GetPolicy: unary<Wire.GetPolicyRequest__Output, Wire.PolicyReply>((r) => operations.getPolicy(r.keyspace)),
  SetPolicy: unary<Wire.SetPolicyRequest__Output, Wire.PolicyReply>((r) => {
    if (!r.policy) throw invalid('policy', 'is missing', 'give the policy that is to hold');
    return operations.setPolicy(r.keyspace, decodePolicy(r.policy), actOf(r));
  }),
  GetRecovery: unary<Wire.GetRecoveryRequest__Output, Wire.Recovery>(() => operations.recovery()),
  ActOnRecovery: unary<Wire.ActOnRecoveryRequest__Output, Wire.Recovery>((r) =>
    operations.actOnRecovery({ ...actOf(r), action: r.action, digest: r.digest, without: r.without }),
  ),
  Backup: streaming((call: BackupCall) => serveBackup(call, operations.backup(actOf(call.request)))),
  Why: unary<Wire.WhyRequest__Output, Wire.WhyReply>((r) => operations.why(r.keyspace, r.partition, r.node)),
  Status: unary<Wire.StatusRequest__Output, Wire.StatusReply>(() => operations.status()),
});
