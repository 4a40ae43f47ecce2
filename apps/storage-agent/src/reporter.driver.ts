import type { Generation, KeyspaceGeneration } from '@cadastre/core';
import { CadastreError } from '@cadastre/core';
import type { Peer, Wire } from '@cadastre/contracts';
import { callUnary, encodeKnown, encodeRecord, requireGeneration } from '@cadastre/contracts';
import type { PartitionId, StorageEngine } from '@cadastre/engine';
import type { Cancellable, Clock, Logger } from '@cadastre/runtime';
import type { TransferRates } from './byte-rate.js';
import type { ControlPlane } from './control-plane.js';
import type { Fills } from './fill.driver.js';
import type { LoadBook } from './load-book.js';
import type { ReplicaDriver } from './replica.driver.js';
import type { ReplicaSet } from './replica-set.driver.js';

const LOOK_MS = 100;
/** What a controller waits for (a map applied, a copy filled or gone) is told at the next look, mere figures not more often than this. */
const FIGURES_EVERY_MS = 1000;
/** Looking and telling cost by the replica, here and at every control plane: thousands are told every few seconds, dozens at once. */
const LOOK_MS_A_REPLICA = 0.4;
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
  readonly rates: TransferRates;
  readonly loads: LoadBook;
  applied(): KeyspaceGeneration[];
  /** Resolves when the maps held now are on disk. */
  mapsSaved(): Promise<void>;
}

/**
 * Tells every control-plane replica what is here, whole each time: each can then show progress, and a new active controller need not
 * ask. Does away with what the active one grants.
 */
export class Reporter {
  private timer: Cancellable | undefined;
  private lookedAt = Number.NEGATIVE_INFINITY;
  private sentAt = Number.NEGATIVE_INFINITY;
  /** What controllers wait for, as it was told last; undefined when somebody has not heard it. */
  private told: readonly unknown[] | undefined;
  private readonly busy = new Set<string>();
  private readonly failing = new Set<string>();

  constructor(private readonly options: ReporterOptions) {}

  start(): void {
    this.timer = this.options.clock.every(LOOK_MS, () => this.look());
  }

  stop(): void {
    this.timer?.cancel();
  }

  look(): void {
    const now = this.options.clock.monotonicMs();
    const periodMs = this.options.replicas.size * LOOK_MS_A_REPLICA;
    if (now - this.lookedAt < periodMs) return;
    this.lookedAt = now;
    const applied = this.options.applied();
    const news = this.news(applied);
    if (isSame(news, this.told) && now - this.sentAt < Math.max(FIGURES_EVERY_MS, 4 * periodMs)) return;
    this.told = news;
    this.sentAt = now;
    const replicas = this.reports();
    const { node, incarnation, controlPlane, loads } = this.options;
    for (const replica of replicas) replica.load = loads.report(replica) ?? null;
    const request: Wire.ReportRequest = { node, incarnation, applied: encodeKnown(applied), replicas };
    for (const peer of controlPlane.all()) void this.tell(peer, request);
  }

  /** A replica that is slow to answer is passed over until it has: the next report is whole anyway. */
  private async tell(peer: Peer, request: Wire.ReportRequest): Promise<void> {
    const { address } = peer;
    if (this.busy.has(address)) {
      this.told = undefined; // it has not heard this one
      return;
    }
    this.busy.add(address);
    try {
      const reply = await callUnary<Wire.ReportRequest, Wire.ReportReply__Output>(
        peer.agent,
        peer.agent.report,
        request,
        { deadlineMs: DEADLINE_MS },
      );
      this.failing.delete(address);
      if (reply.pace) this.setRates(reply.pace);
      for (const grant of reply.purge) this.purge(grant, requireGeneration(grant.generation));
    } catch (error) {
      if (!this.failing.has(address))
        this.options.logger.warn('report failed', {
          event: 'report-failed',
          address,
          error: CadastreError.from(error),
        });
      this.failing.add(address);
    } finally {
      this.busy.delete(address);
    }
  }

  private setRates(pace: Wire.TransferPace__Output): void {
    this.options.rates.out.set(pace.out);
    this.options.rates.in.set(pace.in);
  }

  /**
   * With a copy goes its promised epoch. Started anew with a map from before, this node would follow an old leader again and acknowledge
   * for it (INV-3), so the map is saved first. Large copies take a while to go; reports go on meanwhile.
   */
  private purge(id: PartitionId, granted: Generation): void {
    this.options
      .mapsSaved()
      .then(() => this.options.replicas.purge(id, granted))
      .then((isGone) => isGone && this.options.loads.forget(id))
      .catch((error: unknown) =>
        this.options.logger.error('purge failed', { event: 'purge-failed', ...id, error: CadastreError.from(error) }),
      );
  }

  /** Cheap to make and to compare, because it is looked at ten times as often as told. */
  private news(applied: readonly KeyspaceGeneration[]): unknown[] {
    const { replicas } = this.options;
    const news: unknown[] = [];
    for (const { keyspace, generation } of applied) news.push(keyspace, generation.incarnation, generation.number);
    for (const { key, machine } of replicas.all()) news.push(key, machine.phase, machine.promisedEpoch);
    for (const stray of replicas.allStrays()) news.push(stray);
    return news;
  }

  private reports(): (Wire.ReplicaReport & PartitionId)[] {
    const { replicas } = this.options;
    const own = [...replicas.all()].map((replica) => this.reportOf(replica.id, replica));
    const strays = [...replicas.allStrays()].map((id) => this.reportOf(id, undefined));
    return [...own, ...strays];
  }

  private reportOf(id: PartitionId, replica: ReplicaDriver | undefined): Wire.ReplicaReport & PartitionId {
    const { engine, fills } = this.options;
    const meta = engine.meta(id);
    const fill = replica && fills.progress(replica);
    const newer = replica && this.options.replicas.newerThanMap(replica);
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
      whole: meta !== undefined && meta.state !== 'filling',
      lastEpoch: meta?.lastEpoch ?? 0,
      record: newer ? encodeRecord(newer) : null,
    };
  }
}

const isSame = (now: readonly unknown[], before: readonly unknown[] | undefined): boolean =>
  now.length === before?.length && now.every((each, i) => each === before[i]);
