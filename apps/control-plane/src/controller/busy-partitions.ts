import { isFinal } from '@cadastre/core';
import type { RegisterState } from '@cadastre/store';

/** Partitions that a plan which has not ended touches: a change beside it would make it stale. */
export const busyPartitions = (state: RegisterState, keyspace: string): Set<number> => {
  const busy = new Set<number>();
  for (const { head, body } of state.plans.values()) {
    if (isFinal(head.state)) continue;
    for (const move of body.moves) if (move.keyspace === keyspace) busy.add(move.partition);
  }
  return busy;
};
