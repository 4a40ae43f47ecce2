import type { NodeEntry, PartitionRecord } from '../../map/records.js';
import { leaderOf, votersOf } from '../../map/records.js';
import type { PlannerNode } from '../../placement/domains.js';
import { effectivePolicies } from '../../policy/effective.js';
import type { EffectivePolicy, TenantRule } from '../../policy/policy.js';
import type { PlanInput, PlanKeyspace, PlanMove, Proposal } from '../plan.js';

/** All that one question needs, gathered once: who asks about many nodes asks the same world. */
export interface ExplainedPartition {
  readonly input: PlanInput;
  readonly keyspace: PlanKeyspace;
  readonly record: PartitionRecord;
  readonly policy: EffectivePolicy;
  /** Tenants with nodes of their own to which this partition does not belong. */
  readonly others: readonly TenantRule[];
  readonly nodes: ReadonlyMap<string, PlannerNode>;
  /** Nodes of the copies that count, the leader's first. */
  readonly holders: readonly string[];
  readonly leader: string | undefined;
  /** Copies and leaderships of this keyspace by node, now and after the plan. */
  readonly now: Tally;
  readonly after: Tally;
  readonly moves: readonly PlanMove[];
}

export interface Tally {
  readonly copies: ReadonlyMap<string, number>;
  readonly leaders: ReadonlyMap<string, number>;
}

export const entryOf = (world: ExplainedPartition, node: string): NodeEntry => world.nodes.get(node)!.entry;

export const gather = (
  input: PlanInput,
  proposal: Proposal,
  keyspace: PlanKeyspace,
  record: PartitionRecord,
): ExplainedPartition => {
  const { spec, records } = keyspace;
  const partitions = records.reduce((most, r) => Math.max(most, r.partition), 0) + 1;
  const { policy } = effectivePolicies(spec, partitions, input.clusterPolicy).find(
    (i) => i.first <= record.partition && record.partition <= i.last,
  )!;
  const tenants = [
    ...(input.clusterPolicy?.tenants ?? []),
    ...input.keyspaces.flatMap((k) => k.spec.policy?.tenants ?? []),
  ];
  const own = new Set(policy.tenants.map((t) => t.tenant));
  const all = proposal.kind === 'plan' ? proposal.plan.moves : [];
  const moves = all.filter((m) => m.keyspace === spec.name);
  const leader = leaderOf(record);
  return {
    input,
    keyspace,
    record,
    policy,
    others: tenants.filter((t) => t.dedicated && !own.has(t.tenant)),
    nodes: new Map(input.nodes.map((n) => [n.entry.id, n])),
    holders: votersOf(record).sort((a, b) => Number(b === leader) - Number(a === leader)),
    leader,
    now: tallyOf(records, []),
    after: tallyOf(records, moves),
    moves: moves.filter((m) => m.partition === record.partition),
  };
};

const tallyOf = (records: readonly PartitionRecord[], moves: readonly PlanMove[]): Tally => {
  const copies = new Map<string, number>();
  const leaders = new Map<string, number>();
  const add = (to: Map<string, number>, node: string, by: number): void => void to.set(node, (to.get(node) ?? 0) + by);
  const ledBy = new Map(moves.map((m) => [m.partition, m.leaderAfter]));
  for (const record of records) {
    for (const node of votersOf(record)) add(copies, node, 1);
    const leader = ledBy.get(record.partition) ?? leaderOf(record) ?? '';
    if (leader !== '') add(leaders, leader, 1);
  }
  for (const move of moves) {
    if (move.kind === 'leader') continue;
    if (move.to !== '') add(copies, move.to, 1);
    if (move.from !== '') add(copies, move.from, -1);
  }
  return { copies, leaders };
};
