import type { ManualMove, PlanMove } from './plan.js';

/**
 * The way back of moves that were done, the last first. A copy that mended a loss has none, since the loss would come back; nor has
 * one that was too many.
 */
export const reverseMoves = (done: readonly PlanMove[]): ManualMove[] =>
  [...done]
    .reverse()
    .flatMap(({ keyspace, partition, kind, from, to }): ManualMove[] =>
      (kind === 'replica' || kind === 'leader') && from !== ''
        ? [{ keyspace, partition, kind, from: to, to: from }]
        : [],
    );
