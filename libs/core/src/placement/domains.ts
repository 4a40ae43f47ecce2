import { compareStrings } from '../bytes.js';
import type { KeyspaceSpec, NodeEntry, SpreadConstraint } from '../map/records.js';

export const PLANNER_NODE_STATES = ['up', 'draining', 'down'] as const;
export type PlannerNodeState = (typeof PLANNER_NODE_STATES)[number];

export interface PlannerNode {
  readonly entry: NodeEntry;
  readonly state: PlannerNodeState;
}

/** A hard spread constraint over the nodes that may hold copies. */
export interface Constraint {
  readonly label: string;
  readonly max: number;
  /** Index in `spec.spread`. */
  readonly index: number;
  /** Node index to domain index. */
  readonly of: Int32Array;
  readonly names: readonly string[];
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
}

export interface Domains {
  readonly size: number;
  readonly constraints: readonly Constraint[];
  readonly root: Group;
  readonly groups: number;
  /** For each node its groups from the root down to itself. */
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

export const hardSpread = (spec: KeyspaceSpec): { spread: SpreadConstraint; index: number }[] =>
  spec.spread.map((spread, index) => ({ spread, index })).filter((s) => s.spread.hard);

const constraintOver = (nodes: readonly NodeEntry[], spread: SpreadConstraint, index: number): Constraint => {
  const names = [...new Set(nodes.map((n) => domainOf(n, spread.label)))].sort(compareStrings);
  const ids = new Map(names.map((name, i) => [name, i]));
  return {
    label: spread.label,
    max: spread.maxPerDomain,
    index,
    of: Int32Array.from(nodes, (n) => ids.get(domainOf(n, spread.label))!),
    names,
  };
};

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
export const domainsOver = (spec: KeyspaceSpec, nodes: readonly NodeEntry[]): Domains => {
  const constraints = hardSpread(spec).map(({ spread, index }) => constraintOver(nodes, spread, index));
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
  });
  const build = (members: readonly number[], level: number, constraint: number, domain: number, max: number): Group => {
    const next = chain[level];
    const children = next
      ? partition(members, next).map((m) => build(m, level + 1, constraints.indexOf(next), next.of[m[0]!]!, next.max))
      : members.map(leaf);
    const weight = children.reduce((sum, c) => sum + c.weight, 0);
    return {
      id: groups++,
      node: -1,
      constraint,
      domain,
      children,
      weight,
      slots: Math.min(
        max,
        children.reduce((sum, c) => sum + c.slots, 0),
      ),
    };
  };
  const root = build(
    nodes.map((_, i) => i),
    0,
    -1,
    -1,
    Infinity,
  );
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
