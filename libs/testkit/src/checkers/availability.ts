import type { ClientCall } from './client-history.js';
import { groupBy, partitionOf } from './client-history.js';

/** A time in which a partition answered nobody although it was asked. */
export interface Window {
  readonly partition: string;
  readonly from: number;
  readonly ms: number;
}

/**
 * Between two answered calls of a partition, the time in which some call waited. `overMs`: shorter ones are latency.
 * Seen from clients, so it counts what they felt: detection, failover, the way to the new leader.
 */
export const unavailability = (calls: readonly ClientCall[], overMs = 500): Window[] => {
  const windows: Window[] = [];
  for (const [partition, ofPartition] of groupBy(calls, partitionOf)) {
    const answers = ofPartition
      .filter((c) => c.outcome === 'ok')
      .map((c) => c.returned)
      .sort((a, b) => a - b);
    const asked = ofPartition.map((c) => c.invoke.at).sort((a, b) => a - b);
    let next = 0;
    let since = -Infinity;
    for (const answer of [...answers, Infinity]) {
      while (next < asked.length && asked[next]! <= since) next += 1;
      const from = asked[next];
      // The first that asked after the last answer has waited until this one.
      const until = answer === Infinity ? (asked.at(-1) ?? 0) : answer;
      if (from !== undefined && until - from > overMs) windows.push({ partition, from, ms: until - from });
      since = answer;
    }
  }
  return windows.sort((a, b) => b.ms - a.ms);
};
