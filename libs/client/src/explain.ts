import type { KeyspaceMap, NodeEntry } from '@cadastre/core';
import { createPartitioner, describeScheme, formatGeneration, formatToken } from '@cadastre/core';
import type { MapFollowerStatus } from './map-follower.js';

export interface ExplainedReplica {
  readonly node: string;
  readonly address: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly role: string;
  readonly state: string;
  readonly inSync: boolean;
}

/** Why a key goes where it goes, as this client sees it now. */
export interface Explanation {
  readonly keyspace: string;
  /** In words: kind, hash, count. */
  readonly scheme: string;
  /** Where the key lies in the scheme's token space, as people write it. */
  readonly token: string;
  readonly partition: number;
  readonly epoch: number;
  readonly generation: string;
  readonly replicas: readonly ExplainedReplica[];
  /** Where a request would go; undefined while the partition has no leader with an address. */
  readonly goesTo: { readonly node: string; readonly address: string } | undefined;
  readonly because: string;
  /** Where the map comes from. */
  readonly mapFrom: string;
}

export const explainKey = (map: KeyspaceMap, key: Uint8Array, follower: MapFollowerStatus): Explanation => {
  const partition = map.partitionOf(key);
  const epoch = map.epochOf(partition);
  const leader = map.leader(partition);
  const replicas = map.record(partition).replicas.map(({ node, role, state, inSync }): ExplainedReplica => {
    const entry = map.node(node);
    return { node, address: entry?.address ?? '', labels: entry?.labels ?? {}, role, state, inSync };
  });
  return {
    keyspace: map.spec.name,
    scheme: describeScheme(map.spec.scheme),
    token: formatToken(createPartitioner(map.spec.scheme).token(key)),
    partition,
    epoch,
    generation: formatGeneration(map.generation),
    replicas,
    goesTo: leader && leader.address !== '' ? { node: leader.id, address: leader.address } : undefined,
    because: reasonOf(leader, partition, epoch),
    mapFrom: sourceOf(follower),
  };
};

const reasonOf = (leader: NodeEntry | undefined, partition: number, epoch: number): string => {
  if (!leader) return `partition ${partition} has no leader at epoch ${epoch}: requests wait for one`;
  if (leader.address === '') return `${leader.id} leads partition ${partition}, but its address is not known yet`;
  return `${leader.id} leads partition ${partition} at epoch ${epoch}, and reads and writes go to the leader`;
};

const sourceOf = ({ answered, connectedTo }: MapFollowerStatus): string => {
  if (!answered) return 'the cache file: no control plane has answered yet';
  return connectedTo === undefined
    ? 'a control plane, none of which can be reached at the moment'
    : `the control plane at ${connectedTo}`;
};
