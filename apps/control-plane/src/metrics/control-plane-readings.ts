import type { MapCounts } from '@cadastre/core';
import { countMap, isFinal, MOVE_PHASES, PLAN_STATES } from '@cadastre/core';
import type { Clock, Emit, Readings } from '@cadastre/runtime';
import type { Register, RegisterState } from '@cadastre/store';
import { settingsOf } from '@cadastre/store';
import type { Observed } from '../controller/observed.js';
import { isConnected, nodeState } from '../controller/world.js';
import type { StoreCare } from '../host/store-care.driver.js';
import type { ClusterLoad } from '../load/cluster-load.js';
import { recentRates } from '../load/recent-rates.js';
import { freezesIn } from '../operations/freeze.js';
import type { Operations } from '../operations/operations.js';
import type { WatchHub } from '../watch/watch-hub.js';
import type { ControlPlaneMeters } from './control-plane-meters.js';
import type { CONTROL_PLANE_METRICS } from './control-plane-metrics.js';
import { Rested } from './rested.js';
import type { Ranked } from './sizes.js';
import { largest, sizesOf } from './sizes.js';

/** Parts of a replica that are looked at. */
export interface ControlPlaneParts {
  readonly clock: Clock;
  readonly register: Register;
  readonly observed: Observed;
  readonly hub: WatchHub;
  readonly operations: Operations;
  readonly load: ClusterLoad;
  readonly meters: ControlPlaneMeters;
  /** Absent where nobody looks after etcd. */
  readonly care?: Pick<StoreCare, 'status' | 'leaderChanges' | 'quotaBytes'>;
  isActive(): boolean;
  sessions(): number;
}

type Table = typeof CONTROL_PLANE_METRICS;

/** Each is read from the mirror and from what agents reported, when somebody asks. */
export const controlPlaneReadings = (parts: ControlPlaneParts): Readings<Table> => {
  const { meters, register } = parts;
  return {
    isActive: (emit) => emit(Number(parts.isActive())),
    term: (emit) => emit(Number(register.state.controller?.term ?? 0)),
    elections: (emit) => emit(meters.electionsWon),
    queue: (emit) => emit(register.waiting),
    sessions: (emit) => emit(parts.sessions()),
    requests: meters.calls.requests,
    duration: meters.calls.durations,
    http: meters.httpRequests,
    failovers: (emit) => emit(meters.failovers),
    declaredDead: (emit) => emit(meters.declaredDead),
    ...mapReadings(parts),
    ...watchReadings(parts),
    ...sizeReadings(parts),
    ...rateReadings(parts),
    ...planReadings(parts),
    ...etcdReadings(parts),
  };
};

const maps = (state: RegisterState) => [...state.keyspaces.values()].map(({ map }) => map);

type MapReadings = Pick<
  Readings<Table>,
  | 'frozen'
  | 'generation'
  | 'incarnation'
  | 'nodes'
  | 'nodeReplicas'
  | 'nodeLeaders'
  | 'nodeCapacity'
  | 'partitions'
  | 'underReplicated'
  | 'belowMinInSync'
  | 'leaderless'
  | 'unavailable'
>;

const mapReadings = ({ register, clock }: ControlPlaneParts): MapReadings => {
  const counts = new Rested(clock, () => {
    const { state } = register;
    return maps(state).map((map) => ({ map, counts: countMap(map, (node) => isConnected(state, node)) }));
  });
  const ofKeyspace = (pick: (counts: MapCounts) => number) => (emit: Emit) => {
    for (const { map, counts: of } of counts.get()) emit(pick(of), map.spec.name);
  };
  const ofNode = (pick: (counts: MapCounts) => Int32Array) => (emit: Emit) => {
    const sums = new Map<string, number>([...register.state.nodes.keys()].map((node) => [node, 0]));
    for (const { map, counts: of } of counts.get())
      map.nodes.forEach(({ id }, i) => {
        if (sums.has(id)) sums.set(id, sums.get(id)! + pick(of)[i]!);
      });
    for (const [node, sum] of sums) emit(sum, node);
  };
  return {
    frozen: (emit) => {
      const by = new Set(freezesIn(register.state).map((freeze) => freeze.by));
      for (const who of ['person', 'automation']) emit(Number(by.has(who)), who);
    },
    generation: (emit) => {
      for (const { generation, spec } of maps(register.state)) emit(generation.number, spec.name);
    },
    incarnation: (emit) => {
      for (const { generation, spec } of maps(register.state)) emit(generation.incarnation, spec.name);
    },
    nodes: (emit) => {
      const { state } = register;
      const by = new Map<string, number>(['up', 'down', 'draining'].map((name) => [name, 0]));
      for (const node of state.nodes.keys()) by.set(nodeState(state, node), (by.get(nodeState(state, node)) ?? 0) + 1);
      for (const [name, count] of by) emit(count, name);
    },
    nodeCapacity: (emit) => {
      for (const [node, { value }] of register.state.nodes)
        if (value.capacity['bytes'] !== undefined) emit(value.capacity['bytes'], node);
    },
    nodeReplicas: ofNode((of) => of.replicas),
    nodeLeaders: ofNode((of) => of.leaders),
    partitions: (emit) => {
      for (const { partitions, spec } of maps(register.state)) emit(partitions, spec.name);
    },
    underReplicated: ofKeyspace((of) => of.underReplicated),
    belowMinInSync: ofKeyspace((of) => of.belowMinInSync),
    leaderless: ofKeyspace((of) => of.leaderless),
    unavailable: ofKeyspace((of) => of.unavailable),
  };
};

const watchReadings = ({ hub }: ControlPlaneParts): Pick<Readings<Table>, 'watchers' | 'behind' | 'watcherLag'> => ({
  watchers: (emit) => emit(hub.size),
  behind: (emit) => {
    for (const { keyspace, watchers, converged } of hub.convergence()) emit(watchers - converged, keyspace);
  },
  watcherLag: (emit) => {
    for (const [keyspace, lags] of hub.lagHistograms()) emit(lags, keyspace);
  },
});

type SizeReadings = Pick<Readings<Table>, 'nodeBytes' | 'keyspaceBytes' | 'topBytes' | 'topBytesPartition'>;

const sizeReadings = ({ clock, register, observed }: ControlPlaneParts): SizeReadings => {
  const sizes = new Rested(clock, () => sizesOf(observed, maps(register.state), register.state.nodes.keys()));
  const ranked = (pick: (ranked: Ranked) => number) => (emit: Emit) => {
    for (const [keyspace, { largest: ranks }] of sizes.get().keyspaces)
      ranks.forEach((one, rank) => emit(pick(one), keyspace, String(rank + 1)));
  };
  return {
    nodeBytes: (emit) => {
      for (const [node, bytes] of sizes.get().nodes) emit(bytes, node);
    },
    keyspaceBytes: (emit) => {
      for (const [keyspace, { bytes }] of sizes.get().keyspaces) emit(bytes, keyspace);
    },
    topBytes: ranked(({ value }) => value),
    topBytesPartition: ranked(({ partition }) => partition),
  };
};

type RateReadings = Pick<Readings<Table>, 'keyspaceRate' | 'topRate' | 'topRatePartition'>;

/** Where neighbours are measured together, the first of them stands for all. */
const rateReadings = ({ clock, register, load }: ControlPlaneParts): RateReadings => {
  const rates = new Rested(clock, () =>
    maps(register.state).flatMap(({ spec }) => {
      const known = load.look(spec.name, register.state);
      if (!known) return [];
      const all = recentRates(known, clock.wallMs());
      const hottest = largest(all).map(({ partition, value }) => ({ partition: partition * known.width, value }));
      return [{ keyspace: spec.name, sum: all.reduce((sum, rate) => sum + rate, 0), hottest }];
    }),
  );
  const ranked = (pick: (ranked: Ranked) => number) => (emit: Emit) => {
    for (const { keyspace, hottest } of rates.get())
      hottest.forEach((one, rank) => emit(pick(one), keyspace, String(rank + 1)));
  };
  return {
    keyspaceRate: (emit) => {
      for (const { keyspace, sum } of rates.get()) emit(sum, keyspace);
    },
    topRate: ranked(({ value }) => value),
    topRatePartition: ranked(({ partition }) => partition),
  };
};

type PlanReadings = Pick<
  Readings<Table>,
  'plans' | 'pastTheRules' | 'moves' | 'movesStalled' | 'movesThrottled' | 'planBytes' | 'throttle'
>;

const planReadings = ({ clock, register, operations }: ControlPlaneParts): PlanReadings => {
  const underWay = new Rested(clock, () => operations.movesUnderWay());
  const inCondition = (wanted: string) => (emit: Emit) =>
    emit(underWay.get().filter(({ condition }) => condition === wanted).length);
  return {
    plans: (emit) => {
      for (const state of PLAN_STATES.filter((name) => !isFinal(name)))
        emit([...register.state.plans.values()].filter(({ head }) => head.state === state).length, state);
    },
    pastTheRules: (emit) =>
      emit(
        [...register.state.plans.values()].filter(
          ({ head }) => head.breakGlass && head.state !== 'proposed' && !isFinal(head.state),
        ).length,
      ),
    moves: (emit) => {
      for (const phase of MOVE_PHASES) emit(underWay.get().filter((m) => m.phase === phase).length, phase);
    },
    movesStalled: inCondition('stalled'),
    movesThrottled: inCondition('throttled'),
    planBytes: (emit) => {
      emit(
        underWay.get().reduce((sum, { move }) => sum + move.bytes, 0),
        'total',
      );
      emit(
        underWay.get().reduce((sum, { bytesDone }) => sum + bytesDone, 0),
        'moved',
      );
    },
    throttle: (emit) => {
      const { nodeBytesPerSecond, clusterBytesPerSecond } = settingsOf(register.state);
      emit(nodeBytesPerSecond, 'node');
      emit(clusterBytesPerSecond, 'cluster');
    },
  };
};

type EtcdReadings = Pick<
  Readings<Table>,
  'etcdBytes' | 'etcdInUse' | 'etcdQuota' | 'etcdAlarms' | 'etcdVersion' | 'etcdLeaderChanges'
>;

/** As of the last look that was answered. */
const etcdReadings = ({ care }: ControlPlaneParts): EtcdReadings => ({
  etcdBytes: (emit) => {
    if (care?.status) emit(care.status.dbSizeBytes);
  },
  etcdInUse: (emit) => {
    if (care?.status) emit(care.status.dbSizeInUseBytes);
  },
  etcdQuota: (emit) => {
    if (care) emit(care.quotaBytes);
  },
  etcdAlarms: (emit) => {
    const counts = new Map<string, number>([
      ['NOSPACE', 0],
      ['CORRUPT', 0],
    ]);
    for (const alarm of care?.status?.alarms ?? []) {
      const name = alarm.split('@')[0]!;
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    for (const [name, count] of counts) emit(count, name);
  },
  etcdVersion: (emit) => {
    if (care?.status) emit(1, care.status.version);
  },
  etcdLeaderChanges: (emit) => emit(care?.leaderChanges ?? 0),
});
