import { CadastreError } from '../errors.js';
import type { ClusterModel } from './model.js';
import { UP } from './model.js';
import type { ManualMove, PlanOptions } from './plan.js';
import type { Prepared } from './prepare.js';

/** What operators ask for, as far as no hard constraint forbids it. */
export interface ManualWork {
  /** By position in the keyspaces: partition to the request whose copy moves. */
  readonly replicas: readonly ReadonlyMap<number, ManualMove>[];
  /** By position in the keyspaces: partition to the node that is to lead. */
  readonly leaders: readonly ReadonlyMap<number, number>[];
  /** Requests that are refused, one sentence each. */
  readonly notes: readonly string[];
}

/**
 * Makes the moves on the boards and holds them there, so that balance goes around them. Before anything else is placed.
 * @throws CadastreError FAILED_PRECONDITION naming the move, with `manualOrNothing`
 */
export const applyManual = (
  model: ClusterModel,
  prepared: readonly Prepared[],
  { manual = [], manualOrNothing = false }: PlanOptions,
): ManualWork => {
  const replicas = prepared.map(() => new Map<number, ManualMove>());
  const leaders = prepared.map(() => new Map<number, number>());
  const notes: string[] = [];
  for (const [i, request] of manual.entries()) {
    const refused = applyOne(model, prepared, request, replicas, leaders);
    if (refused === undefined) continue;
    const what = `${request.kind === 'leader' ? 'leadership of ' : ''}${request.keyspace} partition ${request.partition}`;
    if (manualOrNothing)
      throw new CadastreError('FAILED_PRECONDITION', `${what} cannot go to ${request.to}: ${refused}`, {
        field: `moves[${i}]`,
        remedy: `choose another node, or ask for the rule: cadastre plan why ${request.keyspace} ${request.partition} ${request.to}`,
      });
    notes.push(`the request to move ${what} to ${request.to} is refused: ${refused}`);
  }
  return { replicas, leaders, notes };
};

const applyOne = (
  model: ClusterModel,
  prepared: readonly Prepared[],
  request: ManualMove,
  replicas: readonly Map<number, ManualMove>[],
  leaders: readonly Map<number, number>[],
): string | undefined => {
  const k = prepared.findIndex((p) => p.columns.name === request.keyspace);
  const found = prepared[k];
  if (!found) return 'no such keyspace is planned for';
  const { board, columns } = found;
  const p = columns.ids.indexOf(request.partition);
  if (p < 0) return 'there is no such partition';
  const to = model.nodes.ids.indexOf(request.to);
  if (to < 0 || model.nodes.state[to] !== UP) return `${request.to} is not up`;
  if (request.kind === 'leader') {
    const slot = board.slotOf(p, to);
    if (slot < 0 || found.inSync[p * board.stride + slot] === 0) return `${request.to} holds no copy in sync`;
    leaders[k]!.set(p, to);
    return undefined;
  }
  if (replicas[k]!.has(p)) return 'another move of this partition is asked for already';
  const from = model.nodes.ids.indexOf(request.from);
  const slot = from < 0 ? -1 : board.slotOf(p, from);
  if (slot < 0) return `${request.from} holds no copy that may stay`;
  if (board.slotOf(p, to) >= 0) return `${request.to} holds a copy already`;
  if (board.isPinned(p, from)) return `the copy is pinned to ${request.from}`;
  if (!board.canHold(p, to, slot)) return `a hard constraint or a capacity allows no copy on ${request.to}`;
  board.move(p, slot, to);
  board.pinned.set(p, [...(board.pinned.get(p) ?? []), to]);
  replicas[k]!.set(p, request);
  return undefined;
};
