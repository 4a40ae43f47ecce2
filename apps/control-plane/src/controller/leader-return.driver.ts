import { decideLeaderReturn } from '@cadastre/core';
import type { Clock, Logger, MonotonicMs } from '@cadastre/runtime';
import type { Compare, Draft, Register, RegisterState } from '@cadastre/store';
import { join, owedPart, partitionsPart } from '@cadastre/store';
import { busyPartitions } from './busy-partitions.js';
import { leaderCounts } from './failover.driver.js';
import { nodeState } from './world.js';

export interface LeaderReturnOptions {
  readonly register: Register;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** One transaction a second, of a few partitions: gentle on those who write. */
const EVERY_MS = 1_000;
const A_TURN = 8;
/** A node has to have been back for so long, and the last failover to lie as far behind. */
const QUIET_MS = 5_000;

/** Gives leadership back to nodes that died and returned (INV-6: the return of a node runs alone). The debt is in the register. */
export class LeaderReturnDriver {
  private lastTurnAt: MonotonicMs = Number.NEGATIVE_INFINITY;
  private readonly backSince = new Map<string, MonotonicMs>();

  constructor(private readonly options: LeaderReturnOptions) {}

  /** @param doubted nodes that nothing is given to now */
  async round(fence: Compare, lastFailoverAt: MonotonicMs, doubted: readonly string[]): Promise<void> {
    const { register, clock } = this.options;
    const now = clock.monotonicMs();
    const node = this.next(register.state, now, doubted);
    if (node === undefined || now - this.lastTurnAt < EVERY_MS || now - lastFailoverAt < QUIET_MS) return;
    this.lastTurnAt = now;
    for (const keyspace of Object.keys(register.state.owed.get(node)!.value)) {
      const { result } = await register.commit((state) => draft(state, node, keyspace), fence);
      if (result === 0) continue;
      this.options.logger.info('leadership returned', { node, keyspace, partitions: result });
      return;
    }
  }

  private next(state: RegisterState, now: MonotonicMs, doubted: readonly string[]): string | undefined {
    for (const node of state.owed.keys()) {
      if (nodeState(state, node) !== 'up' || doubted.includes(node)) this.backSince.delete(node);
      else if (!this.backSince.has(node)) this.backSince.set(node, now);
    }
    return [...this.backSince].find(([node, since]) => state.owed.has(node) && now - since >= QUIET_MS)?.[0];
  }
}

const nothing: Draft<number> = { compare: [], ops: [], result: 0 };

const draft = (state: RegisterState, node: string, keyspace: string): Draft<number> => {
  const owed = state.owed.get(node)?.value ?? {};
  const leads = owed[keyspace] ?? 0;
  if (leads === 0) return nothing;
  const view = state.keyspaces.get(keyspace);
  if (!view) return { ...owedPart(state, node, { ...owed, [keyspace]: 0 }), result: 0 };
  const counts = leaderCounts(view.map);
  const busy = busyPartitions(state, keyspace);
  const turn = decideLeaderReturn({
    records: view.map.records(),
    node,
    owed: leads,
    leaderCount: (id) => counts.get(id) ?? 0,
    busy: (partition) => busy.has(partition),
    max: A_TURN,
  });
  if (turn.owed === leads) return nothing;
  const debt = owedPart(state, node, { ...owed, [keyspace]: turn.owed });
  if (turn.records.length === 0) return { ...debt, result: 0 };
  const map = partitionsPart(state, keyspace, turn.records);
  return {
    ...join(map, debt),
    result: turn.records.length,
    audit: {
      actor: 'cadastre',
      verb: 'return-leadership',
      subject: `node/${node}`,
      reason: 'it is back, in sync, and leads less than others',
      after: `${turn.records.length} partitions of ${keyspace}`,
      generation: [{ keyspace, generation: map.generation }],
    },
  };
};
