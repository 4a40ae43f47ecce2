import type { KeyspaceMap } from '@cadastre/core';
import { CadastreError } from '@cadastre/core';
import type { KvKind, KvOp, KvReplies, Wire } from '@cadastre/contracts';
import type { Clock, MonotonicMs, Random, Span, TraceContext, Tracer } from '@cadastre/runtime';
import { Backoff, traceparentOf } from '@cadastre/runtime';
import { LatencyRecorder } from './latency.js';
import type { LinkPool } from './link/link-pool.js';
import type { MapFollower } from './map-follower.js';
import type { ReplicaRead } from './replica-reads.js';
import { ReplicaReads } from './replica-reads.js';
import { RetryBudget } from './retry-budget.js';
import type { Effect, Verdict } from './retry-policy.js';
import { judge, MAX_HOPS } from './retry-policy.js';
import type { Telemetry } from './telemetry.js';

export interface RequestOptions {
  readonly signal?: AbortSignal;
  /** Total time of this request, instead of the client's. */
  readonly timeoutMs?: number;
  /** Of which its span is a part, instead of what the program is doing at present. */
  readonly parent?: TraceContext | undefined;
}

export interface Request<K extends KvKind = KvKind> {
  readonly kind: K;
  readonly effect: Effect;
  readonly keyspace: string;
  readonly partition: number;
  /** Requests of one flow take turns with those of others; a request without is of the flow of all single ones. */
  readonly flow?: object | undefined;
  /** May be answered by a follower. */
  readonly read?: ReplicaRead | undefined;
  /** The request to one node; made anew for each attempt, with the same request id. `staleMs`: as a follower may answer it. */
  at(target: Wire.Target__Output, staleMs?: number): KvOp;
}

export interface ClientCounters {
  requests: number;
  /** Attempts after the first, redirections not counted. */
  retries: number;
  /** Requests that met a node which did not lead the partition when they came. */
  notOwner: number;
  /** Requests that met their owner, which held them until another led: a change of leader caught them under way. */
  handedOver: number;
  /** Attempts made at once at the leader that the NOT_OWNER of a wrong owner named. */
  wrongOwnerHops: number;
  failures: number;
}

/** What callers asked for, each once, whatever it took: shares of these tell whether the keys suit the questions. */
export interface OperationCounters {
  /** Reads of keys and scans that one partition answers. */
  readOne: number;
  /** Scans and scatters over several partitions. */
  readMany: number;
  writeOne: number;
  /** Batches that were split over several partitions, and so are not atomic. */
  writeMany: number;
}

export interface RouterOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly requestTimeoutMs: number;
  readonly attemptTimeoutMs: number;
  /** Where this program runs. */
  readonly labels: Readonly<Record<string, string>>;
  readonly tracer?: Tracer | undefined;
}

/** Comes as `info` with the DEADLINE_EXCEEDED, UNKNOWN_OUTCOME or CANCELLED of a request. */
export interface TriedInfo {
  readonly attempts: number;
  readonly leader: string | undefined;
  readonly lastError: string | undefined;
  /** Only of a write: one of the attempts may have taken effect. */
  readonly mayHaveHappened: boolean;
}

interface Progress {
  readonly deadline: MonotonicMs;
  readonly startedAt: MonotonicMs;
  readonly signal: AbortSignal | undefined;
  readonly span: Span | undefined;
  readonly traceparent: string | undefined;
  backoff: Backoff | undefined;
  attempts: number;
  hops: number;
  mayHaveHappened: boolean;
  lastError: CadastreError | undefined;
  leader: string | undefined;
}

type Next = Verdict | { readonly kind: 'leaderless' };

/** With less time left another attempt would only hide the reason of the last one. */
const WORTH_TRYING_MS = 5;
const BACKOFF = { initialMs: 10, maxMs: 500 };

/** Brings a request to the leader of its partition, through moves and failures, until it is done or its time is over. */
export class Router {
  readonly counters: ClientCounters = {
    requests: 0,
    retries: 0,
    notOwner: 0,
    handedOver: 0,
    wrongOwnerHops: 0,
    failures: 0,
  };
  readonly operations: OperationCounters = { readOne: 0, readMany: 0, writeOne: 0, writeMany: 0 };
  readonly latency = new LatencyRecorder();
  private readonly budget = new RetryBudget();
  private readonly replicaReads: ReplicaReads;

  constructor(
    private readonly follower: MapFollower,
    private readonly links: LinkPool,
    private readonly options: RouterOptions,
    private readonly telemetry: Telemetry,
  ) {
    this.replicaReads = new ReplicaReads(links, options, telemetry);
  }

  /** Told once for each thing that a caller asked for. @param partitions that have to be asked */
  tally(effect: Effect, partitions: number): void {
    const { operations } = this;
    const many = partitions > 1;
    if (effect === 'read') operations[many ? 'readMany' : 'readOne'] += 1;
    else operations[many ? 'writeMany' : 'writeOne'] += 1;
    this.telemetry.operation(effect, many);
  }

  async call<K extends KvKind>(request: Request<K>, options: RequestOptions = {}): Promise<KvReplies[K]> {
    const progress = this.begin(request, options);
    try {
      const reply = await this.untilDone(request, progress);
      this.finish(request, progress, undefined);
      return reply;
    } catch (error) {
      this.counters.failures += 1;
      this.finish(request, progress, error);
      throw error;
    }
  }

  private begin(request: Request, options: RequestOptions): Progress {
    const { timeoutMs = this.options.requestTimeoutMs, signal } = options;
    this.counters.requests += 1;
    this.budget.onRequest();
    const startedAt = this.options.clock.monotonicMs();
    const span = this.options.tracer && this.spanOf(this.options.tracer, request, options);
    return {
      span,
      traceparent: span && traceparentOf(span.context),
      deadline: startedAt + timeoutMs,
      startedAt,
      signal,
      backoff: undefined,
      attempts: 0,
      hops: 0,
      mayHaveHappened: false,
      lastError: undefined,
      leader: undefined,
    };
  }

  private spanOf(tracer: Tracer, { kind, keyspace, partition }: Request, { parent }: RequestOptions): Span | undefined {
    return tracer.start(`cadastre ${kind}`, 'client', parent, {
      'cadastre.keyspace': keyspace,
      'cadastre.partition': partition,
    });
  }

  private finish(request: Request, progress: Progress, error: unknown): void {
    progress.span?.set({ 'cadastre.attempts': progress.attempts });
    progress.span?.end(error);
    const tookMs = this.options.clock.monotonicMs() - progress.startedAt;
    this.latency.record(tookMs);
    if (error === undefined && request.effect === 'read') this.replicaReads.observe(tookMs);
    this.telemetry.done(request.kind, request.keyspace, tookMs, error);
  }

  private async untilDone<K extends KvKind>(request: Request<K>, progress: Progress): Promise<KvReplies[K]> {
    for (;;) {
      if (progress.attempts > 0 || progress.signal?.aborted) this.checkTime(request, progress);
      const map = this.mapOf(request);
      const epoch = map.epochOf(request.partition);
      const leader = map.leader(request.partition);
      let verdict: Next;
      const { read } = request;
      // A follower is asked first, and as long as there is no leader; a refusal of one is the leader's business.
      const elsewhere =
        read && (progress.attempts === 0 || !leader) ? this.atReplica(request, read, map, progress) : undefined;
      if (elsewhere) {
        try {
          return await elsewhere;
        } catch (thrown) {
          progress.leader = leader && `${leader.id} (${leader.address}) at epoch ${epoch}, or a follower`;
          verdict = this.weigh(request, progress, CadastreError.from(thrown));
          // The leader has not been asked yet: nothing has to be waited for.
          if (leader && verdict.kind === 'again' && progress.attempts === 1) continue;
        }
      } else if (leader && leader.address !== '') {
        try {
          return await this.attempt(request, progress, leader.address, epoch);
        } catch (thrown) {
          progress.leader = `${leader.id} (${leader.address}) at epoch ${epoch}`;
          verdict = this.weigh(request, progress, CadastreError.from(thrown));
        }
      } else {
        this.checkTime(request, progress);
        progress.lastError = new CadastreError(
          'UNAVAILABLE',
          leader ? `the address of ${leader.id} is not known yet` : 'the partition has no leader',
        );
        verdict = { kind: 'leaderless' };
      }
      await this.prepareNext(request, progress, verdict, epoch);
    }
  }

  private atReplica<K extends KvKind>(
    request: Request<K>,
    read: ReplicaRead,
    map: KeyspaceMap,
    progress: Progress,
  ): Promise<KvReplies[K]> | undefined {
    const remainingMs = progress.deadline - this.options.clock.monotonicMs();
    const deadlineMs = Math.min(this.options.attemptTimeoutMs, remainingMs);
    const attempt = this.replicaReads.attempt(request, read, map, {
      deadlineMs,
      signal: progress.signal,
      traceparent: progress.traceparent,
    });
    if (attempt) progress.attempts += 1;
    return attempt;
  }

  private attempt<K extends KvKind>(
    request: Request<K>,
    progress: Progress,
    address: string,
    epoch: number,
  ): Promise<KvReplies[K]> {
    const { keyspace, partition, flow } = request;
    const remainingMs = progress.attempts === 0 ? Infinity : progress.deadline - this.options.clock.monotonicMs();
    progress.attempts += 1;
    const deadlineMs = Math.min(this.options.attemptTimeoutMs, progress.deadline - progress.startedAt, remainingMs);
    const op = request.at({ keyspace, partition, epoch, forward: false, hops: 0, byKey: false });
    const { signal, traceparent } = progress;
    return this.links.at(address).send<K>(op, { deadlineMs, signal, flow, traceparent });
  }

  /** @throws the error itself when another attempt cannot help */
  private weigh(request: Request, progress: Progress, error: CadastreError): Verdict {
    progress.lastError = error;
    const verdict = judge(error, request.effect);
    if (verdict.kind === 'final') throw progress.mayHaveHappened ? this.unknown(request, progress, error) : error;
    if (verdict.unknown) progress.mayHaveHappened = true;
    return verdict;
  }

  private async prepareNext(request: Request, progress: Progress, verdict: Next, epoch: number): Promise<void> {
    const { keyspace, partition } = request;
    if (verdict.kind === 'redirected') {
      const { held } = verdict.info;
      if (held) this.counters.handedOver += 1;
      else this.counters.notOwner += 1;
      this.follower.heal(verdict.info);
      const news = this.mapOf(request).epochOf(partition) > epoch;
      this.telemetry.event({ kind: 'not-owner', keyspace, partition, epoch, healed: news });
      if (news && progress.hops < MAX_HOPS) {
        progress.hops += 1;
        if (!held) this.counters.wrongOwnerHops += 1;
        return;
      }
    }
    await this.waitForNews(request, progress, verdict, epoch);
    progress.hops = 0;
  }

  /** A change of the partition ends the wait at once and costs nothing: what was tried before says nothing of the new leader. */
  private async waitForNews(request: Request, progress: Progress, verdict: Next, epoch: number): Promise<void> {
    const { clock, random } = this.options;
    progress.backoff ??= new Backoff(BACKOFF, random);
    for (;;) {
      const remainingMs = progress.deadline - clock.monotonicMs();
      if (remainingMs <= 0 || progress.signal?.aborted) return;
      const waitMs = Math.min(progress.backoff.nextMs(), remainingMs);
      const news = await this.newsOrTimeout(request, epoch, waitMs, progress.signal);
      if (verdict.kind !== 'again') return;
      if (news || this.budget.take(clock.monotonicMs())) break;
    }
    this.counters.retries += 1;
    const { keyspace, partition, kind } = request;
    const { attempts, lastError } = progress;
    this.telemetry.event({ kind: 'retry', op: kind, keyspace, partition, attempts, because: lastError!.code });
  }

  private newsOrTimeout(
    { keyspace, partition }: Request,
    epoch: number,
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    const isNews = (map: KeyspaceMap | undefined) => !map || map.epochOf(partition) > epoch;
    if (isNews(this.follower.current(keyspace))) return Promise.resolve(true);
    return new Promise((resolve) => {
      const done = (news: boolean) => {
        timer.cancel();
        off();
        signal?.removeEventListener('abort', aborted);
        resolve(news);
      };
      const aborted = () => done(false);
      const timer = this.options.clock.after(timeoutMs, () => done(false));
      const off = this.follower.onChange((changed, map) => {
        if (changed === keyspace && isNews(map)) done(true);
      });
      signal?.addEventListener('abort', aborted, { once: true });
    });
  }

  private mapOf({ keyspace }: Request): KeyspaceMap {
    const map = this.follower.current(keyspace);
    if (!map)
      throw new CadastreError('NOT_FOUND', `keyspace: "${keyspace}" was dropped meanwhile`, {
        field: 'keyspace',
        remedy: 'use another keyspace',
      });
    return map;
  }

  private checkTime(request: Request, progress: Progress): void {
    const { signal, attempts, leader, lastError, mayHaveHappened } = progress;
    if (signal?.aborted)
      throw new CadastreError('CANCELLED', `${request.kind} was cancelled by the caller`, {
        remedy: remedyOf(mayHaveHappened),
        info: infoOf(progress),
        cause: lastError,
      });
    const now = this.options.clock.monotonicMs();
    if (now + (attempts === 0 ? 0 : WORTH_TRYING_MS) < progress.deadline) return;
    const where = `${request.keyspace}/${request.partition}`;
    const last = lastError ? `; last error ${lastError.code}: ${lastError.message}` : '';
    const message = `${request.kind} in ${where} was not done within ${Math.round(now - progress.startedAt)} ms: ${attempts} attempts, last at ${leader ?? 'no leader'}${last}`;
    throw new CadastreError(mayHaveHappened ? 'UNKNOWN_OUTCOME' : 'DEADLINE_EXCEEDED', message, {
      field: 'timeoutMs',
      remedy: remedyOf(mayHaveHappened),
      info: infoOf(progress),
      cause: lastError,
    });
  }

  /** A last word that says nothing of an attempt before it. */
  private unknown(request: Request, progress: Progress, last: CadastreError): CadastreError {
    const where = `${request.keyspace}/${request.partition}`;
    const message = `${request.kind} in ${where}: an attempt went unanswered, and the next one was refused: ${last.code}: ${last.message}`;
    return new CadastreError('UNKNOWN_OUTCOME', message, {
      remedy: remedyOf(true),
      info: infoOf(progress),
      cause: last,
    });
  }
}

const infoOf = ({ attempts, leader, lastError, mayHaveHappened }: Progress): TriedInfo => ({
  attempts,
  leader,
  lastError: lastError?.code,
  mayHaveHappened,
});

const remedyOf = (mayHaveHappened: boolean): string =>
  mayHaveHappened
    ? 'it may or may not have taken effect: read the key before you write again'
    : 'nothing was changed: call again, or give it more time';
