import type { Generation } from '../map/generation.js';
import type { PolicySource } from '../policy/effective.js';

/**
 * The planner's input as columns: records of a live cluster and the simulator's JSON both become this, without an object for each
 * partition. Node indexes are positions in `nodes`, which are sorted by id.
 */
export interface ClusterModel {
  readonly nodes: NodeColumns;
  /** Sorted by name. */
  readonly keyspaces: readonly KeyspaceColumns[];
}

/** States by number, as in PLANNER_NODE_STATES. */
export const UP = 0;
export const DRAINING = 1;
export const DOWN = 2;

export interface NodeColumns {
  /** Ascending by UTF-16 code unit, as `compareStrings` has it. */
  readonly ids: readonly string[];
  readonly state: Uint8Array;
  /** Not negative. */
  readonly weight: Float64Array;
  readonly labels: readonly Readonly<Record<string, string>>[];
  /** By dimension; 0 or absent for unlimited. */
  readonly capacity: readonly (Readonly<Record<string, number>> | undefined)[];
  /** 0 where nothing is known but that copies are said to lie there. */
  readonly known: Uint8Array;
}

export interface KeyspaceColumns {
  readonly name: string;
  readonly generation: Generation;
  readonly source: PolicySource;
  readonly partitions: number;
  /** Number of each partition by position, ascending; position and number are the same unless some records are missing. */
  readonly ids: Int32Array;
  /** Places for copies a partition; at least the replication factor. */
  readonly stride: number;
  /** partitions x stride: node index, -1 for none, the leader first where there is one; copies that count, learners left out. */
  readonly replicas: Int32Array;
  /** partitions x stride: 1 where the copy holds every acknowledged write. */
  readonly inSync: Uint8Array;
  /** 1 where the first copy leads. */
  readonly led: Uint8Array;
  readonly epochs: Float64Array;
  /** Bytes of each partition; absent where no size is known. */
  readonly bytes?: Float64Array;
  /** Named loads of each partition: not negative, no NaN. */
  readonly loads?: Readonly<Record<string, Float64Array>>;
  /** Wall clock ms of the last move of each partition; 0 for never. */
  readonly movedMs?: Float64Array;
}

/** Where everything of a keyspace stands after the plan, and what the plan's moves are, before they have a step. */
export interface KeyspaceResult {
  readonly columns: KeyspaceColumns;
  /** partitions x stride as in the input; the leader first. */
  readonly replicasAfter: Int32Array;
  readonly ledAfter: Uint8Array;
}

/** Moves by position in the plan, as columns. Node indexes; -1 for none. */
export interface MoveColumns {
  readonly count: number;
  /** Position in `ClusterModel.keyspaces`. */
  readonly keyspace: Uint16Array;
  /** Position in the keyspace's columns. */
  readonly partition: Int32Array;
  /** As in MOVE_KINDS. */
  readonly kind: Uint8Array;
  /** As in MOVE_CAUSES. */
  readonly cause: Uint8Array;
  readonly from: Int32Array;
  readonly to: Int32Array;
  readonly leaderAfter: Int32Array;
  /** From 1, ascending. */
  readonly step: Int32Array;
}
