import type { KeyspaceSpec } from '../map/records.js';
import { createPartitioner } from '../partitioning/partitioner.js';
import type { Scheme } from '../partitioning/scheme.js';
import type { EffectivePolicy, LabelRule, PartitionSet, Policy, PolicyFields, SpreadRule } from './policy.js';

export interface PartitionInterval {
  readonly first: number;
  /** Included. */
  readonly last: number;
}

/** What planning needs of a keyspace's spec; the simulator has no scheme, and names partitions by number. */
export type PolicySource = Pick<KeyspaceSpec, 'name' | 'replicationFactor' | 'minInSync' | 'spread'> &
  Partial<Pick<KeyspaceSpec, 'scheme' | 'policy'>>;

const encoder = new TextEncoder();

/** Partitions of a set as intervals, ascending; of keys and entries by the scheme. Empty where a set names nothing. */
export const intervalsOf = (set: PartitionSet, partitions: number, scheme?: Scheme): PartitionInterval[] => {
  if (set.kind === 'all') return partitions > 0 ? [{ first: 0, last: partitions - 1 }] : [];
  if (set.kind === 'range') {
    const first = Math.max(0, set.first);
    const last = Math.min(partitions - 1, set.last);
    return first <= last ? [{ first, last }] : [];
  }
  if (!scheme) return [];
  const numbers =
    set.kind === 'keys'
      ? createPartitioner(scheme).partitionsFor(set.start, set.end)
      : partitionsOfEntry(scheme, set.label);
  return joined(numbers);
};

const partitionsOfEntry = (scheme: Scheme, label: string): number[] => {
  if (scheme.kind !== 'directory') return [];
  const text = encoder.encode(label).join();
  return scheme.entries.flatMap((entry) => {
    const named =
      entry.match === 'geography'
        ? entry.label === label
        : (entry.match === 'key' ? entry.key : entry.prefix).join() === text;
    if (!named) return [];
    const spread = entry.match === 'key' ? 1 : (entry.spread ?? 1);
    return Array.from({ length: spread }, (_, i) => entry.partition + i);
  });
};

const joined = (numbers: readonly number[]): PartitionInterval[] => {
  const intervals: PartitionInterval[] = [];
  for (const p of [...new Set(numbers)].sort((a, b) => a - b)) {
    const last = intervals.at(-1);
    if (last && last.last === p - 1) intervals[intervals.length - 1] = { first: last.first, last: p };
    else intervals.push({ first: p, last: p });
  }
  return intervals;
};

const keyOf = (rule: SpreadRule): string => `${rule.hard ? 'hard' : 'soft'} ${rule.label}`;

/** The nearer rule of a label instead of the wider one; wider ones first. */
const mergeSpread = (wider: readonly SpreadRule[], nearer: readonly SpreadRule[]): SpreadRule[] => {
  const rules = new Map(wider.map((rule) => [keyOf(rule), rule]));
  for (const rule of nearer) rules.set(keyOf(rule), rule);
  return [...rules.values()];
};

type Level = Pick<EffectivePolicy, Exclude<keyof EffectivePolicy, 'tenants' | 'pins'>>;

const inherit = (wider: Level, nearer: PolicyFields): Level => ({
  replicationFactor: nearer.replicationFactor ?? wider.replicationFactor,
  minInSync: nearer.minInSync ?? wider.minInSync,
  spread: mergeSpread(wider.spread, nearer.spread ?? []),
  required: nearer.required ?? wider.required,
  forbidden: nearer.forbidden ?? wider.forbidden,
  leaderPreferences: nearer.leaderPreferences ?? wider.leaderPreferences,
  watermarks: { ...wider.watermarks, ...nearer.watermarks },
  balance: { ...wider.balance, ...nearer.balance },
  copysets: nearer.copysets ?? wider.copysets,
});

/** Policies of partitions, which are equal over long intervals: each interval once. */
export interface PolicyInterval extends PartitionInterval {
  readonly policy: EffectivePolicy;
}

const keyspaceLevel = (source: PolicySource, cluster: Policy | undefined): Level => {
  const base: Level = {
    replicationFactor: source.replicationFactor,
    minInSync: source.minInSync,
    spread: [],
    required: [],
    forbidden: [],
    leaderPreferences: [],
    watermarks: {},
    balance: {},
    copysets: 'wide',
  };
  const { replicationFactor: _rf, minInSync: _min, ...shared } = cluster ?? {};
  const own = inherit(inherit(base, shared), { spread: source.spread });
  return source.policy ? inherit(own, source.policy) : own;
};

/**
 * What holds for each partition: cluster, then keyspace, then partition range. The spec's own replication factor and minInSync
 * stand above the cluster's; residency, tenants and pins of all levels hold together. Covers 0 to `partitions` - 1 without gaps.
 */
export const effectivePolicies = (
  source: PolicySource,
  partitions: number,
  cluster?: Policy,
): readonly PolicyInterval[] => {
  const own = keyspaceLevel(source, cluster);
  const { policy, scheme } = source;
  const tenants = [...(cluster?.tenants ?? []), ...(policy?.tenants ?? [])].map((rule) => ({
    rule,
    where: intervalsOf(rule.partitions, partitions, scheme),
  }));
  const residency = [...(cluster?.residency ?? []), ...(policy?.residency ?? [])].map((rule) => ({
    rule,
    where: intervalsOf(rule.partitions, partitions, scheme),
  }));
  const ranges = policy?.ranges ?? [];
  const pins = policy?.pins ?? [];
  const cuts = cutsOf(partitions, [...tenants, ...residency].flatMap((t) => t.where).concat(ranges));
  return cuts.slice(0, -1).map((first, i) => {
    const last = cuts[i + 1]! - 1;
    const covers = (p: PartitionInterval): boolean => p.first <= first && first <= p.last;
    const level = ranges.filter(covers).reduce(inherit, own);
    const resident: LabelRule[] = residency.filter((r) => r.where.some(covers)).flatMap((r) => [...r.rule.nodes]);
    return {
      first,
      last,
      policy: {
        ...level,
        required: [...level.required, ...resident],
        tenants: tenants.filter((t) => t.where.some(covers)).map((t) => t.rule),
        pins: pins.filter((p) => p.partition >= first && p.partition <= last),
      },
    };
  });
};

const cutsOf = (partitions: number, intervals: readonly PartitionInterval[]): number[] => {
  const cuts = new Set([0, partitions]);
  for (const { first, last } of intervals) {
    cuts.add(Math.min(Math.max(0, first), partitions));
    cuts.add(Math.min(Math.max(0, last + 1), partitions));
  }
  return [...cuts].sort((a, b) => a - b);
};

/** What holds for one partition. */
export const effectivePolicy = (
  source: PolicySource,
  partition: number,
  partitions: number,
  cluster?: Policy,
): EffectivePolicy => {
  const found = effectivePolicies(source, partitions, cluster).find((i) => i.first <= partition && partition <= i.last);
  if (!found) throw new RangeError(`${source.name} has no partition ${partition}`);
  return found.policy;
};
