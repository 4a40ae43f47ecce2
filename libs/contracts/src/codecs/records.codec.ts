import type {
  Generation,
  KeyspaceSpec,
  NodeEntry,
  PartitionRecord,
  Replica,
  ReplicaRole,
  ReplicaState,
} from '@cadastre/core';
import { CadastreError } from '@cadastre/core';
import type * as Wire from '../generated/index.js';
import { decodePolicy, encodePolicy } from './policy.codec.js';
import { decodeScheme, encodeScheme } from './scheme.codec.js';
import { wholeNumber } from './whole-number.js';

export { decodePolicy, encodePolicy } from './policy.codec.js';
export { decodeScheme, encodeScheme } from './scheme.codec.js';

/** A new role or state in the proto does not compile here until it is given a meaning. */
type WireRole = Exclude<NonNullable<Wire.Replica__Output['role']>, 'REPLICA_ROLE_UNSPECIFIED'>;
type WireState = Exclude<NonNullable<Wire.Replica__Output['state']>, 'REPLICA_STATE_UNSPECIFIED'>;
const ROLE_IN: Record<WireRole, ReplicaRole> = { LEADER: 'leader', FOLLOWER: 'follower', LEARNER: 'learner' };
const ROLE_OUT: Record<ReplicaRole, WireRole> = { leader: 'LEADER', follower: 'FOLLOWER', learner: 'LEARNER' };
const STATE_IN: Record<WireState, ReplicaState> = {
  INITIALIZING: 'initializing',
  AVAILABLE: 'available',
  LEAVING: 'leaving',
};
const STATE_OUT: Record<ReplicaState, WireState> = {
  initializing: 'INITIALIZING',
  available: 'AVAILABLE',
  leaving: 'LEAVING',
};

const damaged = (field: string, what: string): CadastreError =>
  new CadastreError('DATA_LOSS', `${field}: ${what}`, {
    field,
    remedy: 'the message is refused; if it comes from a newer version, upgrade this side',
  });

/** 64-bit numbers of ours count things and stay below 2^53; anything else is refused, never rounded. */
export const safeInteger = (field: string, value: number): number => {
  if (!Number.isSafeInteger(value) || value < 0) throw damaged(field, `${value} is out of range`);
  return value;
};

export const encodeGeneration = (generation: Generation): Wire.Generation => generation;

export const decodeGeneration = (wire: Wire.Generation__Output): Generation => ({
  incarnation: safeInteger('generation.incarnation', wire.incarnation),
  number: safeInteger('generation.number', wire.number),
});

export const requireGeneration = (wire: Wire.Generation__Output | null | undefined): Generation => {
  if (!wire) throw damaged('generation', 'is missing');
  return decodeGeneration(wire);
};

/** By number, as they lie in bytes that are read by hand; the order is that of the contract, from 1 on. */
const ROLES: readonly (ReplicaRole | undefined)[] = [undefined, 'leader', 'follower', 'learner'];
const STATES: readonly (ReplicaState | undefined)[] = [undefined, 'initializing', 'available', 'leaving'];

export const roleIn = (number: number): ReplicaRole => {
  const role = ROLES[number];
  if (role) return role;
  throw damaged('replica.role', `${number} is unknown`);
};

export const stateIn = (number: number): ReplicaState => {
  const state = STATES[number];
  if (state) return state;
  throw damaged('replica.state', `${number} is unknown`);
};

const decodeReplica = (wire: Wire.Replica__Output): Replica => {
  const role = ROLE_IN[wire.role as WireRole];
  const state = STATE_IN[wire.state as WireState];
  if (!role) throw damaged('replica.role', `${wire.role} is unknown`);
  if (!state) throw damaged('replica.state', `${wire.state} is unknown`);
  return { node: wire.node, role, state, inSync: wire.inSync };
};

export const encodeRecord = (record: PartitionRecord): Wire.PartitionRecord => ({
  partition: record.partition,
  epoch: record.epoch,
  replicas: record.replicas.map((r) => ({
    node: r.node,
    role: ROLE_OUT[r.role],
    state: STATE_OUT[r.state],
    inSync: r.inSync,
  })),
});

export const decodeRecord = (wire: Wire.PartitionRecord__Output): PartitionRecord => ({
  partition: wire.partition,
  epoch: safeInteger('record.epoch', wire.epoch),
  replicas: wire.replicas.map(decodeReplica),
});

/** @throws CadastreError INVALID_ARGUMENT naming the count that the wire cannot carry */
export const encodeSpec = (spec: KeyspaceSpec): Wire.KeyspaceSpec => ({
  name: spec.name,
  scheme: encodeScheme(spec.scheme),
  replicationFactor: wholeNumber('replicationFactor', spec.replicationFactor),
  minInSync: wholeNumber('minInSync', spec.minInSync),
  spread: spec.spread.map((s, i) => ({ ...s, maxPerDomain: wholeNumber(`spread[${i}].maxPerDomain`, s.maxPerDomain) })),
  policy: spec.policy ? encodePolicy(spec.policy) : null,
  ...(spec.firstEpoch && { firstEpoch: spec.firstEpoch }),
});

export const decodeSpec = (wire: Wire.KeyspaceSpec__Output | null | undefined): KeyspaceSpec => {
  if (!wire)
    throw new CadastreError('INVALID_ARGUMENT', 'spec: is missing', {
      field: 'spec',
      remedy: 'give the keyspace that is to be made',
    });
  return {
    name: wire.name,
    scheme: decodeScheme(wire.scheme),
    replicationFactor: wire.replicationFactor,
    minInSync: wire.minInSync,
    spread: wire.spread.map((s) => ({ label: s.label, maxPerDomain: s.maxPerDomain, hard: s.hard })),
    ...(wire.policy && { policy: decodePolicy(wire.policy) }),
    ...(wire.firstEpoch > 1 && { firstEpoch: safeInteger('spec.firstEpoch', wire.firstEpoch) }),
  };
};

export const encodeNode = (node: NodeEntry): Wire.NodeEntry => ({ ...node, labels: { ...node.labels } });

export const decodeNode = (wire: Wire.NodeEntry__Output): NodeEntry => ({
  id: wire.id,
  address: wire.address,
  labels: { ...wire.labels },
  weight: wire.weight,
});
