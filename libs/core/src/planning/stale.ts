import type { PartitionRecord } from '../map/records.js';
import { leaderOf, replicaOn, votersOf } from '../map/records.js';
import type { PlannerNode } from '../placement/domains.js';
import type { PlanBody, PlanMove } from './plan.js';

export type Freshness = { readonly fresh: true } | { readonly fresh: false; readonly changes: readonly string[] };

/** Whether what the plan touches is still as it was when it was made (INV-7). Checked at approval and at start. */
export const checkStale = (
  body: Pick<PlanBody, 'moves'>,
  currentRecords: (keyspace: string, partition: number) => PartitionRecord | undefined,
  nodes: readonly PlannerNode[],
): Freshness => {
  const states = new Map(nodes.map((n) => [n.entry.id, n.state]));
  const changes = new Set<string>();
  const touched = new Set<string>();
  for (const move of body.moves) {
    const state = states.get(move.to);
    if (move.kind !== 'remove' && state !== 'up')
      changes.add(`node ${move.to} was up and is ${state ?? 'unknown'}; it is a target of the plan`);
    const key = `${move.keyspace}/${move.partition}`;
    // A later move of the same partition stands on the earlier one's result, not on the current record.
    const change = touched.has(key) ? undefined : changeOf(move, currentRecords(move.keyspace, move.partition));
    touched.add(key);
    if (change !== undefined) changes.add(`keyspace ${move.keyspace} partition ${move.partition}: ${change}`);
  }
  return changes.size === 0 ? { fresh: true } : { fresh: false, changes: [...changes] };
};

const changeOf = (move: PlanMove, record: PartitionRecord | undefined): string | undefined => {
  if (!record) return 'existed and does not any more';
  if (record.epoch !== move.baseEpoch) {
    return `was at epoch ${move.baseEpoch} and is at epoch ${record.epoch}, on ${votersOf(record).join(', ')}, led by ${leaderOf(record) ?? 'nobody'}`;
  }
  if (move.kind === 'leader') return leaderChange(move, record);
  if (move.from !== '' && !votersOf(record).includes(move.from))
    return `was on ${move.from} and is on ${votersOf(record).join(', ')}`;
  // A learner that an interrupted move left there is no obstacle: the new move goes on with it.
  if (move.kind !== 'remove' && votersOf(record).includes(move.to)) return `had no copy on ${move.to} and has one now`;
  return undefined;
};

const leaderChange = (move: PlanMove, record: PartitionRecord): string | undefined => {
  if (leaderOf(record) !== move.from) return `was led by ${move.from} and is led by ${leaderOf(record) ?? 'nobody'}`;
  return replicaOn(record, move.to)?.inSync ? undefined : `had an in-sync copy on ${move.to} and has none now`;
};
