import type { PlanBody, PlanMove } from '@cadastre/core';
import { canonicalPlanBytes, isFinal, onlyMoves, proposePlan } from '@cadastre/core';
import type { Clock, Logger, MonotonicMs, NewId } from '@cadastre/runtime';
import { sha256Hex } from '@cadastre/runtime';
import type { Compare, Draft, PlanHead, PlanView, Register, RegisterState } from '@cadastre/store';
import { join, mapUnchanged, newPlanPart, planHeadPart, settingsOf } from '@cadastre/store';
import type { Observed } from './observed.js';
import { planInputOf } from './plan-input.js';
import { isConnected } from './world.js';

export interface RepairOptions {
  readonly register: Register;
  readonly observed: Observed;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly newId: NewId;
  readonly moveLimits?: { readonly perNodeIn: number; readonly perNodeOut: number; readonly cluster: number };
}

const LOOK_MS = 2_000;
const DAY_MS = 24 * 60 * 60 * 1000;
const ACTOR = 'cadastre';

/**
 * Copies on nodes that have been away for longer than the grace are built elsewhere: by a plan of nothing but that, which the settings
 * approve beforehand ("auto") or a person approves ("propose"). It takes the place of proposals that wait for the same keyspaces; a plan that
 * runs is let run.
 */
export class RepairDriver {
  private lookedAt: MonotonicMs = Number.NEGATIVE_INFINITY;
  /** Since when this controller has seen a node away; a new one begins to count anew. */
  private readonly awaySince = new Map<string, MonotonicMs>();

  constructor(private readonly options: RepairOptions) {}

  async round(fence: Compare): Promise<void> {
    const { register, clock, logger, newId } = this.options;
    const now = clock.monotonicMs();
    this.note(register.state, now);
    if (now - this.lookedAt < LOOK_MS) return;
    this.lookedAt = now;
    const { repair, repairGraceMs } = settingsOf(register.state);
    const lost = [...this.awaySince].filter(([, since]) => now - since >= repairGraceMs).map(([node]) => node);
    if (repair === 'off' || lost.length === 0) return;
    const id = `p${newId(4)}`;
    const { result } = await register.commit((state) => this.draft(state, lost, id), fence);
    if (result > 0) logger.warn('lost copies are to be rebuilt', { plan: id, moves: result, lost, mode: repair });
    if (repair === 'auto') await this.approveOwn(fence);
  }

  /** By the settings, in which a person approved this kind of move beforehand (INV-6). */
  private async approveOwn(fence: Compare): Promise<void> {
    const { register, clock } = this.options;
    for (const { head, body } of register.state.plans.values()) {
      if (head.state !== 'proposed' || body.proposer !== ACTOR) continue;
      await register.commit((state): Draft<void> => {
        const plan = state.plans.get(head.id);
        if (plan?.head.state !== 'proposed' || settingsOf(state).repair !== 'auto')
          return { compare: [], ops: [], result: undefined };
        const event = { atMs: Math.round(clock.wallMs()), actor: ACTOR, what: 'approved: settings: repair auto' };
        const approved: PlanHead = { ...plan.head, state: 'approved', events: [...plan.head.events, event] };
        return {
          ...join(
            mapUnchanged(
              state,
              body.base.map((b) => b.keyspace),
            ),
            planHeadPart(state, approved),
          ),
          result: undefined,
          audit: {
            actor: ACTOR,
            verb: 'approve',
            subject: `plan/${head.id}`,
            reason: 'settings: repair auto',
            before: 'proposed',
            after: 'approved',
          },
        };
      }, fence);
    }
  }

  private note(state: RegisterState, now: MonotonicMs): void {
    for (const id of this.awaySince.keys()) if (!state.nodes.has(id)) this.awaySince.delete(id);
    for (const id of state.nodes.keys()) {
      if (isConnected(state, id)) this.awaySince.delete(id);
      else if (!this.awaySince.has(id)) this.awaySince.set(id, now);
    }
  }

  private draft(state: RegisterState, lost: readonly string[], id: string): Draft<number> {
    const reason = `repair: ${[...lost].sort().join(', ')} lost for longer than the grace`;
    const names = [...state.keyspaces.keys()].filter((name) => this.wantsRepair(state, name, lost, reason));
    if (names.length === 0) return nothing;
    const body = this.plan(state, names, lost, reason);
    if (!body) return nothing;
    const head = this.headOf(id, body);
    const superseded = [...state.plans.values()].filter((p) => p.head.state === 'proposed' && touches(p, names));
    const part = join(
      mapUnchanged(state, names),
      ...superseded.map((p) => planHeadPart(state, this.supersededBy(p.head, id))),
      newPlanPart(head, body),
    );
    return {
      ...part,
      result: body.moves.length,
      audit: {
        actor: ACTOR,
        verb: 'propose',
        subject: `plan/${id}`,
        reason,
        after: `${body.moves.length} moves`,
        generation: body.base,
      },
    };
  }

  /** Not beside a plan that runs or that mends the same already, and not again what a person turned down. */
  private wantsRepair(state: RegisterState, name: string, lost: readonly string[], reason: string): boolean {
    const { repairGraceMs } = settingsOf(state);
    for (const plan of state.plans.values()) {
      if (!touches(plan, [name])) continue;
      const { state: life, createdMs } = plan.head;
      if (!isFinal(life)) {
        if (life !== 'proposed' || plan.body.moves.some((m) => lost.includes(m.from))) return false;
      } else if (plan.body.proposer === ACTOR && plan.body.reason === reason) {
        if (life === 'rejected' || life === 'cancelled') return false;
        if (life !== 'completed' && this.options.clock.wallMs() - createdMs < Math.max(repairGraceMs, LOOK_MS))
          return false;
      }
    }
    const { map } = state.keyspaces.get(name)!;
    return map.records().some((r) => r.replicas.some((x) => lost.includes(x.node)));
  }

  private plan(
    state: RegisterState,
    names: readonly string[],
    lost: readonly string[],
    reason: string,
  ): PlanBody | undefined {
    const { observed, clock, moveLimits } = this.options;
    const input = planInputOf(state, observed, names, Math.round(clock.wallMs()), moveLimits);
    const proposal = proposePlan(input);
    if (proposal.kind === 'nothing') return undefined;
    const isRepair = (move: PlanMove): boolean => move.kind === 'replica' && lost.includes(move.from);
    const plan = onlyMoves(proposal.plan, input.keyspaces, isRepair, 'each lost copy has to be built once');
    return plan && { ...plan, proposer: ACTOR, reason };
  }

  private headOf(id: string, body: PlanBody): Omit<PlanHead, 'bodyChunks'> {
    const atMs = Math.round(this.options.clock.wallMs());
    return {
      id,
      state: 'proposed',
      digest: sha256Hex(canonicalPlanBytes(body)),
      moves: body.moves.length,
      createdMs: atMs,
      expiresMs: atMs + DAY_MS,
      events: [{ atMs, actor: ACTOR, what: 'proposed' }],
      note: '',
      movesDone: 0,
      movesFailed: 0,
    };
  }

  private supersededBy(head: PlanHead, by: string): PlanHead {
    const event = {
      atMs: Math.round(this.options.clock.wallMs()),
      actor: ACTOR,
      what: `superseded by ${by}: repair goes first`,
    };
    return { ...head, state: 'superseded', events: [...head.events, event] };
  }
}

const nothing: Draft<number> = { compare: [], ops: [], result: 0 };

const touches = (plan: PlanView, names: readonly string[]): boolean =>
  plan.body.base.some((b) => names.includes(b.keyspace));
