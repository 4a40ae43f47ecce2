import { domainOf } from '../placement/domains.js';
import type { EffectivePolicy, SpreadRule, TenantRule } from './policy.js';
import { describeRule, meetsAll, meetsRule } from './labels.js';

/** A node as far as a policy can tell it from others. */
export interface LabelledNode {
  readonly labels: Readonly<Record<string, string>>;
}

/** One thing that a policy asks for, which may stand in the way of another. */
export interface Demand {
  /** Path of the rule in the policy. */
  readonly field: string;
  /** As an operator would say it. */
  readonly text: string;
  /** Nodes that the rule leaves; undefined where it is about how many copies lie where. */
  readonly allows?: (node: LabelledNode) => boolean;
  readonly spread?: SpreadRule;
}

/**
 * All hard rules that hold for a partition, each by itself.
 * @param others tenants whose nodes are not for these partitions
 */
export const demandsOf = (policy: EffectivePolicy, others: readonly TenantRule[]): Demand[] => [
  ...policy.spread.flatMap((spread, i) =>
    spread.hard ? [{ field: `spread[${i}]`, text: describeSpread(spread), spread }] : [],
  ),
  ...policy.required.map((rule, i) => ({
    field: `required[${i}]`,
    text: describeRule(rule),
    allows: (node: LabelledNode) => meetsRule(node.labels, rule),
  })),
  ...policy.forbidden.map((rule, i) => ({
    field: `forbidden[${i}]`,
    text: `not ${describeRule(rule)}`,
    allows: (node: LabelledNode) => !meetsRule(node.labels, rule),
  })),
  ...policy.tenants.flatMap(({ tenant, dedicated }) =>
    dedicated
      ? [
          {
            field: `tenants.${tenant}`,
            text: `on the nodes of tenant ${tenant}: ${dedicated.map(describeRule).join(' and ')}`,
            allows: (node: LabelledNode) => meetsAll(node.labels, dedicated),
          },
        ]
      : [],
  ),
  ...others.flatMap(({ tenant, dedicated }) =>
    dedicated
      ? [
          {
            field: `tenants.${tenant}`,
            text: `not on the nodes of tenant ${tenant}`,
            allows: (node: LabelledNode) => !meetsAll(node.labels, dedicated),
          },
        ]
      : [],
  ),
];

export const describeSpread = ({ label, maxPerDomain, minPerDomain = {} }: SpreadRule): string => {
  const least = Object.entries(minPerDomain).map(([name, count]) => `at least ${count} in ${label} ${name}`);
  return [...(maxPerDomain === undefined ? [] : [`at most ${maxPerDomain} in one ${label}`]), ...least].join(', ');
};

/** A rack may be named with its zone, or alone. */
export const isNamed = (domain: string, label: string, name: string): boolean =>
  domain === name || (label === 'rack' && domain.endsWith(`/${name}`));

/** Most copies of one partition that fit, and whether `wanted` of them can meet every minimum too. */
export interface Room {
  readonly most: number;
  readonly isMet: boolean;
}

const BUDGET = 20_000;

/**
 * Chooses nodes for one partition under spread rules. Nodes that share all domains are one kind, so the search is small; it is exact
 * unless the labels cut across each other in very many ways, where it stops looking and takes the demands for possible.
 */
export const roomFor = (wanted: number, nodes: readonly LabelledNode[], rules: readonly SpreadRule[]): Room => {
  const bound = Math.min(nodes.length, ...rules.map((rule) => roomUnder(rule, nodes)));
  if (bound < wanted) return { most: bound, isMet: false };
  const kinds = kindsOf(nodes, rules);
  const used = rules.map(() => new Map<string, number>());
  let most = 0;
  let isMet = false;
  let budget = BUDGET;
  const lacking = (): number =>
    rules.reduce((sum, { label, minPerDomain = {} }, r) => {
      const missing = Object.entries(minPerDomain).map(([name, least]) =>
        Math.max(0, least - countNamed(used[r]!, label, name)),
      );
      return Math.max(
        sum,
        missing.reduce((a, b) => a + b, 0),
      );
    }, 0);
  const place = (from: number, placed: number): void => {
    most = Math.max(most, placed);
    if (placed === wanted && lacking() === 0) isMet = true;
    if (isMet || placed === wanted || placed + lacking() > wanted || (budget -= 1) < 0) return;
    for (let k = from; k < kinds.length && !isMet; k += 1) {
      const kind = kinds[k]!;
      if (kind.left === 0 || !fits(kind, rules, used)) continue;
      add(kind, used, 1);
      kind.left -= 1;
      place(k, placed + 1);
      kind.left += 1;
      add(kind, used, -1);
    }
  };
  place(0, 0);
  return { most, isMet: isMet || budget < 0 };
};

/** One rule alone needs no search, however many domains it has. */
const roomUnder = (rule: SpreadRule, nodes: readonly LabelledNode[]): number => {
  const sizes = new Map<string, number>();
  for (const node of nodes) {
    const domain = domainOf(node, rule.label);
    sizes.set(domain, (sizes.get(domain) ?? 0) + 1);
  }
  return [...sizes.values()].reduce((sum, size) => sum + Math.min(size, rule.maxPerDomain ?? Infinity), 0);
};

interface Kind {
  readonly domains: readonly string[];
  left: number;
}

const kindsOf = (nodes: readonly LabelledNode[], rules: readonly SpreadRule[]): Kind[] => {
  const kinds = new Map<string, Kind>();
  for (const node of nodes) {
    const domains = rules.map((rule) => domainOf(node, rule.label));
    const key = JSON.stringify(domains);
    const known = kinds.get(key);
    if (known) known.left += 1;
    else kinds.set(key, { domains, left: 1 });
  }
  return [...kinds.values()];
};

const fits = (kind: Kind, rules: readonly SpreadRule[], used: readonly Map<string, number>[]): boolean =>
  rules.every((rule, r) => (used[r]!.get(kind.domains[r]!) ?? 0) < (rule.maxPerDomain ?? Infinity));

const add = (kind: Kind, used: readonly Map<string, number>[], by: number): void =>
  kind.domains.forEach((domain, r) => used[r]!.set(domain, (used[r]!.get(domain) ?? 0) + by));

const countNamed = (used: ReadonlyMap<string, number>, label: string, name: string): number => {
  let sum = 0;
  for (const [domain, count] of used) if (isNamed(domain, label, name)) sum += count;
  return sum;
};
