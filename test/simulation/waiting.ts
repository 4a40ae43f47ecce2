import { inSyncOf, leaderOf } from '@cadastre/core';
import type { World } from './world.js';

type Wait = (what: string, withinMs: number, condition: () => boolean) => Promise<boolean>;

/** Runs the world until a condition holds; that it does not in time is a violation. */
export const waiterOf =
  (world: World): Wait =>
  async (what, withinMs, condition) => {
    const { scheduler } = world;
    const ended = (): boolean => world.violations.length > 0;
    let reached = false;
    const end = scheduler.now + withinMs;
    // Looked at now and then only: it costs more than most events.
    let lookAt = scheduler.now;
    await scheduler.run(end, () => {
      if (ended()) return true;
      if (scheduler.now < lookAt) return false;
      lookAt = scheduler.now + 100;
      return (reached = condition());
    });
    if (!reached && !ended()) world.violation(`not within ${withinMs} ms: ${what}`);
    return reached;
  };

/** All nodes are connected, no plan is under way, every partition has all its copies, and everybody acts on the last map. */
export const isWhole = (world: World, replicationFactor: number): boolean => {
  const { state } = world.recorder;
  for (const node of world.nodes.keys()) if (!state.sessions.has(node)) return false;
  for (const { head } of state.plans.values())
    if (['approved', 'executing', 'paused', 'cancelling'].includes(head.state)) return false;
  for (const { map } of state.keyspaces.values())
    for (const record of map.records())
      if (
        leaderOf(record) === undefined ||
        record.replicas.length !== replicationFactor ||
        inSyncOf(record).length !== replicationFactor
      )
        return false;
  return [...world.nodes.keys(), ...world.clients.keys()].every((observer) => world.actsOnLastMap(observer));
};
