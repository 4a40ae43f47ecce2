import type { PlannerNode } from '../placement/domains.js';
import type { Generation } from '../map/generation.js';
import type { KeyspaceGeneration, KeyspaceSpec, PartitionRecord } from '../map/records.js';
import type { Policy } from '../policy/policy.js';

/** How many moves may run together; a step holds no more. */
export interface PlanLimits {
  /** Moves into one node. */
  readonly perNodeIn: number;
  /** Moves out of one node (out of the leader where the source is gone, since the leader sends the copy). */
  readonly perNodeOut: number;
  /** Moves in the whole cluster. */
  readonly cluster: number;
  /** Moves into or out of one rack; without it, no limit. */
  readonly perRack?: number;
  /** Moves into or out of one zone; without it, no limit. */
  readonly perZone?: number;
}

export const DEFAULT_PLAN_LIMITS: PlanLimits = { perNodeIn: 2, perNodeOut: 2, cluster: 8 };

/** Less gain than this, as a fraction of the imbalance's scale, makes no plan for balance alone. */
export const DEFAULT_MIN_GAIN = 0.01;
/** How far from its share a node may be on a dimension that is balanced. */
export const DEFAULT_TOLERANCE = 0.05;
/** What one move copies in a second, where nothing is known of the throttle. */
export const DEFAULT_BYTES_PER_SECOND = 64 * 1024 * 1024;

/** A person asks for one move; it goes into the plan where no hard constraint forbids it, and is refused by name otherwise. */
export interface ManualMove {
  readonly keyspace: string;
  readonly partition: number;
  /** The node whose copy moves; for leadership it may be empty. */
  readonly from: string;
  readonly to: string;
  readonly kind: 'replica' | 'leader';
  readonly by?: string;
}

export interface PlanOptions {
  readonly limits?: PlanLimits;
  /** Holds for all keyspaces, under each one's own policy. */
  readonly clusterPolicy?: Policy;
  /** What is balanced beside counts: `bytes` or a named load; instead of what the policies say. */
  readonly dimensions?: readonly string[];
  readonly tolerance?: number;
  /** Hysteresis: balance on dimensions begins only beyond tolerance, and a plan for balance alone has to gain so much. */
  readonly minGain?: number;
  /** A partition that moved less than this ago moves only for repair or a constraint. Needs `now` and `movedMsOf`. */
  readonly coolDownMs?: number;
  /** Wall clock, ms: for pins and cool-down. */
  readonly now?: number;
  readonly manual?: readonly ManualMove[];
  /** A manual move that cannot be made is an error that names it, and not a note beside the plan. */
  readonly manualOrNothing?: boolean;
  /** Throttle of one move, for the estimate. */
  readonly bytesPerSecond?: number;
}

export interface PlanKeyspace {
  readonly spec: KeyspaceSpec;
  readonly generation: Generation;
  readonly records: readonly PartitionRecord[];
  /** Size of a partition in bytes; 0 where it is not known. */
  readonly bytesOf?: (partition: number) => number;
  /** Named loads of a partition, smoothed by whoever measures them. */
  readonly loadsOf?: (partition: number) => Readonly<Record<string, number>>;
  /** When the partition last moved, wall clock ms; 0 for never. */
  readonly movedMsOf?: (partition: number) => number;
}

export interface PlanInput extends PlanOptions {
  readonly keyspaces: readonly PlanKeyspace[];
  readonly nodes: readonly PlannerNode[];
}

export const MOVE_KINDS = ['replica', 'leader', 'add', 'remove'] as const;
export type MoveKind = (typeof MOVE_KINDS)[number];

export interface PlanMove {
  /** Position in the plan, from 0. */
  readonly index: number;
  /** Moves of one step may run together; from 1. */
  readonly step: number;
  readonly keyspace: string;
  readonly partition: number;
  /**
   * `replica`: a copy from -> to. `leader`: leadership from -> to, no copy moves. `add`: a missing copy is built on `to`.
   * `remove`: a copy too many leaves `from`.
   */
  readonly kind: MoveKind;
  /** Empty for `add`. */
  readonly from: string;
  /** Empty for `remove`. */
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

/** A figure that the plan changes; lower is better. Names: `replicas`, `leaders`, `bytes`, a load, `partners`, `missing`. */
export interface PlanScore {
  readonly name: string;
  readonly before: number;
  readonly after: number;
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
  /** No plan that ends in balance moves fewer bytes. */
  readonly lowerBoundBytes: number;
  /** The argument: which nodes and domains must shed or take how much, the most first. */
  readonly because: readonly string[];
  /** Moves over their lower bound; 1 for none of either. */
  readonly ratio: number;
  /** Largest deviation of a node from its share, over what is balanced: 0.05 is 5 %. */
  readonly imbalanceBefore: number;
  readonly imbalanceAfter: number;
  /** Copies that stand where a hard constraint allows none. */
  readonly violationsBefore: number;
  readonly violationsAfter: number;
  readonly scores: readonly PlanScore[];
  /** Duration under the throttle: if all goes in parallel, as expected, if steps never overlap. */
  readonly estimateLowMs: number;
  readonly estimateMs: number;
  readonly estimateHighMs: number;
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
  | { readonly kind: 'nothing'; readonly because: string; readonly scores: readonly PlanScore[] };
