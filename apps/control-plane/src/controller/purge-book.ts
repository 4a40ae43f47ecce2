import type { Generation, PartitionRecord } from '@cadastre/core';
import { inSyncOf, replicaOn } from '@cadastre/core';
import type { Clock, MonotonicMs } from '@cadastre/runtime';
import type { RegisterState } from '@cadastre/store';
import { settingsOf } from '@cadastre/store';
import type { Observed } from './observed.js';
import type { PurgeGrant } from './ports.js';
import type { AgentReport, ReplicaReport } from './reports.js';
import { isConnected } from './world.js';

/** Where and when a copy was first seen outside the map. */
interface Outside {
  readonly since: Generation;
  readonly at: MonotonicMs;
}

/**
 * The golden rule (INV-5) for copies that the map no longer names: such a copy may go once the map without it is committed, the whole
 * in-sync set has said that it acts on that map, and as many in-sync copies as wanted exist, and its time in quarantine is over. The book remembers the generation at
 * which a copy was first seen to be outside the map, for as long as its node reports it; a new controller begins anew, which only delays.
 */
export class PurgeBook {
  /** By node, then `keyspace/partition`. */
  private readonly seen = new Map<string, ReadonlyMap<string, Outside>>();

  constructor(
    private readonly observed: Observed,
    private readonly clock: Clock,
  ) {}

  grants(state: RegisterState, report: AgentReport): PurgeGrant[] {
    const grants: PurgeGrant[] = [];
    const seen = new Map<string, Outside>();
    for (const replica of report.replicas) {
      const grant = this.grant(state, report.node, replica, seen);
      if (grant) grants.push(grant);
    }
    if (seen.size > 0) this.seen.set(report.node, seen);
    else this.seen.delete(report.node);
    return grants;
  }

  reset(): void {
    this.seen.clear();
  }

  private grant(
    state: RegisterState,
    node: string,
    replica: ReplicaReport,
    seen: Map<string, Outside>,
  ): PurgeGrant | undefined {
    const view = state.keyspaces.get(replica.keyspace);
    const key = `${replica.keyspace}/${replica.partition}`;
    if (!view) return this.ofDropped(state, node, replica, seen);
    if (replica.partition >= view.map.partitions) return undefined;
    const record = view.map.record(replica.partition);
    if (replicaOn(record, node)) return undefined;
    const now = this.clock.monotonicMs();
    const outside = this.seen.get(node)?.get(key) ?? { since: view.map.generation, at: now };
    seen.set(key, outside);
    if (now - outside.at < settingsOf(state).quarantineMs) return undefined;
    const { since } = outside;
    if (!this.isSafe(state, replica.keyspace, record, since, view.map.spec.replicationFactor)) return undefined;
    if (!this.observed.applied(node, replica.keyspace, since)) return undefined;
    return { keyspace: replica.keyspace, partition: replica.partition, generation: since };
  }

  /**
   * A person dropped the keyspace, so no other copy is asked for: only the time in quarantine. An agent that has not heard of it yet
   * still runs the copy, and takes no grant for it.
   */
  private ofDropped(
    state: RegisterState,
    node: string,
    { keyspace, partition }: ReplicaReport,
    seen: Map<string, Outside>,
  ): PurgeGrant | undefined {
    const last = state.floors.get(keyspace)?.value;
    if (!last) return undefined;
    const key = `${keyspace}/${partition}`;
    const now = this.clock.monotonicMs();
    const outside = this.seen.get(node)?.get(key) ?? { since: last, at: now };
    seen.set(key, outside);
    if (now - outside.at < settingsOf(state).quarantineMs) return undefined;
    return { keyspace, partition, generation: last };
  }

  private isSafe(
    state: RegisterState,
    keyspace: string,
    record: PartitionRecord,
    since: Generation,
    replicationFactor: number,
  ): boolean {
    const inSync = inSyncOf(record);
    if (inSync.length < replicationFactor) return false;
    return inSync.every((node) => isConnected(state, node) && this.observed.applied(node, keyspace, since));
  }
}
