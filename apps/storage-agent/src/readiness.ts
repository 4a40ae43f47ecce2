import type { Health } from '@cadastre/contracts';
import type { KeyspaceMap } from '@cadastre/core';
import { replicaOn } from '@cadastre/core';
import type { PartitionId } from '@cadastre/engine';
import type { Clock } from '@cadastre/runtime';

/** Looking costs by the replica: dozens are looked at every second, ten thousand every four. */
const LOOK_MS = 1000;
const LOOK_MS_A_REPLICA = 0.4;

export interface ReadinessOptions {
  readonly node: string;
  readonly clock: Clock;
  readonly health: Health;
  mapOf(keyspace: string): KeyspaceMap | undefined;
  copies(): Iterable<{ readonly id: PartitionId }>;
}

/**
 * Ready: this node acts on a map, and every full copy that the map gives it is in sync. So whoever restarts nodes one after the other and
 * waits for each to be ready never takes a second copy away. It steers that alone: clients go by the map, whatever is said here.
 */
export class Readiness {
  private acting = false;
  private nextLookAt = Number.NEGATIVE_INFINITY;

  constructor(private readonly options: ReadinessOptions) {}

  /** The node is known to the cluster, or has a map from before. */
  startActing(): void {
    this.acting = true;
    this.nextLookAt = Number.NEGATIVE_INFINITY;
  }

  stop(): void {
    this.acting = false;
    this.options.health.set('NOT_SERVING');
  }

  tick(): void {
    const { clock, health, copies } = this.options;
    const now = clock.monotonicMs();
    if (!this.acting || now < this.nextLookAt) return;
    let count = 0;
    let behind = 0;
    for (const { id } of copies()) {
      count += 1;
      if (this.isBehind(id)) behind += 1;
    }
    this.nextLookAt = now + Math.max(LOOK_MS, count * LOOK_MS_A_REPLICA);
    health.set(behind === 0 ? 'SERVING' : 'NOT_SERVING');
  }

  /** A learner is being filled by a plan, and counts for nothing yet. */
  private isBehind({ keyspace, partition }: PartitionId): boolean {
    const map = this.options.mapOf(keyspace);
    if (!map || partition >= map.partitions) return false;
    const replica = replicaOn(map.record(partition), this.options.node);
    return replica !== undefined && replica.role !== 'learner' && replica.state === 'available' && !replica.inSync;
  }
}
