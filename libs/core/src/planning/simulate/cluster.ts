import type { KeyspaceSpec, PartitionRecord } from '../../map/records.js';
import { newRecord } from '../../map/changes.js';
import type { PlannerNode } from '../../placement/domains.js';
import type { PlanMove } from '../plan.js';
import type { SimulatedKeyspace, SimulatedNode, SimulatedPartition } from './input.js';

/** One keyspace as it stands between two plans: rows in the order of ids, the leader first in each. */
export interface StandingKeyspace {
  readonly given: SimulatedKeyspace;
  readonly spec: KeyspaceSpec;
  readonly replicas: readonly (readonly string[])[];
}

export const plannerNodesOf = (set: readonly SimulatedNode[]): PlannerNode[] =>
  set.map((n) => ({
    entry: { id: n.id, address: n.id, labels: n.labels, weight: n.weight, capacity: n.capacity },
    state: n.state,
  }));

/** The planner's partition is the row. */
export const recordsOf = ({ given, replicas }: StandingKeyspace): PartitionRecord[] =>
  replicas.map((nodes, row) => ({ ...newRecord(row, nodes), epoch: given.partitions[row]!.epoch }));

/** Replicas after the moves, each applied to the row that it names. */
export const afterMoves = (keyspace: StandingKeyspace, moves: readonly PlanMove[]): StandingKeyspace => {
  const replicas = keyspace.replicas.map((r) => [...r]);
  for (const move of moves) {
    if (move.keyspace !== keyspace.spec.name) continue;
    const row = replicas[move.partition]!;
    const at = move.kind === 'leader' ? -1 : row.indexOf(move.from);
    if (move.kind === 'remove' && at >= 0) row.splice(at, 1);
    else if (move.kind === 'replica' && at >= 0) row[at] = move.to;
    else if (move.kind === 'add') row.push(move.to);
    lead(row, move.leaderAfter);
  }
  return { ...keyspace, replicas };
};

const lead = (row: string[], leader: string): void => {
  const at = row.indexOf(leader);
  if (at <= 0) return;
  row[at] = row[0]!;
  row[0] = leader;
};

/** What the cluster does by itself after a death: a live copy leads, those with the fewest leaderships first. */
export const afterFailover = (
  keyspace: StandingKeyspace,
  isAlive: (node: string) => boolean,
): { readonly keyspace: StandingKeyspace; readonly failovers: number } => {
  const leading = new Map<string, number>();
  for (const row of keyspace.replicas) if (row[0] !== undefined) leading.set(row[0], (leading.get(row[0]) ?? 0) + 1);
  let failovers = 0;
  const replicas = keyspace.replicas.map((row) => {
    if (row[0] === undefined || isAlive(row[0])) return row;
    const heirs = row.filter(isAlive).sort((a, b) => (leading.get(a) ?? 0) - (leading.get(b) ?? 0));
    const heir = heirs[0];
    if (heir === undefined) return row;
    failovers += 1;
    leading.set(heir, (leading.get(heir) ?? 0) + 1);
    const next = [...row];
    lead(next, heir);
    return next;
  });
  return { keyspace: failovers > 0 ? { ...keyspace, replicas } : keyspace, failovers };
};

/** The same cluster in the format of the input, so that it can be put in again. */
export const partitionsOfStanding = ({ given, replicas }: StandingKeyspace): SimulatedPartition[] =>
  given.partitions.map((p, row) => ({ ...p, replicas: replicas[row]! }));
