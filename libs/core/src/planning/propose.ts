import { compareStrings } from '../bytes.js';
import { votersOf } from '../map/records.js';
import type { Solution } from './keyspace-plan.js';
import { solveKeyspace } from './keyspace-plan.js';
import { notesOf } from './notes.js';
import type { NodeChange, PlanCost, PlanInput, PlanKeyspace, PlanLimits, PlanMove, Proposal } from './plan.js';
import { DEFAULT_PLAN_LIMITS } from './plan.js';
import { reasonOf } from './reasons.js';
import type { Change } from './sequence.js';
import { changesOf, MOVE_CAUSES } from './sequence.js';
import { assignSteps } from './steps.js';

interface Draft {
  readonly keyspace: PlanKeyspace;
  readonly solution: Solution;
  readonly change: Change;
}

/**
 * One plan for all keyspaces, in the order of goals: repair lost redundancy, hard constraints, drain, balance of replicas and of
 * leaders within one of each weighted share, fewest moves, gentlest order. Deterministic and independent of the input's order;
 * planning on its own result proposes nothing (INV-11).
 */
export const proposePlan = (input: PlanInput): Proposal => {
  const keyspaces = [...input.keyspaces].sort((a, b) => compareStrings(a.spec.name, b.spec.name));
  const solved = keyspaces.map((keyspace) => {
    const solution = solveKeyspace(keyspace, input.nodes);
    return { keyspace, solution, changes: solution.parts.flatMap((_, p) => changesOf(solution, p)) };
  });
  const notes = solved.flatMap((s) => notesOf(s.solution, s.changes));
  const drafts = solved.flatMap(({ keyspace, solution, changes }) =>
    changes.map((change) => ({ keyspace, solution, change })),
  );
  if (drafts.length === 0) return { kind: 'nothing', because: becauseOf(notes), scores: [] };
  const moves = movesOf(drafts, input.limits ?? DEFAULT_PLAN_LIMITS);
  const base = keyspaces.map((k) => ({ keyspace: k.spec.name, generation: k.generation }));
  const nodes = nodeChanges(input, moves);
  return {
    kind: 'plan',
    plan: {
      base,
      moves,
      nodes,
      cost: costOf(
        solved.map((s) => s.solution),
        drafts,
        moves,
      ),
    },
    notes,
  };
};

const becauseOf = (notes: readonly string[]): string =>
  notes.length > 0
    ? notes.join('; ')
    : 'every partition has its copies where the constraints allow, and every node holds and leads within one of its share';

const movesOf = (drafts: readonly Draft[], limits: PlanLimits): PlanMove[] => {
  const rank = (d: Draft): number => MOVE_CAUSES.indexOf(d.change.cause);
  // Later moves of a partition wait for the earlier ones, so its rank is that of its most urgent move.
  const urgency = new Map<string, number>();
  for (const d of drafts) urgency.set(keyOf(d), Math.min(urgency.get(keyOf(d)) ?? Infinity, rank(d)));
  const order = [...drafts].sort((a, b) => urgency.get(keyOf(a))! - urgency.get(keyOf(b))!);
  const copies = order.filter((d) => d.change.kind !== 'leader');
  const transfers = order.filter((d) => d.change.kind === 'leader');
  const steps = assignSteps(copies.map(scheduled), limits, 1);
  const last = steps.reduce((max, s) => Math.max(max, s), 0);
  const after = assignSteps(transfers.map(scheduled), limits, last + 1);
  const placed = [
    ...copies.map((d, i) => ({ d, step: steps[i]! })),
    ...transfers.map((d, i) => ({ d, step: after[i]! })),
  ];
  return placed.sort((a, b) => a.step - b.step).map(({ d, step }, index) => moveOf(d, step, index));
};

const keyOf = ({ keyspace, solution, change }: Draft): string =>
  `${keyspace.spec.name}/${solution.parts[change.part]!.record.partition}`;

const scheduled = (draft: Draft) => {
  const { from, to } = draft.change;
  const { world, parts } = draft.solution;
  const sends = from !== '' && world.stateOf(from) !== 'down';
  return { to, sender: sends ? from : (parts[draft.change.part]!.leader ?? ''), partition: keyOf(draft) };
};

const moveOf = ({ keyspace, solution, change }: Draft, step: number, index: number): PlanMove => {
  const { record } = solution.parts[change.part]!;
  const bytes = change.kind === 'leader' ? 0 : (keyspace.bytesOf?.(record.partition) ?? 0);
  const { kind, from, to, leaderAfter } = change;
  const reason = reasonOf(solution, change);
  return {
    index,
    step,
    keyspace: keyspace.spec.name,
    partition: record.partition,
    kind,
    from,
    to,
    leaderAfter,
    baseEpoch: record.epoch,
    reason,
    bytes,
  };
};

const nodeChanges = (input: PlanInput, moves: readonly PlanMove[]): NodeChange[] => {
  const changes = new Map<string, { -readonly [K in keyof NodeChange]: NodeChange[K] }>();
  const of = (node: string) => {
    const known = changes.get(node) ?? { node, replicasBefore: 0, replicasAfter: 0, leadersBefore: 0, leadersAfter: 0 };
    changes.set(node, known);
    return known;
  };
  for (const { entry } of input.nodes) of(entry.id);
  const finalLeader = new Map(moves.map((m) => [`${m.keyspace}/${m.partition}`, m.leaderAfter]));
  for (const { spec, records } of input.keyspaces) {
    for (const record of records) {
      for (const node of votersOf(record)) {
        of(node).replicasBefore += 1;
        of(node).replicasAfter += 1;
      }
      const leader = record.replicas.find((r) => r.role === 'leader')?.node;
      if (leader !== undefined) of(leader).leadersBefore += 1;
      const after = finalLeader.get(`${spec.name}/${record.partition}`) ?? leader;
      if (after !== undefined && after !== '') of(after).leadersAfter += 1;
    }
  }
  for (const move of moves) {
    if (move.kind === 'leader') continue;
    of(move.to).replicasAfter += 1;
    if (move.from !== '') of(move.from).replicasAfter -= 1;
  }
  return [...changes.values()].sort((a, b) => compareStrings(a.node, b.node));
};

const costOf = (solutions: readonly Solution[], drafts: readonly Draft[], moves: readonly PlanMove[]): PlanCost => {
  const replicaMoves = moves.filter((m) => m.kind !== 'leader').length;
  const lowerBoundMoves = solutions.reduce((sum, s) => sum + s.lowerBound, 0);
  const changed = new Set(
    drafts.filter((d) => d.change.leaderAfter !== (d.solution.parts[d.change.part]!.leader ?? '')).map(keyOf),
  );
  const bytes = moves.reduce((sum, m) => sum + m.bytes, 0);
  return {
    replicaMoves,
    leaderTransfers: changed.size,
    bytes,
    lowerBoundMoves,
    boundBecause: boundReason(replicaMoves, lowerBoundMoves),
    lowerBoundBytes: 0,
    because: [],
    ratio: lowerBoundMoves > 0 ? replicaMoves / lowerBoundMoves : 1,
    imbalanceBefore: 0,
    imbalanceAfter: 0,
    violationsBefore: 0,
    violationsAfter: 0,
    scores: [],
    estimateLowMs: 0,
    estimateMs: 0,
    estimateHighMs: 0,
  };
};

const boundReason = (moves: number, bound: number): string => {
  const base = `nodes below their share lack ${bound} replicas, and each replica that a node gains is one move`;
  if (moves <= bound) return `${base}: the plan is minimal`;
  return `${base}; ${moves - bound} more, where constraints or one move a partition stand in the way`;
};
