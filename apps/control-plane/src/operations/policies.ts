import type { KeyspaceSpec, Policy } from '@cadastre/core';
import {
  CadastreError,
  checkKeyspaceSpec,
  checkPolicy,
  checkPolicySatisfiable,
  checkSatisfiable,
} from '@cadastre/core';
import { encodePolicy, encodeSpec, type Wire } from '@cadastre/contracts';
import type { Part, RegisterState } from '@cadastre/store';
import { clusterPolicyPart, keyspaceSpecPart, requireKeyspace } from '@cadastre/store';
import { plannerNodes } from '../controller/world.js';
import { versionOf } from './versions.js';
import { hasEnded } from './views.js';

/** The policy of the cluster, or of a keyspace with what its spec says beside it. */
export const policyView = (state: RegisterState, keyspace: string): Wire.PolicyReply => {
  const content = policyContent(state, keyspace);
  return { ...content, version: versionOf(content) };
};

/** All that a version stands for. */
export const policyContent = (state: RegisterState, keyspace: string): Wire.PolicyReply => {
  if (keyspace === '') return { keyspace, policy: encodePolicy(state.cluster?.value.policy ?? {}) };
  const { spec } = requireKeyspace(state, keyspace).map;
  const { replicationFactor, minInSync, spread } = encodeSpec(spec);
  const seen = {
    ...(replicationFactor !== undefined && { replicationFactor }),
    ...(minInSync !== undefined && { minInSync }),
  };
  return { keyspace, policy: encodePolicy(spec.policy ?? {}), ...seen, spread: spread ?? [] };
};

/**
 * What a policy of a keyspace says of all its copies stands in its spec, where agents and clients read it; its hard and soft maximums
 * too, so that each is said once.
 */
export const specWith = (spec: KeyspaceSpec, policy: Policy): KeyspaceSpec => {
  const { replicationFactor, minInSync, ...rest } = policy;
  const copies = replicationFactor ?? spec.replicationFactor;
  const own = { ...spec, replicationFactor: copies, minInSync: minInSync ?? Math.min(spec.minInSync, copies) };
  return checkKeyspaceSpec({ ...own, policy: rest });
};

/** @throws CadastreError UNSATISFIABLE for the first keyspace that cannot be placed under it */
export const checkPlaceable = (
  state: RegisterState,
  spec: KeyspaceSpec,
  partitions: number,
  cluster?: Policy,
): void => {
  const nodes = plannerNodes(state);
  const shared = cluster ?? state.cluster?.value.policy;
  checkPolicySatisfiable(spec, partitions, nodes, shared);
  checkSatisfiable(spec, nodes, shared);
};

/** The change of a policy as a part of a transaction. Pure: decided on the mirrored state, compared when it is committed. */
export const policyPart = (state: RegisterState, keyspace: string, policy: Policy): Part & { keyspaces: string[] } => {
  if (keyspace === '') return clusterPart(state, policy);
  const { map } = requireKeyspace(state, keyspace);
  refuseWhileRunning(state, [keyspace]);
  const spec = specWith(map.spec, policy);
  checkPlaceable(state, spec, map.partitions);
  return { ...keyspaceSpecPart(state, spec), keyspaces: [keyspace] };
};

const clusterPart = (state: RegisterState, policy: Policy): Part & { keyspaces: string[] } => {
  checkPolicy(policy, Number.MAX_SAFE_INTEGER);
  const keyspaces = [...state.keyspaces.keys()];
  refuseWhileRunning(state, keyspaces);
  for (const { map } of state.keyspaces.values()) checkPlaceable(state, map.spec, map.partitions, policy);
  return { ...clusterPolicyPart(state, policy), keyspaces };
};

/** What runs was approved under the rules of its time. */
const refuseWhileRunning = (state: RegisterState, keyspaces: readonly string[]): void => {
  const running = [...state.plans.values()].find(
    (p) =>
      !hasEnded(p.head.state) && p.head.state !== 'proposed' && p.body.base.some((b) => keyspaces.includes(b.keyspace)),
  );
  if (running)
    throw new CadastreError(
      'FAILED_PRECONDITION',
      `plan ${running.head.id} is ${running.head.state} under the policy as it is`,
      {
        field: 'policy',
        remedy: `wait for it, or cancel it: cadastre plan cancel ${running.head.id}`,
      },
    );
};
