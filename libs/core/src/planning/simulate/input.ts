import { compareStrings } from '../../bytes.js';
import { LIMITS } from '../../limits.js';
import { PLANNER_NODE_STATES } from '../../placement/domains.js';
import type { PlannerNodeState } from '../../placement/domains.js';
import { Field } from '../../fields.js';

/** The file of the simulator and of `plan export`, read and checked. Everything that may be left out has its default. */
export interface SimulatedNode {
  readonly id: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly weight: number;
  /** What the node can hold, by dimension (`bytes` or any other name); a dimension that is not named is not limited. */
  readonly capacity: Readonly<Record<string, number>>;
  readonly state: PlannerNodeState;
}

export interface SimulatedPartition {
  /** As in the file; what the planner works with is its position in the order of ids. */
  readonly id: number | string;
  readonly bytes: number;
  readonly load: Readonly<Record<string, number>>;
  /** The leader first. */
  readonly replicas: readonly string[];
  readonly epoch: number;
}

export interface SimulatedKeyspace {
  readonly name: string;
  readonly replicationFactor: number;
  readonly minInSync: number;
  readonly generation: { readonly incarnation: number; readonly number: number };
  /** In the order of their ids. */
  readonly partitions: readonly SimulatedPartition[];
  /** Placed from nothing on the first set of nodes. */
  readonly isBuilt: boolean;
  readonly maxPerDomain: Readonly<Record<string, number>>;
  /** Still to be read by who knows policies. */
  readonly policy: Field;
}

export interface SimulatedInput {
  /** One set after the other; each plan begins where the one before ended. */
  readonly nodeSets: readonly (readonly SimulatedNode[])[];
  readonly keyspaces: readonly SimulatedKeyspace[];
  /** Whether the file has a list of sets, however short. */
  readonly isScenario: boolean;
  /** Of the whole cluster, inherited by each keyspace. */
  readonly policy: Field;
}

const NODES_MAX = 100_000;
const SETS_MAX = 10_000;
const KEYSPACES_MAX = 10_000;

/**
 * `{"nodes": [...], "keyspaces": [...]}`; in a scenario `nodes` is a list of lists, or the sets stand in `nodeSets` (or `scenario`),
 * each a list or `{"nodes": [...]}`.
 * @throws CadastreError INVALID_ARGUMENT naming the path of what is wrong
 */
export const readSimulatedInput = (document: unknown): SimulatedInput => {
  const root = new Field(document, '').object(['nodes', 'nodeSets', 'scenario', 'keyspaces', 'policy']);
  const { sets, isScenario } = setsOf(root);
  const nodeSets = sets.map((set) => readNodes(set));
  const fields = root.at('keyspaces').list(KEYSPACES_MAX);
  const keyspaces = fields.map(readKeyspace);
  refuseTwice(
    keyspaces.map((k, i) => ({ id: k.name, at: fields[i]!.at('name') })),
    'keyspace',
  );
  const known = new Set(nodeSets.flatMap((set) => set.map((n) => n.id)));
  const first = new Set(nodeSets[0]!.map((n) => n.id));
  fields.forEach((field, i) => checkReplicas(field, keyspaces[i]!, first, known));
  return { nodeSets, keyspaces, isScenario, policy: root.at('policy') };
};

const setsOf = (root: Field): { sets: Field[]; isScenario: boolean } => {
  const named = ['nodeSets', 'scenario'].map((name) => root.at(name)).find((f) => f.isThere);
  if (named) {
    const first = root.at('nodes').isThere ? [root.at('nodes')] : [];
    const sets = [...first, ...named.list(SETS_MAX).map(nodesOfStep)];
    if (sets.length === 0) throw named.bad('has no set of nodes', 'give at least one');
    return { sets, isScenario: true };
  }
  const nodes = root.at('nodes');
  const each = nodes.list(NODES_MAX);
  if (each.length > 0 && each.every((f) => Array.isArray(f.value))) return { sets: each, isScenario: true };
  return { sets: [nodes], isScenario: false };
};

const nodesOfStep = (step: Field): Field =>
  Array.isArray(step.value) ? step : step.object(['nodes', 'name', 'comment']).at('nodes');

const readNodes = (set: Field): SimulatedNode[] => {
  const fields = set.list(NODES_MAX);
  const nodes = fields.map(readNode);
  refuseTwice(
    nodes.map((n, i) => ({ id: n.id, at: fields[i]!.at('id') })),
    'node',
  );
  return nodes;
};

const readNode = (field: Field): SimulatedNode => {
  field.object(['id', 'labels', 'weight', 'capacity', 'state', 'address']);
  const labels = field.at('labels');
  const capacity = field.at('capacity');
  const weight = field.at('weight');
  const state = field.at('state');
  return {
    id: field.at('id').text(),
    labels: labels.isThere ? Object.fromEntries(labels.entries().map(([k, v]) => [k, v.text()])) : {},
    weight: weight.isThere
      ? weight.aboveZero('give its share relative to others; to empty a node, give state draining')
      : 1,
    capacity: capacity.isThere ? readAmounts(capacity, (f) => f.amount()) : {},
    state: state.isThere ? state.oneOf(PLANNER_NODE_STATES) : 'up',
  };
};

/** `"bytes": 0` stands for a limit that is not known. */
const readAmounts = (field: Field, read: (field: Field) => number): Record<string, number> =>
  Object.fromEntries(
    field
      .entries()
      .map(([name, value]) => [name, read(value)] as const)
      .filter(([, value]) => value !== 0),
  );

const KEYSPACE_FIELDS = [
  'name',
  'replicationFactor',
  'minInSync',
  'policy',
  'partitions',
  'maxPerDomain',
  'generation',
];

const readKeyspace = (field: Field): SimulatedKeyspace => {
  field.object(KEYSPACE_FIELDS);
  const rf = field.at('replicationFactor').count(1, LIMITS.replicationFactorMax);
  const minInSync = field.at('minInSync');
  const generation = field.at('generation');
  const isBuilt = typeof field.at('partitions').value === 'number';
  return {
    name: field.at('name').text(),
    replicationFactor: rf,
    minInSync: minInSync.isThere ? minInSync.count(1, rf) : Math.floor(rf / 2) + 1,
    generation: generation.isThere ? readGeneration(generation) : { incarnation: 0, number: 0 },
    partitions: isBuilt ? emptyPartitions(field.at('partitions')) : readPartitions(field.at('partitions'), rf),
    isBuilt,
    maxPerDomain: field.at('maxPerDomain').isThere
      ? Object.fromEntries(
          field
            .at('maxPerDomain')
            .entries()
            .map(([k, v]) => [k, v.count(1, LIMITS.replicationFactorMax)]),
        )
      : {},
    policy: field.at('policy'),
  };
};

const readGeneration = (field: Field) => {
  field.object(['incarnation', 'number']);
  const [incarnation, number] = ['incarnation', 'number'].map((n) => field.at(n).count(0, Number.MAX_SAFE_INTEGER));
  return { incarnation: incarnation!, number: number! };
};

const emptyPartitions = (field: Field): SimulatedPartition[] =>
  Array.from({ length: field.count(1, LIMITS.partitionsMax) }, (_, id) => ({
    id,
    bytes: 0,
    load: {},
    replicas: [],
    epoch: 1,
  }));

const readPartitions = (field: Field, rf: number): SimulatedPartition[] => {
  const fields = field.list(LIMITS.partitionsMax);
  const read = fields.map((f) => readPartition(f, rf));
  refuseTwice(
    read.map((p, i) => ({ id: String(p.id), at: fields[i]!.at('id') })),
    'partition',
  );
  return read.sort((a, b) => compareIds(a.id, b.id));
};

/** Numbers in their order, then texts in theirs. */
const compareIds = (a: number | string, b: number | string): number => {
  if (typeof a === 'number') return typeof b === 'number' ? a - b : -1;
  return typeof b === 'number' ? 1 : compareStrings(a, b);
};

/** More copies than wanted are taken for an interrupted change; this bounds what a mistake can cost. */
const COPIES_MAX = 2 * LIMITS.replicationFactorMax;

const readPartition = (field: Field, rf: number): SimulatedPartition => {
  field.object(['id', 'bytes', 'load', 'replicas', 'epoch']);
  const id = field.at('id');
  const bytes = field.at('bytes');
  const load = field.at('load');
  const epoch = field.at('epoch');
  const replicas = field.at('replicas').list(Math.max(COPIES_MAX, rf));
  return {
    id: typeof id.value === 'number' ? id.count(0, Number.MAX_SAFE_INTEGER) : id.text(),
    bytes: bytes.isThere ? bytes.amount() : 0,
    load: load.isThere ? readLoad(load) : {},
    replicas: replicas.map((r) => r.text()),
    epoch: epoch.isThere ? epoch.count(1, Number.MAX_SAFE_INTEGER) : 1,
  };
};

/** One number is the load without a name. */
const readLoad = (field: Field): Record<string, number> =>
  typeof field.value === 'number' ? { load: field.amount() } : readAmounts(field, (f) => f.amount());

const checkReplicas = (
  field: Field,
  keyspace: SimulatedKeyspace,
  first: ReadonlySet<string>,
  known: ReadonlySet<string>,
): void => {
  if (keyspace.isBuilt) return;
  for (const partition of field.at('partitions').list()) {
    const seen = new Set<string>();
    for (const replica of partition.at('replicas').list()) {
      const node = replica.text();
      if (seen.has(node)) throw replica.bad(`${node} is named twice`, 'name each node once; a node holds one copy');
      if (!first.has(node))
        throw replica.bad(
          `node ${node} is not ${known.has(node) ? 'in the first set of nodes' : 'among the nodes'}`,
          'list it; where it is lost, with "state": "down"',
        );
      seen.add(node);
    }
  }
};

const refuseTwice = (items: readonly { readonly id: string; readonly at: Field }[], what: string): void => {
  const seen = new Set<string>();
  for (const { id, at } of items) {
    if (seen.has(id)) throw at.bad(`${what} ${id} is given twice`, 'give each id once');
    seen.add(id);
  }
};
