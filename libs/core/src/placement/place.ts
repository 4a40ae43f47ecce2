import { compareStrings } from '../bytes.js';
import { newRecord } from '../map/changes.js';
import type { KeyspaceSpec, PartitionRecord } from '../map/records.js';
import { Board } from './board.js';
import { partitionCount } from '../partitioning/check-scheme.js';
import type { PlannerNode } from './domains.js';
import { domainsOver } from './domains.js';
import { balanceLeaders } from './leaders.js';
import { mixedOrder, seedOf } from './mix.js';
import { rebalance, replicaAims, settle } from './replicas.js';
import { checkSatisfiable } from './satisfiable.js';

export const partitionsOf = (spec: KeyspaceSpec): number => partitionCount(spec.scheme);

/**
 * First placement of a new keyspace on the nodes that are up: replicas and leaders within one of each node's weighted share,
 * hard constraints met, the partners of a node mixed so that all help when it is lost. Deterministic.
 * @throws CadastreError UNSATISFIABLE naming what is missing
 */
export const placeKeyspace = (spec: KeyspaceSpec, nodes: readonly PlannerNode[]): PartitionRecord[] => {
  checkSatisfiable(spec, nodes);
  const entries = nodes
    .filter((n) => n.state === 'up')
    .map((n) => n.entry)
    .sort((a, b) => compareStrings(a.id, b.id));
  const domains = domainsOver(spec, entries);
  const count = partitionsOf(spec);
  const seed = seedOf(spec.name);
  const order = mixedOrder(count, seed);
  const board = new Board(
    domains,
    Array.from({ length: count }, () => []),
    order,
  );
  const aims = replicaAims(domains, count, spec.replicationFactor, board.count, seed);
  settle(board, aims, new Uint8Array(count).fill(spec.replicationFactor), order, seed, true);
  rebalance(board, aims, seed, (_, partitions) => partitions);
  const leader = new Int32Array(count).fill(-1);
  balanceLeaders(domains, { candidates: board.now, leader }, order, seed);
  return board.now.map((held, p) =>
    newRecord(
      p,
      [leader[p]!, ...held.filter((n) => n !== leader[p])].map((n) => entries[n]!.id),
    ),
  );
};
