import { CadastreError } from '@cadastre/core';
import type { Clock } from '@cadastre/runtime';
import type { Target } from './gate.js';
import type { ReplicaDriver } from './replica.driver.js';

const MAX_STALENESS_MS = 5000;

export interface ReadsOptions {
  readonly node: string;
  readonly clock: Clock;
  /** Leases that other nodes granted this one. */
  leases(): ReadonlyMap<string, number>;
  /** How old a follower's copy may be, at most, in ms. */
  staleness(replica: ReplicaDriver): number;
}

/** Of a follower's answer. */
export interface Freshness {
  readonly epoch: number;
  readonly appliedSeq: number;
  /** Every write acknowledged longer ago than this is in the answer. */
  readonly stalenessMs: number;
}

/** What a read of each level has to wait for, or is refused for. */
export class Reads {
  constructor(private readonly options: ReadsOptions) {}

  /** Whether this leader may answer at once; otherwise `confirm` first. */
  mayRead({ machine }: ReplicaDriver): boolean {
    return machine.mayRead(this.options.clock.monotonicMs(), this.options.leases());
  }

  /**
   * Without leases the in-sync set is asked: a mark in the log that all of them have shows that none leads under a newer epoch.
   * @returns false when another leads by now. @throws CadastreError UNAVAILABLE
   */
  async confirm(replica: ReplicaDriver, target: Target): Promise<boolean> {
    const outcome = await replica.confirm();
    if (outcome.kind === 'done' || (outcome.kind === 'too-few' && outcome.appended)) return true;
    if (outcome.kind === 'not-leader' && replica.leader !== this.options.node) return false;
    throw new CadastreError(
      'UNAVAILABLE',
      `${target.keyspace}/${target.partition}: ${this.options.node} could not confirm that it leads; nothing was changed`,
      { remedy: 'retry with backoff, or read at level follower' },
    );
  }

  /** @throws CadastreError UNAVAILABLE when the copy is not an in-sync follower's, or too old */
  freshness(replica: ReplicaDriver, target: Target, maxStalenessMs: number): Freshness {
    const limit = maxStalenessMs === 0 ? MAX_STALENESS_MS : maxStalenessMs;
    const { followed } = replica.machine;
    const staleness = followed ? this.options.staleness(replica) : Number.POSITIVE_INFINITY;
    if (!followed || staleness > limit)
      throw new CadastreError(
        'UNAVAILABLE',
        `${target.keyspace}/${target.partition}: the copy on ${this.options.node} ${Number.isFinite(staleness) ? `may be ${Math.ceil(staleness)} ms old` : 'is not known to be fresh'}`,
        { field: 'max_staleness_ms', limit: `${limit} ms`, remedy: 'read from the leader, or allow an older answer' },
      );
    return { epoch: followed.epoch, appliedSeq: replica.machine.appliedSeq, stalenessMs: Math.ceil(staleness) };
  }
}
