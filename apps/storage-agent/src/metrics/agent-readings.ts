import type { KeyspaceMap } from '@cadastre/core';
import { REPLICA_PHASES } from '@cadastre/core';
import type { PartitionMeta, StorageEngine } from '@cadastre/engine';
import type { Clock, Emit, Readings } from '@cadastre/runtime';
import type { TransferRates } from '../byte-rate.js';
import type { ReplicaSet } from '../replica-set.driver.js';
import type { AgentMeters } from './agent-meters.js';
import type { AGENT_METRICS } from './agent-metrics.js';

/** Parts of an agent that are looked at. */
export interface AgentParts {
  readonly meters: AgentMeters;
  readonly clock: Clock;
  readonly engine: StorageEngine;
  readonly replicas: ReplicaSet;
  readonly rates: TransferRates;
  readonly holdMax: number;
  inFlight(): number;
  held(): number;
  fills(): number;
  followers(): number;
  sessionUp(): boolean;
  maps(): Iterable<KeyspaceMap>;
}

/** Each is one pass over what is here, when somebody asks: ten thousand copies take some milliseconds. */
export const agentReadings = (parts: AgentParts): Readings<typeof AGENT_METRICS> => {
  const { meters, replicas, rates } = parts;
  return {
    requests: meters.kv.requests,
    duration: meters.kv.durations,
    inFlight: (emit) => emit(parts.inFlight()),
    waiting: (emit) => emit(parts.held()),
    waitingMax: (emit) => emit(parts.holdMax),
    commit: (emit) => emit(meters.commitSeconds),
    lagSeconds: (emit) => emit(lagOf(parts).ms / 1000),
    lagEntries: (emit) => emit(lagOf(parts).entries),
    inSyncChanges: (emit) => {
      emit(meters.inSyncGrown, 'grown');
      emit(meters.inSyncShrunk, 'shrunk');
    },
    leadPauses: (emit) => emit(meters.leadPauseSeconds),
    writePauses: (emit) => emit(meters.writePauses),
    partitions: (emit) => phases(replicas, emit),
    bytes: (emit) => sums(parts.engine, ({ id }) => parts.engine.sizeBytes(id), emit),
    records: (emit) => sums(parts.engine, ({ count }) => count, emit),
    fills: (emit) => emit(parts.fills()),
    transferLimit: (emit) => {
      emit(rates.in.bytesPerSecond, 'in');
      emit(rates.out.bytesPerSecond, 'out');
    },
    transferred: (emit) => {
      emit(rates.in.total, 'in');
      emit(rates.out.total, 'out');
    },
    generation: (emit) => {
      for (const map of parts.maps()) emit(map.generation.number, map.spec.name);
    },
    followers: (emit) => emit(parts.followers()),
    session: (emit) => emit(Number(parts.sessionUp())),
  };
};

const lagOf = ({ replicas, clock }: AgentParts): { ms: number; entries: number } => {
  const now = clock.monotonicMs();
  const most = { ms: 0, entries: 0 };
  for (const replica of replicas.all()) {
    const lag = replica.machine.lag(now);
    if (!lag) continue;
    most.ms = Math.max(most.ms, lag.ms, replica.oldestWriteMs(now));
    most.entries = Math.max(most.entries, lag.entries);
  }
  return most;
};

const phases = (replicas: ReplicaSet, emit: Emit): void => {
  const counts = new Map<string, number>(REPLICA_PHASES.map((phase) => [phase, 0]));
  for (const { machine } of replicas.all()) counts.set(machine.phase, (counts.get(machine.phase) ?? 0) + 1);
  for (const [phase, count] of counts) emit(count, phase);
  emit([...replicas.allStrays()].length, 'quarantined');
};

const sums = (engine: StorageEngine, of: (meta: PartitionMeta) => number, emit: Emit): void => {
  const byKeyspace = new Map<string, number>();
  for (const meta of engine.partitions()) {
    const { keyspace } = meta.id;
    byKeyspace.set(keyspace, (byKeyspace.get(keyspace) ?? 0) + of(meta));
  }
  for (const [keyspace, sum] of byKeyspace) emit(sum, keyspace);
};
