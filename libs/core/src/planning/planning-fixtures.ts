import type { KeyspaceSpec, PartitionRecord, SpreadConstraint } from '../map/records.js';
import { leaderOf, replicaOn, votersOf } from '../map/records.js';
import { addLearner, changeLeader, growInSync, newRecord, removeReplica } from '../map/changes.js';
import type { PlannerNode, PlannerNodeState } from '../placement/domains.js';
import { domainOf } from '../placement/domains.js';
import type { PlanDraft, PlanInput, PlanKeyspace, PlanMove, Proposal } from './plan.js';
import { proposePlan } from './propose.js';

/** Builders for the specs of this folder. */
export const nodeOf = (
  id: string,
  labels: Record<string, string> = {},
  weight = 1,
  state: PlannerNodeState = 'up',
): PlannerNode => ({
  entry: { id, address: `${id}:7000`, labels, weight },
  state,
});

export const specOf = (
  slots: number,
  replicationFactor: number,
  spread: readonly SpreadConstraint[] = [],
  name = 'orders',
): KeyspaceSpec => ({
  name,
  scheme: { kind: 'hash-slots', slots, hash: 'murmur3', hashTags: false },
  replicationFactor,
  minInSync: 1,
  spread,
});

export const hard = (label: string, maxPerDomain = 1): SpreadConstraint => ({ label, maxPerDomain, hard: true });

export const keyspaceOf = (spec: KeyspaceSpec, records: readonly PartitionRecord[]): PlanKeyspace => ({
  spec,
  records,
  generation: { incarnation: 1, number: 7 },
  bytesOf: (partition) => 100 + partition,
});

/** Zones z0.. by turns, racks by turns within a zone. */
export const grid = (zones: number, racks: number, perRack: number): PlannerNode[] =>
  Array.from({ length: zones * racks * perRack }, (_, i) =>
    nodeOf(`n${String(i).padStart(4, '0')}`, { zone: `z${i % zones}`, rack: `r${Math.floor(i / zones) % racks}` }),
  );

/** Round robin, one copy each. */
export const dealt = (count: number, ids: readonly string[]): PartitionRecord[] =>
  Array.from({ length: count }, (_, p) => newRecord(p, [ids[p % ids.length]!]));

export const planOf = (input: PlanInput): PlanDraft => {
  const proposal: Proposal = proposePlan(input);
  if (proposal.kind === 'nothing') throw new Error(`nothing proposed: ${proposal.because}`);
  return proposal.plan;
};

/** The record after one move, through the same changes that the executor makes. */
export const played = (record: PartitionRecord, move: PlanMove): PartitionRecord => {
  if (move.kind === 'leader') return changeLeader(record, move.to);
  if (move.kind === 'remove') {
    const led =
      leaderOf(record) === move.from && move.leaderAfter !== '' ? changeLeader(record, move.leaderAfter) : record;
    return removeReplica(led, move.from, 1);
  }
  let next = growInSync(replicaOn(record, move.to) ? record : addLearner(record, move.to), move.to);
  if (move.leaderAfter !== '' && leaderOf(next) !== move.leaderAfter) next = changeLeader(next, move.leaderAfter);
  return move.from === '' ? next : removeReplica(next, move.from, 1);
};

/** All records after the plan; `after` sees each record as it is after each move. */
export const playedAll = (
  records: readonly PartitionRecord[],
  plan: PlanDraft,
  after?: (record: PartitionRecord, move: PlanMove) => void,
  keyspace?: string,
): PartitionRecord[] => {
  const map = new Map(records.map((r) => [r.partition, r]));
  for (const move of plan.moves) {
    if (keyspace !== undefined && move.keyspace !== keyspace) continue;
    const next = played(map.get(move.partition)!, move);
    map.set(move.partition, next);
    after?.(next, move);
  }
  return [...map.values()];
};

/** Copies beyond what the hard constraints allow, counted apart from the planner's own count. */
export const broken = (spec: KeyspaceSpec, nodes: readonly PlannerNode[], record: PartitionRecord): number => {
  const entries = new Map(nodes.map((n) => [n.entry.id, n.entry]));
  return spec.spread
    .filter((s) => s.hard)
    .reduce((sum, { label, maxPerDomain }) => {
      const domains = votersOf(record).flatMap((v) => (entries.has(v) ? [domainOf(entries.get(v)!, label)] : []));
      return (
        sum +
        [...new Set(domains)].reduce((n, d) => n + Math.max(0, domains.filter((x) => x === d).length - maxPerDomain), 0)
      );
    }, 0);
};

export const tally = (names: readonly string[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
};

export const replicasOf = (records: readonly PartitionRecord[]): Record<string, number> =>
  tally(records.flatMap(votersOf));
export const leadersOf = (records: readonly PartitionRecord[]): Record<string, number> =>
  tally(records.flatMap((r) => leaderOf(r) ?? []));
