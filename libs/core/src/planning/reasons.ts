import { votersOf } from '../map/records.js';
import type { Aims } from '../placement/shares.js';
import type { Solution } from './keyspace-plan.js';
import type { Change } from './sequence.js';

const figure = (value: number): string => String(Math.round(value * 10) / 10);

/** One line that an operator understands. */
export const reasonOf = (solution: Solution, change: Change): string => {
  const { world, parts } = solution;
  const { record } = parts[change.part]!;
  const copies = `partition ${record.partition} has ${votersOf(record).length} of ${world.spec.replicationFactor} copies`;
  switch (change.cause) {
    case 'down':
      return `${change.from} is ${world.entries.has(change.from) ? 'down' : 'not a known node'}; its copy of partition ${record.partition} is rebuilt on ${change.to}`;
    case 'short':
      return `${copies}; one is built on ${change.to}`;
    case 'spread':
      return `${change.from} shares a failure domain with other copies of partition ${record.partition} beyond what the spread allows`;
    case 'draining':
      return `${change.from} is draining`;
    case 'balance':
      return compare(solution, change, solution.replicasBefore, solution.replicaAims, 'replicas');
    case 'leaders':
      return world.stateOf(change.from) === 'draining'
        ? `${change.from} is draining`
        : compare(solution, change, solution.leadersBefore, solution.leaderAims, 'leaders');
  }
};

const compare = ({ world }: Solution, { from, to }: Change, count: Int32Array, aims: Aims, what: string): string => {
  const target = world.indexOf.get(to)!;
  const source = world.indexOf.get(from);
  const head = `${to} has ${count[target]!} of its share of ${figure(aims.share[target]!)} ${what}`;
  return source === undefined ? head : `${head}; ${from} has ${count[source]!}, share ${figure(aims.share[source]!)}`;
};
