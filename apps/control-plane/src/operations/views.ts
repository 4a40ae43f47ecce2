import type { KeyspaceMap } from '@cadastre/core';
import { inSyncOf, isFinal, leaderOf, votersOf } from '@cadastre/core';
import { encodeRecord, encodeSpec, type Wire } from '@cadastre/contracts';
import type { KeyspaceView, RegisterState } from '@cadastre/store';
import type { Observed } from '../controller/observed.js';
import { nodeState } from '../controller/world.js';

export interface Counts {
  readonly replicas: number;
  readonly leaders: number;
}

interface MapSummary {
  readonly underReplicated: number;
  readonly withoutLeader: number;
  readonly withoutLiveCopy: (alive: (node: string) => boolean) => number;
  readonly moving: number;
  readonly byNode: ReadonlyMap<string, Counts>;
}

/** A map never changes, so it is counted once, however many ask. */
const summaries = new WeakMap<KeyspaceMap, MapSummary>();

export const summaryOf = (map: KeyspaceMap): MapSummary => {
  const known = summaries.get(map);
  if (known) return known;
  const summary = summarise(map);
  summaries.set(map, summary);
  return summary;
};

const summarise = (map: KeyspaceMap): MapSummary => {
  const rf = map.spec.replicationFactor;
  const byNode = new Map<string, { replicas: number; leaders: number }>();
  /** Sets of in-sync nodes as they occur, with how many partitions have each: few, whatever the number of partitions. */
  const inSyncSets = new Map<string, { readonly nodes: readonly string[]; partitions: number }>();
  const total = { underReplicated: 0, withoutLeader: 0, moving: 0 };
  for (let p = 0; p < map.partitions; p += 1) {
    const record = map.record(p);
    const inSync = inSyncOf(record).sort();
    const set = inSyncSets.get(inSync.join()) ?? { nodes: inSync, partitions: 0 };
    set.partitions += 1;
    inSyncSets.set(inSync.join(), set);
    if (inSync.length < rf) total.underReplicated += 1;
    if (leaderOf(record) === undefined) total.withoutLeader += 1;
    if (votersOf(record).length !== record.replicas.length || record.replicas.length > rf) total.moving += 1;
    for (const { node, role } of record.replicas) {
      const count = byNode.get(node) ?? { replicas: 0, leaders: 0 };
      byNode.set(node, { replicas: count.replicas + 1, leaders: count.leaders + Number(role === 'leader') });
    }
  }
  const withoutLiveCopy = (alive: (node: string) => boolean) =>
    [...inSyncSets.values()].reduce((sum, set) => (set.nodes.some(alive) ? sum : sum + set.partitions), 0);
  return { ...total, withoutLiveCopy, byNode };
};

/** Messages of operator.proto from the mirrored state. No decision is taken here. */
/** @param sizes bytes by partition; with them all partitions are in the view */
export const keyspaceView = ({ map }: KeyspaceView, sizes: Float64Array | undefined): Wire.Keyspace => {
  const { underReplicated, withoutLeader, moving } = summaryOf(map);
  return {
    spec: encodeSpec(map.spec),
    generation: map.generation,
    partitions: map.partitions,
    underReplicated,
    withoutLeader,
    moving,
    records: sizes ? map.records().map(encodeRecord) : [],
    partitionBytes: sizes ? Array.from(sizes) : [],
  };
};

export const countsByNode = (state: RegisterState): Map<string, Counts> => {
  const counts = new Map<string, Counts>();
  for (const { map } of state.keyspaces.values()) {
    for (const [node, { replicas, leaders }] of summaryOf(map).byNode) {
      const count = counts.get(node) ?? { replicas: 0, leaders: 0 };
      counts.set(node, { replicas: count.replicas + replicas, leaders: count.leaders + leaders });
    }
  }
  return counts;
};

export const nodeView = (
  state: RegisterState,
  observed: Observed,
  id: string,
  counts: Map<string, Counts>,
): Wire.Node => {
  const record = state.nodes.get(id)!.value;
  const { replicas, leaders } = counts.get(id) ?? { replicas: 0, leaders: 0 };
  let bytes = 0;
  let records = 0;
  for (const replica of observed.replicasOf(id)) {
    bytes += replica.bytes;
    records += replica.records;
  }
  const reachable = nodeState(state, id);
  const empty = reachable === 'draining' && replicas === 0;
  return {
    entry: { ...record.entry, labels: { ...record.entry.labels } },
    state: empty ? 'drained' : reachable,
    incarnation: record.incarnation,
    replicas,
    leaders,
    bytes,
    records,
    capacity: { ...record.capacity },
    allowedActions: record.adminState === 'draining' ? ['undrain'] : ['drain'],
    safeToDelete: record.adminState === 'draining' && replicas === 0,
  };
};

export const hasEnded = isFinal;
