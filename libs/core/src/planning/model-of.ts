import { compareStrings } from '../bytes.js';
import { invalid } from '../errors.js';
import type { PartitionRecord } from '../map/records.js';
import type { PlannerNode } from '../placement/domains.js';
import { PLANNER_NODE_STATES } from '../placement/domains.js';
import type { ClusterModel, KeyspaceColumns, NodeColumns } from './model.js';
import { DOWN } from './model.js';
import type { PlanInput, PlanKeyspace } from './plan.js';

/** Records of a live cluster as columns. Nodes that hold copies and are not known are taken for down. Any order gives the same. */
export const modelOf = (input: Pick<PlanInput, 'keyspaces' | 'nodes'>): ClusterModel => {
  const known = new Map(input.nodes.map((n) => [n.entry.id, n]));
  for (const { records } of input.keyspaces)
    for (const { replicas } of records)
      for (const { node } of replicas) if (!known.has(node)) known.set(node, forgotten(node));
  const nodes = nodeColumns([...known.values()].sort((a, b) => compareStrings(a.entry.id, b.entry.id)));
  const keyspaces = [...input.keyspaces].sort((a, b) => compareStrings(a.spec.name, b.spec.name));
  return { nodes, keyspaces: keyspaces.map((k) => columnsOf(k, nodes)) };
};

const forgotten = (id: string): PlannerNode => ({ entry: { id, address: '', labels: {}, weight: 0 }, state: 'down' });

/** @param nodes sorted by id */
export const nodeColumns = (nodes: readonly PlannerNode[]): NodeColumns => ({
  ids: nodes.map((n) => n.entry.id),
  state: Uint8Array.from(nodes, (n) => PLANNER_NODE_STATES.indexOf(n.state)),
  weight: Float64Array.from(nodes, (n) => n.entry.weight),
  labels: nodes.map((n) => n.entry.labels),
  capacity: nodes.map((n) => n.entry.capacity),
  known: Uint8Array.from(nodes, (n) => Number(n.entry.address !== '' || n.state !== PLANNER_NODE_STATES[DOWN])),
});

/** @param empty partitions without a record, for a first placement */
export const columnsOf = (keyspace: PlanKeyspace, nodes: NodeColumns, empty = 0): KeyspaceColumns => {
  const { spec, generation } = keyspace;
  const records = [...keyspace.records].sort((a, b) => a.partition - b.partition);
  const partitions = Math.max(records.length, empty);
  const stride = records.reduce((most, r) => Math.max(most, r.replicas.length), spec.replicationFactor);
  const index = new Map(nodes.ids.map((id, i) => [id, i]));
  const columns = {
    name: spec.name,
    generation,
    source: spec,
    partitions,
    ids: Int32Array.from({ length: partitions }, (_, p) => records[p]?.partition ?? p),
    stride,
    replicas: new Int32Array(partitions * stride).fill(-1),
    inSync: new Uint8Array(partitions * stride),
    led: new Uint8Array(partitions),
    epochs: Float64Array.from({ length: partitions }, (_, p) => records[p]?.epoch ?? 0),
  };
  records.forEach((record, p) => write(columns, record, p, index));
  const { bytesOf, loadsOf, movedMsOf } = keyspace;
  const loads = loadsOf && loadColumns(columns.ids, loadsOf);
  return {
    ...columns,
    ...(bytesOf && { bytes: Float64Array.from(columns.ids, bytesOf) }),
    ...(loads && { loads }),
    ...(movedMsOf && { movedMs: Float64Array.from(columns.ids, movedMsOf) }),
  };
};

type Writable = Pick<KeyspaceColumns, 'stride' | 'replicas' | 'inSync' | 'led'>;

const write = (columns: Writable, record: PartitionRecord, p: number, index: ReadonlyMap<string, number>): void => {
  const { stride, replicas, inSync, led } = columns;
  let at = p * stride;
  const put = (replica: PartitionRecord['replicas'][number]): void => {
    replicas[at] = index.get(replica.node)!;
    inSync[at] = Number(replica.inSync);
    at += 1;
  };
  for (const r of record.replicas)
    if (r.role === 'leader') {
      put(r);
      led[p] = 1;
    }
  for (const r of record.replicas) if (r.role === 'follower') put(r);
};

const loadColumns = (ids: Int32Array, loadsOf: NonNullable<PlanKeyspace['loadsOf']>): Record<string, Float64Array> => {
  const loads: Record<string, Float64Array> = {};
  ids.forEach((id, p) => {
    for (const [name, load] of Object.entries(loadsOf(id))) (loads[name] ??= new Float64Array(ids.length))[p] = load;
  });
  return loads;
};

const isAmount = (value: number): boolean => Number.isFinite(value) && value >= 0;

/** @throws CadastreError INVALID_ARGUMENT naming the first weight, size or load that is no amount, or a copy that is there twice */
export const checkModel = ({ nodes, keyspaces }: ClusterModel): void => {
  nodes.weight.forEach((weight, n) => {
    if (!isAmount(weight))
      throw invalid(`nodes[${nodes.ids[n]}].weight`, `${weight} is no weight`, 'use a number of at least 0');
  });
  for (const k of keyspaces) {
    const amounts = Object.entries({ ...k.loads, ...(k.bytes && { bytes: k.bytes }) });
    for (const [name, values] of amounts)
      values.forEach((value, p) => {
        if (!isAmount(value))
          throw invalid(
            `keyspaces[${k.name}].partitions[${k.ids[p]}].${name}`,
            `${value} is no amount`,
            'use a number of at least 0',
          );
      });
    checkCopies(k, nodes);
  }
};

const checkCopies = ({ name, ids, partitions, stride, replicas }: KeyspaceColumns, nodes: NodeColumns): void => {
  for (let p = 0; p < partitions; p += 1)
    for (let a = p * stride; a < (p + 1) * stride; a += 1)
      for (let b = a + 1; b < (p + 1) * stride; b += 1)
        if (replicas[a]! >= 0 && replicas[a] === replicas[b])
          throw invalid(
            `keyspaces[${name}].partitions[${ids[p]}].replicas`,
            `${nodes.ids[replicas[a]!]} holds two copies`,
            'name each node once',
          );
};
