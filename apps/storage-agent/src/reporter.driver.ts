import type { KeyspaceGeneration } from '@cadastre/core';
import { CadastreError } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import { callUnary, encodeKnown, requireGeneration } from '@cadastre/contracts';
import type { PartitionId, StorageEngine } from '@cadastre/engine';
import type { Cancellable, Clock, Logger } from '@cadastre/runtime';
import type { ControlPlane } from './control-plane.js';
import type { Fills } from './fill.driver.js';
import { keyOf, type PartitionKey } from './partition-key.js';
import type { ReplicaDriver } from './replica.driver.js';
import type { ReplicaSet } from './replica-set.driver.js';

const LOOK_MS = 500;
/** A report goes out at least this often, so that silence means something. */
const LEAST_EVERY_MS = 2000;
/** Everything, changed or not: a new active controller has to learn it. */
const FULL_EVERY_MS = 10_000;
const DEADLINE_MS = 3000;

export interface ReporterOptions {
  readonly node: string;
  readonly incarnation: string;
  readonly engine: StorageEngine;
  readonly replicas: ReplicaSet;
  readonly fills: Fills;
  readonly controlPlane: ControlPlane;
  readonly clock: Clock;
  readonly logger: Logger;
  applied(): KeyspaceGeneration[];
}

/** Tells the active controller what is here, and does away with what it grants. */
export class Reporter {
  private readonly told = new Map<PartitionKey, string>();
  private timer: Cancellable | undefined;
  private sentAt = Number.NEGATIVE_INFINITY;
  private fullAt = Number.NEGATIVE_INFINITY;
  private appliedTold = '';
  private busy = false;
  private failing = false;

  constructor(private readonly options: ReporterOptions) {}

  start(): void {
    this.timer = this.options.clock.every(LOOK_MS, () => void this.look());
  }

  stop(): void {
    this.timer?.cancel();
  }

  async look(): Promise<void> {
    if (this.busy) return;
    const now = this.options.clock.monotonicMs();
    const full = now - this.fullAt >= FULL_EVERY_MS;
    const applied = JSON.stringify(this.options.applied());
    const changed = this.reports().filter(([key, report]) => full || isMoving(report) || this.told.get(key) !== JSON.stringify(report));
    if (changed.length === 0 && applied === this.appliedTold && now - this.sentAt < LEAST_EVERY_MS) return;
    this.busy = true;
    try {
      await this.send(changed);
      if (full) this.fullAt = now;
      this.sentAt = now;
      this.appliedTold = applied;
      this.failing = false;
    } catch (error) {
      this.fullAt = Number.NEGATIVE_INFINITY; // whoever is active next knows nothing of what was told before
      if (!this.failing) this.options.logger.warn('report failed', { event: 'report-failed', error: CadastreError.from(error) });
      this.failing = true;
    } finally {
      this.busy = false;
    }
  }

  private async send(changed: readonly [PartitionKey, Wire.ReplicaReport][]): Promise<void> {
    const { controlPlane, node, incarnation } = this.options;
    const request: Wire.ReportRequest = { node, incarnation, applied: encodeKnown(this.options.applied()), replicas: changed.map(([, report]) => report) };
    const reply = await controlPlane.onActive((peer) => callUnary<Wire.ReportRequest, Wire.ReportReply__Output>(peer.agent, peer.agent.report, request, { deadlineMs: DEADLINE_MS }));
    for (const [key, report] of changed) this.told.set(key, JSON.stringify(report));
    for (const grant of reply.purge) {
      const gone = await this.options.replicas.purge(grant, requireGeneration(grant.generation));
      if (gone) this.told.delete(keyOf(grant));
    }
  }

  private reports(): [PartitionKey, Wire.ReplicaReport][] {
    const { replicas } = this.options;
    const own = [...replicas.all()].map((replica): [PartitionKey, Wire.ReplicaReport] => [replica.key, this.reportOf(replica.id, replica)]);
    const strays = [...replicas.allStrays()].map((id): [PartitionKey, Wire.ReplicaReport] => [keyOf(id), this.reportOf(id, undefined)]);
    return [...own, ...strays];
  }

  private reportOf(id: PartitionId, replica: ReplicaDriver | undefined): Wire.ReplicaReport {
    const { engine, fills } = this.options;
    const meta = engine.meta(id);
    const fill = replica && fills.progress(replica);
    return {
      keyspace: id.keyspace,
      partition: id.partition,
      epoch: replica?.machine.promisedEpoch ?? meta?.promisedEpoch ?? 0,
      phase: replica ? replica.machine.phase : 'quarantined',
      lastSeq: meta?.lastSeq ?? 0,
      appliedSeq: meta?.appliedSeq ?? 0,
      records: meta?.count ?? 0,
      bytes: meta ? engine.sizeBytes(id) : 0,
      filledBytes: fill?.filledBytes ?? 0,
      fillTotalBytes: fill?.totalBytes ?? 0,
      digest: meta?.digest ?? '',
    };
  }
}

const isMoving = ({ phase }: Wire.ReplicaReport): boolean => phase === 'filling' || phase === 'quarantined';
