import type { Generation } from './generation.js';
import type { Scheme } from '../partitioning/scheme.js';
import type { Policy } from '../policy/policy.js';

export const REPLICA_ROLES = ['leader', 'follower', 'learner'] as const;
export type ReplicaRole = (typeof REPLICA_ROLES)[number];

export const REPLICA_STATES = ['initializing', 'available', 'leaving'] as const;
export type ReplicaState = (typeof REPLICA_STATES)[number];

/** One copy of a partition on one node. A learner is being filled and never counts for safety. */
export interface Replica {
  readonly node: string;
  readonly role: ReplicaRole;
  readonly state: ReplicaState;
  /** Holds every acknowledged write; only such a replica may lead (INV-4). */
  readonly inSync: boolean;
}

/** Unit of placement, movement and failover. `epoch` rises whenever leader, replica set or in-sync set changes. */
export interface PartitionRecord {
  readonly partition: number;
  readonly epoch: number;
  /** The leader first where there is one, then the others by node id. */
  readonly replicas: readonly Replica[];
}

export interface SpreadConstraint {
  readonly label: string;
  readonly maxPerDomain: number;
  readonly hard: boolean;
}

export interface KeyspaceSpec {
  readonly name: string;
  readonly scheme: Scheme;
  readonly replicationFactor: number;
  readonly minInSync: number;
  readonly spread: readonly SpreadConstraint[];
  /** More than spread; its rules stand beside `spread`, and instead of the rule for the same label. */
  readonly policy?: Policy;
  /**
   * Epoch that its partitions began with, 1 unless given. Set when a keyspace of that name was dropped before, above all that it ever had:
   * a copy that has promised less belongs to the one that was dropped.
   */
  readonly firstEpoch?: number;
}

export interface NodeEntry {
  readonly id: string;
  /** host:port of its gRPC server */
  readonly address: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Relative share of the data, 1 for most. */
  readonly weight: number;
  /** By dimension: `bytes`, or a named load. Unlimited where not given, or 0. */
  readonly capacity?: Readonly<Record<string, number>>;
}

export interface KeyspaceGeneration {
  readonly keyspace: string;
  readonly generation: Generation;
}

export const leaderOf = (record: PartitionRecord): string | undefined =>
  record.replicas.find((r) => r.role === 'leader')?.node;

export const inSyncOf = (record: PartitionRecord): string[] =>
  record.replicas.filter((r) => r.inSync).map((r) => r.node);

export const replicaOn = (record: PartitionRecord, node: string): Replica | undefined =>
  record.replicas.find((r) => r.node === node);

/** Replicas that count: all but learners. */
export const votersOf = (record: PartitionRecord): string[] =>
  record.replicas.filter((r) => r.role !== 'learner').map((r) => r.node);
