// The map that the fan-out benchmarks push, and its changes: the leadership of one partition goes to and fro.
import { changeLeader, KeyspaceMap, leaderOf, newRecord } from '@cadastre/core';

export const KEYSPACE = 'fanout';

export function firstMap(partitions = 256) {
  const nodes = Array.from({ length: 12 }, (_, i) => ({
    id: `node-${i}`,
    address: `10.0.0.${i}:7400`,
    labels: { zone: `z${i % 3}` },
    weight: 1,
  }));
  const records = Array.from({ length: partitions }, (_, p) =>
    newRecord(
      p,
      [0, 1, 2].map((i) => nodes[(p + i) % nodes.length].id),
    ),
  );
  const scheme = { kind: 'hash-slots', slots: partitions, hash: 'murmur3', hashTags: false };
  const spec = { name: KEYSPACE, scheme, replicationFactor: 3, minInSync: 2, spread: [] };
  return KeyspaceMap.fromRecords(spec, { incarnation: 1, number: 1 }, records, nodes);
}

/** `records` partitions, from the generation's number on, get another leader. */
export function nextDelta(map, records = 1) {
  const { generation } = map;
  const changed = Array.from({ length: records }, (_, i) => {
    const record = map.record((generation.number + i) % map.partitions);
    return changeLeader(record, record.replicas.find((r) => r.node !== leaderOf(record)).node);
  });
  const to = { ...generation, number: generation.number + 1 };
  return { keyspace: KEYSPACE, from: generation, to, records: changed, nodes: [] };
}
