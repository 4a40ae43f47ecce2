import type { ApprovalPolicy, Generation, KeyspaceSpec, PartitionRecord, PlanBody, Policy } from '@cadastre/core';
import { CadastreError, checkRecord, nextGeneration } from '@cadastre/core';
import { keys, SEGMENT } from '../keys.js';
import { compare, op } from '../ops.js';
import type { Compare, LeaseId, Op, Store } from '../store.js';
import type {
  FreezeRecord,
  KeyspaceRecord,
  ManualFreezeRecord,
  MoveRecord,
  NodeRecord,
  OwedLeads,
  PlanHead,
  SessionRecord,
  Settings,
} from './records.js';
import {
  approvalPolicyCodec,
  clusterCodec,
  freezeCodec,
  headCodec,
  keyspaceCodec,
  manualFreezeCodec,
  moveCodec,
  nodeCodec,
  owedCodec,
  planBodyCodec,
  planHeadCodec,
  segmentCodec,
  sessionCodec,
  settingsCodec,
} from './records.js';
import type { RegisterState, Stored } from './register-state.js';

/** Parts of transactions. Each names in `compare` all that it was decided on. */
export interface Part {
  readonly compare: readonly Compare[];
  readonly ops: readonly Op[];
}

export const join = (...parts: readonly Part[]): Part => ({
  compare: unique(parts.flatMap((p) => p.compare)),
  ops: parts.flatMap((p) => p.ops),
});

const unique = (compares: readonly Compare[]): Compare[] => [
  ...new Map(compares.map((c) => [`${c.target} ${c.op} ${c.key}`, c])).values(),
];

export const requireKeyspace = (state: RegisterState, name: string) => {
  const view = state.keyspaces.get(name);
  if (view) return view;
  const known = [...state.keyspaces.keys()].sort().join(', ') || 'there are none yet';
  throw new CadastreError('NOT_FOUND', `keyspace "${name}" does not exist`, {
    field: 'keyspace',
    remedy: `use one of: ${known}; or create it`,
  });
};

export const requirePlan = (state: RegisterState, id: string) => {
  const view = state.plans.get(id);
  if (view) return view;
  throw new CadastreError('NOT_FOUND', `plan "${id}" does not exist`, {
    field: 'id',
    remedy: 'list the plans to see their ids',
  });
};

export const isWaitingForRecovery = ({ recovery }: RegisterState): boolean => recovery?.value.state === 'waiting';

/** Every way to change maps and plans goes through here: what a restored register says may be long out of date. */
export const refuseWhileRecovering = (state: RegisterState): void => {
  if (isWaitingForRecovery(state))
    throw new CadastreError('FAILED_PRECONDITION', 'the register was restored from a copy, and nothing changes yet', {
      field: 'recovery',
      remedy: 'read what the agents have (cadastre recovery show) and approve it (cadastre recovery approve)',
    });
};

/** First writer of a register names it. */
export const clusterPart = (clusterId: string): Part => ({
  compare: [compare.absent(keys.cluster), compare.absent(keys.restoring)],
  ops: [op.put(keys.cluster, clusterCodec.encode({ clusterId, incarnation: 1 }))],
});

/**
 * New records of partitions of one keyspace, and its next generation. Compares the head, so that changes of one keyspace are totally
 * ordered, and each segment. A record that breaks an invariant is refused here, whoever made it (INV-8).
 */
export const partitionsPart = (
  state: RegisterState,
  name: string,
  records: readonly PartitionRecord[],
): Part & { readonly generation: Generation } => {
  refuseWhileRecovering(state);
  const view = requireKeyspace(state, name);
  const { id, segmentSize, partitions } = view.record;
  for (const record of records) refuseBroken(name, record, view.map.epochOf(record.partition));
  const generation = nextGeneration(view.map.generation);
  const changed = new Map(records.map((r) => [r.partition, r]));
  const segments = [...new Set(records.map((r) => Math.floor(r.partition / segmentSize)))].sort((a, b) => a - b);
  const compares = [compare.modRevision(keys.mapHead(id), view.headRevision)];
  const ops: Op[] = [op.put(keys.mapHead(id), headCodec.encode(generation))];
  for (const segment of segments) {
    const first = segment * segmentSize;
    const all = Array.from(
      { length: Math.min(partitions, first + segmentSize) - first },
      (_, i) => changed.get(first + i) ?? view.map.record(first + i),
    );
    compares.push(compare.modRevision(keys.mapSegment(id, segment), view.segmentRevisions[segment]!));
    ops.push(op.put(keys.mapSegment(id, segment), segmentCodec.encode(all)));
  }
  return { compare: compares, ops, generation };
};

const refuseBroken = (keyspace: string, record: PartitionRecord, epochBefore: number): void => {
  const wrong =
    checkRecord(record) ?? (record.epoch < epochBefore ? `an epoch that goes back from ${epochBefore}` : undefined);
  if (wrong)
    throw new CadastreError('INTERNAL', `refused to write ${keyspace}/${record.partition}: ${wrong}`, {
      remedy: 'report this: the gate before the map stopped it',
    });
};

const SEGMENTS_A_TXN = 100;

/** Large maps do not fit one transaction: segments go first, under an id that nothing names yet; then one transaction makes it exist. */
export const writeSegments = async (
  store: Store,
  id: string,
  records: readonly PartitionRecord[],
  segmentSize: number,
): Promise<void> => {
  const count = Math.ceil(records.length / segmentSize);
  for (let from = 0; from < count; from += SEGMENTS_A_TXN) {
    const ops = Array.from({ length: Math.min(count, from + SEGMENTS_A_TXN) - from }, (_, i) => {
      const first = (from + i) * segmentSize;
      return op.put(keys.mapSegment(id, from + i), segmentCodec.encode(records.slice(first, first + segmentSize)));
    });
    await store.txn({ compare: [compare.absent(keys.mapHead(id))], success: ops });
  }
};

/** What the partitions of a keyspace made now under that name begin with: above all that one before it had. */
export const firstEpochOf = (state: RegisterState, name: string): number =>
  (state.floors.get(name)?.value.number ?? 0) + 1;

export const keyspacePart = (
  state: RegisterState,
  spec: KeyspaceSpec,
  id: string,
  partitions: number,
  createdMs: number,
): Part => {
  refuseWhileRecovering(state);
  if (state.keyspaces.has(spec.name)) {
    throw new CadastreError('ALREADY_EXISTS', `keyspace "${spec.name}" exists already`, {
      field: 'name',
      remedy: 'choose another name, or use the one that is there',
    });
  }
  const incarnation = state.cluster?.value.incarnation ?? 1;
  const floor = state.floors.get(spec.name);
  if (floor && state.recovery)
    throw new CadastreError('FAILED_PRECONDITION', `copies of another ${spec.name} are kept since a restore`, {
      field: 'name',
      remedy: 'they would go: cadastre recovery finish first, or choose another name',
    });
  const record: KeyspaceRecord = { spec, id, createdMs, segmentSize: SEGMENT, partitions };
  return {
    compare: [
      compare.absent(keys.keyspace(spec.name)),
      compare.absent(keys.mapHead(id)),
      unchangedOrAbsent(keys.floor(spec.name), floor),
    ],
    ops: [
      op.put(keys.keyspace(spec.name), keyspaceCodec.encode(record)),
      op.put(keys.mapHead(id), headCodec.encode({ incarnation, number: (floor?.value.number ?? 0) + 1 })),
    ],
  };
};

/**
 * The keyspace is gone, and with it its map. Its last generation stays, so that one made anew under its name never looks older to a
 * reader that still holds the old map (INV-2); raised to the highest epoch that any of its partitions had, see `firstEpochOf`.
 */
export const dropKeyspacePart = (state: RegisterState, name: string): Part => {
  refuseWhileRecovering(state);
  const { record, map, headRevision } = requireKeyspace(state, name);
  let highest = map.generation.number;
  for (const epoch of map.epochs) highest = Math.max(highest, epoch);
  return {
    compare: [compare.exists(keys.keyspace(name)), compare.modRevision(keys.mapHead(record.id), headRevision)],
    ops: [
      op.delete(keys.keyspace(name)),
      op.deletePrefix(keys.mapOf(record.id)),
      op.put(keys.floor(name), headCodec.encode({ ...map.generation, number: highest })),
    ],
  };
};

export const unchangedOrAbsent = (key: string, stored: Stored<unknown> | undefined): Compare =>
  stored ? compare.modRevision(key, stored.revision) : compare.absent(key);

export const settingsPart = (state: RegisterState, settings: Settings): Part => ({
  compare: [unchangedOrAbsent(keys.settings, state.settings)],
  ops: [op.put(keys.settings, settingsCodec.encode(settings))],
});

/** Undefined ends the freeze. */
export const freezePart = (state: RegisterState, freeze: FreezeRecord | undefined): Part => ({
  compare: [unchangedOrAbsent(keys.freeze, state.freeze)],
  ops: [freeze ? op.put(keys.freeze, freezeCodec.encode(freeze)) : op.delete(keys.freeze)],
});

/** Undefined ends it. */
export const manualFreezePart = (state: RegisterState, freeze: ManualFreezeRecord | undefined): Part => ({
  compare: [unchangedOrAbsent(keys.manualFreeze, state.manualFreeze)],
  ops: [freeze ? op.put(keys.manualFreeze, manualFreezeCodec.encode(freeze)) : op.delete(keys.manualFreeze)],
});

export const approvalPolicyPart = (state: RegisterState, policy: ApprovalPolicy): Part => ({
  compare: [approvalPolicyUnchanged(state)],
  ops: [op.put(keys.approvalPolicy, approvalPolicyCodec.encode(policy))],
});

/** For what was decided by it. */
export const approvalPolicyUnchanged = (state: RegisterState): Compare =>
  unchangedOrAbsent(keys.approvalPolicy, state.approvalPolicy);

/** Keyspaces with nothing owed are left out; with none left the record goes. */
export const owedPart = (state: RegisterState, node: string, owed: OwedLeads): Part => {
  const left = Object.fromEntries(Object.entries(owed).filter(([, leads]) => leads > 0));
  const key = keys.owed(node);
  const known = state.owed.get(node);
  if (!known && Object.keys(left).length === 0) return { compare: [], ops: [] };
  return {
    compare: [unchangedOrAbsent(key, known)],
    ops: [Object.keys(left).length > 0 ? op.put(key, owedCodec.encode(left)) : op.delete(key)],
  };
};

/**
 * Another spec of a keyspace: the policy, and what it says of copies. Raises the generation, so that every reader is sent the map anew.
 * The scheme stays: changing it moves keys.
 */
export const keyspaceSpecPart = (
  state: RegisterState,
  spec: KeyspaceSpec,
): Part & { readonly generation: Generation } => {
  refuseWhileRecovering(state);
  const { record, map, headRevision } = requireKeyspace(state, spec.name);
  const generation = nextGeneration(map.generation);
  return {
    compare: [compare.modRevision(keys.mapHead(record.id), headRevision)],
    ops: [
      op.put(
        keys.keyspace(spec.name),
        keyspaceCodec.encode({ ...record, spec: { ...spec, scheme: record.spec.scheme } }),
      ),
      op.put(keys.mapHead(record.id), headCodec.encode(generation)),
    ],
    generation,
  };
};

export const clusterPolicyPart = (state: RegisterState, policy: Policy): Part => {
  const { cluster } = state;
  if (!cluster) throw new CadastreError('UNAVAILABLE', 'the register has no name yet', { remedy: 'try again' });
  return {
    compare: [compare.modRevision(keys.cluster, cluster.revision)],
    ops: [op.put(keys.cluster, clusterCodec.encode({ ...cluster.value, policy }))],
  };
};

export const nodePart = (state: RegisterState, node: NodeRecord): Part => {
  const known = state.nodes.get(node.entry.id);
  const key = keys.node(node.entry.id);
  return {
    compare: [known ? compare.modRevision(key, known.revision) : compare.absent(key)],
    ops: [op.put(key, nodeCodec.encode(node))],
  };
};

export const sessionPart = (session: SessionRecord, leaseId: LeaseId): Part => ({
  compare: [],
  ops: [
    op.put(keys.session(session.node), sessionCodec.encode(session), leaseId),
    op.delete(keys.departure(session.node)),
  ],
});

/** The node ends this session of its own accord: nobody need find out whether it is dead. */
export const departurePart = (node: string, leaseId: LeaseId): Part => ({
  compare: [compare.lease(keys.session(node), leaseId)],
  ops: [op.delete(keys.session(node)), op.put(keys.departure(node), new Uint8Array())],
});

/** This session, and no later one, counts no more: its node is dead as far as others can see. */
export const expulsionPart = (node: string, leaseId: LeaseId): Part => ({
  compare: [compare.lease(keys.session(node), leaseId)],
  ops: [op.delete(keys.session(node))],
});

const BODY_CHUNK_BYTES = 512 * 1024;
export const MOVES_A_PLAN = 5_000;

export const newPlanPart = (head: Omit<PlanHead, 'bodyChunks'>, body: PlanBody): Part => {
  const bytes = planBodyCodec.encode(body);
  if (bytes.length > 2 * BODY_CHUNK_BYTES) {
    throw new CadastreError('RESOURCE_EXHAUSTED', `a plan of ${body.moves.length} moves has ${bytes.length} bytes`, {
      field: 'moves',
      limit: `${2 * BODY_CHUNK_BYTES} bytes`,
      remedy: 'propose for fewer keyspaces at once',
    });
  }
  const bodyChunks = Math.ceil(bytes.length / BODY_CHUNK_BYTES);
  const chunks = Array.from({ length: bodyChunks }, (_, i) =>
    op.put(keys.planBody(head.id, i), bytes.subarray(i * BODY_CHUNK_BYTES, (i + 1) * BODY_CHUNK_BYTES)),
  );
  return {
    compare: [compare.absent(keys.planHead(head.id))],
    ops: [...chunks, op.put(keys.planHead(head.id), planHeadCodec.encode({ ...head, bodyChunks }))],
  };
};

/** The body never changes: only the head is written. */
export const planHeadPart = (state: RegisterState, head: PlanHead): Part => {
  refuseWhileRecovering(state);
  return {
    compare: [compare.modRevision(keys.planHead(head.id), requirePlan(state, head.id).headRevision)],
    ops: [op.put(keys.planHead(head.id), planHeadCodec.encode(head))],
  };
};

export const movePart = (state: RegisterState, move: MoveRecord): Part => {
  const known = requirePlan(state, move.plan).moves.get(move.index);
  const key = keys.move(move.plan, move.index);
  return {
    compare: [known ? compare.modRevision(key, known.revision) : compare.absent(key)],
    ops: [op.put(key, moveCodec.encode(move))],
  };
};

/** Nothing of the map of these keyspaces has changed since it was looked at. */
export const mapUnchanged = (state: RegisterState, names: Iterable<string>): Part => {
  refuseWhileRecovering(state);
  return {
    compare: [...names].map((name) => {
      const view = requireKeyspace(state, name);
      return compare.modRevision(keys.mapHead(view.record.id), view.headRevision);
    }),
    ops: [],
  };
};
