import type { KeyspaceMap, PartitionRecord } from '@cadastre/core';
import type { MonotonicMs } from '@cadastre/runtime';

/**
 * What nodes said of partitions and the control plane has not yet. A record comes from the register, so a true one is told by the
 * watch within moments; one that the watch does not tell while it tells all else is false, whoever said it.
 */
export type Claims = ReadonlyMap<string, Claim>;

interface Claim {
  readonly keyspace: string;
  readonly partition: number;
  readonly epoch: number;
  readonly since: MonotonicMs;
}

/** Two progress marks lie within it. */
const CONFIRMED_WITHIN_MS = 12_000;

const idOf = (keyspace: string, partition: number): string => `${keyspace}/${partition}`;

export const claimed = (
  claims: Claims,
  keyspace: string,
  { partition, epoch }: PartitionRecord,
  since: MonotonicMs,
): Claims => new Map(claims).set(idOf(keyspace, partition), { keyspace, partition, epoch, since });

/** Without those that `records` confirm or overtake. */
export const confirmedBy = (claims: Claims, keyspace: string, records: readonly PartitionRecord[]): Claims => {
  if (claims.size === 0) return claims;
  const left = new Map(claims);
  for (const { partition, epoch } of records) {
    const claim = claims.get(idOf(keyspace, partition));
    if (claim && epoch >= claim.epoch) left.delete(idOf(keyspace, partition));
  }
  return left;
};

/** The same for a whole map. Those that it does not know are over too when they are in `disbelieved`. */
export const confirmedByMap = (claims: Claims, map: KeyspaceMap, disbelieved: ReadonlySet<number>): Claims => {
  const left = [...claims].filter(
    ([, c]) =>
      c.keyspace !== map.spec.name ||
      !(disbelieved.has(c.partition) || c.partition >= map.partitions || map.epochOf(c.partition) >= c.epoch),
  );
  return new Map(left);
};

export const overdue = (claims: Claims, now: MonotonicMs): Claim[] =>
  [...claims.values()].filter((c) => now - c.since > CONFIRMED_WITHIN_MS);
