import { leaderOf } from '../map/records.js';
import type { NodeChange, PlanDraft, PlanKeyspace, PlanMove } from './plan.js';

/**
 * The plan with some of its moves only. Each partition moves at most once in a plan, so what is left holds every constraint that the
 * whole held for the partitions that it touches. Undefined when nothing is left.
 */
export const onlyMoves = (
  plan: PlanDraft,
  keyspaces: readonly PlanKeyspace[],
  wanted: (move: PlanMove) => boolean,
  because: string,
): PlanDraft | undefined => {
  const kept = plan.moves.filter(wanted);
  if (kept.length === 0) return undefined;
  const steps = [...new Set(kept.map((m) => m.step))].sort((a, b) => a - b);
  const moves = kept.map((m, index) => ({ ...m, index, step: steps.indexOf(m.step) + 1 }));
  const copies = moves.filter((m) => m.kind === 'replica' || m.kind === 'add');
  const bytes = moves.reduce((sum, m) => sum + m.bytes, 0);
  const share = plan.cost.bytes === 0 ? 1 : bytes / plan.cost.bytes;
  const { estimateLowMs, estimateMs, estimateHighMs } = plan.cost;
  return {
    ...plan,
    moves,
    nodes: nodesOf(plan.nodes, keyspaces, moves),
    cost: {
      ...plan.cost,
      replicaMoves: copies.length,
      leaderTransfers: moves.filter((m) => m.leaderAfter !== leaderBefore(keyspaces, m)).length,
      bytes,
      lowerBoundMoves: copies.length,
      lowerBoundBytes: bytes,
      boundBecause: because,
      because: [because],
      ratio: 1,
      estimateLowMs: Math.round(estimateLowMs * share),
      estimateMs: Math.round(estimateMs * share),
      estimateHighMs: Math.round(estimateHighMs * share),
      imbalanceAfter: plan.cost.imbalanceBefore,
      scores: [],
    },
  };
};

const leaderBefore = (keyspaces: readonly PlanKeyspace[], move: PlanMove): string => {
  const record = keyspaces
    .find((k) => k.spec.name === move.keyspace)
    ?.records.find((r) => r.partition === move.partition);
  return (record && leaderOf(record)) ?? '';
};

const nodesOf = (
  nodes: readonly NodeChange[],
  keyspaces: readonly PlanKeyspace[],
  moves: readonly PlanMove[],
): NodeChange[] => {
  const replicas = new Map<string, number>();
  const leaders = new Map<string, number>();
  const raise = (counts: Map<string, number>, node: string, by: number): void => {
    if (node !== '') counts.set(node, (counts.get(node) ?? 0) + by);
  };
  for (const move of moves) {
    if (move.kind !== 'leader') {
      raise(replicas, move.from, -1);
      raise(replicas, move.to, 1);
    }
    raise(leaders, leaderBefore(keyspaces, move), -1);
    raise(leaders, move.leaderAfter, 1);
  }
  return nodes.map((n) => ({
    ...n,
    replicasAfter: n.replicasBefore + (replicas.get(n.node) ?? 0),
    leadersAfter: n.leadersBefore + (leaders.get(n.node) ?? 0),
  }));
};
