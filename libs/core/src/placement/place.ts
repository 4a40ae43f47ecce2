import { compareStrings } from '../bytes.js';
import { newRecord } from '../map/changes.js';
import type { KeyspaceSpec, PartitionRecord } from '../map/records.js';
import { partitionCount } from '../partitioning/partitioner.js';
import { columnsOf, nodeColumns } from '../planning/model-of.js';
import { solveCluster } from '../planning/solve.js';
import type { Policy } from '../policy/policy.js';
import type { PlannerNode } from './domains.js';
import { checkSatisfiable } from './satisfiable.js';

export const partitionsOf = (spec: KeyspaceSpec): number => partitionCount(spec.scheme);

/**
 * First placement of a new keyspace on the nodes that are up: replicas and leaders within one of each node's weighted share,
 * hard constraints met, the partners of a node mixed so that all help when it is lost. Deterministic.
 * @throws CadastreError UNSATISFIABLE naming what is missing
 */
export const placeKeyspace = (
  spec: KeyspaceSpec,
  nodes: readonly PlannerNode[],
  clusterPolicy?: Policy,
): PartitionRecord[] => {
  checkSatisfiable(spec, nodes, clusterPolicy);
  const columns = nodeColumns([...nodes].sort((a, b) => compareStrings(a.entry.id, b.entry.id)));
  const count = partitionsOf(spec);
  const empty = columnsOf({ spec, generation: { incarnation: 0, number: 0 }, records: [] }, columns, count);
  const model = { nodes: columns, keyspaces: [empty] };
  const { board, leader } = solveCluster(model, clusterPolicy === undefined ? {} : { clusterPolicy }, true)
    .solutions[0]!;
  return Array.from({ length: count }, (_, p) => {
    const held = [...board.now.subarray(p * board.stride, p * board.stride + board.size[p]!)];
    return newRecord(
      p,
      [leader[p]!, ...held.filter((n) => n !== leader[p])].map((n) => columns.ids[n]!),
    );
  });
};
