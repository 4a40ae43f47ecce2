import { compareStrings } from '../bytes.js';
import { findLack } from '../placement/satisfiable.js';
import type { Solution } from './keyspace-plan.js';
import type { Change } from './sequence.js';
import type { Leaver } from './world.js';

/** What of the goals stays out of reach, one sentence each. */
export const notesOf = (solution: Solution, changes: readonly Change[]): string[] => {
  const { world, parts, board, dead } = solution;
  const { name, replicationFactor } = world.spec;
  const notes: string[] = [];
  if (dead > 0)
    notes.push(
      `keyspace ${name}: ${dead} partitions have no in-sync copy on a node that runs, so there is nothing to copy from; bring such a node back`,
    );
  const staying = stayingOf(solution, changes);
  const short = parts.filter(
    (part, p) => board.now[p]!.length < replicationFactor && part.leavers.length + part.kept.length < replicationFactor,
  ).length;
  if (short === 0 && staying.length === 0) return notes;
  const lack = findLack(world.domains, replicationFactor)?.message ?? 'no node is allowed by the constraints';
  const what =
    staying.length > 0
      ? `${staying.length} copies stay on ${[...new Set(staying.map(describe))].sort(compareStrings).join(', ')}`
      : `${short} partitions stay short of ${replicationFactor} copies`;
  notes.push(`keyspace ${name}: ${lack}; ${what}`);
  return notes;
};

const describe = ({ node, cause }: Leaver): string => `${node} (${cause === 'spread' ? 'spread broken' : cause})`;

const stayingOf = ({ world, parts, board }: Solution, changes: readonly Change[]): Leaver[] => {
  const left = new Set(changes.filter((c) => c.kind !== 'leader').map((c) => `${c.part}/${c.from}`));
  return parts.flatMap(({ leavers }, p) =>
    leavers.filter(({ node }) => !left.has(`${p}/${node}`) && !board.now[p]!.some((n) => world.ids[n] === node)),
  );
};
