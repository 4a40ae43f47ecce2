import type { Rehearsal, RehearsalPoint } from '@cadastre/core';
import { rehearse } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import type { PlanView, RegisterState } from '@cadastre/store';
import { plannerNodes } from '../controller/world.js';
import { hasEnded } from './views.js';

/** A plan's view is another object after each change of its moves. */
const kept = new WeakMap<PlanView, { readonly generations: string; readonly view: Wire.Rehearsal }>();

/**
 * The moves of a plan that are left, rehearsed on the map as it is: computed when it is read, kept as long as neither map, nodes nor
 * progress change. None for a plan that has ended.
 */
export const rehearsalView = (state: RegisterState, plan: PlanView): Wire.Rehearsal | null => {
  if (hasEnded(plan.head.state)) return null;
  const nodes = plannerNodes(state);
  const generations = JSON.stringify([
    plan.body.base.map((b) => state.keyspaces.get(b.keyspace)?.map.generation),
    nodes.map((n) => [n.entry.id, n.state]),
  ]);
  const known = kept.get(plan);
  if (known?.generations === generations) return known.view;
  const keyspaces = plan.body.base.flatMap(({ keyspace }) => {
    const map = state.keyspaces.get(keyspace)?.map;
    return map ? [{ spec: map.spec, records: map.records() }] : [];
  });
  const names = new Set(keyspaces.map((k) => k.spec.name));
  const isLeft = (index: number): boolean => !DONE.has(plan.moves.get(index)?.value.phase ?? '');
  const moves = plan.body.moves.filter((m) => names.has(m.keyspace) && isLeft(m.index));
  const view = encodeRehearsal(rehearse({ keyspaces, nodes, moves }));
  kept.set(plan, { generations, view });
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
