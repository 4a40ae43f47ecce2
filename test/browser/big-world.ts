import type { Wire } from '@cadastre/contracts';
import type { FakeOperations } from './fake-operations.js';

const KINDS = ['LEADER', 'FOLLOWER', 'FOLLOWER'] as const;

/** Records of a keyspace over so many nodes; every 97th partition is on its way, every 89th is behind. */
export const bigRecords = (partitions: number, nodes: number): Wire.PartitionRecord[] =>
  Array.from({ length: partitions }, (_, partition) => {
    const replicas: Wire.Replica[] = KINDS.map((role, i) => ({
      node: `n${1 + ((partition * 7 + i * 5) % nodes)}`,
      role,
      state: 'AVAILABLE',
      inSync: !(partition % 89 === 3 && i === 2),
    }));
    if (partition % 97 === 5)
      replicas.push({
        node: `n${1 + ((partition * 7 + 11) % nodes)}`,
        role: 'LEARNER',
        state: 'INITIALIZING',
        inSync: false,
      });
    return { partition, epoch: 4, replicas };
  });

/** So many moves, each with its own reason. */
export const bigMoves = (count: number): Wire.PlanMove[] =>
  Array.from({ length: count }, (_, index) => ({
    index,
    step: 1 + Math.floor(index / 12),
    keyspace: 'orders',
    partition: index,
    kind: 'replica',
    from: `n${1 + (index % 6)}`,
    to: 'n7',
    leaderAfter: 'n1',
    baseEpoch: 3,
    reason: `move ${index}: n7 is below its share, and keeps one copy a zone`,
    bytes: 4_000_000 + index,
    phase: 'pending',
    note: '',
    bytesDone: 0,
    phaseSinceMs: 0,
  }));

/** A cluster of eight nodes with so many partitions, and one plan of so many moves. */
export const fillBig = <Operations extends FakeOperations>(
  operations: Operations,
  partitions: number,
  moves: number,
): Operations => {
  operations.fill();
  const orders = operations.keyspaces[0]!;
  operations.keyspaces[0] = { ...orders, partitions, records: bigRecords(partitions, 8) };
  operations.become('proposed', ['approve', 'reject'], { movesTotal: moves });
  operations.plan = { ...operations.plan!, moves: bigMoves(moves) };
  return operations;
};
