import type { PlannerNode } from '../placement/domains.js';
import type { Generation } from '../map/generation.js';
import type { KeyspaceGeneration, KeyspaceSpec, PartitionRecord } from '../map/records.js';

/** How many moves may run together; a step holds no more. */
export interface PlanLimits {
  /** Moves into one node. */
  readonly perNodeIn: number;
  /** Moves out of one node (out of the leader where the source is gone, since the leader sends the copy). */
  readonly perNodeOut: number;
  /** Moves in the whole cluster. */
  readonly cluster: number;
}

export const DEFAULT_PLAN_LIMITS: PlanLimits = { perNodeIn: 2, perNodeOut: 2, cluster: 8 };

export interface PlanKeyspace {
  readonly spec: KeyspaceSpec;
  readonly generation: Generation;
  readonly records: readonly PartitionRecord[];
  /** Size of a partition in bytes; 0 where it is not known. */
  readonly bytesOf?: (partition: number) => number;
}

export interface PlanInput {
  readonly keyspaces: readonly PlanKeyspace[];
  readonly nodes: readonly PlannerNode[];
  readonly limits?: PlanLimits;
}

export const MOVE_KINDS = ['replica', 'leader', 'add'] as const;
export type MoveKind = (typeof MOVE_KINDS)[number];

export interface PlanMove {
  /** Position in the plan, from 0. */
  readonly index: number;
  /** Moves of one step may run together; from 1. */
  readonly step: number;
  readonly keyspace: string;
  readonly partition: number;
  /** `replica`: a copy from -> to. `leader`: leadership from -> to, no copy moves. `add`: a missing copy is built on `to`. */
  readonly kind: MoveKind;
  /** Empty for `add`. */
  readonly from: string;
  readonly to: string;
  /** Who leads when the move is done; handed over before the source copy goes. Empty when nobody can lead. */
  readonly leaderAfter: string;
  /** Epoch of the record that the plan was made from. */
  readonly baseEpoch: number;
  readonly reason: string;
  readonly bytes: number;
}

export interface NodeChange {
  readonly node: string;
  readonly replicasBefore: number;
  readonly replicasAfter: number;
  readonly leadersBefore: number;
  readonly leadersAfter: number;
}

export interface PlanCost {
  /** Copies that are built: moves of kind `replica` and `add`. */
  readonly replicaMoves: number;
  /** Partitions whose leader changes, with or without a copy that moves. */
  readonly leaderTransfers: number;
  readonly bytes: number;
  /** No plan that ends in balance builds fewer copies. */
  readonly lowerBoundMoves: number;
  readonly boundBecause: string;
}

export interface PlanDraft {
  readonly base: readonly KeyspaceGeneration[];
  readonly moves: readonly PlanMove[];
  readonly nodes: readonly NodeChange[];
  readonly cost: PlanCost;
}

/** What is approved: everything here is under the digest. */
export interface PlanBody extends PlanDraft {
  readonly proposer: string;
  readonly reason: string;
}

export type Proposal =
  /** `notes` say what the plan leaves undone, and why. */
  | { readonly kind: 'plan'; readonly plan: PlanDraft; readonly notes: readonly string[] }
  | { readonly kind: 'nothing'; readonly because: string };
