import type { PlanInput, PlanLimits } from '@cadastre/core';
import type { RegisterState } from '@cadastre/store';
import { requireKeyspace, settingsOf } from '@cadastre/store';
import type { Observed } from './observed.js';
import { plannerNodes } from './world.js';

/** What the planner is given of a live cluster: for plans, for `why`, and for the rehearsal of a plan that waits. */
export const planInputOf = (
  state: RegisterState,
  observed: Observed,
  names: readonly string[],
  now: number,
  limits?: PlanLimits,
): PlanInput => {
  const { nodeBytesPerSecond } = settingsOf(state);
  const clusterPolicy = state.cluster?.value.policy;
  return {
    keyspaces: names.map((name) => {
      const { map } = requireKeyspace(state, name);
      const sizes = observed.sizesOf(name, map.partitions);
      return {
        spec: map.spec,
        generation: map.generation,
        records: map.records(),
        ...(sizes.some((bytes) => bytes > 0) && { bytesOf: (p: number) => sizes[p]! }),
      };
    }),
    nodes: plannerNodes(state),
    now,
    ...(limits && { limits }),
    ...(clusterPolicy && { clusterPolicy }),
    ...(nodeBytesPerSecond > 0 && { bytesPerSecond: nodeBytesPerSecond }),
  };
};
