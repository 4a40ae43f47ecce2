import { compareStrings } from '../bytes.js';
import type { PartitionRecord, Replica } from '../map/records.js';
import { inSyncOf, leaderOf, replicaOn } from '../map/records.js';

/** What one agent says that it has of a partition. */
export interface FoundCopy {
  readonly node: string;
  readonly keyspace: string;
  readonly partition: number;
  /** On its disk: it takes nothing of an older one. */
  readonly promisedEpoch: number;
  /** All of the partition is there: not a copy that is being filled, nor one that is gone. */
  readonly whole: boolean;
  /** Of the last entry of its log. */
  readonly lastEpoch: number;
  readonly lastSeq: number;
  /** The map does not give it to that node, as far as the node knows. */
  readonly setAside: boolean;
  /** Newer than the maps that are found: it was told with an answer. */
  readonly record?: PartitionRecord;
}

/** `lost`: the record counts on copies of which none is there; it stays as it is. */
export const PARTITION_FINDINGS = ['whole', 'shrunk', 'by-promise', 'unheard', 'lost'] as const;
export type PartitionFinding = (typeof PARTITION_FINDINGS)[number];

export interface RecoveredPartition {
  readonly record: PartitionRecord;
  readonly finding: PartitionFinding;
}

/**
 * Above all epochs that the register before may have given out meanwhile, whether or not anybody here heard of them: a control plane
 * that still runs on the old store raises epochs one by one, and must not meet those of this one.
 */
export const EPOCH_STEP = 1_000_000;

/**
 * The record that a partition goes on with, from the newest one that anybody knows and from what is on the disks. Whoever acted on a
 * newer record than that is its leader or was in its in-sync set, and has promised a higher epoch before (INV-3):
 * - nobody has promised more than the record's epoch: it is the last that anybody acted on. Its in-sync set holds every acknowledged
 *   write; those of it whose copy is not there any more leave it.
 * - somebody has: of the copies with the highest promise the one with the longest log holds every acknowledged write, for the leader of
 *   that epoch is among them, and a log that ends under the same epoch as its and is no shorter contains it. Only that one counts; the
 *   others come back in sync through it.
 * Learners are left out: no plan fills them any more.
 */
export const recoverPartition = (
  known: PartitionRecord,
  copies: readonly FoundCopy[],
  heard: ReadonlySet<string>,
): RecoveredPartition => {
  const best = copies.reduce((newest, { record }) => (record && record.epoch > newest.epoch ? record : newest), known);
  const there = new Map(copies.filter((c) => c.whole).map((c) => [c.node, c]));
  const own = best.replicas.flatMap(({ node }) => there.get(node) ?? []);
  const promised = own.reduce((highest, c) => Math.max(highest, c.promisedEpoch), 0);
  const epoch = copies.reduce((highest, c) => Math.max(highest, c.promisedEpoch), best.epoch) + EPOCH_STEP;
  if (promised > best.epoch) {
    const [winner] = own.filter((c) => c.promisedEpoch === promised).sort(longestFirst);
    return { record: recordOf(best, epoch, winner!.node, new Set([winner!.node])), finding: 'by-promise' };
  }
  const trusted = inSyncOf(best);
  const left = trusted.filter((node) => !heard.has(node) || there.has(node));
  if (left.length === 0) return { record: recordOf(best, epoch, leaderOf(best), new Set(trusted)), finding: 'lost' };
  const before = leaderOf(best);
  const leader = before !== undefined && left.includes(before) ? before : longestOf(left, there);
  const record = recordOf(best, epoch, leader, new Set(left));
  if (left.length < trusted.length) return { record, finding: 'shrunk' };
  return { record, finding: best.replicas.every(({ node }) => heard.has(node)) ? 'whole' : 'unheard' };
};

const longestFirst = (a: FoundCopy, b: FoundCopy): number =>
  b.lastEpoch - a.lastEpoch || b.lastSeq - a.lastSeq || compareStrings(a.node, b.node);

const longestOf = (nodes: readonly string[], there: ReadonlyMap<string, FoundCopy>): string =>
  nodes.flatMap((node) => there.get(node) ?? []).sort(longestFirst)[0]?.node ?? nodes[0]!;

const recordOf = (
  { partition, replicas }: PartitionRecord,
  epoch: number,
  leader: string | undefined,
  inSync: ReadonlySet<string>,
): PartitionRecord => ({
  partition,
  epoch,
  replicas: replicas
    .filter((r) => r.role !== 'learner')
    .map(({ node }): Replica => ({
      node,
      role: node === leader ? 'leader' : 'follower',
      state: 'available',
      inSync: inSync.has(node),
    }))
    .sort((a, b) => Number(b.role === 'leader') - Number(a.role === 'leader') || compareStrings(a.node, b.node)),
});

/** Who holds what counts the same, whatever the epoch. */
export const samePlacement = (a: PartitionRecord, b: PartitionRecord): boolean =>
  leaderOf(a) === leaderOf(b) &&
  a.replicas.length === b.replicas.length &&
  a.replicas.every((r) => replicaOn(b, r.node)?.inSync === r.inSync);
