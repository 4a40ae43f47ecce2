import { seededRandom } from '@cadastre/runtime';
import type { Violation } from '../checkers/index.js';
import { AGENT_FAULTS, nextFault, REGISTER_FAULTS } from './faults.js';
import { faultLane, moveLane, Period } from './lanes.js';
import { historyNow } from './recorder.js';
import type { World } from './world.js';
import { until } from '../until.js';
import { KEYSPACE } from './world.js';

export interface ScenarioOptions {
  readonly seed: number;
  readonly lengthMs: number;
  /** Only these kinds of faults; all when empty. */
  readonly faults: readonly string[];
}

export interface Scenario {
  /** May calls of clients fail, because enough is broken at once? */
  readonly mayFail: boolean;
  /** @returns what it saw broken by itself */
  run(world: World, options: ScenarioOptions): Promise<Violation[]>;
}

/** Faults of agents, faults of control planes and etcd, and moves, all at once, drawn from one seed. */
const chaos: Scenario = {
  mayFail: true,
  run: async (world, { seed, lengthMs, faults }) => {
    const period = new Period(lengthMs);
    const agents = seededRandom(seed * 3 + 1);
    const register = seededRandom(seed * 3 + 2);
    const wanted = ({ kind }: { readonly kind: string }): boolean => faults.length === 0 || faults.includes(kind);
    const lanes = [
      faultLane(world, period, agents, () => nextFault(AGENT_FAULTS.filter(wanted), world, agents)),
      faultLane(world, period, register, () => nextFault(REGISTER_FAULTS.filter(wanted), world, register)),
      moveLane(world, period, seededRandom(seed * 3 + 3)),
      watch(world, period),
    ];
    try {
      await Promise.all(lanes);
    } finally {
      period.finish();
      await Promise.allSettled(lanes);
    }
    return [];
  },
};

const watch = async (world: World, period: Period): Promise<void> => {
  while (!period.over) {
    await world.watchOver();
    await period.pause(500);
  }
};

const placement = async (world: World): Promise<string> => JSON.stringify(await world.operator.records(KEYSPACE.name));
const BEFORE_MS = 5_000;

/** All control planes and all of etcd die under load; what is served goes on, and nothing has moved when they are back. */
const staticStability: Scenario = {
  mayFail: false,
  run: async (world, { lengthMs }) => {
    const { recorder, etcd, controlPlanes } = world;
    await new Period(BEFORE_MS).pause(BEFORE_MS);
    const before = await placement(world);
    recorder.record({ type: 'fault', phase: 'begin', kind: 'outage', target: 'all control planes and etcd' });
    await Promise.all(controlPlanes.map((name) => world.end(name, 'SIGKILL')));
    await Promise.all(etcd.names.map((name) => etcd.kill(name)));
    await new Period(lengthMs).pause(lengthMs);
    await etcd.startAll();
    await Promise.all(controlPlanes.map((name) => world.bring(name)));
    recorder.record({ type: 'fault', phase: 'end', kind: 'outage', target: 'all control planes and etcd' });
    await until('a controller and all nodes are back', 60_000, async () => {
      const status = await world.operator.status();
      return status.active !== '' && status.nodesUp === world.agents.length;
    });
    const after = await placement(world);
    if (after === before) return [];
    return [
      {
        rule: 'static-stability',
        at: historyNow(),
        subject: KEYSPACE.name,
        what: `placement changed: ${before} became ${after}`,
      },
    ];
  },
};

/** Each process is stopped in order and replaced, one after the other, as an upgrade does. */
const rollingRestart: Scenario = {
  mayFail: false,
  run: async (world) => {
    const { recorder, etcd } = world;
    const replace = async (target: string, stop: () => Promise<void>, start: () => Promise<void>) => {
      recorder.record({ type: 'fault', phase: 'begin', kind: 'restart', target });
      await stop();
      await start();
      recorder.record({ type: 'fault', phase: 'end', kind: 'restart', target });
      await until(`all is whole after the restart of ${target}`, 90_000, async () => {
        const status = await world.operator.status();
        return (
          status.active !== '' &&
          status.nodesUp === world.agents.length &&
          status.keyspaces.every((k) => k.underReplicated === 0 && k.withoutLeader === 0)
        );
      });
    };
    for (const name of [...world.controlPlanes, ...world.agents]) {
      await replace(
        name,
        () => world.end(name, 'SIGTERM'),
        () => world.bring(name),
      );
    }
    for (const name of etcd.names)
      await replace(
        name,
        () => etcd.kill(name, 'SIGTERM'),
        () => etcd.start(name),
      );
    return [];
  },
};

export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  chaos,
  'static-stability': staticStability,
  'rolling-restart': rollingRestart,
};
