import { CadastreError, invalid } from '../errors.js';
import type { PlannerNode } from '../placement/domains.js';
import { domainOf } from '../placement/domains.js';
import type { Demand, LabelledNode } from './demands.js';
import { demandsOf, isNamed, roomFor } from './demands.js';
import type { PolicySource } from './effective.js';
import { effectivePolicies } from './effective.js';
import type { EffectivePolicy, Policy, SpreadRule, TenantRule } from './policy.js';

/**
 * Whether every partition can have all its copies under all hard rules that hold for it, on the nodes that are up.
 * @throws CadastreError UNSATISFIABLE with the smallest set of rules that contradict each other on these nodes, and what is missing
 */
export const checkPolicySatisfiable = (
  source: PolicySource,
  partitions: number,
  nodes: readonly PlannerNode[],
  cluster?: Policy,
): void => {
  const up = nodes.filter((n) => n.state === 'up').map((n) => n.entry);
  checkPins(source.policy, new Set(nodes.map((n) => n.entry.id)));
  const tenants = [...(cluster?.tenants ?? []), ...(source.policy?.tenants ?? [])];
  const seen = new Set<string>();
  for (const { first, last, policy } of effectivePolicies(source, partitions, cluster)) {
    const others = tenants.filter((t) => t.dedicated && !policy.tenants.some((own) => own.tenant === t.tenant));
    const key = JSON.stringify({ ...policy, pins: [], others });
    if (seen.has(key)) continue;
    seen.add(key);
    const where = last - first + 1 === partitions ? '' : `, partitions ${first} to ${last}`;
    checkOne(`${source.name}${where}`, policy, others, up);
  }
};

const checkPins = (policy: Policy | undefined, known: ReadonlySet<string>): void => {
  const at = policy?.pins?.findIndex((pin) => !known.has(pin.node)) ?? -1;
  if (at >= 0)
    throw invalid(
      `policy.pins[${at}].node`,
      `node ${policy!.pins![at]!.node} is not known`,
      'pin to a node that has registered',
    );
};

const checkOne = (
  name: string,
  policy: EffectivePolicy,
  others: readonly TenantRule[],
  up: readonly LabelledNode[],
): void => {
  const demands = demandsOf(policy, others);
  const copies = policy.replicationFactor;
  if (isMet(demands, copies, up)) return;
  const conflict = smallestConflict(demands, (some) => isMet(some, copies, up));
  const { missing, remedy } = whatIsMissing(conflict, copies, up);
  const rules = conflict.map((d) => d.text).join('; ');
  throw new CadastreError(
    'UNSATISFIABLE',
    `${name}: ${missing}${rules === '' ? '' : ` (${copies} copies; ${rules})`}`,
    {
      field: conflict[0]?.field ?? 'replicationFactor',
      limit: `${up.length} node${up.length === 1 ? '' : 's'}`,
      remedy,
      info: { conflict: [`replicationFactor ${copies}`, ...conflict.map((d) => `${d.field}: ${d.text}`)] },
    },
  );
};

const allowed = (demands: readonly Demand[], nodes: readonly LabelledNode[]): LabelledNode[] =>
  nodes.filter((node) => demands.every((d) => d.allows?.(node) ?? true));

const spreadsOf = (demands: readonly Demand[]): SpreadRule[] => demands.flatMap((d) => d.spread ?? []);

const isMet = (demands: readonly Demand[], copies: number, up: readonly LabelledNode[]): boolean =>
  roomFor(copies, allowed(demands, up), spreadsOf(demands)).isMet;

const LARGEST_TRIED = 3;

/** By size up to three, which is what happens; what conflicts only as a larger set is thinned out until each rule is needed. */
const smallestConflict = (all: readonly Demand[], met: (some: readonly Demand[]) => boolean): readonly Demand[] => {
  for (let size = 0; size <= Math.min(LARGEST_TRIED, all.length); size += 1) {
    const found = subsetOf(all, size, (some) => !met(some));
    if (found) return found;
  }
  let left = all;
  for (const demand of all) {
    const without = left.filter((d) => d !== demand);
    if (!met(without)) left = without;
  }
  return left;
};

const subsetOf = (
  all: readonly Demand[],
  size: number,
  wanted: (some: readonly Demand[]) => boolean,
  from = 0,
  chosen: readonly Demand[] = [],
): readonly Demand[] | undefined => {
  if (chosen.length === size) return wanted(chosen) ? chosen : undefined;
  for (let i = from; i < all.length; i += 1) {
    const found = subsetOf(all, size, wanted, i + 1, [...chosen, all[i]!]);
    if (found) return found;
  }
  return undefined;
};

const plural = (count: number, word: string): string => `${count} ${word}${count === 1 ? '' : 's'}`;

const whatIsMissing = (
  conflict: readonly Demand[],
  copies: number,
  up: readonly LabelledNode[],
): { missing: string; remedy: string } => {
  const nodes = allowed(conflict, up);
  const among = conflict.some((d) => d.allows) ? ' among the nodes that are allowed' : '';
  const spreads = spreadsOf(conflict);
  const least = spreads.flatMap((rule) => lackOfLeast(rule, copies, nodes))[0];
  if (least) return least;
  if (nodes.length < copies)
    return {
      missing: `needs ${plural(copies, 'node')}, ${nodes.length} ${nodes.length === 1 ? 'is' : 'are'} up${among}`,
      remedy: `add ${plural(copies - nodes.length, 'node')} that the rules allow, or relax one of them`,
    };
  if (spreads.length === 1 && spreads[0]!.maxPerDomain !== undefined) {
    const [{ label, maxPerDomain }] = spreads as [SpreadRule & { maxPerDomain: number }];
    const domains = new Set(nodes.map((n) => domainOf(n, label))).size;
    const needed = Math.ceil(copies / maxPerDomain);
    if (domains < needed) {
      if (nodes.every((n) => n.labels[label] === undefined))
        return {
          missing: `needs ${plural(needed, label)}, and no node carries that label`,
          remedy: 'spread over a label that the nodes carry, such as zone, or give the nodes that label',
        };
      return {
        missing: `needs ${plural(needed, label)}, ${domains} exist${domains === 1 ? 's' : ''}${among}`,
        remedy: `add nodes in ${plural(needed - domains, `more ${label}`)}, or allow more copies per ${label}`,
      };
    }
  }
  const { most } = roomFor(copies, nodes, spreads);
  return {
    missing: `${most} of ${copies} copies find room where these rules hold together`,
    remedy: 'relax one of the rules named, or add nodes where they leave too few',
  };
};

const lackOfLeast = (
  { label, minPerDomain = {} }: SpreadRule,
  copies: number,
  nodes: readonly LabelledNode[],
): { missing: string; remedy: string }[] => {
  const asked = Object.values(minPerDomain).reduce((sum, n) => sum + n, 0);
  if (asked > copies)
    return [
      {
        missing: `asks for ${asked} copies over the named domains of ${label}, and has ${copies}`,
        remedy: `ask for at least ${asked} copies, or name fewer domains`,
      },
    ];
  return Object.entries(minPerDomain).flatMap(([name, least]) => {
    const there = nodes.filter((n) => isNamed(domainOf(n, label), label, name)).length;
    if (there >= least) return [];
    return [
      {
        missing: `needs ${plural(least, 'node')} in ${label} ${name}, ${there} ${there === 1 ? 'is' : 'are'} up and allowed`,
        remedy: `add ${plural(least - there, 'node')} in ${label} ${name}, or ask for fewer copies there`,
      },
    ];
  });
};
