import type { WindowState } from '@cadastre/core';
import { allowedActions, fitOf, isFinal, isGlassBroken, requirementOf, windowAt } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import type { MonotonicMs } from '@cadastre/runtime';
import type { PlanHead, PlanView, RegisterState } from '@cadastre/store';
import { approvalPolicyOf } from '@cadastre/store';
import type { Observed } from '../controller/observed.js';
import { askedBy, changesSince, riskNow } from './approve.js';
import type { RunLatencies } from '../load/run-latencies.js';
import { frozenBecause } from './freeze.js';
import type { MoveNow, Progress } from './progress.js';
import { etaOf, planCondition } from './progress.js';
import { rehearsalView } from './rehearsal-view.js';

export interface PlanLooks {
  readonly state: RegisterState;
  readonly observed: Observed;
  readonly progress: Progress;
  readonly runs: RunLatencies;
  readonly wallMs: number;
  readonly now: MonotonicMs;
}

const FILLED_PHASES = new Set(['handing-over', 'cutover', 'cleaning-up', 'done']);
const ENDED_MOVES = new Set(['done', 'failed', 'cancelled']);

/** @param detail with moves, their progress, the rehearsal and what has changed since */
export const planView = (plan: PlanView, looks: PlanLooks, detail: boolean): Wire.Plan => {
  const { head, body } = plan;
  const { state, wallMs } = looks;
  const moves = movesNow(plan, looks.observed);
  const conditions = detail ? looks.progress.conditionsOf(state, plan, moves, looks.now) : [];
  const isOpen = head.state === 'proposed';
  const policy = approvalPolicyOf(state);
  const risk = riskNow(state, plan, looks.now);
  const required = isOpen ? requirementOf(policy, risk) : { approvals: head.approvals?.length ?? 0, because: [] };
  return {
    id: head.id,
    state: head.state,
    digest: head.digest,
    base: body.base.map((b) => ({ keyspace: b.keyspace, generation: b.generation })),
    proposer: body.proposer,
    reason: body.reason,
    createdMs: head.createdMs,
    expiresMs: head.expiresMs,
    moves: detail ? moves.map((m, i) => moveView(plan, m, conditions[i]!)) : [],
    nodes: body.nodes.map((n) => ({ ...n })),
    cost: { ...body.cost, because: [...body.cost.because], scores: body.cost.scores.map((s) => ({ ...s })) },
    movesTotal: head.moves,
    movesDone: moves.filter((m) => m.phase === 'done').length,
    movesFailed: moves.filter((m) => m.phase === 'failed').length,
    allowedActions: actionsOf(plan),
    events: head.events.map((e) => ({ ...e })),
    note: head.note,
    rehearsal: detail ? rehearsalView(state, plan, looks.now) : null,
    approvals: (head.approvals ?? []).map((a) => ({ ...a })),
    approvalsNeeded: required.approvals,
    approvalsBecause: [...required.because],
    approvedByPolicy: head.approvedByPolicy ?? '',
    breakGlass: head.breakGlass ?? null,
    risk,
    window: isFinal(head.state) || head.breakGlass ? null : windowOf(state, plan, moves, wallMs),
    progress: isOpen || !detail ? null : progressOf(plan, moves, conditions, looks),
    askedBy: isOpen ? askedBy(state, plan) : [],
    undoOf: head.undoOf ?? '',
    staleBecause: detail && isOpen ? [...changesSince(state, plan)] : [],
    startedMs: head.startedMs ?? 0,
    endedMs: head.endedMs ?? 0,
    ...(detail && latencyView(head, looks.runs)),
  };
};

/** What was written down as it ended, or what this replica knows of a run that goes on. */
const latencyView = (head: PlanHead, runs: RunLatencies): { readonly latency: Wire.RunLatency } | undefined => {
  const known = head.latency ?? (isFinal(head.state) ? undefined : runs.latencyOf(head.id));
  if (!known) return undefined;
  const { before, during, stepMs, points } = known;
  const after = head.latencyAfter ?? runs.afterOf(head.id) ?? null;
  return { latency: { before, during, after, stepMs, points: [...points] } };
};

/** What a person may ask for in this state; what it may do itself, its role decides. */
const actionsOf = (plan: PlanView): string[] => [
  ...allowedActions(plan.head.state),
  ...(plan.head.state === 'proposed' ? ['break-glass'] : []),
  ...(isFinal(plan.head.state) && [...plan.moves.values()].some((m) => m.value.phase === 'done') ? ['undo'] : []),
];

/** Moves with what the register and the agents say of them now. */
export const movesNow = (plan: PlanView, observed: Observed): MoveNow[] =>
  plan.body.moves.map((move) => {
    const record = plan.moves.get(move.index)?.value;
    const phase = record?.phase ?? 'pending';
    const bytesDone = FILLED_PHASES.has(phase)
      ? record?.bytesMoved || move.bytes
      : phase === 'transferring' || phase === 'catching-up'
        ? Math.min(observed.replica(move.to, move.keyspace, move.partition)?.filledBytes ?? 0, move.bytes || Infinity)
        : 0;
    return { move, phase, note: record?.note ?? '', bytesDone };
  });

const moveView = (
  plan: PlanView,
  { move, phase, note, bytesDone }: MoveNow,
  condition: Pick<Wire.PlanMove, 'condition' | 'because' | 'bytesPerSecond'>,
): Wire.PlanMove => {
  const record = plan.moves.get(move.index)?.value;
  const phases = (record?.phases ?? []).map((p) => ({ ...p }));
  return { ...move, phase, note, phaseSinceMs: record?.sinceMs ?? 0, bytesDone, ...condition, phases };
};

const shareLeft = (moves: readonly MoveNow[]): number =>
  moves.length === 0 ? 0 : moves.filter((m) => !ENDED_MOVES.has(m.phase)).length / moves.length;

const windowOf = (
  state: RegisterState,
  plan: PlanView,
  moves: readonly MoveNow[],
  wallMs: number,
): Wire.PlanWindow | null => {
  const found = windowAt(approvalPolicyOf(state).windows, wallMs);
  if (!found) return null;
  const left = shareLeft(moves);
  const { estimateLowMs, estimateHighMs } = plan.body.cost;
  return windowView(found, wallMs, estimateLowMs * left, estimateHighMs * left);
};

export const windowView = (window: WindowState, wallMs: number, lowMs: number, highMs: number): Wire.PlanWindow => {
  const fits = fitOf(window, wallMs, lowMs, highMs);
  const roomMs = window.closesMs - Math.max(wallMs, window.opensMs);
  const room = `${Math.round(roomMs / 60_000)} min of window ${window.name}`;
  const needs = `what is left takes ${Math.round(lowMs / 1_000)} to ${Math.round(highMs / 1_000)} s`;
  return { ...window, fits, because: `${needs}; there ${window.open ? 'are' : 'will be'} ${room}` };
};

/** Why no move begins at present for want of a window. */
export const windowClosed = (state: RegisterState, plan: PlanView, wallMs: number): string | undefined => {
  if (isGlassBroken(plan.head.breakGlass, wallMs)) return undefined;
  const window = windowAt(approvalPolicyOf(state).windows, wallMs);
  if (!window || window.open) return undefined;
  return `window ${window.name} opens at ${new Date(window.opensMs).toISOString()}`;
};

const progressOf = (
  plan: PlanView,
  moves: readonly MoveNow[],
  conditions: readonly (Pick<Wire.PlanMove, 'condition' | 'because' | 'bytesPerSecond'> & object)[],
  { state, wallMs }: PlanLooks,
): Wire.PlanProgress => {
  const totals = {
    bytesDone: moves.reduce((sum, m) => sum + m.bytesDone, 0),
    bytesTotal: plan.body.moves.reduce((sum, m) => sum + m.bytes, 0),
    bytesPerSecond: conditions.reduce((sum, c) => sum + Number(c.bytesPerSecond ?? 0), 0),
  };
  const ended = isFinal(plan.head.state);
  const ranMs = plan.head.startedMs ? (plan.head.endedMs || wallMs) - plan.head.startedMs : 0;
  const eta = ended ? { lowMs: 0, highMs: 0 } : etaOf(totals, ranMs, plan.body.cost, shareLeft(moves));
  const held = { frozen: frozenBecause(state), window: windowClosed(state, plan, wallMs) };
  return {
    ...planCondition(plan, conditions as Parameters<typeof planCondition>[1], held),
    ...totals,
    etaLowMs: eta.lowMs,
    etaHighMs: eta.highMs,
    movesRunning: moves.filter((m) => m.phase !== 'pending' && !ENDED_MOVES.has(m.phase)).length,
    movesPending: moves.filter((m) => m.phase === 'pending').length,
  };
};
