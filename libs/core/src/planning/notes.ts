import { compareStrings } from '../bytes.js';
import { findLack } from '../placement/satisfiable.js';
import type { ClusterModel } from './model.js';
import type { Leaver } from './leavers.js';
import type { Change } from './sequence.js';
import type { Solution } from './solve.js';

/** What of the goals stays out of reach, one sentence each. */
export const notesOf = (model: ClusterModel, solution: Solution, changes: readonly Change[]): string[] => {
  const { columns, board, dead, classes } = solution;
  const { name } = columns;
  const notes: string[] = [];
  if (dead > 0)
    notes.push(
      `keyspace ${name}: ${dead} partitions have no in-sync copy on a node that runs, so there is nothing to copy from; bring such a node back`,
    );
  notes.push(...unbalanced(model, solution));
  classes.forEach((found, index) => {
    const wanted = found.policy.replicationFactor;
    const staying = stayingOf(solution, changes, index);
    let short = 0;
    for (let p = 0; p < board.partitions; p += 1)
      if (board.classOf[p] === index && board.absent[p] === 0 && board.size[p]! + solution.leavers.count(p) < wanted)
        short += 1;
    if (short === 0 && staying.length === 0) return;
    const lack = findLack(found.domains, wanted)?.message ?? 'no node is allowed by the constraints';
    const where = [...new Set(staying.map((s) => describe(model, s)))].sort(compareStrings);
    const what =
      staying.length > 0
        ? `${staying.length} copies stay on ${where.join(', ')}`
        : `${short} partitions stay short of ${wanted} copies`;
    notes.push(`keyspace ${name}: ${lack}; ${what}`);
  });
  return notes;
};

const describe = (model: ClusterModel, { node, cause }: Leaver): string =>
  `${model.nodes.ids[node]} (${cause === 'spread' ? 'spread broken' : cause})`;

const stayingOf = ({ board, leavers }: Solution, changes: readonly Change[], index: number): Leaver[] => {
  const left = new Set(changes.filter((c) => c.kind !== 'leader').map((c) => c.part * board.nodes + c.from));
  const staying: Leaver[] = [];
  for (let p = 0; p < board.partitions; p += 1) {
    if (board.classOf[p] !== index) continue;
    if (leavers.count(p) === 0) continue;
    for (const leaver of leavers.of(p))
      if (!left.has(p * board.nodes + leaver.node) && board.slotOf(p, leaver.node) < 0) staying.push(leaver);
  }
  return staying;
};

/** Nodes named at most. */
const NAMED = 5;

/** Counts beyond floor or ceil of a share, where nothing else explains them. */
const unbalanced = (model: ClusterModel, { board, replicaAims, columns, bound, dead }: Solution): string[] => {
  const { lo, hi, share } = replicaAims;
  // Where loads are balanced counts are free.
  if (bound.byLoad || dead > 0) return [];
  const off: string[] = [];
  board.count.forEach((count, n) => {
    if (count < lo[n]! || count > hi[n]!)
      off.push(`${model.nodes.ids[n]} holds ${count} of its share of ${Math.round(share[n]! * 10) / 10}`);
  });
  if (off.length === 0) return [];
  const more = off.length > NAMED ? `, and ${off.length - NAMED} more` : '';
  return [
    `keyspace ${columns.name}: ${off.slice(0, NAMED).join(', ')}${more}: constraints, pins, capacities or the cool-down allow no better`,
  ];
};
