import type { Generation } from '@cadastre/core';
import { compareGenerations, formatGeneration } from '@cadastre/core';
import type { HistoryEvent } from './history.js';
import type { StreamChecker, Violation } from './violation.js';
import { NONE } from './violation.js';

interface Observer {
  lifetime: string;
  readonly at: Map<string, Generation>;
}

/** What agents and clients act on: it never goes back within one lifetime (INV-2), and after the last fault all act on the last map. */
export class ConvergenceChecker implements StreamChecker {
  private readonly observers = new Map<string, Observer>();
  private readonly latest = new Map<string, Generation>();

  observe(event: HistoryEvent): readonly Violation[] {
    if (event.type === 'keyspace') this.latest.set(event.spec.name, event.generation);
    if (event.type === 'map') this.latest.set(event.keyspace, event.generation);
    if (event.type !== 'applied') return NONE;
    let observer = this.observers.get(event.observer);
    if (!observer || observer.lifetime !== event.lifetime) {
      this.observers.set(event.observer, (observer = { lifetime: event.lifetime, at: new Map() }));
    }
    const before = observer.at.get(event.keyspace);
    observer.at.set(event.keyspace, event.generation);
    if (!before || compareGenerations(event.generation, before) >= 0) return NONE;
    const what = `acts on ${formatGeneration(event.generation)} after ${formatGeneration(before)}`;
    return [{ rule: 'INV-2', at: event.at, subject: `${event.observer} ${event.keyspace}`, what }];
  }

  /** To be asked when the world has been left alone for long enough. `alive` says whose lag counts. */
  end(at: number, alive: (observer: string) => boolean = () => true): readonly Violation[] {
    const found: Violation[] = [];
    for (const [name, observer] of this.observers) {
      if (!alive(name)) continue;
      for (const [keyspace, generation] of observer.at) {
        const last = this.latest.get(keyspace);
        if (!last || compareGenerations(generation, last) >= 0) continue;
        const what = `still acts on ${formatGeneration(generation)}, the map is at ${formatGeneration(last)}`;
        found.push({ rule: 'convergence', at, subject: `${name} ${keyspace}`, what });
      }
    }
    return found;
  }
}
