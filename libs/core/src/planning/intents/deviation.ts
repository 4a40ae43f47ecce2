import { compareStrings } from '../../bytes.js';
import { votersOf } from '../../map/records.js';
import type { PlanInput, PlanKeyspace } from '../plan.js';

/** What any policy balances beside counts, in order. */
export const balancedDimensions = ({ keyspaces, clusterPolicy, dimensions }: PlanInput): string[] => {
  const said = dimensions ?? [
    ...(clusterPolicy?.balance?.dimensions ?? []),
    ...keyspaces.flatMap((k) => k.spec.policy?.balance?.dimensions ?? []),
  ];
  return [...new Set(said)].sort(compareStrings);
};

const sizeOf = ({ bytesOf, loadsOf }: PlanKeyspace, partition: number, name: string): number =>
  name === 'bytes' ? (bytesOf?.(partition) ?? 0) : (loadsOf?.(partition)[name] ?? 0);

/** How far the fullest node that is up is over its share by weight: 0.05 is 5 %. 0 where nothing is known. */
export const deviationOf = (input: PlanInput, name: string): number => {
  const sums = new Map<string, number>();
  let total = 0;
  for (const keyspace of input.keyspaces)
    for (const record of keyspace.records) {
      const size = sizeOf(keyspace, record.partition, name);
      for (const node of votersOf(record)) {
        sums.set(node, (sums.get(node) ?? 0) + size);
        total += size;
      }
    }
  const up = input.nodes.filter((n) => n.state === 'up' && n.entry.weight > 0);
  const weight = up.reduce((sum, n) => sum + n.entry.weight, 0);
  if (total === 0) return 0;
  return up.reduce((most, { entry }) => {
    const share = (total * entry.weight) / weight;
    return Math.max(most, (sums.get(entry.id) ?? 0) / share - 1);
  }, 0);
};
