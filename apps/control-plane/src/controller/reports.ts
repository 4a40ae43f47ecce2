import type { Generation, KeyspaceGeneration, PartitionRecord } from '@cadastre/core';

/** What one agent says of itself, at most a few seconds old. Soft state: a new active controller collects it anew. */
export interface AgentReport {
  readonly node: string;
  readonly incarnation: string;
  readonly applied: readonly KeyspaceGeneration[];
  readonly replicas: readonly ReplicaReport[];
}

export interface ReplicaReport {
  readonly keyspace: string;
  readonly partition: number;
  readonly epoch: number;
  readonly phase: string;
  readonly lastSeq: number;
  readonly appliedSeq: number;
  readonly records: number;
  readonly bytes: number;
  readonly filledBytes: number;
  readonly fillTotalBytes: number;
  readonly digest: string;
  /** Undefined where nothing was asked of it, or an older agent does not say. */
  readonly load?: ReplicaLoad | undefined;
  /** All of the partition is there. */
  readonly whole: boolean;
  /** Of the last entry of its log. */
  readonly lastEpoch: number;
  /** Newer than the node's map. */
  readonly record?: PartitionRecord;
}

/** Answered since the agent started; never falls while it lives. */
export interface ReplicaLoad {
  readonly reads: number;
  readonly writes: number;
  /** By bucket of core's latency buckets, from `latencyFirst` on. */
  readonly latencyFirst: number;
  readonly latencyCounts: readonly number[];
}

export interface InSyncReceipt {
  readonly node: string;
  readonly seq: number;
  readonly records: number;
  readonly digest: string;
}

export interface ChangeInSyncCommand {
  readonly node: string;
  readonly keyspace: string;
  readonly partition: number;
  readonly epoch: number;
  readonly add: readonly InSyncReceipt[];
  readonly remove: readonly string[];
  readonly reason: string;
}

export type { Generation };
