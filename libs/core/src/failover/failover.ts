import { compareStrings } from '../bytes.js';
import { changeLeader, shrinkInSync } from '../map/changes.js';
import type { PartitionRecord } from '../map/records.js';
import { inSyncOf, leaderOf } from '../map/records.js';

export interface FailoverDecision {
  /** Undefined when nothing can or need be done. */
  readonly record: PartitionRecord | undefined;
  readonly reason: string;
}

/**
 * What the loss of nodes means for one partition: a lost leader is followed by the in-sync replica that leads least elsewhere (INV-4), a
 * lost in-sync follower leaves the set so that writes go on. The last in-sync replica is never given up: nothing is done until its
 * node is back or an operator decides.
 */
export const decideFailover = (
  record: PartitionRecord,
  alive: (node: string) => boolean,
  leaderCount: (node: string) => number,
): FailoverDecision => {
  const lost = inSyncOf(record).filter((node) => !alive(node));
  if (lost.length === 0) return { record: undefined, reason: 'all in-sync replicas are alive' };
  const candidates = inSyncOf(record)
    .filter(alive)
    .sort((a, b) => leaderCount(a) - leaderCount(b) || compareStrings(a, b));
  if (candidates.length === 0) return { record: undefined, reason: `no in-sync replica is alive: ${lost.join(', ')}` };
  const leader = leaderOf(record);
  let next = leader === undefined || lost.includes(leader) ? changeLeader(record, candidates[0]!, false) : record;
  for (const node of lost) if (inSyncOf(next).includes(node)) next = shrinkInSync(next, node);
  return { record: { ...next, epoch: record.epoch + 1 }, reason: `${lost.join(', ')} lost` };
};

export interface BrakeOptions {
  /** Both must be met for automation to freeze. */
  readonly nodes: number;
  readonly share: number;
}

/** Many nodes gone at once is more often a fault of ours (a mass loss of leases, a cut) than of theirs: then nothing runs by itself. */
export const brake = (
  lost: number,
  known: number,
  { nodes, share }: BrakeOptions = { nodes: 3, share: 0.3 },
): string | undefined =>
  lost >= nodes && lost >= known * share
    ? `frozen: ${lost} of ${known} nodes are gone at once; automation waits until they are back or an operator decides`
    : undefined;
