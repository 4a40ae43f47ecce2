import type { EffectivePolicy, LabelRule } from '../policy/policy.js';
import { meetsAll, meetsRule } from '../policy/labels.js';
import type { Constraint, Domains, Placeable } from './domains.js';
import { constraintOver, domainsAmong } from './domains.js';
import { mostCopies } from './most-copies.js';

/** Partitions that may lie on the same nodes, under the same constraints. */
export interface PlacementClass {
  readonly policy: EffectivePolicy;
  /** By node: 1 where its copies may lie. */
  readonly allowed: Uint8Array;
  readonly domains: Domains;
  readonly soft: readonly Constraint[];
  /** Copies that are wanted and can be had. */
  readonly copies: number;
  /** By node: place in the leader preferences, the lowest first; undefined without preferences. */
  readonly leaderRank: Uint8Array | undefined;
  /** Some domain has to hold a copy of each. */
  readonly owes: boolean;
  readonly few: boolean;
}

export const isAllowed = (labels: Readonly<Record<string, string>>, policy: EffectivePolicy): boolean =>
  meetsAll(labels, policy.required) && !policy.forbidden.some((rule) => meetsRule(labels, rule));

/** @param open by node: 1 where it is up and tenancy does not keep these partitions away */
export const classOver = (policy: EffectivePolicy, nodes: readonly Placeable[], open: Uint8Array): PlacementClass => {
  const allowed = Uint8Array.from(nodes, (n, i) => (open[i] === 1 && isAllowed(n.labels, policy) ? 1 : 0));
  const members = nodes.flatMap((_, i) => (allowed[i] === 1 ? [i] : []));
  const over = (hard: boolean): Constraint[] =>
    policy.spread.flatMap((rule, index) => (rule.hard === hard ? [constraintOver(nodes, rule, index)] : []));
  const domains = domainsAmong(
    over(true).map((c) => reachable(c, members)),
    nodes,
    members,
  );
  return {
    policy,
    allowed,
    domains,
    soft: over(false),
    copies: Math.min(policy.replicationFactor, mostCopies(domains)),
    leaderRank: rankOf(policy.leaderPreferences, nodes),
    owes: domains.constraints.some((c) => c.least !== undefined),
    few: policy.copysets === 'few',
  };
};

/** A domain without a node that may hold copies is owed none: what it lacks is reported, and the copies lie elsewhere. */
const reachable = (c: Constraint, members: readonly number[]): Constraint => {
  if (!c.least) return c;
  const places = new Int32Array(c.names.length);
  for (const node of members) places[c.of[node]!]! += 1;
  return { ...c, least: c.least.map((least, d) => Math.min(least, places[d]!, c.max)) };
};

const rankOf = (
  preferences: readonly (readonly LabelRule[])[],
  nodes: readonly Placeable[],
): Uint8Array | undefined => {
  if (preferences.length === 0) return undefined;
  return Uint8Array.from(nodes, (n) => {
    const found = preferences.findIndex((rules) => meetsAll(n.labels, rules));
    return found < 0 ? preferences.length : found;
  });
};
