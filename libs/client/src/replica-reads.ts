import type { KeyspaceMap, NodeEntry } from '@cadastre/core';
import { CadastreError, invalid } from '@cadastre/core';
import type { KvKind, KvReplies } from '@cadastre/contracts';
import type { Clock } from '@cadastre/runtime';
import { LatencyRecorder } from './latency.js';
import type { LinkPool } from './link/link-pool.js';
import { RetryBudget } from './retry-budget.js';
import type { Request, RequestOptions } from './router.js';
import type { Telemetry } from './telemetry.js';

/** How a read may be answered by another node than the leader. Without any of it a read is linearizable, by the leader. */
export interface ReadOptions extends RequestOptions {
  /** `nearest`: by the in-sync replica with which this program shares most labels, as of a moment at most `maxStalenessMs` ago. */
  readonly from?: 'leader' | 'nearest';
  /** 5,000 unless told. A replica that is further behind refuses, and the leader is asked. */
  readonly maxStalenessMs?: number;
  /**
   * A second replica is asked when the first has not answered for this time; true stands for the 95th percentile of what reads take.
   * The first answer counts, so it may come from a follower and be as old as `maxStalenessMs` allows. At most a tenth of all reads.
   */
  readonly hedge?: boolean | { readonly afterMs: number };
}

/** Compiled: the request may be answered by a follower. */
export interface ReplicaRead {
  readonly nearest: boolean;
  readonly maxStalenessMs: number;
  /** Undefined: no second replica is asked. */
  readonly hedgeAfterMs: number | 'p95' | undefined;
}

const STALENESS_MS = 5_000;
const HEDGE_BUDGET = { share: 0.1, burst: 20, perSecond: 1 };
/** Until so many reads have been seen, a guess. */
const SAMPLES = 200;
const GUESS_MS = 10;
const LEAST_MS = 1;

/** @returns undefined for a read by the leader alone. @throws CadastreError INVALID_ARGUMENT naming the option */
export const compileRead = ({
  from = 'leader',
  maxStalenessMs,
  hedge = false,
}: ReadOptions): ReplicaRead | undefined => {
  if (from !== 'leader' && from !== 'nearest')
    throw invalid('from', `"${String(from)}" is unknown`, 'use leader or nearest');
  if (
    maxStalenessMs !== undefined &&
    !(Number.isFinite(maxStalenessMs) && maxStalenessMs >= 1 && maxStalenessMs <= 600_000)
  )
    throw invalid('maxStalenessMs', `${maxStalenessMs} is no age`, 'give milliseconds', '1 to 600000');
  const hedgeAfterMs = typeof hedge === 'object' ? hedge.afterMs : hedge ? 'p95' : undefined;
  if (typeof hedgeAfterMs === 'number' && !(Number.isFinite(hedgeAfterMs) && hedgeAfterMs >= 0))
    throw invalid('hedge.afterMs', `${hedgeAfterMs} is no time`, 'give milliseconds, or true for the 95th percentile');
  if (from === 'leader' && hedgeAfterMs === undefined) return undefined;
  return { nearest: from === 'nearest', maxStalenessMs: Math.ceil(maxStalenessMs ?? STALENESS_MS), hedgeAfterMs };
};

interface Candidate {
  readonly node: NodeEntry;
  readonly leads: boolean;
}

/** How many labels two places share. */
const closeness = (own: Readonly<Record<string, string>>, { labels }: NodeEntry): number =>
  Object.entries(own).reduce((sum, [name, value]) => sum + Number(labels[name] === value), 0);

/** The 95th percentile of the last few hundred reads, not of all time: a cluster that has become faster is hedged sooner again. */
class RecentP95 {
  private current = new LatencyRecorder();
  private known = GUESS_MS;
  private seen = 0;

  get ms(): number {
    return Math.max(LEAST_MS, this.known);
  }

  record(ms: number): void {
    this.current.record(ms);
    this.seen += 1;
    if (this.seen < SAMPLES) return;
    this.known = this.current.quantile(0.95);
    this.current = new LatencyRecorder();
    this.seen = 0;
  }
}

export interface ReplicaReadsOptions {
  readonly clock: Clock;
  readonly labels: Readonly<Record<string, string>>;
}

export interface AttemptLimits {
  readonly deadlineMs: number;
  readonly signal: AbortSignal | undefined;
  readonly traceparent?: string | undefined;
}

/** One attempt of a read that followers may answer: at the nearest replica or the leader, and at a second one when that takes long. */
export class ReplicaReads {
  private readonly p95 = new RecentP95();
  private readonly budget = new RetryBudget(HEDGE_BUDGET);
  private turn = 0;

  constructor(
    private readonly links: LinkPool,
    private readonly options: ReplicaReadsOptions,
    private readonly telemetry: Telemetry,
  ) {}

  /** Of every read that the leader answered. */
  observe(tookMs: number): void {
    this.p95.record(tookMs);
  }

  /** @returns undefined when no replica can be asked. Rejects as the attempt at the first replica does. */
  attempt<K extends KvKind>(
    request: Request<K>,
    read: ReplicaRead,
    map: KeyspaceMap,
    limits: AttemptLimits,
  ): Promise<KvReplies[K]> | undefined {
    const [first, second] = this.candidates(map, request.partition, read.nearest);
    if (!first) return undefined;
    this.budget.onRequest();
    if (!second || read.hedgeAfterMs === undefined) return this.ask(request, read, map, first, limits);
    return this.race(request, read, map, [first, second], limits);
  }

  /** In-sync replicas, the one to be asked first at the head: the leader, or the nearest; of equally near ones each in turn. */
  private candidates(map: KeyspaceMap, partition: number, nearest: boolean): Candidate[] {
    const found: (Candidate & { readonly rank: number })[] = [];
    this.turn += 1;
    const { replicas } = map.record(partition);
    for (const [i, replica] of replicas.entries()) {
      const node = map.node(replica.node);
      if (!node || node.address === '' || !replica.inSync || replica.role === 'learner') continue;
      const leads = replica.role === 'leader';
      const near = closeness(this.options.labels, node) + ((i + this.turn) % replicas.length) / replicas.length;
      found.push({ node, leads, rank: leads && !nearest ? Infinity : near });
    }
    return found.sort((a, b) => b.rank - a.rank);
  }

  private ask<K extends KvKind>(
    request: Request<K>,
    read: ReplicaRead,
    map: KeyspaceMap,
    { node, leads }: Candidate,
    limits: AttemptLimits,
  ): Promise<KvReplies[K]> {
    const { keyspace, partition, flow } = request;
    const target = { keyspace, partition, epoch: map.epochOf(partition), forward: false, hops: 0, byKey: false };
    const op = request.at(target, leads ? undefined : read.maxStalenessMs);
    return this.links.at(node.address).send<K>(op, { ...limits, flow });
  }

  private race<K extends KvKind>(
    request: Request<K>,
    read: ReplicaRead,
    map: KeyspaceMap,
    [first, second]: [Candidate, Candidate],
    limits: AttemptLimits,
  ): Promise<KvReplies[K]> {
    const { clock } = this.options;
    const afterMs = read.hedgeAfterMs === 'p95' ? this.p95.ms : read.hedgeAfterMs!;
    const over = new AbortController();
    const abort = () => over.abort();
    limits.signal?.addEventListener('abort', abort, { once: true });
    const raced = { ...limits, signal: over.signal };
    return new Promise((resolve, reject) => {
      let failed = 0;
      let asked = 1;
      let firstError: CadastreError | undefined;
      const won = (reply: KvReplies[K]): void => {
        timer.cancel();
        limits.signal?.removeEventListener('abort', abort);
        resolve(reply);
        over.abort(); // the other one's answer is not wanted any more
      };
      const lost = (error: unknown): void => {
        firstError ??= CadastreError.from(error);
        failed += 1;
        if (failed < asked) return;
        timer.cancel();
        limits.signal?.removeEventListener('abort', abort);
        reject(firstError);
      };
      const timer = clock.after(afterMs, () => {
        if (!this.budget.take(clock.monotonicMs())) return;
        asked += 1;
        this.telemetry.event({ kind: 'hedge', keyspace: request.keyspace, partition: request.partition, afterMs });
        this.ask(request, read, map, second, raced).then(won, lost);
      });
      this.ask(request, read, map, first, raced).then(won, lost);
    });
  }
}
