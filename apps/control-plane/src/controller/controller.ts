import type { DetectorOptions } from '@cadastre/core';
import { CadastreError } from '@cadastre/core';
import { type Clock, type Logger, type NewId, type Random, delay, randomId } from '@cadastre/runtime';
import type { Compare, Mandate, Register, RegisterChange, RegisterState, Store } from '@cadastre/store';
import { controllerCodec, Election, isWaitingForRecovery, keys, settingsOf } from '@cadastre/store';
import { AfterRun } from './after-run.driver.js';
import { Executor } from './executor.js';
import type { ClusterLoad } from '../load/cluster-load.js';
import { EtcdLeader } from './etcd-leader.driver.js';
import { Failover } from './failover.driver.js';
import { type InSyncAnswer, InSyncChanges } from './in-sync-changes.js';
import { LeaderReturnDriver } from './leader-return.driver.js';
import type { ControlPlaneMeters } from '../metrics/control-plane-meters.js';
import type { MayStill } from '../operations/ports.js';
import type { Observed } from './observed.js';
import { PurgeBook } from './purge-book.js';
import type { ControllerPort, PurgeGrant, TransferPace } from './ports.js';
import type { Prober } from './prober.js';
import type { AgentReport, ChangeInSyncCommand } from './reports.js';
import { PolicyApproval } from './policy-approval.driver.js';
import { Pruner } from './pruner.driver.js';
import { RepairDriver } from './repair.driver.js';
import { Suspicions } from './suspicions.driver.js';

export interface ControllerOptions {
  readonly store: Store;
  readonly register: Register;
  readonly observed: Observed;
  readonly load: ClusterLoad;
  readonly clock: Clock;
  readonly random?: Random;
  readonly newId?: NewId;
  readonly logger: Logger;
  readonly prober: Prober;
  readonly meters?: ControlPlaneMeters;
  readonly identity: { readonly id: string; readonly address: string; readonly httpAddress: string };
  /** Of the election lease. Takeover after a kill takes about this long. */
  readonly electionTtlMs?: number;
  /** Over DETECTOR_DEFAULTS. */
  readonly detector?: Partial<DetectorOptions>;
  /** For how long a move's target may be away before the move is given up. */
  readonly targetGraceMs?: number;
  readonly mayStill?: MayStill;
  /** Entries of the audit log, and ended plans, that stay in the register. */
  readonly auditKeep?: number;
  readonly plansKeep?: number;
  /** After a restore; without it a restored register waits for ever. */
  readonly recovery?: { round(fence: Compare): Promise<void> };
  readonly moveLimits?: { readonly perNodeIn: number; readonly perNodeOut: number; readonly cluster: number };
}

const RECONCILE_MS = 250;

/** What this replica knows and does while it is the active one. */
interface Reign {
  readonly mandate: Mandate;
  readonly suspicions: Suspicions;
  readonly failover: Failover;
  readonly leaderReturn: LeaderReturnDriver;
  readonly etcdLeader: EtcdLeader;
  readonly repair: RepairDriver;
  readonly pruner: Pruner;
}

/**
 * The part that acts by itself, on the one replica that holds the election. It keeps no plan in its head: each round looks at the
 * register and at what agents report, and works off the difference, so a successor goes on exactly where the register says.
 */
export class Controller implements ControllerPort {
  private readonly election: Election;
  private readonly executor: Executor;
  private readonly afterRun: AfterRun;
  private readonly policyApproval: PolicyApproval;
  private readonly purges: PurgeBook;
  private readonly inSyncChanges: InSyncChanges;
  private reign: Reign | undefined;
  private kicked: (() => void) | undefined;
  private kickedAlready = false;
  private stopping = false;
  private loop: Promise<void> | undefined;

  constructor(private readonly options: ControllerOptions) {
    const { store, clock, random, logger, identity, observed, load, register } = options;
    const { runs } = load;
    this.election = new Election({
      store,
      clock,
      ...(random && { random }),
      logger,
      prefix: keys.controllers,
      value: controllerCodec.encode(identity),
      ttlMs: options.electionTtlMs ?? 4_000,
      onElected: (mandate) => this.onElected(mandate),
      onDeposed: (reason) => this.onDeposed(reason),
    });
    this.purges = new PurgeBook(observed, clock);
    this.inSyncChanges = new InSyncChanges(options);
    this.policyApproval = new PolicyApproval({ register, clock, logger });
    this.afterRun = new AfterRun({ register, runs, clock });
    this.executor = new Executor({
      register,
      observed,
      runs,
      clock,
      logger,
      targetGraceMs: options.targetGraceMs ?? 60_000,
      ...(options.mayStill && { mayStill: options.mayStill }),
      ...(options.moveLimits && { limits: options.moveLimits }),
    });
  }

  get active(): boolean {
    return this.reign !== undefined;
  }

  /** Why automation does nothing at present, if it does not. */
  get frozen(): string | undefined {
    return this.reign?.failover.frozen ?? this.reign?.etcdLeader.wary;
  }

  start(): void {
    this.election.campaign();
    this.loop = this.run();
  }

  async stop(): Promise<void> {
    this.stopping = true;
    this.kick();
    await this.loop;
    await this.election.close();
  }

  /** The cluster's limit is shared by those who take in copies; each replica says the same within a report's time. */
  pace(_node: string): TransferPace {
    const { observed, register } = this.options;
    const { nodeBytesPerSecond: node, clusterBytesPerSecond: cluster } = settingsOf(register.state);
    const share = Math.floor(cluster / Math.max(1, observed.fillingNodes));
    const both = node > 0 && share > 0 ? Math.min(node, share) : node || share;
    return { out: node, in: both };
  }

  /** A hint of what may be dead; heard only by the active one. */
  suspect(by: string, suspicions: readonly { readonly node: string; readonly why: string }[]): void {
    for (const { node, why } of suspicions) this.reign?.suspicions.suspect(node, by, why);
  }

  onRegisterChange(_change: RegisterChange): void {
    this.kick();
  }

  /** Taken on every replica, so that each can show progress; only the active one grants. */
  report(report: AgentReport): PurgeGrant[] {
    refuseStranger(this.options.register.state, report);
    this.options.load.take(report, this.options.observed, this.options.register.state);
    this.options.observed.take(report, this.options.clock.monotonicMs());
    if (!this.reign) return [];
    this.kick();
    // What an old copy of the register does not name may be all that there is: a person says when that is over.
    if (this.options.register.state.recovery) return [];
    return this.purges.grants(this.options.register.state, report);
  }

  async changeInSync(command: ChangeInSyncCommand): Promise<InSyncAnswer> {
    if (isWaitingForRecovery(this.options.register.state)) throw notActive('the register waits for its recovery');
    const mandate = this.requireMandate();
    for (const node of command.remove) this.suspect(command.node, [{ node, why: command.reason }]);
    return this.inSyncChanges.ask(command, mandate);
  }

  /** @throws CadastreError NOT_ACTIVE with the address of the active one */
  requireFence(): Compare {
    return this.requireMandate().fence;
  }

  private requireMandate(): Mandate {
    if (this.reign) return this.reign.mandate;
    const activeAddress = this.options.register.state.controller?.address ?? '';
    throw new CadastreError('NOT_ACTIVE', `${this.options.identity.id} is not the active controller`, {
      remedy: activeAddress ? `ask ${activeAddress}` : 'wait until a controller is active',
      info: { activeAddress },
    });
  }

  private onElected(mandate: Mandate): void {
    const { store, register, clock, logger, observed, prober, detector } = this.options;
    const suspicions = new Suspicions({
      prober,
      observed,
      clock,
      logger,
      state: () => register.state,
      onVerdict: () => this.kick(),
      ...(detector && { detector }),
    });
    const isCurrent = () => this.reign?.mandate === mandate;
    const { meters } = this.options;
    if (meters) meters.electionsWon += 1;
    const failoverParts = { register, observed, clock, logger, ...(meters && { meters }) };
    const failover = new Failover(failoverParts, mandate, suspicions, isCurrent);
    const leaderReturn = new LeaderReturnDriver({ register, clock, logger });
    const etcdLeader = new EtcdLeader(store, clock);
    const { newId = randomId, moveLimits } = this.options;
    const repair = new RepairDriver({ register, observed, clock, logger, newId, ...(moveLimits && { moveLimits }) });
    const { auditKeep, plansKeep } = this.options;
    const pruner = new Pruner({
      store,
      register,
      clock,
      logger,
      ...(auditKeep !== undefined && { auditKeep }),
      ...(plansKeep !== undefined && { plansKeep }),
    });
    this.reign = { mandate, suspicions, failover, leaderReturn, etcdLeader, repair, pruner };
    logger.info('active: this replica plans, executes and fails over', { term: String(mandate.term) });
    this.kick();
  }

  private onDeposed(reason: string): void {
    if (!this.reign) return;
    this.reign.suspicions.close();
    this.reign.etcdLeader.close();
    this.reign = undefined;
    this.executor.reset();
    this.purges.reset();
    this.options.logger.warn('no longer active', { reason });
  }

  private kick(): void {
    this.kickedAlready = true;
    this.kicked?.();
  }

  private async run(): Promise<void> {
    while (!this.stopping) {
      await this.round();
      await this.pause();
    }
  }

  private pause(): Promise<void> {
    if (this.stopping || this.kickedAlready) return Promise.resolve();
    // Without a signal: to abort one at each change of the map takes longer than to send the change to a watcher.
    return new Promise((resolve) => {
      const done = () => {
        timer.cancel();
        resolve();
      };
      const timer = this.options.clock.after(RECONCILE_MS, done);
      this.kicked = done;
    });
  }

  /** A failed round changes nothing that the next one would not see. */
  private async round(): Promise<void> {
    const { reign } = this;
    this.kickedAlready = false;
    if (!reign) return;
    try {
      const { mandate, failover, leaderReturn, repair, pruner, suspicions } = reign;
      if (isWaitingForRecovery(this.options.register.state)) {
        await this.options.recovery?.round(mandate.fence);
        return;
      }
      await failover.round();
      // Failover goes on under a person's freeze: a dead leader would stop writes.
      const frozen = this.frozen !== undefined || this.options.register.state.manualFreeze !== undefined;
      if (!frozen) {
        await repair.round(mandate.fence);
        await this.policyApproval.round(mandate.fence);
      }
      await this.executor.round(mandate.fence, frozen);
      await this.afterRun.round(mandate.fence);
      await pruner.round(mandate.fence);
      if (!frozen) await leaderReturn.round(mandate.fence, failover.lastAt, suspicions.doubted());
    } catch (error) {
      const { code, message } = CadastreError.from(error);
      const expected = code === 'NOT_ACTIVE' || code === 'UNAVAILABLE' || code === 'UNKNOWN_OUTCOME';
      this.options.logger[expected ? 'warn' : 'error']('a round of the controller ended early', {
        code,
        reason: message,
        ...(code === 'INTERNAL' && { stack: (error as Error).stack }),
      });
      await delay(this.options.clock, RECONCILE_MS);
    }
  }
}

const notActive = (why: string): CadastreError =>
  new CadastreError('NOT_ACTIVE', why, { remedy: 'ask again later', info: { activeAddress: '' } });

/** A second process under a node's id, or the node with wiped data: its word must not count as that node's (INV-5). */
const refuseStranger = (state: RegisterState, { node, incarnation }: AgentReport): void => {
  const known = state.nodes.get(node)?.value.incarnation;
  if (known === undefined || known === incarnation) return;
  throw new CadastreError('FAILED_PRECONDITION', `node ${node} is registered with incarnation ${known}`, {
    field: 'incarnation',
    remedy: 'register first: the session says why it is refused',
  });
};
