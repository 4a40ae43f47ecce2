import { changeLeader } from '../map/changes.js';
import type { PartitionRecord } from '../map/records.js';
import { inSyncOf, leaderOf, replicaOn } from '../map/records.js';

export interface LeaderReturnView {
  readonly records: Iterable<PartitionRecord>;
  /** The node that is back. */
  readonly node: string;
  /** Leaderships of this keyspace that its death took from it and that were not given back. */
  readonly owed: number;
  readonly leaderCount: (node: string) => number;
  /** Partitions that something else is about to change. */
  readonly busy: (partition: number) => boolean;
  /** At most so many at once: a change of leader is a short pause for those who write. */
  readonly max: number;
}

export interface LeaderReturn {
  readonly records: readonly PartitionRecord[];
  /** What is still owed afterwards; 0 ends the matter. */
  readonly owed: number;
}

/**
 * Leadership goes back to a node that has returned: of partitions that it follows in sync, from nodes that lead at least two more than it
 * does, so that each step makes the keyspace more even and none can be undone by the next. Never more than its death took.
 */
export const decideLeaderReturn = (view: LeaderReturnView): LeaderReturn => {
  const { node, leaderCount, busy } = view;
  const counts = new Map<string, number>();
  const countOf = (id: string): number => counts.get(id) ?? leaderCount(id);
  const records: PartitionRecord[] = [];
  let later = false;
  for (const record of view.records) {
    const own = replicaOn(record, node);
    const leader = leaderOf(record);
    if (!own || leader === undefined || leader === node || own.role === 'learner') continue;
    if (countOf(leader) < countOf(node) + 2) continue;
    if (!own.inSync || busy(record.partition) || records.length === Math.min(view.max, view.owed)) {
      later = true;
      continue;
    }
    records.push(changeLeader(record, node));
    counts.set(node, countOf(node) + 1);
    counts.set(leader, countOf(leader) - 1);
  }
  const left = view.owed - records.length;
  return { records, owed: later ? left : 0 };
};

/** How many leaderships each of the dead loses by these changes. */
export const leadsLost = (
  before: (partition: number) => PartitionRecord,
  changed: readonly PartitionRecord[],
): Map<string, number> => {
  const lost = new Map<string, number>();
  for (const record of changed) {
    const was = leaderOf(before(record.partition));
    if (was !== undefined && was !== leaderOf(record) && !inSyncOf(record).includes(was))
      lost.set(was, (lost.get(was) ?? 0) + 1);
  }
  return lost;
};
