import type { FoundCopy, RecoveredKeyspace } from '@cadastre/core';
import { CadastreError, EPOCH_STEP } from '@cadastre/core';
import type { KeyspaceRecord, Op, Compare, Part, RegisterState } from '@cadastre/store';
import {
  compare,
  headCodec,
  join,
  keys,
  keyspaceCodec,
  nodeCodec,
  op,
  SEGMENT,
  unchangedOrAbsent,
} from '@cadastre/store';

/** What is to become of one keyspace, its segments written already under an id that nothing names yet. */
export interface Adopted {
  readonly keyspace: RecoveredKeyspace;
  readonly id: string;
}

/** One transaction's part for one keyspace: the record names the new map, the old one goes. */
export const adoptKeyspacePart = (state: RegisterState, { keyspace, id }: Adopted, nowMs: number): Part => {
  const { name, verdict, spec, partitions, generation } = keyspace;
  const before = state.keyspaces.get(name);
  const compares: Compare[] = before
    ? [compare.modRevision(keys.mapHead(before.record.id), before.headRevision)]
    : [compare.absent(keys.keyspace(name))];
  const leave: Op[] = before ? [op.deletePrefix(keys.mapOf(before.record.id))] : [];
  if (verdict === 'gone') {
    const floor = floorPart(state, name, generation.incarnation, highestEpoch(before?.map.epochs) + EPOCH_STEP);
    return join({ compare: compares, ops: [op.delete(keys.keyspace(name)), ...leave] }, floor);
  }
  const record: KeyspaceRecord = {
    spec,
    id,
    createdMs: before?.record.createdMs ?? Math.round(nowMs),
    segmentSize: SEGMENT,
    partitions,
  };
  return {
    compare: [...compares, compare.absent(keys.mapHead(id))],
    ops: [
      op.put(keys.keyspace(name), keyspaceCodec.encode(record)),
      op.put(keys.mapHead(id), headCodec.encode(generation)),
      ...leave,
    ],
  };
};

const highestEpoch = (epochs: Float64Array | undefined): number => {
  let highest = 0;
  for (const epoch of epochs ?? []) highest = Math.max(highest, epoch);
  return highest;
};

/** A keyspace made anew under this name begins above all that its old copies have promised, so that none of them is taken for its own. */
const floorPart = (state: RegisterState, name: string, incarnation: number, number: number): Part => ({
  compare: [unchangedOrAbsent(keys.floor(name), state.floors.get(name))],
  ops: [op.put(keys.floor(name), headCodec.encode({ incarnation, number }))],
});

/** Copies of keyspaces that neither the register nor any agent's map knows. */
export const strayFloorsPart = (
  state: RegisterState,
  unnamed: readonly FoundCopy[],
  known: ReadonlySet<string>,
  incarnation: number,
): Part => {
  const highest = new Map<string, number>();
  for (const { keyspace, promisedEpoch } of unnamed)
    if (!known.has(keyspace)) highest.set(keyspace, Math.max(promisedEpoch, highest.get(keyspace) ?? 0));
  return join(
    ...[...highest].map(([name, epoch]) => {
      const floor = state.floors.get(name)?.value.number ?? 0;
      return floor > epoch ? join() : floorPart(state, name, incarnation, epoch + EPOCH_STEP);
    }),
  );
};

/** Nodes that the maps name and that have not come back: what their data is they say themselves when they do. */
export const missingNodesPart = (
  state: RegisterState,
  keyspaces: readonly RecoveredKeyspace[],
  nowMs: number,
): Part => {
  const named = new Map<string, RecoveredKeyspace['nodes'][number]>();
  for (const { nodes, records } of keyspaces) {
    const holding = new Set(records.flatMap((r) => r.replicas.map((x) => x.node)));
    for (const node of nodes) if (holding.has(node.id) && !state.nodes.has(node.id)) named.set(node.id, node);
  }
  return join(
    ...[...named.values()].map((entry): Part => {
      const { capacity = {}, ...rest } = entry;
      const record = { entry: rest, capacity, incarnation: '', adminState: 'active', registeredMs: nowMs } as const;
      return {
        compare: [compare.absent(keys.node(entry.id))],
        ops: [op.put(keys.node(entry.id), nodeCodec.encode(record))],
      };
    }),
  );
};

export const notWaiting = (state: string): CadastreError =>
  new CadastreError('FAILED_PRECONDITION', `the register does not wait for a recovery: ${state}`, {
    field: 'recovery',
    remedy: 'see cadastre recovery show',
  });
