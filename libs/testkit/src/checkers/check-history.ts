import type { Window } from './availability.js';
import { unavailability } from './availability.js';
import { checkAcknowledged, checkLinearizable, checkPositions } from './client-checks.js';
import type { ClientCall } from './client-history.js';
import { pairCalls } from './client-history.js';
import { ConvergenceChecker } from './convergence-checker.js';
import type { HistoryEvent } from './history.js';
import { inOrder } from './history.js';
import { MapChecker } from './map-checker.js';
import type { PlacementOptions } from './placement-checker.js';
import { PlacementChecker } from './placement-checker.js';
import { ReplicaChecker } from './replica-checker.js';
import type { StreamChecker, Violation } from './violation.js';

export interface HistoryReport {
  readonly violations: readonly Violation[];
  readonly events: number;
  readonly calls: number;
  readonly failed: number;
  readonly unknown: number;
  readonly keys: number;
  readonly faults: number;
  readonly moves: number;
  readonly windows: readonly Window[];
}

export interface HistoryOptions extends PlacementOptions {
  /** Of one key's search. */
  readonly budget?: number;
  /** Whose map must be the last one at the end. */
  readonly alive?: (observer: string) => boolean;
}

/** All that must hold at each event, for worlds that check as they go. Calls of clients are judged at the end, by `checkClients`. */
export class InvariantChecker implements StreamChecker {
  readonly map = new MapChecker();
  readonly placement: PlacementChecker;
  readonly convergence = new ConvergenceChecker();
  private readonly replicas = new ReplicaChecker();
  private readonly all: readonly StreamChecker[];

  constructor(options: PlacementOptions = {}) {
    this.placement = new PlacementChecker(options);
    this.all = [this.map, this.placement, this.replicas, this.convergence];
  }

  observe(event: HistoryEvent): readonly Violation[] {
    let found: Violation[] | undefined;
    for (const checker of this.all) {
      const violations = checker.observe(event);
      if (violations.length > 0) (found ??= []).push(...violations);
    }
    return found ?? [];
  }
}

/** No acknowledged write lost, none twice, every key linearizable. */
export const checkClients = (calls: readonly ClientCall[], budget?: number): Violation[] => [
  ...checkAcknowledged(calls),
  ...checkPositions(calls),
  ...checkLinearizable(calls, budget),
];

/** Judges a whole history, in any order of its lines. */
export const checkHistory = (history: readonly HistoryEvent[], options: HistoryOptions = {}): HistoryReport => {
  const events = inOrder(history);
  const invariants = new InvariantChecker(options);
  const violations: Violation[] = [];
  for (const event of events) violations.push(...invariants.observe(event));
  violations.push(...invariants.convergence.end(events.at(-1)?.at ?? 0, options.alive));
  const calls = pairCalls(events);
  violations.push(...checkClients(calls, options.budget));
  return {
    violations,
    events: events.length,
    calls: calls.length,
    failed: calls.filter((c) => c.outcome === 'failed').length,
    unknown: calls.filter((c) => c.outcome === 'unknown').length,
    keys: new Set(calls.map((c) => `${c.invoke.keyspace}/${c.invoke.key}`)).size,
    faults: events.filter((e) => e.type === 'fault' && e.phase === 'begin').length,
    moves: invariants.placement.moves,
    windows: unavailability(calls),
  };
};
