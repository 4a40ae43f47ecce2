import { invalid } from '../errors.js';
import type { PartitioningChange, PartitionTable } from './partition-table.js';
import { changeBetween, refusePartition } from './partition-table.js';

/** Fixed partitioning: partitions never change, only their owners. */

export interface PartitionMove {
  readonly partition: number;
  readonly to: string;
}

/** @throws CadastreError INVALID_ARGUMENT naming the move that cannot be made */
export const movePartitions = (table: PartitionTable, moves: readonly PartitionMove[]): PartitioningChange => {
  if (table.scheme.kind === 'ring')
    throw invalid(
      'scheme.kind',
      'a ring says itself who owns what',
      'let nodes join and leave, or change their tokens',
    );
  const owners = [...table.owners];
  const seen = new Set<number>();
  moves.forEach(({ partition, to }, i) => {
    refusePartition(table, partition);
    if (seen.has(partition))
      throw invalid(`moves[${i}].partition`, `${partition} moves twice`, 'move each partition once');
    if (to === '') throw invalid(`moves[${i}].to`, 'is empty', 'name a node');
    seen.add(partition);
    owners[partition] = to;
  });
  return changed(table, owners);
};

const changed = (table: PartitionTable, owners: readonly string[]): PartitioningChange => {
  const after = { scheme: table.scheme, owners };
  if (table.scheme.kind !== 'directory') return changeBetween(table, after);
  throw invalid(
    'scheme.kind',
    'partitions of a directory have no share of a token space',
    'move those of its fallback',
  );
};

/** A joining node takes its even share of partitions, each from whoever has most then. Least data moves: only to the new node. */
export const joinFixed = (table: PartitionTable, node: string): PartitioningChange => {
  if (table.owners.includes(node)) throw invalid('node', `${node} is there already`, 'choose another name');
  const held = heldBy(table.owners);
  const aim = Math.floor(table.owners.length / (held.size + 1));
  const moves: PartitionMove[] = [];
  while (moves.length < aim) moves.push({ partition: busiest(held).pop()!, to: node });
  return movePartitions(table, moves);
};

/** A leaving node's partitions go each to whoever has fewest then. */
export const leaveFixed = (table: PartitionTable, node: string): PartitioningChange => {
  const held = heldBy(table.owners);
  const mine = held.get(node);
  if (!mine) throw invalid('node', `${node} owns nothing here`, 'name a node that owns partitions');
  held.delete(node);
  if (held.size === 0) throw invalid('node', `${node} is the last node`, 'let another node join first');
  const moves = mine.map((partition) => {
    const [to, partitions] = [...held].reduce((least, each) => (each[1].length < least[1].length ? each : least));
    partitions.push(partition);
    return { partition, to };
  });
  return movePartitions(table, moves);
};

const heldBy = (owners: readonly string[]): Map<string, number[]> => {
  const held = new Map<string, number[]>();
  owners.forEach((owner, p) => {
    const list = held.get(owner);
    if (list) list.push(p);
    else held.set(owner, [p]);
  });
  return held;
};

const busiest = (held: ReadonlyMap<string, number[]>): number[] =>
  [...held.values()].reduce((most, each) => (each.length > most.length ? each : most));
