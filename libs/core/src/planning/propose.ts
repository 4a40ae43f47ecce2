import type { Balanced } from './balance.js';
import { costOf } from './cost.js';
import type { ClusterModel } from './model.js';
import { checkModel, modelOf } from './model-of.js';
import { moveOf, nodeChanges } from './moves.js';
import { notesOf } from './notes.js';
import type { Ordered } from './order.js';
import { orderMoves } from './order.js';
import type { PlanDraft, PlanInput, PlanOptions, Proposal } from './plan.js';
import { DEFAULT_PLAN_LIMITS } from './plan.js';
import { changesOf } from './sequence.js';
import { scoresOf } from './scores.js';
import type { ClusterSolution, Solution } from './solve.js';
import { solveCluster } from './solve.js';

/** A plan over columns: what is behind a proposal. Keyspaces by position in the model. */
export interface ModelPlan {
  readonly model: ClusterModel;
  readonly solutions: readonly Solution[];
  readonly loads: Balanced;
  /** In the order of the plan. */
  readonly moves: readonly Ordered[];
  readonly notes: readonly string[];
}

/**
 * One plan for all keyspaces, in the order of goals: repair lost redundancy, hard constraints, drain, balance of replicas and of
 * leaders within one of each weighted share, fewest moves, gentlest order. Deterministic and independent of the input's order;
 * planning on its own result proposes nothing (INV-11).
 * @throws CadastreError INVALID_ARGUMENT naming a weight, size or load that is no amount, or a node that holds two copies
 */
export const proposePlan = (input: PlanInput): Proposal => {
  const model = modelOf(input);
  const plan = planModel(model, input);
  if (plan.moves.length === 0)
    return { kind: 'nothing', because: becauseOf(plan.notes), scores: scoresOf(model, plan.solutions) };
  return { kind: 'plan', plan: draftOf(plan, input), notes: plan.notes };
};

export const planModel = (model: ClusterModel, options: PlanOptions = {}): ModelPlan => {
  checkModel(model);
  return planSolved(model, solveCluster(model, options), options);
};

/** The moves that lead to where everything should stand, in their order. */
export const planSolved = (
  model: ClusterModel,
  { solutions, loads, refused }: ClusterSolution,
  options: PlanOptions = {},
): ModelPlan => {
  const changes = solutions.map((s) => changesOf(model, s));
  const { ordered, left } = orderMoves(model, solutions, changes, options.limits ?? DEFAULT_PLAN_LIMITS);
  const notes = solutions.flatMap((s, i) => notesOf(model, s, changes[i]!));
  notes.push(...refused, ...loads.notes);
  if (left > 0) notes.push(`${left} moves wait: no order of the moves leaves room for them on the way`);
  return { model, solutions, loads, moves: ordered, notes };
};

export const draftOf = ({ model, solutions, loads, moves }: ModelPlan, options: PlanOptions = {}): PlanDraft => ({
  base: model.keyspaces.map((k) => ({ keyspace: k.name, generation: k.generation })),
  moves: moves.map((m, index) => moveOf(model, solutions, m, index)),
  nodes: nodeChanges(model, solutions, moves),
  cost: costOf(model, solutions, loads, moves, options.limits ?? DEFAULT_PLAN_LIMITS, options),
});

const becauseOf = (notes: readonly string[]): string =>
  notes.length > 0
    ? notes.join('; ')
    : 'every partition has its copies where the constraints allow, and every node holds and leads within one of its share';
