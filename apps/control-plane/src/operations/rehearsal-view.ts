import type { Rehearsal, RehearsalPoint } from '@cadastre/core';
import { rehearse } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import type { MonotonicMs } from '@cadastre/runtime';
import type { PlanView, RegisterState } from '@cadastre/store';
import { plannerNodes } from '../controller/world.js';
import { hasEnded } from './views.js';

interface Kept {
  /** Of the maps and nodes that it was made from. */
  readonly world: string;
  readonly at: MonotonicMs;
  readonly view: Wire.Rehearsal;
}

/** By body, which never changes. */
const kept = new WeakMap<PlanView['body'], Kept>();
/** Streams read a running plan at each change; a pass over a large map for each would be all that this replica does. */
const FRESH_MS = 5_000;

/**
 * The moves of a plan that are left, rehearsed on the map as it is: computed when it is read, at most every five seconds, and not while
 * neither maps nor nodes change. None for a plan that has ended.
 */
export const rehearsalView = (state: RegisterState, plan: PlanView, now: MonotonicMs): Wire.Rehearsal | null => {
  if (hasEnded(plan.head.state)) return null;
  const nodes = plannerNodes(state);
  const world = JSON.stringify([
    plan.body.base.map((b) => state.keyspaces.get(b.keyspace)?.map.generation),
    nodes.map((n) => [n.entry.id, n.state]),
  ]);
  const known = kept.get(plan.body);
  if (known && (known.world === world || now - known.at < FRESH_MS)) return known.view;
  const keyspaces = plan.body.base.flatMap(({ keyspace }) => {
    const map = state.keyspaces.get(keyspace)?.map;
    return map ? [{ spec: map.spec, records: map.records() }] : [];
  });
  const names = new Set(keyspaces.map((k) => k.spec.name));
  const isLeft = (index: number): boolean => !DONE.has(plan.moves.get(index)?.value.phase ?? '');
  const moves = plan.body.moves.filter((m) => names.has(m.keyspace) && isLeft(m.index));
  const view = encodeRehearsal(rehearse({ keyspaces, nodes, moves }));
  kept.set(plan.body, { world, at: now, view });
  return view;
};

/** The map shows what these did. */
const DONE = new Set(['cleaning-up', 'done', 'failed', 'cancelled']);

const encodeRehearsal = (found: Rehearsal): Wire.Rehearsal => ({
  before: pointView(found.before),
  during: found.during.map(pointView),
  after: pointView(found.after),
  steps: found.steps,
  verdict: found.verdict,
  raisedOnTheWay: found.raisedOnTheWay,
  summary: found.summary,
});

const pointView = ({ step, already, risks }: RehearsalPoint): Wire.RehearsalPoint => ({
  step,
  unavailable: already.unavailable,
  dataLoss: already.dataLoss,
  risks: risks.map((r) => ({
    label: r.label,
    unavailable: r.unavailable.partitions,
    unavailableDomain: r.unavailable.domain,
    dataLoss: r.dataLoss.partitions,
    dataLossDomain: r.dataLoss.domain,
    domainsUnavailable: r.domainsUnavailable,
    domainsDataLoss: r.domainsDataLoss,
  })),
});
