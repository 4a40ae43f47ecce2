import { isDeepStrictEqual } from 'node:util';
import { callUnary, type Wire } from '@cadastre/contracts';
import { delay } from '@cadastre/runtime';
import type { PlanView } from '@cadastre/store';
import { planJson } from '../../apps/control-plane/src/rest/views.codec.js';
import type { World } from './world.js';

/** Of a plan, what page, command line and register have in common. */
interface Told {
  readonly state: string;
  readonly digest: string;
  readonly approvals: readonly string[];
  readonly done: number;
  readonly phases: readonly string[];
  readonly events: readonly string[];
}

const DEADLINE_MS = 2_000;
const AGAIN_MS = 100;
const AUDIT_MAX = 1_000;

const byRegister = ({ head, body, moves }: PlanView): Told => {
  const phases = body.moves.map((move) => moves.get(move.index)?.value.phase ?? 'pending');
  return {
    state: head.state,
    digest: head.digest,
    approvals: (head.approvals ?? []).map((a) => a.actor),
    done: phases.filter((phase) => phase === 'done').length,
    phases,
    events: head.events.map((e) => `${e.actor} ${e.what}`),
  };
};

const byCli = (plan: Wire.Plan__Output): Told => ({
  state: plan.state,
  digest: plan.digest,
  approvals: plan.approvals.map((a) => a.actor),
  done: plan.movesDone,
  phases: plan.moves.map((move) => move.phase),
  events: plan.events.map((e) => `${e.actor} ${e.what}`),
});

/** As REST and the page's stream have it. */
const byPage = (plan: Wire.Plan__Output): Told => {
  const json = planJson(plan);
  return {
    state: json.state,
    digest: json.digest,
    approvals: (json.approvals ?? []).map((a) => a.actor),
    done: json.movesDone,
    phases: json.moves.map((move) => move.phase),
    events: json.events.map((e) => `${e.actor} ${e.what}`),
  };
};

type Ask = <Request, Reply>(method: string, request: Request) => Promise<Reply>;

const askerOf = (world: World, plane: string): Ask => {
  const { operator } = world.operatorPeer(plane);
  const methods = operator as unknown as Record<string, never>;
  return (method, request) => callUnary(operator, methods[method]!, request as object, { deadlineMs: DEADLINE_MS });
};

/** What a person did stands in the plan and in the log alike: as often, in the same order. */
const isLogged = (plan: string, told: Told, entries: readonly Wire.AuditRecord__Output[]): boolean => {
  const logged = entries.filter((e) => e.subject === `plan/${plan}` && e.actor !== 'cadastre').map((e) => e.actor);
  const inPlan = told.events.map((e) => e.slice(0, e.indexOf(' '))).filter((actor) => actor !== 'cadastre');
  return isDeepStrictEqual(logged.reverse(), inPlan);
};

/** The first thing that one replica tells otherwise than the register, if any. */
const differenceAt = async (world: World, plane: string): Promise<string | undefined> => {
  const ask = askerOf(world, plane);
  const { entries } = await ask<Wire.ListAuditRequest, Wire.ListAuditReply__Output>('ListAudit', { limit: AUDIT_MAX });
  for (const id of world.recorder.state.plans.keys()) {
    const plan = await ask<Wire.GetPlanRequest, Wire.Plan__Output>('GetPlan', { id });
    const truth = byRegister(world.recorder.state.plans.get(id)!);
    for (const told of [byCli(plan), byPage(plan)])
      if (!isDeepStrictEqual(told, truth))
        return `${plane} tells ${JSON.stringify(told)}, the register ${JSON.stringify(truth)}`;
    if (!isLogged(id, truth, entries))
      return `${plane}: the log has not what plan ${id} has: ${truth.events.join('; ')}`;
  }
  const { intact } = await ask<Wire.VerifyAuditRequest, Wire.VerifyAuditReply__Output>('VerifyAudit', {});
  return intact ? undefined : `${plane}: the chain of the log is broken`;
};

/** What replicas tell otherwise than the register at this moment; one that does not answer tells nothing. */
const differenceNow = async (world: World): Promise<string | undefined> => {
  for (const plane of world.planes.keys()) {
    try {
      const difference = await differenceAt(world, plane);
      if (difference) return difference;
    } catch (error) {
      return `${plane} does not answer: ${(error as Error).message}`;
    }
  }
  return undefined;
};

/** Resolves when every replica tells page and command line exactly what is in the register; a run goes on meanwhile. */
export const oneTruth = async (world: World, note: (difference: string) => void): Promise<void> => {
  for (;;) {
    const difference = await differenceNow(world);
    if (difference === undefined) return;
    note(difference);
    await delay(world.operator.clock, AGAIN_MS);
  }
};
