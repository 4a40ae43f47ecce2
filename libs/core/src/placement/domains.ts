import { compareStrings } from '../bytes.js';
import type { KeyspaceSpec, NodeEntry, SpreadConstraint } from '../map/records.js';
import type { SpreadRule } from '../policy/policy.js';

export const PLANNER_NODE_STATES = ['up', 'draining', 'down'] as const;
export type PlannerNodeState = (typeof PLANNER_NODE_STATES)[number];

export interface PlannerNode {
  readonly entry: NodeEntry;
  readonly state: PlannerNodeState;
}

/** All that placing needs of a node. */
export type Placeable = Pick<NodeEntry, 'labels' | 'weight'>;

/** A spread constraint over the nodes that may hold copies. */
export interface Constraint {
  readonly label: string;
  readonly max: number;
  /** Index in the rules that it was made from. */
  readonly index: number;
  /** Node index to domain index. */
  readonly of: Int32Array;
  readonly names: readonly string[];
  /** Copies that each domain has to hold at least; undefined where no domain has to. */
  readonly least: Int32Array | undefined;
}

/** A failure domain, or with `node` >= 0 a single node. */
export interface Group {
  readonly id: number;
  readonly node: number;
  /** The constraint and domain that it stands for; -1 for the root and for nodes. */
  readonly constraint: number;
  readonly domain: number;
  readonly children: readonly Group[];
  readonly weight: number;
  /** How many copies of ONE partition fit. */
  readonly slots: number;
  /** How many copies of ONE partition have to be here. */
  readonly least: number;
}

export interface Domains {
  readonly size: number;
  readonly constraints: readonly Constraint[];
  readonly root: Group;
  readonly groups: number;
  /** For each node its groups from the root down to itself; empty for a node that may hold nothing. */
  readonly pathOf: readonly (readonly Group[])[];
}

const MISSING = '(none)';

/** No node of these domains carries the label. */
export const isUnlabelled = (c: Pick<Constraint, 'names'>): boolean =>
  c.names.every((name) => name === MISSING || name.endsWith(`/${MISSING}`));

/**
 * Which domain of `label` the node is in. A rack's name is scoped by its zone: "r1" is painted on a rack in every building, and
 * two racks that share a name do not share a fate. A host stands for itself, since host names are unique wherever they are used.
 * Nodes without the label share one domain: nothing says that they would not fail together.
 */
export const domainOf = (entry: Pick<NodeEntry, 'labels'>, label: string): string => {
  const value = entry.labels[label] ?? MISSING;
  return label === 'rack' ? `${entry.labels['zone'] ?? MISSING}/${value}` : value;
};

export const hardSpread = (spec: Pick<KeyspaceSpec, 'spread'>): { spread: SpreadConstraint; index: number }[] =>
  spec.spread.map((spread, index) => ({ spread, index })).filter((s) => s.spread.hard);

/** No partition has so many copies. */
export const NO_MAX = 255;

export const constraintOver = (nodes: readonly Placeable[], rule: SpreadRule, index: number): Constraint => {
  const names = [...new Set(nodes.map((n) => domainOf(n, rule.label)))].sort(compareStrings);
  const ids = new Map(names.map((name, i) => [name, i]));
  const least = Int32Array.from(names, (name) => leastOf(rule, name));
  return {
    label: rule.label,
    max: rule.maxPerDomain ?? NO_MAX,
    index,
    of: Int32Array.from(nodes, (n) => ids.get(domainOf(n, rule.label))!),
    names,
    least: least.some((x) => x > 0) ? least : undefined,
  };
};

/** A rack is named by its zone and rack, or by its rack alone where that is not ambiguous to the one who says so. */
const leastOf = ({ label, minPerDomain = {} }: SpreadRule, name: string): number =>
  minPerDomain[name] ?? (label === 'rack' ? minPerDomain[name.slice(name.indexOf('/') + 1)] : undefined) ?? 0;

const liesWithin = (inner: Constraint, outer: Constraint): boolean => {
  const parent = new Map<number, number>();
  return inner.of.every((domain, node) => {
    const known = parent.get(domain);
    if (known === undefined) parent.set(domain, outer.of[node]!);
    return known === undefined || known === outer.of[node];
  });
};

/** The widest label first; a label that cuts across the ones before it is checked at each placement, but shapes no share. */
const hierarchy = (constraints: readonly Constraint[]): Constraint[] => {
  const chain: Constraint[] = [];
  for (const c of [...constraints].sort((a, b) => a.names.length - b.names.length || a.index - b.index)) {
    const outer = chain.at(-1);
    if (!outer || liesWithin(c, outer)) chain.push(c);
  }
  return chain;
};

/** Zero weight asks for no data, yet such a node may be the only place left. */
const LEAST_WEIGHT = 1e-12;

/** @param nodes in the order of their indexes */
export const domainsOver = (spec: Pick<KeyspaceSpec, 'spread'>, nodes: readonly Placeable[]): Domains =>
  domainsAmong(
    hardSpread(spec).map(({ spread, index }) => constraintOver(nodes, spread, index)),
    nodes,
    nodes.map((_, i) => i),
  );

/** @param members indexes of the nodes that may hold copies, ascending */
export const domainsAmong = (
  constraints: readonly Constraint[],
  nodes: readonly Placeable[],
  members: readonly number[],
): Domains => {
  const chain = hierarchy(constraints);
  let groups = 0;
  const leaf = (node: number): Group => ({
    id: groups++,
    node,
    constraint: -1,
    domain: -1,
    children: [],
    weight: Math.max(nodes[node]!.weight, LEAST_WEIGHT),
    slots: 1,
    least: 0,
  });
  const build = (within: readonly number[], level: number, of: Constraint | undefined): Group => {
    const next = chain[level];
    const children = next
      ? partition(within, next).map((m) => build(m, level + 1, next))
      : within.map((node) => leaf(node));
    const sum = (value: (group: Group) => number): number => children.reduce((total, c) => total + value(c), 0);
    const domain = of ? of.of[within[0]!]! : -1;
    const slots = Math.min(
      of?.max ?? Infinity,
      sum((c) => c.slots),
    );
    return {
      id: groups++,
      node: -1,
      constraint: of ? constraints.indexOf(of) : -1,
      domain,
      children,
      weight: sum((c) => c.weight),
      slots,
      least: Math.min(
        slots,
        Math.max(
          of?.least?.[domain] ?? 0,
          sum((c) => c.least),
        ),
      ),
    };
  };
  const root = build(members, 0, undefined);
  return { size: nodes.length, constraints, root, groups, pathOf: paths(root, nodes.length) };
};

const partition = (members: readonly number[], by: Constraint): number[][] => {
  const found = new Map<number, number[]>();
  for (const node of members) {
    const domain = by.of[node]!;
    const list = found.get(domain);
    if (list) list.push(node);
    else found.set(domain, [node]);
  }
  return [...found.values()];
};

const paths = (root: Group, size: number): Group[][] => {
  const result: Group[][] = Array.from({ length: size }, () => []);
  const walk = (group: Group, above: readonly Group[]): void => {
    const path = [...above, group];
    if (group.node >= 0) result[group.node] = path;
    else for (const child of group.children) walk(child, path);
  };
  walk(root, []);
  return result;
};
