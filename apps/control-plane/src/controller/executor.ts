import type {
  MoveAction,
  MoveDecision,
  MovePhaseName,
  PartitionRecord,
  PlanMove,
  PlanState,
  PlanVerb,
} from '@cadastre/core';
import {
  applyMoveAction,
  CadastreError,
  canonicalPlanBytes,
  checkStale,
  decideMove,
  decidePlan,
  DEFAULT_PLAN_LIMITS,
  inSyncOf,
  isEnded,
  isFinal,
  isGlassBroken,
  isInFlight,
  leaderOf,
  transition,
  votersOf,
  windowAt,
} from '@cadastre/core';
import { type Clock, type Logger, type MonotonicMs, sha256Hex } from '@cadastre/runtime';
import type { BreakGlass, Compare, Draft, MoveRecord, PlanView, Register, RegisterState } from '@cadastre/store';
import {
  approvalPolicyOf,
  join,
  mapUnchanged,
  movePart,
  partitionsPart,
  planHeadPart,
  requireKeyspace,
  requirePlan,
  settingsOf,
} from '@cadastre/store';
import type { RunLatencies } from '../load/run-latencies.js';
import { leaversOf } from '../operations/approve.js';
import type { MayStill } from '../operations/ports.js';
import type { Observed } from './observed.js';
import { isConnected, nodeState, plannerNodes } from './world.js';

export interface ExecutorOptions {
  readonly register: Register;
  readonly observed: Observed;
  readonly runs: RunLatencies;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly targetGraceMs: number;
  readonly mayStill?: MayStill;
  readonly limits?: { readonly perNodeIn: number; readonly perNodeOut: number; readonly cluster: number };
}

/** A node that is up and does not report holds no change of leader up for longer than this. */
const SETTLE_MAX_MS = 3_000;
/** Of one move: a copy that is begun again and again keeps its latest. */
const PHASES_KEPT = 32;
const RUNNING: ReadonlySet<PlanState> = new Set(['executing', 'paused', 'cancelling']);

/**
 * Performs what the pure machines of libs/core decide about plans and moves. What a move does to the map and how far it is are
 * written in ONE transaction, so a successor sees either both or neither.
 */
export class Executor {
  /** Since when this controller has seen a node down; a new controller begins to count anew. */
  private readonly downSince = new Map<string, MonotonicMs>();
  /** Since when the record of a partition has not been taken in by all whom it concerns, by `keyspace/partition`. */
  private readonly unsettled = new Map<string, { readonly epoch: number; readonly since: MonotonicMs }>();

  constructor(private readonly options: ExecutorOptions) {}

  reset(): void {
    this.downSince.clear();
    this.unsettled.clear();
  }

  /** @param frozen no new move begins; those in flight go on to a safe point */
  async round(fence: Compare, frozen: boolean): Promise<void> {
    this.noteDown();
    for (const plan of [...this.state.plans.values()]) {
      const { state } = plan.head;
      if (state === 'proposed' || (state === 'approved' && this.isOver(plan))) await this.expire(plan, fence);
      else if (state === 'approved' && !frozen && this.isOpen(plan)) await this.begin(plan, fence);
      else if (RUNNING.has(state)) await this.run(plan, fence, frozen);
    }
  }

  private get state(): RegisterState {
    return this.options.register.state;
  }

  private noteDown(): void {
    const now = this.options.clock.monotonicMs();
    for (const id of this.state.nodes.keys()) {
      if (isConnected(this.state, id)) this.downSince.delete(id);
      else if (!this.downSince.has(id)) this.downSince.set(id, now);
    }
  }

  private isOver(plan: PlanView): boolean {
    return plan.head.expiresMs <= this.options.clock.wallMs();
  }

  /** Outside the windows no move begins; those in flight go on to a safe point. */
  private isOpen(plan: PlanView): boolean {
    const now = this.options.clock.wallMs();
    return (
      isGlassBroken(plan.head.breakGlass, now) || (windowAt(approvalPolicyOf(this.state).windows, now)?.open ?? true)
    );
  }

  /** Past the rules it runs for as long as it was given. Then it is cancelled: each move goes back or on to where its copies are whole. */
  private async run(plan: PlanView, fence: Compare, frozen: boolean): Promise<void> {
    const { id, breakGlass, state } = plan.head;
    const isMended = breakGlass !== undefined && !isGlassBroken(breakGlass, this.options.clock.wallMs());
    if (isMended && state !== 'cancelling') await this.turn(id, 'cancel', glassMended(breakGlass), fence);
    await this.advance(requirePlan(this.state, id), fence, frozen || !this.isOpen(plan));
  }

  private async expire(plan: PlanView, fence: Compare): Promise<void> {
    if (!this.isOver(plan)) return;
    const why = plan.head.state === 'proposed' ? 'nobody decided in time' : 'it could not begin in time';
    await this.turn(plan.head.id, 'expire', why, fence);
  }

  /** The last look before the first move: what runs is what was approved (INV-7). */
  private async begin(plan: PlanView, fence: Compare): Promise<void> {
    const wrong = this.whyNotBegin(this.state, plan);
    if (wrong) await this.turn(plan.head.id, 'supersede', wrong, fence);
    else
      await this.turn(plan.head.id, 'start', '', fence, (state) =>
        mapUnchanged(
          state,
          plan.body.base.map((b) => b.keyspace),
        ),
      );
  }

  private whyNotBegin(state: RegisterState, plan: PlanView): string | undefined {
    if (sha256Hex(canonicalPlanBytes(plan.body)) !== plan.head.digest)
      return 'the stored plan does not match its digest';
    const [leaver] = leaversOf(plan, this.options.mayStill ?? (() => true));
    if (leaver !== undefined) return `${leaver} approved it, and may not approve any longer`;
    const check = checkStale(
      plan.body,
      (keyspace, partition) => state.keyspaces.get(keyspace)?.map.record(partition),
      plannerNodes(state),
    );
    return check.fresh ? undefined : `stale: ${check.changes.slice(0, 5).join('; ')}`;
  }

  private async turn(
    id: string,
    verb: PlanVerb,
    why: string,
    fence: Compare,
    guard?: (state: RegisterState) => ReturnType<typeof mapUnchanged>,
  ): Promise<void> {
    await this.options.register.commit((state) => {
      const { head } = requirePlan(state, id);
      const next = transition(head.state, verb);
      const event = {
        atMs: Math.round(this.options.clock.wallMs()),
        actor: 'cadastre',
        what: why ? `${next}: ${why}` : next,
      };
      const counts = countMoves(requirePlan(state, id));
      const part = planHeadPart(state, {
        ...head,
        ...counts,
        ...(verb === 'start' && { startedMs: event.atMs }),
        ...(isFinal(next) && this.ending(id, event.atMs)),
        state: next,
        events: [...head.events, event],
        note: why || head.note,
      });
      return {
        ...join(guard?.(state) ?? join(), part),
        result: undefined,
        audit: { actor: 'cadastre', verb, subject: `plan/${id}`, reason: why, before: head.state, after: next },
      };
    }, fence);
    this.options.logger.info('plan', { plan: id, verb, ...(why && { because: why }) });
  }

  /** What is known of a run only now. */
  private ending(id: string, endedMs: number) {
    const latency = this.options.runs.latencyOf(id);
    return { endedMs, ...(latency && { latency }) };
  }

  private async advance(plan: PlanView, fence: Compare, frozen: boolean): Promise<void> {
    for (const move of plan.body.moves) {
      const phase = phaseOf(plan, move.index);
      if (isInFlight(phase)) await this.advanceMove(plan.head.id, move, fence);
    }
    const now = requirePlan(this.state, plan.head.id);
    const decision = decidePlan(
      now.head.state,
      now.body.moves.map((move) => ({
        move,
        phase: phaseOf(now, move.index),
        note: now.moves.get(move.index)?.value.note ?? '',
      })),
      { frozen },
      this.options.limits ?? DEFAULT_PLAN_LIMITS,
    );
    for (const index of decision.start) await this.advanceMove(plan.head.id, now.body.moves[index]!, fence);
    if (decision.finish) await this.turn(plan.head.id, decision.finish, decision.why, fence);
  }

  /** Asks the machine until it waits or has ended; each answer that changes something is one transaction. */
  private async advanceMove(plan: string, move: PlanMove, fence: Compare): Promise<void> {
    for (let actions = 0; actions < 6; actions += 1) {
      const { result } = await this.options.register.commit((state) => this.draft(state, plan, move), fence);
      if (!result.acted) return;
    }
  }

  private draft(state: RegisterState, planId: string, move: PlanMove): Draft<{ acted: boolean }> {
    const plan = requirePlan(state, planId);
    const before = plan.moves.get(move.index)?.value;
    if (before && isEnded(before.phase as MovePhaseName)) return nothing;
    const decision = this.decide(state, plan, move, before);
    const { record, minInSync } = lookAt(state, move);
    const action = isAction(decision);
    const next = action ? applyMoveAction(record, decision, minInSync) : record;
    const map = next === record ? undefined : partitionsPart(state, move.keyspace, [next]);
    const after = this.moveRecord(planId, move, before, decision, map?.generation);
    if (!map && before && before.phase === after.phase && before.note === after.note) return nothing;
    if (before?.phase !== after.phase || action)
      this.options.logger.info('move', {
        plan: planId,
        move: move.index,
        keyspace: move.keyspace,
        partition: move.partition,
        phase: after.phase,
        did: decision.do,
        ...(after.note && { note: after.note }),
      });
    const part = join(map ?? join(), movePart(state, after));
    return {
      ...part,
      result: { acted: action },
      ...(map && {
        audit: {
          actor: 'cadastre',
          verb: decision.do,
          subject: `partition/${move.keyspace}/${move.partition}`,
          reason: `plan ${planId} move ${move.index}`,
          before: describe(record),
          after: describe(next),
          generation: [{ keyspace: move.keyspace, generation: map.generation }],
        },
      }),
    };
  }

  private decide(state: RegisterState, plan: PlanView, move: PlanMove, before: MoveRecord | undefined): MoveDecision {
    const { clock, targetGraceMs } = this.options;
    const { record, minInSync, replicationFactor } = lookAt(state, move);
    const now = clock.monotonicMs();
    const learner = this.options.observed.replica(move.to, move.keyspace, move.partition);
    const observed = {
      nodeState: (node: string) => nodeState(state, node),
      ...(learner && { learner }),
      settled: this.isSettled(state, move.keyspace, record),
      purged: this.isPurged(state, move, inSyncOf(record).length < replicationFactor),
      agentsApplied: this.agentsApplied(state, move, before),
    };
    const control = {
      paused: plan.head.state === 'paused',
      cancelling: plan.head.state === 'cancelling',
      minInSync,
      targetGraceMs,
    };
    try {
      const decision = decideMove(move, record, observed, control, now, this.downSince.get(move.to) ?? now);
      if (isAction(decision)) applyMoveAction(record, decision, minInSync);
      return decision;
    } catch (error) {
      const why = CadastreError.from(error).message;
      return { do: 'fail', why, phase: { name: 'failed', why } };
    }
  }

  /** A copy that is kept on purpose, for its time in quarantine or because fewer are in sync than wanted, does not hold the plan up. */
  private isPurged(state: RegisterState, move: PlanMove, keptAsSpare: boolean): boolean {
    if (move.from === '' || keptAsSpare || !isConnected(state, move.from)) return true;
    if (!this.options.observed.has(move.from)) return false;
    const left = this.options.observed.replica(move.from, move.keyspace, move.partition);
    return left === undefined || (left.phase === 'quarantined' && settingsOf(state).quarantineMs > 0);
  }

  private isSettled(state: RegisterState, keyspace: string, record: PartitionRecord): boolean {
    const place = `${keyspace}/${record.partition}`;
    const leader = leaderOf(record);
    const settled = inSyncOf(record).every((node) => {
      if (!isConnected(state, node)) return true;
      const seen = this.options.observed.replica(node, keyspace, record.partition);
      return seen !== undefined && seen.epoch >= record.epoch && (node !== leader || seen.phase === 'serving');
    });
    if (settled) this.unsettled.delete(place);
    if (settled) return true;
    const now = this.options.clock.monotonicMs();
    const before = this.unsettled.get(place);
    if (before?.epoch === record.epoch) return now - before.since > SETTLE_MAX_MS;
    this.unsettled.set(place, { epoch: record.epoch, since: now });
    return false;
  }

  private agentsApplied(state: RegisterState, move: PlanMove, before: MoveRecord | undefined): boolean {
    const { map } = requireKeyspace(state, move.keyspace);
    const generation = before?.cutoverGeneration ?? map.generation;
    const concerned = [...votersOf(map.record(move.partition)), ...(move.from === '' ? [] : [move.from])].filter(
      (node) => isConnected(state, node),
    );
    return concerned.every((node) => this.options.observed.applied(node, move.keyspace, generation));
  }

  private filledBytes(move: PlanMove): number {
    if (move.kind !== 'replica' && move.kind !== 'add') return 0;
    return this.options.observed.replica(move.to, move.keyspace, move.partition)?.filledBytes ?? 0;
  }

  private moveRecord(
    plan: string,
    move: PlanMove,
    before: MoveRecord | undefined,
    decision: MoveDecision,
    generation: MoveRecord['cutoverGeneration'],
  ): MoveRecord {
    const phase = decision.phase.name;
    const atMs = Math.round(this.options.clock.wallMs());
    const phases = before?.phases ?? [];
    const cut = decision.do === 'remove-replica' || decision.do === 'change-leader';
    return {
      plan,
      index: move.index,
      phase,
      note: decision.do === 'wait' || decision.do === 'fail' ? decision.why : '',
      sinceMs: before?.phase === phase ? before.sinceMs : atMs,
      phases: before?.phase === phase ? phases : [...phases, { phase, sinceMs: atMs }].slice(-PHASES_KEPT),
      bytesMoved: Math.max(before?.bytesMoved ?? 0, this.filledBytes(move)),
      cutoverGeneration: (cut ? generation : undefined) ?? before?.cutoverGeneration,
      timesStarted: (before?.timesStarted ?? 0) + (decision.do === 'add-learner' ? 1 : 0),
    };
  }
}

const glassMended = ({ actor, atMs, expiresMs }: BreakGlass): string =>
  `the ${Math.round((expiresMs - atMs) / 1_000)} s are over for which ${actor} let it run past the rules; propose what is left anew`;

const nothing: Draft<{ acted: boolean }> = { compare: [], ops: [], result: { acted: false } };

const isAction = (decision: MoveDecision): decision is MoveAction & MoveDecision =>
  decision.do === 'add-learner' ||
  decision.do === 'change-leader' ||
  decision.do === 'remove-replica' ||
  decision.do === 'drop-learner';

const phaseOf = (plan: PlanView, index: number): MovePhaseName =>
  (plan.moves.get(index)?.value.phase as MovePhaseName | undefined) ?? 'pending';

const lookAt = (state: RegisterState, move: PlanMove) => {
  const { map } = requireKeyspace(state, move.keyspace);
  return {
    record: map.record(move.partition),
    minInSync: map.spec.minInSync,
    replicationFactor: map.spec.replicationFactor,
  };
};

const countMoves = (plan: PlanView) => {
  const phases = [...plan.moves.values()].map((m) => m.value.phase);
  return {
    movesDone: phases.filter((p) => p === 'done').length,
    movesFailed: phases.filter((p) => p === 'failed').length,
  };
};

const describe = (record: PartitionRecord): string =>
  `epoch ${record.epoch}: ${record.replicas.map((r) => `${r.node} ${r.role}${r.inSync ? '' : ' (not in sync)'}`).join(', ')}`;
