import type { PlanInput, PlanLimits } from '@cadastre/core';
import type { RegisterState } from '@cadastre/store';
import { requireKeyspace, settingsOf } from '@cadastre/store';
import type { Observed } from './observed.js';
import { plannerNodes } from './world.js';

/** Wall clock ms at which a plan last moved each partition, as far as plans are kept. */
const lastMoves = (state: RegisterState): Map<string, number> => {
  const last = new Map<string, number>();
  for (const { body, moves } of state.plans.values())
    for (const [index, { value }] of moves) {
      const move = body.moves[index];
      if (!move || value.phase !== 'done') continue;
      const key = `${move.keyspace}/${move.partition}`;
      last.set(key, Math.max(last.get(key) ?? 0, value.sinceMs));
    }
  return last;
};

/**
 * What the planner is given of a live cluster: for plans, for `why`, for repairs. With `coolDownMs` a partition that moved
 * less than that ago moves only for repair or a constraint.
 */
export const planInputOf = (
  state: RegisterState,
  observed: Observed,
  names: readonly string[],
  now: number,
  limits?: PlanLimits,
  coolDownMs?: number,
): PlanInput => {
  const moved = coolDownMs === undefined ? undefined : lastMoves(state);
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
        ...(moved && { movedMsOf: (p: number) => moved.get(`${name}/${p}`) ?? 0 }),
        ...(sizes.some((bytes) => bytes > 0) && { bytesOf: (p: number) => sizes[p]! }),
      };
    }),
    nodes: plannerNodes(state),
    now,
    ...(limits && { limits }),
    ...(coolDownMs !== undefined && { coolDownMs }),
    ...(clusterPolicy && { clusterPolicy }),
    ...(nodeBytesPerSecond > 0 && { bytesPerSecond: nodeBytesPerSecond }),
  };
};
