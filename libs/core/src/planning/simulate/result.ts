import type { PlanScore } from '../plan.js';
import type { DurationEstimate } from '../rehearsal/duration.js';
import type { Rehearsal } from '../rehearsal/rehearse.js';

export interface SimulatedMove {
  readonly keyspace: string;
  /** As in the input. */
  readonly partition: number | string;
  readonly kind: string;
  /** Empty where a missing copy is built. */
  readonly from: string;
  readonly to: string;
  readonly leaderAfter: string;
  readonly bytes: number;
  readonly reason: string;
}

/** One plan and where it leads: the output of `plan simulate`. */
export interface SimulationResult {
  /** Copies that are built. */
  readonly moves: number;
  readonly leaderTransfers: number;
  /** Leaderships that the cluster takes over by itself after a death, beside the plan. */
  readonly failovers: number;
  readonly bytesMoved: number;
  readonly lowerBound: { readonly moves: number; readonly bytes: number; readonly because: readonly string[] };
  /** Moves over their lower bound, 1 where both are 0. */
  readonly ratio: number;
  readonly violationsBefore: number;
  readonly violationsAfter: number;
  /** Largest deviation of a node from its share, over what is balanced: 0.05 is 5 %. */
  readonly imbalanceBefore: number;
  readonly imbalanceAfter: number;
  readonly scores: readonly PlanScore[];
  /** Moves of one step may run together. */
  readonly steps: readonly (readonly SimulatedMove[])[];
  readonly estimate: DurationEstimate;
  readonly rehearsal: Rehearsal;
  /** Why there is nothing to do; empty where there is a plan. */
  readonly nothingBecause: string;
  /** What the plan leaves undone, and why. */
  readonly notes: readonly string[];
  /** Copies placed from nothing, for keyspaces given by a number of partitions. */
  readonly built: number;
  readonly solveMs: number;
  /** As in the live system: of the plan's canonical bytes. Empty without a plan. */
  readonly digest: string;
  /** The keyspaces as they stand then, to be put in again. */
  readonly assignment: readonly SimulatedAssignment[];
}

export interface SimulatedAssignment {
  readonly name: string;
  /** The leader first. */
  readonly partitions: readonly { readonly id: number | string; readonly replicas: readonly string[] }[];
}

/** Successive sets of nodes: one result for each, and their sums. */
export interface ScenarioResult {
  readonly results: readonly SimulationResult[];
  readonly total: {
    readonly moves: number;
    readonly leaderTransfers: number;
    readonly bytesMoved: number;
    readonly lowerBoundMoves: number;
    readonly ratio: number;
    readonly violationsAfter: number;
    readonly solveMs: number;
  };
}
