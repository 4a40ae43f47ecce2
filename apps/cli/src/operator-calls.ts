import { CadastreError } from '@cadastre/core';
import { delay, systemClock } from '@cadastre/runtime';
import type { ActiveInfo, Peer, Transport, Wire } from '@cadastre/contracts';
import { bearerMetadata, callUnary, fromServiceError, grpcTransport } from '@cadastre/contracts';

type Operator = Wire.OperatorClient;
type Method<Request, Reply> = (peer: Peer) => Parameters<typeof callUnary<Request, Reply>>[1];

const DEADLINE_MS = 10_000;
/** A replica that is started anew is back within seconds: 20 s of trying, once a watch has begun. */
const WATCH_RETRY_MS = 250;
const WATCH_PATIENCE = 80;

export interface OperatorCallOptions {
  readonly deadlineMs?: number;
  readonly bearer?: string | undefined;
  /** Default gRPC in plaintext. */
  readonly transport?: Transport;
}

/** Asks any control-plane replica; the next one when one is away, the active one when only it may answer. */
export class OperatorCalls {
  private readonly peers = new Map<string, Peer>();

  constructor(
    readonly servers: readonly string[],
    private readonly options: OperatorCallOptions = {},
  ) {}

  createKeyspace = (request: Wire.CreateKeyspaceRequest) =>
    this.change<Wire.CreateKeyspaceRequest, Wire.Keyspace__Output>((p) => p.operator.CreateKeyspace, request);
  dropKeyspace = (request: Wire.DropKeyspaceRequest) =>
    this.change<Wire.DropKeyspaceRequest, Wire.DropKeyspaceReply__Output>((p) => p.operator.DropKeyspace, request);
  getKeyspace = (request: Wire.GetKeyspaceRequest) =>
    this.read<Wire.GetKeyspaceRequest, Wire.Keyspace__Output>((p) => p.operator.GetKeyspace, request);
  listKeyspaces = () =>
    this.read<Wire.ListKeyspacesRequest, Wire.ListKeyspacesReply__Output>((p) => p.operator.ListKeyspaces, {});
  listNodes = () => this.read<Wire.ListNodesRequest, Wire.ListNodesReply__Output>((p) => p.operator.ListNodes, {});
  drainNode = (request: Wire.DrainNodeRequest) =>
    this.change<Wire.DrainNodeRequest, Wire.Node__Output>((p) => p.operator.DrainNode, request);
  proposePlan = (request: Wire.ProposePlanRequest) =>
    this.change<Wire.ProposePlanRequest, Wire.ProposePlanReply__Output>((p) => p.operator.ProposePlan, request);
  listPlans = () => this.read<Wire.ListPlansRequest, Wire.ListPlansReply__Output>((p) => p.operator.ListPlans, {});
  getPlan = (id: string) => this.read<Wire.GetPlanRequest, Wire.Plan__Output>((p) => p.operator.GetPlan, { id });
  actOnPlan = (request: Wire.ActOnPlanRequest) =>
    this.change<Wire.ActOnPlanRequest, Wire.Plan__Output>((p) => p.operator.ActOnPlan, request);
  unfreeze = (request: Wire.UnfreezeRequest) =>
    this.change<Wire.UnfreezeRequest, Wire.UnfreezeReply__Output>((p) => p.operator.Unfreeze, request);
  freeze = (request: Wire.FreezeRequest) =>
    this.change<Wire.FreezeRequest, Wire.FreezeReply__Output>((p) => p.operator.Freeze, request);
  getApprovalPolicy = () =>
    this.read<Wire.GetApprovalPolicyRequest, Wire.ApprovalPolicyReply__Output>((p) => p.operator.GetApprovalPolicy, {});
  setApprovalPolicy = (request: Wire.SetApprovalPolicyRequest) =>
    this.change<Wire.SetApprovalPolicyRequest, Wire.ApprovalPolicyReply__Output>(
      (p) => p.operator.SetApprovalPolicy,
      request,
    );
  undoPlan = (request: Wire.UndoPlanRequest) =>
    this.change<Wire.UndoPlanRequest, Wire.ProposePlanReply__Output>((p) => p.operator.UndoPlan, request);
  cancelAll = (request: Wire.CancelAllRequest) =>
    this.change<Wire.CancelAllRequest, Wire.CancelAllReply__Output>((p) => p.operator.CancelAll, request);
  getReport = (plan: string) =>
    this.read<Wire.GetReportRequest, Wire.Report__Output>((p) => p.operator.GetReport, { plan });
  getDrain = (node: string) =>
    this.read<Wire.GetDrainRequest, Wire.Drain__Output>((p) => p.operator.GetDrain, { node });
  listAudit = (request: Wire.ListAuditRequest) =>
    this.read<Wire.ListAuditRequest, Wire.ListAuditReply__Output>((p) => p.operator.ListAudit, request);
  verifyAudit = (checkpoints: Wire.AuditCheckpoint[]) =>
    this.read<Wire.VerifyAuditRequest, Wire.VerifyAuditReply__Output>((p) => p.operator.VerifyAudit, { checkpoints });
  getHeat = (request: Wire.GetHeatRequest) =>
    this.read<Wire.GetHeatRequest, Wire.Heat__Output>((p) => p.operator.GetHeat, request);
  getSettings = () => this.read<Wire.GetSettingsRequest, Wire.Settings__Output>((p) => p.operator.GetSettings, {});
  changeSettings = (request: Wire.ChangeSettingsRequest) =>
    this.change<Wire.ChangeSettingsRequest, Wire.Settings__Output>((p) => p.operator.ChangeSettings, request);
  watchers = () => this.read<Wire.ListWatchersRequest, Wire.ListWatchersReply__Output>((p) => p.map.ListWatchers, {});
  getRecovery = () => this.read<Wire.GetRecoveryRequest, Wire.Recovery__Output>((p) => p.operator.GetRecovery, {});
  actOnRecovery = (request: Wire.ActOnRecoveryRequest) =>
    this.change<Wire.ActOnRecoveryRequest, Wire.Recovery__Output>((p) => p.operator.ActOnRecovery, request);
  status = () => this.read<Wire.StatusRequest, Wire.StatusReply__Output>((p) => p.operator.Status, {});
  getPolicy = (keyspace: string) =>
    this.read<Wire.GetPolicyRequest, Wire.PolicyReply__Output>((p) => p.operator.GetPolicy, { keyspace });
  setPolicy = (request: Wire.SetPolicyRequest) =>
    this.change<Wire.SetPolicyRequest, Wire.PolicyReply__Output>((p) => p.operator.SetPolicy, request);
  why = (request: Wire.WhyRequest) => this.read<Wire.WhyRequest, Wire.WhyReply__Output>((p) => p.operator.Why, request);
  locate = (request: Wire.LocateRequest) =>
    this.read<Wire.LocateRequest, Wire.LocateReply__Output>((p) => p.map.Locate, request);

  /** Frames of a backup from one replica, begun at the next one only while nothing has come. */
  async *backup(request: Wire.BackupRequest): AsyncGenerator<Wire.BackupFrame__Output> {
    let last: CadastreError | undefined;
    for (const address of this.servers) {
      let begun = false;
      try {
        for await (const frame of this.backupAt(address, request)) {
          begun = true;
          yield frame;
        }
        return;
      } catch (error) {
        last = CadastreError.from(error);
        if (begun || last.code !== 'UNAVAILABLE') throw last;
      }
    }
    throw this.nobody(last!);
  }

  private async *backupAt(address: string, request: Wire.BackupRequest): AsyncGenerator<Wire.BackupFrame__Output> {
    const { bearer } = this.options;
    const { operator } = this.peer(address);
    const call = bearer === undefined ? operator.Backup(request) : operator.Backup(request, bearerMetadata(bearer));
    try {
      for await (const frame of call) yield frame as Wire.BackupFrame__Output;
    } catch (error) {
      throw fromServiceError(error as never);
    } finally {
      call.cancel();
    }
  }

  /** The plan at each change until it has ended. A cut stream is continued at the next replica. */
  async *watchPlan(id: string, signal: AbortSignal): AsyncGenerator<Wire.Plan__Output> {
    let patience = this.servers.length;
    for (let at = 0; !signal.aborted; at += 1) {
      try {
        for await (const plan of this.watchAt(this.servers[at % this.servers.length]!, id, signal)) {
          patience = WATCH_PATIENCE;
          yield plan;
        }
        return;
      } catch (error) {
        const failure = CadastreError.from(error);
        patience -= 1;
        if (signal.aborted) return;
        if (!['UNAVAILABLE', 'CANCELLED'].includes(failure.code) || patience <= 0) throw this.nobody(failure);
        await delay(systemClock, WATCH_RETRY_MS, signal);
      }
    }
  }

  close(): void {
    for (const peer of this.peers.values()) peer.close();
    this.peers.clear();
  }

  private async *watchAt(address: string, id: string, signal: AbortSignal): AsyncGenerator<Wire.Plan__Output> {
    const { bearer } = this.options;
    const operator = this.peer(address).operator as Operator;
    const call = bearer === undefined ? operator.WatchPlan({ id }) : operator.WatchPlan({ id }, bearerMetadata(bearer));
    const cancel = () => call.cancel();
    signal.addEventListener('abort', cancel, { once: true });
    try {
      for await (const plan of call) yield plan as Wire.Plan__Output;
    } catch (error) {
      throw fromServiceError(error as never);
    } finally {
      signal.removeEventListener('abort', cancel);
      call.cancel();
    }
  }

  private get limits() {
    const { deadlineMs = DEADLINE_MS, bearer } = this.options;
    return { deadlineMs, ...(bearer !== undefined && { bearer }) };
  }

  private read<Request, Reply>(method: Method<Request, Reply>, request: Request): Promise<Reply> {
    return this.ask(method, request, (error) => ['UNAVAILABLE', 'CANCELLED', 'DEADLINE_EXCEEDED'].includes(error.code));
  }

  /** A change is sent again only where it cannot have happened. */
  private change<Request, Reply>(method: Method<Request, Reply>, request: Request): Promise<Reply> {
    return this.ask(method, request, neverHappened);
  }

  private async ask<Request, Reply>(
    method: Method<Request, Reply>,
    request: Request,
    mayAskNext: (error: CadastreError) => boolean,
  ): Promise<Reply> {
    const left = [...this.servers];
    const asked = new Set<string>();
    let last: CadastreError | undefined;
    for (let address = left.shift(); address !== undefined; address = left.shift()) {
      if (asked.has(address)) continue;
      asked.add(address);
      try {
        const peer = this.peer(address);
        return await callUnary(peer.operator as never, method(peer) as never, request, this.limits);
      } catch (error) {
        last = CadastreError.from(error);
        const active = last.code === 'NOT_ACTIVE' ? (last.info as ActiveInfo | undefined)?.activeAddress : undefined;
        if (active) left.unshift(active);
        else if (last.code !== 'NOT_ACTIVE' && !mayAskNext(last)) throw last;
      }
    }
    throw this.nobody(last!);
  }

  private nobody(last: CadastreError): CadastreError {
    if (last.code !== 'UNAVAILABLE' || last.field === 'certificate') return last;
    return new CadastreError(
      'UNAVAILABLE',
      `no control plane answers at ${this.servers.join(', ')}: ${causeOf(last)}`,
      {
        field: 'server',
        remedy: 'check that the cluster is up (cadastre up), or give --server; where it speaks TLS, also --tls-ca',
        cause: last,
      },
    );
  }

  private peer(address: string): Peer {
    const peer = this.peers.get(address) ?? (this.options.transport ?? grpcTransport).peer(address);
    this.peers.set(address, peer);
    return peer;
  }
}

/** What the system said, without the words of gRPC around it. */
const causeOf = ({ message }: CadastreError): string =>
  message.replace(/^No connection established\. Last error: (Error: )?/, '').replace(/\.? Resolution note:\s*$/, '');

const neverHappened = (error: CadastreError): boolean => {
  if (error.code !== 'UNAVAILABLE') return false;
  const trailers = (error.cause as { metadata?: { get(name: string): unknown[] } } | undefined)?.metadata;
  return (
    (trailers?.get('cadastre-error-bin').length ?? 0) > 0 ||
    /No connection established|ECONNREFUSED/.test(error.message)
  );
};
