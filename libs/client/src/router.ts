import type { KeyspaceMap } from '@cadastre/core';
import { CadastreError } from '@cadastre/core';
import type { CallLimits, Peer, Wire } from '@cadastre/contracts';
import type { Clock, MonotonicMs, Random } from '@cadastre/runtime';
import { Backoff } from '@cadastre/runtime';
import { LatencyRecorder } from './latency.js';
import type { MapFollower } from './map-follower.js';
import type { PeerPool } from './peer-pool.js';
import { RetryBudget } from './retry-budget.js';
import type { Effect, Verdict } from './retry-policy.js';
import { judge, MAX_HOPS } from './retry-policy.js';

export interface RequestOptions {
  readonly signal?: AbortSignal;
  /** Total time of this request, instead of the client's. */
  readonly timeoutMs?: number;
}

export interface Request<Reply> {
  /** For messages: "put", "get". */
  readonly verb: string;
  readonly effect: Effect;
  readonly keyspace: string;
  readonly partition: number;
  send(peer: Peer, target: Wire.Target, limits: CallLimits): Promise<Reply>;
}

export interface ClientCounters {
  requests: number;
  /** Attempts after the first, redirections not counted. */
  retries: number;
  notOwner: number;
  /** Attempts made at once at the leader that a NOT_OWNER named. */
  wrongOwnerHops: number;
  failures: number;
}

export interface RouterOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly requestTimeoutMs: number;
  readonly attemptTimeoutMs: number;
}

/** Comes as `info` with the DEADLINE_EXCEEDED of a request. */
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
  readonly backoff: Backoff;
  readonly signal: AbortSignal | undefined;
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
  readonly counters: ClientCounters = { requests: 0, retries: 0, notOwner: 0, wrongOwnerHops: 0, failures: 0 };
  readonly latency = new LatencyRecorder();
  private readonly budget = new RetryBudget();

  constructor(
    private readonly follower: MapFollower,
    private readonly peers: PeerPool,
    private readonly options: RouterOptions,
  ) {}

  async call<Reply>(request: Request<Reply>, options: RequestOptions = {}): Promise<Reply> {
    const progress = this.begin(options);
    try {
      return await this.untilDone(request, progress);
    } catch (error) {
      this.counters.failures += 1;
      throw error;
    } finally {
      this.latency.record(this.options.clock.monotonicMs() - progress.startedAt);
    }
  }

  private begin({ timeoutMs = this.options.requestTimeoutMs, signal }: RequestOptions): Progress {
    this.counters.requests += 1;
    this.budget.onRequest();
    const startedAt = this.options.clock.monotonicMs();
    const backoff = new Backoff(BACKOFF, this.options.random);
    return {
      deadline: startedAt + timeoutMs,
      startedAt,
      backoff,
      signal,
      attempts: 0,
      hops: 0,
      mayHaveHappened: false,
      lastError: undefined,
      leader: undefined,
    };
  }

  private async untilDone<Reply>(request: Request<Reply>, progress: Progress): Promise<Reply> {
    for (;;) {
      this.checkTime(request, progress);
      const map = this.mapOf(request);
      const epoch = map.epochOf(request.partition);
      const leader = map.leader(request.partition);
      let verdict: Next;
      if (leader && leader.address !== '') {
        progress.leader = `${leader.id} (${leader.address}) at epoch ${epoch}`;
        try {
          return await this.attempt(request, progress, leader.address, epoch);
        } catch (thrown) {
          verdict = this.weigh(request, progress, CadastreError.from(thrown));
        }
      } else {
        progress.lastError = new CadastreError(
          'UNAVAILABLE',
          leader ? `the address of ${leader.id} is not known yet` : 'the partition has no leader',
        );
        verdict = { kind: 'leaderless' };
      }
      await this.prepareNext(request, progress, verdict, epoch);
    }
  }

  private attempt<Reply>(request: Request<Reply>, progress: Progress, address: string, epoch: number): Promise<Reply> {
    progress.attempts += 1;
    const remainingMs = progress.deadline - this.options.clock.monotonicMs();
    const deadlineMs = Math.min(this.options.attemptTimeoutMs, remainingMs);
    const target = { keyspace: request.keyspace, partition: request.partition, epoch };
    return this.peers.use(address, (peer) =>
      request.send(peer, target, progress.signal ? { deadlineMs, signal: progress.signal } : { deadlineMs }),
    );
  }

  /** @throws the error itself when another attempt cannot help */
  private weigh(request: Request<unknown>, progress: Progress, error: CadastreError): Verdict {
    progress.lastError = error;
    const verdict = judge(error, request.effect);
    if (verdict.kind === 'final') throw error;
    if (verdict.kind === 'again' && verdict.unknown) progress.mayHaveHappened = true;
    return verdict;
  }

  private async prepareNext(
    request: Request<unknown>,
    progress: Progress,
    verdict: Next,
    epoch: number,
  ): Promise<void> {
    if (verdict.kind === 'redirected') {
      this.counters.notOwner += 1;
      this.follower.heal(verdict.info);
      const news = this.mapOf(request).epochOf(request.partition) > epoch;
      if (news && progress.hops < MAX_HOPS) {
        progress.hops += 1;
        this.counters.wrongOwnerHops += 1;
        return;
      }
    }
    await this.waitForNews(request, progress, verdict, epoch);
    progress.hops = 0;
  }

  /** A change of the partition ends the wait at once and costs nothing: what was tried before says nothing of the new leader. */
  private async waitForNews(
    request: Request<unknown>,
    progress: Progress,
    verdict: Next,
    epoch: number,
  ): Promise<void> {
    for (;;) {
      const remainingMs = progress.deadline - this.options.clock.monotonicMs();
      if (remainingMs <= 0 || progress.signal?.aborted) return;
      const news = await this.newsOrTimeout(
        request,
        epoch,
        Math.min(progress.backoff.nextMs(), remainingMs),
        progress.signal,
      );
      if (verdict.kind !== 'again') return;
      if (news || this.budget.take(this.options.clock.monotonicMs())) break;
    }
    this.counters.retries += 1;
  }

  private newsOrTimeout(
    { keyspace, partition }: Request<unknown>,
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

  private mapOf({ keyspace }: Request<unknown>): KeyspaceMap {
    const map = this.follower.current(keyspace);
    if (!map)
      throw new CadastreError('NOT_FOUND', `keyspace: "${keyspace}" was dropped meanwhile`, {
        field: 'keyspace',
        remedy: 'use another keyspace',
      });
    return map;
  }

  private checkTime(request: Request<unknown>, progress: Progress): void {
    const { signal, attempts, leader, lastError, mayHaveHappened } = progress;
    if (signal?.aborted)
      throw new CadastreError('CANCELLED', `${request.verb} was cancelled by the caller`, {
        remedy: remedyOf(mayHaveHappened),
        cause: lastError,
      });
    const now = this.options.clock.monotonicMs();
    if (now + (attempts === 0 ? 0 : WORTH_TRYING_MS) < progress.deadline) return;
    const where = `${request.keyspace}/${request.partition}`;
    const last = lastError ? `; last error ${lastError.code}: ${lastError.message}` : '';
    const message = `${request.verb} in ${where} was not done within ${Math.round(now - progress.startedAt)} ms: ${attempts} attempts, last at ${leader ?? 'no leader'}${last}`;
    const info: TriedInfo = { attempts, leader, lastError: lastError?.code, mayHaveHappened };
    throw new CadastreError('DEADLINE_EXCEEDED', message, {
      field: 'timeoutMs',
      remedy: remedyOf(mayHaveHappened),
      info,
      cause: lastError,
    });
  }
}

const remedyOf = (mayHaveHappened: boolean): string =>
  mayHaveHappened
    ? 'it may or may not have taken effect: read the key before you write again'
    : 'nothing was changed: call again, or give it more time';
