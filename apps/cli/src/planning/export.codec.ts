import type { PartitionSet, Policy, Scheme, SpreadRule } from '@cadastre/core';
import { intervalsOf, policyJson } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import { decodePolicy, decodeSpec } from '@cadastre/contracts';

/** The live cluster in the simulator's format: the leader first, sizes as the agents report them, learners left out. */
export const exportedCluster = (
  nodes: readonly Wire.Node__Output[],
  keyspaces: readonly Wire.Keyspace__Output[],
  policy: Wire.Policy__Output | null | undefined,
) => {
  const cluster = policy ? policyJson(decodePolicy(policy)) : {};
  return {
    ...(Object.keys(cluster).length > 0 && { policy: cluster }),
    nodes: nodes.map(nodeOf),
    keyspaces: keyspaces.map(keyspaceOf),
  };
};

const nodeOf = (wire: Wire.Node__Output) => ({
  id: wire.entry?.id ?? '',
  labels: wire.entry?.labels ?? {},
  weight: wire.entry?.weight ?? 1,
  capacity: wire.capacity,
  state: wire.state === 'drained' ? 'draining' : wire.state,
});

const keyspaceOf = (wire: Wire.Keyspace__Output) => {
  const spec = decodeSpec(wire.spec);
  const own = byNumber(spec.policy ?? {}, spec.scheme, wire.partitions);
  // Each rule in the place where the live planner has it.
  const spread = new Map<string, SpreadRule>(spec.spread.map((rule) => [`${rule.label} ${rule.hard}`, rule]));
  for (const rule of own.spread ?? []) spread.set(`${rule.label} ${rule.hard}`, rule);
  const policy = policyJson({ ...own, spread: [...spread.values()] });
  return {
    name: spec.name,
    replicationFactor: spec.replicationFactor,
    minInSync: spec.minInSync,
    generation: { incarnation: wire.generation?.incarnation ?? 0, number: wire.generation?.number ?? 0 },
    policy,
    partitions: wire.records.map((record, i) => ({
      id: record.partition,
      epoch: record.epoch,
      bytes: wire.partitionBytes[i] ?? 0,
      replicas: record.replicas
        .filter((r) => r.role !== 'LEARNER')
        .sort((a, b) => Number(b.role === 'LEADER') - Number(a.role === 'LEADER'))
        .map((r) => r.node),
    })),
  };
};

/** The file has no scheme: sets of keys and entries become the partitions that they stand for. */
const byNumber = (policy: Policy, scheme: Scheme, partitions: number): Policy => {
  const spread = <Rule extends { readonly partitions: PartitionSet }>(rules: readonly Rule[]): Rule[] =>
    rules.flatMap((rule) =>
      rule.partitions.kind === 'keys' || rule.partitions.kind === 'entry'
        ? intervalsOf(rule.partitions, partitions, scheme).map(({ first, last }) => ({
            ...rule,
            partitions: { kind: 'range' as const, first, last },
          }))
        : [rule],
    );
  return {
    ...policy,
    ...(policy.residency && { residency: spread(policy.residency) }),
    ...(policy.tenants && { tenants: spread(policy.tenants) }),
  };
};
