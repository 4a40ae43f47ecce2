import type { AutomaticApproval, PlanRisk } from '@cadastre/core';
import { automaticApproval, checkStale, rehearse, riskOf } from '@cadastre/core';
import type { Clock, Logger } from '@cadastre/runtime';
import type { Compare, Draft, PlanHead, PlanView, Register, RegisterState } from '@cadastre/store';
import { approvalPolicyOf, approvalPolicyUnchanged, join, mapUnchanged, planHeadPart } from '@cadastre/store';
import { plannerNodes } from './world.js';

export interface PolicyApprovalOptions {
  readonly register: Register;
  readonly clock: Clock;
  readonly logger: Logger;
}

const ACTOR = 'cadastre';

/**
 * Approves what a person approved beforehand by kind and size (INV-6), and says by which rule. The way back of a run always waits for a
 * person, and so does what lowers redundancy on the way.
 */
export class PolicyApproval {
  /** Plans that no rule covered under this policy and map: not rehearsed anew each round. */
  private looked = new Map<string, string>();

  constructor(private readonly options: PolicyApprovalOptions) {}

  async round(fence: Compare): Promise<void> {
    const { register, logger } = this.options;
    const { state } = register;
    if (approvalPolicyOf(state).automatic.length === 0) return;
    const waiting = [...state.plans.values()].filter((p) => p.head.state === 'proposed' && !p.head.undoOf);
    const seen = new Map<string, string>();
    for (const plan of waiting) {
      const world = this.worldOf(state, plan);
      seen.set(plan.head.id, world);
      if (this.looked.get(plan.head.id) === world) continue;
      const { result } = await register.commit((now) => this.draft(now, plan.head.id), fence);
      if (result) logger.info('a plan is approved by policy', { plan: plan.head.id, rule: result.name });
    }
    this.looked = seen;
  }

  private worldOf(state: RegisterState, plan: PlanView): string {
    const maps = plan.body.base.map((b) => state.keyspaces.get(b.keyspace)?.map.generation);
    const nodes = plannerNodes(state).map((n) => n.state);
    return JSON.stringify([String(state.approvalPolicy?.revision), maps, nodes]);
  }

  private draft(state: RegisterState, id: string): Draft<AutomaticApproval | undefined> {
    const plan = state.plans.get(id);
    const nothing = { compare: [], ops: [], result: undefined };
    if (plan?.head.state !== 'proposed' || !this.isFresh(state, plan)) return nothing;
    const risk = riskOf(plan.body, plannerNodes(state), lowersRedundancy(state, plan));
    const rule = automaticApproval(approvalPolicyOf(state), plan.body, risk);
    if (!rule) return nothing;
    const names = plan.body.base.map((b) => b.keyspace);
    const part = join(
      { compare: [approvalPolicyUnchanged(state)], ops: [] },
      mapUnchanged(state, names),
      planHeadPart(state, this.approved(plan.head, rule, risk)),
    );
    return {
      ...part,
      result: rule,
      audit: {
        actor: ACTOR,
        verb: 'approve',
        subject: `plan/${id}`,
        reason: `approved by policy ${rule.name}`,
        before: 'proposed',
        after: 'approved',
        generation: plan.body.base,
      },
    };
  }

  private isFresh(state: RegisterState, plan: PlanView): boolean {
    if (plan.head.expiresMs <= this.options.clock.wallMs()) return false;
    const recordOf = (keyspace: string, partition: number) => state.keyspaces.get(keyspace)?.map.record(partition);
    return checkStale(plan.body, recordOf, plannerNodes(state)).fresh;
  }

  private approved(head: PlanHead, rule: AutomaticApproval, risk: PlanRisk): PlanHead {
    const atMs = Math.round(this.options.clock.wallMs());
    const event = { atMs, actor: ACTOR, what: `approved by policy ${rule.name}` };
    return { ...head, state: 'approved', approvedByPolicy: rule.name, risk, events: [...head.events, event] };
  }
}

const lowersRedundancy = (state: RegisterState, plan: PlanView): boolean => {
  const keyspaces = plan.body.base.flatMap(({ keyspace }) => {
    const map = state.keyspaces.get(keyspace)?.map;
    return map ? [{ spec: map.spec, records: map.records() }] : [];
  });
  const found = rehearse({ keyspaces, nodes: plannerNodes(state), moves: plan.body.moves });
  return found.raisedOnTheWay || found.verdict === 'raises';
};
