import type { KeyspaceMap, PlanState } from '@cadastre/core';
import { allowedActions, leaderOf, votersOf } from '@cadastre/core';
import { encodeRecord, encodeSpec, type Wire } from '@cadastre/contracts';
import type { KeyspaceView, PlanView, RegisterState } from '@cadastre/store';
import type { Observed } from '../controller/observed.js';
import { nodeState } from '../controller/world.js';

/** Messages of operator.proto from the mirrored state. No decision is taken here. */
export const keyspaceView = (view: KeyspaceView, withPartitions: boolean): Wire.Keyspace => {
  const { map } = view;
  const records = map.records();
  const rf = map.spec.replicationFactor;
  return {
    spec: encodeSpec(map.spec),
    generation: map.generation,
    partitions: map.partitions,
    underReplicated: records.filter((r) => r.replicas.filter((x) => x.inSync).length < rf).length,
    withoutLeader: records.filter((r) => leaderOf(r) === undefined).length,
    moving: records.filter((r) => votersOf(r).length !== r.replicas.length || r.replicas.length > rf).length,
    records: withPartitions ? records.map(encodeRecord) : [],
  };
};

export interface Counts {
  readonly replicas: number;
  readonly leaders: number;
}

export const countsByNode = (state: RegisterState): Map<string, Counts> => {
  const counts = new Map<string, { replicas: number; leaders: number }>();
  for (const { map } of state.keyspaces.values()) countMap(map, counts);
  return counts;
};

const countMap = (map: KeyspaceMap, counts: Map<string, { replicas: number; leaders: number }>): void => {
  for (let p = 0; p < map.partitions; p += 1) {
    for (const { node, role } of map.record(p).replicas) {
      const count = counts.get(node) ?? { replicas: 0, leaders: 0 };
      count.replicas += 1;
      if (role === 'leader') count.leaders += 1;
      counts.set(node, count);
    }
  }
};

export const nodeView = (
  state: RegisterState,
  observed: Observed,
  id: string,
  counts: Map<string, Counts>,
): Wire.Node => {
  const record = state.nodes.get(id)!.value;
  const { replicas, leaders } = counts.get(id) ?? { replicas: 0, leaders: 0 };
  let bytes = 0;
  let records = 0;
  for (const replica of observed.replicasOf(id)) {
    bytes += replica.bytes;
    records += replica.records;
  }
  const reachable = nodeState(state, id);
  const empty = reachable === 'draining' && replicas === 0;
  return {
    entry: { ...record.entry, labels: { ...record.entry.labels } },
    state: empty ? 'drained' : reachable,
    incarnation: record.incarnation,
    replicas,
    leaders,
    bytes,
    records,
    allowedActions: record.adminState === 'draining' ? ['undrain'] : ['drain'],
  };
};

const ENDED: ReadonlySet<PlanState> = new Set([
  'completed',
  'cancelled',
  'failed',
  'rejected',
  'superseded',
  'expired',
]);
export const hasEnded = (state: PlanState): boolean => ENDED.has(state);

export const planView = (plan: PlanView, observed: Observed, withMoves: boolean): Wire.Plan => {
  const { head, body } = plan;
  return {
    id: head.id,
    state: head.state,
    digest: head.digest,
    base: body.base.map((b) => ({ keyspace: b.keyspace, generation: b.generation })),
    proposer: body.proposer,
    reason: body.reason,
    createdMs: head.createdMs,
    expiresMs: head.expiresMs,
    moves: withMoves ? body.moves.map((m) => moveView(plan, m, observed)) : [],
    nodes: body.nodes.map((n) => ({ ...n })),
    cost: { ...body.cost },
    movesTotal: head.moves,
    movesDone: [...plan.moves.values()].filter((m) => m.value.phase === 'done').length,
    movesFailed: [...plan.moves.values()].filter((m) => m.value.phase === 'failed').length,
    allowedActions: [...allowedActions(head.state)],
    events: head.events.map((e) => ({ ...e })),
    note: head.note,
  };
};

const FILLED_PHASES = new Set(['catching-up', 'handing-over', 'cutover', 'cleaning-up', 'done']);

const moveView = (plan: PlanView, move: PlanView['body']['moves'][number], observed: Observed): Wire.PlanMove => {
  const record = plan.moves.get(move.index)?.value;
  const phase = record?.phase ?? 'pending';
  const live = observed.replica(move.to, move.keyspace, move.partition);
  const bytesDone = FILLED_PHASES.has(phase)
    ? move.bytes
    : phase === 'transferring'
      ? Math.min(live?.filledBytes ?? 0, move.bytes || Infinity)
      : 0;
  return { ...move, phase, note: record?.note ?? '', phaseSinceMs: record?.sinceMs ?? 0, bytesDone };
};
