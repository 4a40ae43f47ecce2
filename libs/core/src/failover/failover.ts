import { compareStrings } from '../bytes.js';
import { changeLeader, shrinkInSync } from '../map/changes.js';
import type { PartitionRecord } from '../map/records.js';
import { inSyncOf, leaderOf } from '../map/records.js';

export interface FailoverDecision {
  /** Undefined when nothing can or need be done. */
  readonly record: PartitionRecord | undefined;
  readonly reason: string;
}

export interface FailoverView {
  readonly alive: (node: string) => boolean;
  /** Leaderships that it has already. */
  readonly leaderCount: (node: string) => number;
  /** End of its log as last reported, 0 when nothing is known. All in-sync logs hold what was acknowledged: the longest has least to be sent. */
  readonly lastSeq?: (node: string, partition: number) => number;
  /** Nobody has had an answer of it for a moment: named only when there is no other. */
  readonly doubted?: (node: string) => boolean;
}

/** Logs that differ by no more are taken for equally long: reports are up to a second old. */
const SEQ_GRAIN = 64;

/**
 * What the loss of nodes means for one partition: a lost leader is followed by the in-sync replica that is most advanced, of several by
 * the one that leads least elsewhere (INV-4); a lost in-sync follower leaves the set so that writes go on. The last in-sync replica is
 * never given up: nothing is done until its node is back or an operator decides.
 */
export const decideFailover = (record: PartitionRecord, view: FailoverView): FailoverDecision => {
  const { alive, leaderCount, lastSeq = () => 0, doubted = () => false } = view;
  const lost = inSyncOf(record).filter((node) => !alive(node));
  if (lost.length === 0) return { record: undefined, reason: 'all in-sync replicas are alive' };
  const living = inSyncOf(record).filter(alive);
  const longest = Math.max(0, ...living.map((node) => lastSeq(node, record.partition)));
  const lags = (node: string): number => Math.floor((longest - lastSeq(node, record.partition)) / SEQ_GRAIN);
  const candidates = living.sort(
    (a, b) =>
      Number(doubted(a)) - Number(doubted(b)) ||
      lags(a) - lags(b) ||
      leaderCount(a) - leaderCount(b) ||
      compareStrings(a, b),
  );
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

export const BRAKE_DEFAULTS: BrakeOptions = { nodes: 3, share: 0.3 };

/** Many nodes gone at once is more often a fault of ours (a mass loss of leases, a cut) than of theirs: then nothing runs by itself. */
export const brake = (
  lost: number,
  known: number,
  { nodes, share }: BrakeOptions = BRAKE_DEFAULTS,
): string | undefined =>
  lost >= nodes && lost >= known * share
    ? `frozen: ${lost} of ${known} nodes are gone at once; automation waits until they are back or an operator decides`
    : undefined;
