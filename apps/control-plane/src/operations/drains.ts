import type { PlanInput } from '@cadastre/core';
import { CadastreError, isFinal, leaderOf, printable, proposePlan } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import type { PlanView, RegisterState } from '@cadastre/store';
import type { Observed } from '../controller/observed.js';
import { nodeState } from '../controller/world.js';
import { countsByNode } from './views.js';

export interface DrainLooks {
  readonly state: RegisterState;
  readonly observed: Observed;
  readonly input: () => PlanInput;
  readonly planView: (plan: PlanView) => Wire.Plan;
}

interface Preflight {
  readonly world: string;
  readonly blockers: readonly string[];
}

const BLOCKERS_SHOWN = 10;

/** Whether a node can be emptied and how far it is; before the drain, as if it had begun. */
export class Drains {
  private readonly preflights = new Map<string, Preflight>();

  /** @throws CadastreError NOT_FOUND */
  drain(id: string, looks: DrainLooks): Wire.Drain {
    const { state, observed } = looks;
    const node = state.nodes.get(id)?.value;
    if (!node)
      throw new CadastreError('NOT_FOUND', `node "${printable(id)}" does not exist`, {
        field: 'id',
        remedy: 'list the nodes to see their ids',
      });
    const { replicas, leaders } = countsByNode(state).get(id) ?? { replicas: 0, leaders: 0 };
    const draining = node.adminState === 'draining';
    const plan = openPlanFor(state, id);
    const view = plan && looks.planView(plan);
    const safeToDelete = draining && replicas === 0;
    const blockers = safeToDelete || view ? [] : this.preflight(id, replicas, looks);
    return {
      node: id,
      ...stageOf({ draining, safeToDelete, blockers, view, replicas }),
      safeToDelete,
      blockers: [...blockers],
      warnings: warningsOf(state, id, leaders),
      replicasLeft: replicas,
      replicasTotal: Math.max(node.drain?.replicas ?? 0, replicas),
      leadersLeft: leaders,
      bytesLeft: [...observed.replicasOf(id)].reduce((sum, r) => sum + r.bytes, 0),
      plan: plan?.head.id ?? '',
      etaLowMs: view?.progress?.etaLowMs ?? view?.cost?.estimateLowMs ?? 0,
      etaHighMs: view?.progress?.etaHighMs ?? view?.cost?.estimateHighMs ?? 0,
      allowedActions: draining ? ['undrain'] : ['drain'],
    };
  }

  /** What the planner could not take off the node, and why: it is asked for the plan that the drain would get. */
  private preflight(id: string, replicas: number, { state, input }: DrainLooks): readonly string[] {
    if (replicas === 0) return [];
    const world = JSON.stringify([
      [...state.keyspaces.values()].map((k) => k.map.generation),
      [...state.nodes.keys()].map((n) => nodeState(state, n)),
      state.cluster?.value.policy,
    ]);
    const known = this.preflights.get(id);
    if (known?.world === world) return known.blockers;
    const blockers = blockersOf(id, state, input());
    for (const node of this.preflights.keys()) if (!state.nodes.has(node)) this.preflights.delete(node);
    this.preflights.set(id, { world, blockers });
    return blockers;
  }
}

const blockersOf = (id: string, state: RegisterState, input: PlanInput): string[] => {
  const nodes = input.nodes.map((n) =>
    n.entry.id === id && n.state === 'up' ? { ...n, state: 'draining' as const } : n,
  );
  const proposal = proposePlan({ ...input, nodes });
  const leaving = new Set(
    proposal.kind === 'plan'
      ? proposal.plan.moves
          .filter((m) => m.from === id && m.kind !== 'leader')
          .map((m) => `${m.keyspace}/${m.partition}`)
      : [],
  );
  const stuck = input.keyspaces.flatMap(({ spec, records }) =>
    records
      .filter((r) => r.replicas.some((x) => x.node === id) && !leaving.has(`${spec.name}/${r.partition}`))
      .map((r) => ({ keyspace: spec.name, partition: r.partition })),
  );
  if (stuck.length === 0) return [];
  const byKeyspace = new Map<string, number[]>();
  for (const { keyspace, partition } of stuck)
    byKeyspace.set(keyspace, [...(byKeyspace.get(keyspace) ?? []), partition]);
  const why = proposal.kind === 'plan' ? proposal.notes : [proposal.because];
  return [
    ...[...byKeyspace].map(
      ([keyspace, left]) =>
        `keyspace ${keyspace}: ${left.length} copies have nowhere to go (partition ${left
          .slice(0, 5)
          .join(', ')}${left.length > 5 ? ', ...' : ''})`,
    ),
    ...why,
    ...busyWith(state),
  ].slice(0, BLOCKERS_SHOWN);
};

const busyWith = (state: RegisterState): string[] =>
  [...state.plans.values()]
    .filter((p) => !isFinal(p.head.state) && p.head.state !== 'proposed')
    .map((p) => `plan ${p.head.id} is ${p.head.state}; a plan for this drain comes after it`);

const openPlanFor = (state: RegisterState, id: string): PlanView | undefined =>
  [...state.plans.values()]
    .filter((p) => !isFinal(p.head.state) && p.body.moves.some((m) => m.from === id))
    .sort((a, b) => b.head.createdMs - a.head.createdMs)[0];

const warningsOf = (state: RegisterState, id: string, leaders: number): string[] => {
  const sole = [...state.keyspaces.values()].flatMap(({ map }) => {
    const count = map.records().filter((r) => leaderOf(r) === id && r.replicas.length === 1).length;
    return count > 0 ? [`keyspace ${map.spec.name}: ${count} partitions have their only copy here`] : [];
  });
  return [
    ...sole,
    ...(leaders > 0 ? [`it leads ${leaders} partitions: their leadership is handed over first`] : []),
    ...(nodeState(state, id) === 'down' ? ['it is down: its copies are rebuilt from others'] : []),
  ];
};

interface Standing {
  readonly draining: boolean;
  readonly safeToDelete: boolean;
  readonly blockers: readonly string[];
  readonly view: Wire.Plan | undefined;
  readonly replicas: number;
}

const stageOf = ({
  draining,
  safeToDelete,
  blockers,
  view,
  replicas,
}: Standing): { state: string; because: string } => {
  if (safeToDelete) return { state: 'drained', because: 'no map names it any more: it may be deleted' };
  if (!draining)
    return {
      state: 'not-draining',
      because:
        blockers.length > 0 ? 'it could not be emptied' : `it holds ${replicas} copies, and all of them could leave`,
    };
  if (view?.state === 'proposed') return { state: 'waits-for-approval', because: `plan ${view.id} waits for approval` };
  if (view) {
    const waits = view.state === 'approved' && view.window && !view.window.open;
    return waits
      ? { state: 'waits-for-window', because: view.window?.because ?? '' }
      : { state: 'draining', because: `plan ${view.id} is ${view.state}` };
  }
  if (blockers.length > 0) return { state: 'blocked', because: blockers[0]! };
  return { state: 'needs-plan', because: 'no plan empties it yet: cadastre plan propose' };
};
