import type { KeyspaceSpec, NodeEntry } from '../../map/records.js';
import { domainOf } from '../../placement/domains.js';
import type { PlannerNode } from '../../placement/domains.js';
import { demandsOf, isNamed } from '../../policy/demands.js';
import { effectivePolicies } from '../../policy/effective.js';
import type { EffectivePolicy, Policy, SpreadRule } from '../../policy/policy.js';

/**
 * Copies that stand where a hard rule allows none, and copies that a domain lacks of its minimum: counted from the policy alone,
 * apart from the planner. Copies on nodes that are not known count for nothing.
 * @param replicas node ids by row; row and partition are the same
 */
export const countViolations = (
  spec: KeyspaceSpec,
  nodes: readonly PlannerNode[],
  replicas: readonly (readonly string[])[],
  cluster?: Policy,
): number => {
  const entries = new Map(nodes.map((n) => [n.entry.id, n.entry]));
  const tenants = [...(cluster?.tenants ?? []), ...(spec.policy?.tenants ?? [])];
  let broken = 0;
  for (const { first, last, policy } of effectivePolicies(spec, replicas.length, cluster)) {
    const others = tenants.filter((t) => t.dedicated && !policy.tenants.some((own) => own.tenant === t.tenant));
    const isBarred = barredBy(policy, others, entries);
    const rules = policy.spread.filter((rule) => rule.hard);
    const counters = rules.map((rule) => counterOf(rule, entries));
    for (let row = first; row <= last; row += 1) {
      const known = replicas[row]!.filter((node) => entries.has(node));
      for (const node of known) if (isBarred.get(node)) broken += 1;
      for (const count of counters) broken += count(known, replicas[row]!.length >= policy.replicationFactor);
    }
  }
  return broken;
};

/** Nodes where label rules allow no copy. */
const barredBy = (
  policy: EffectivePolicy,
  others: Parameters<typeof demandsOf>[1],
  entries: ReadonlyMap<string, NodeEntry>,
): ReadonlyMap<string, boolean> => {
  const demands = demandsOf(policy, others);
  return new Map([...entries].map(([id, entry]) => [id, demands.some((d) => d.allows && !d.allows(entry))]));
};

type Counter = (known: readonly string[], isComplete: boolean) => number;

/** Copies over a domain's maximum; and those that a complete set lacks of a minimum. */
const counterOf = (
  { label, maxPerDomain = Infinity, minPerDomain = {} }: SpreadRule,
  entries: ReadonlyMap<string, NodeEntry>,
): Counter => {
  const domains = new Map([...entries].map(([id, entry]) => [id, domainOf(entry, label)]));
  const least = Object.entries(minPerDomain);
  return (known, isComplete) => {
    let broken = 0;
    for (let i = 0; i < known.length; i += 1) {
      const domain = domains.get(known[i]!);
      let before = 0;
      for (let j = 0; j < i; j += 1) if (domains.get(known[j]!) === domain) before += 1;
      if (before >= maxPerDomain) broken += 1;
    }
    if (!isComplete) return broken;
    for (const [name, count] of least)
      broken += Math.max(0, count - known.filter((node) => isNamed(domains.get(node)!, label, name)).length);
    return broken;
  };
};
