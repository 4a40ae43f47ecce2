import { meetsAll } from '../../policy/labels.js';
import { demandsOf } from '../../policy/demands.js';
import type { PlacementCheck } from './check.js';
import { check, figure } from './check.js';
import type { ExplainedPartition } from './world.js';
import { entryOf } from './world.js';

/** What is better if it holds: balance of copies and leaders, and where leaders are wanted. */
export const goalChecks = (world: ExplainedPartition, node: string): PlacementCheck[] => [
  balanceCheck(world, node, 'replicas'),
  balanceCheck(world, node, 'leaders'),
  ...preferenceChecks(world, node),
];

const balanceCheck = (world: ExplainedPartition, node: string, what: 'replicas' | 'leaders'): PlacementCheck => {
  const pick = (tally: ExplainedPartition['now']): number =>
    (what === 'replicas' ? tally.copies : tally.leaders).get(node) ?? 0;
  const share = shareOf(world, node) * (what === 'replicas' ? world.policy.replicationFactor : 1);
  const [now, after] = [pick(world.now), pick(world.after)];
  const most = Math.ceil(share - 1e-6);
  // The plan's own end is what counts: where constraints bend the shares, a node holds more or less than its weight says.
  const limit = Math.max(most, after);
  const isHere = what === 'replicas' ? world.holders.includes(node) : world.leader === node;
  const value = isHere ? now : now + 1;
  const verdict = value > limit ? 'avoid' : 'pass';
  const bent = after > most ? `; constraints leave it ${after}` : '';
  const text = `${node} has ${now} ${what}, its share by weight is ${figure(share)}${bent}${isHere ? '' : `; one more would be ${value}`}`;
  return check(`balance.${what}`, verdict, value, limit, text);
};

/** Partitions a node would have by its weight alone, among the nodes that are up and that the rules of this partition allow. */
const shareOf = ({ nodes, keyspace, policy, others }: ExplainedPartition, node: string): number => {
  const demands = demandsOf(policy, others);
  const open = [...nodes.values()].filter((n) => n.state === 'up' && demands.every((d) => d.allows?.(n.entry) ?? true));
  if (!open.some((n) => n.entry.id === node)) return 0;
  const weight = open.reduce((sum, n) => sum + n.entry.weight, 0);
  return weight > 0 ? (keyspace.records.length * nodes.get(node)!.entry.weight) / weight : 0;
};

const preferenceChecks = (world: ExplainedPartition, node: string): PlacementCheck[] => {
  const { leaderPreferences } = world.policy;
  if (leaderPreferences.length === 0) return [];
  const rankOf = (id: string): number => {
    const at = leaderPreferences.findIndex((rules) => meetsAll(entryOf(world, id).labels, rules));
    return at < 0 ? leaderPreferences.length : at;
  };
  const live = world.holders.filter((id) => world.nodes.get(id)?.state === 'up');
  const best = live.reduce((least, id) => Math.min(least, rankOf(id)), leaderPreferences.length);
  const rank = rankOf(node);
  const place = (at: number): string => (at < leaderPreferences.length ? `choice ${at + 1}` : 'no choice');
  return [
    check(
      'leaderPreferences',
      rank <= best ? 'pass' : 'avoid',
      place(rank),
      place(best),
      `as a leader ${node} is ${place(rank)}, the best holder is ${place(best)}`,
    ),
  ];
};
