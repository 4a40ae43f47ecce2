import type { KeyspaceGeneration, KeyspaceMap, MapDelta, NodeEntry, PartitionRecord } from '@cadastre/core';
import { compareGenerations, isKnown, formatGeneration } from '@cadastre/core';
import type { MonotonicMs } from '@cadastre/runtime';

/**
 * Follows the map from one control-plane replica at a time. Pure: the driver opens streams, decodes messages and keeps the clock.
 * Holds INV-2: neither a generation nor a record ever goes back, whichever replica speaks.
 */
export const PROGRESS_PERIOD_MS = 5_000;
const SILENCE_MS = 3 * PROGRESS_PERIOD_MS;
const BACKOFF_INITIAL_MS = 50;
const BACKOFF_MAX_MS = 2_000;

type Maps = ReadonlyMap<string, KeyspaceMap>;

export type Connection =
  | { readonly kind: 'stopped' }
  | { readonly kind: 'open'; readonly stream: number; readonly address: string; readonly heardAt: MonotonicMs }
  | { readonly kind: 'waiting'; readonly until: MonotonicMs };

export interface SyncState {
  readonly addresses: readonly string[];
  /** Place in `addresses` that is in use, or was last. */
  readonly at: number;
  readonly streams: number;
  readonly connection: Connection;
  /** Streams that broke since the last progress mark: exponent of the backoff. */
  readonly failures: number;
  readonly cluster: { readonly id: string; readonly confirmed: boolean } | undefined;
  /** A control plane has answered at least once. */
  readonly answered: boolean;
  /** A control plane has told of all keyspaces at least once. */
  readonly synced: boolean;
  readonly maps: Maps;
  /** As they were before this stream: what to return to when it turns out to belong to another cluster. */
  readonly mapsBefore: Maps;
  /** Keyspaces to be asked for in full. */
  readonly distrusted: ReadonlySet<string>;
}

export type SyncEvent =
  | { readonly kind: 'start' }
  | { readonly kind: 'seed'; readonly clusterId: string; readonly maps: readonly KeyspaceMap[] }
  | { readonly kind: 'snapshot'; readonly stream: number; readonly map: KeyspaceMap }
  | { readonly kind: 'delta'; readonly stream: number; readonly delta: MapDelta }
  | { readonly kind: 'dropped'; readonly stream: number; readonly keyspace: string }
  | { readonly kind: 'progress'; readonly stream: number; readonly clusterId: string }
  /** Part of a snapshot. */
  | { readonly kind: 'heard'; readonly stream: number }
  | {
      readonly kind: 'damaged';
      readonly stream: number;
      readonly keyspace: string | undefined;
      readonly why: string;
      readonly jitter: number;
    }
  | { readonly kind: 'ended'; readonly stream: number; readonly why: string; readonly jitter: number }
  | {
      readonly kind: 'healed';
      readonly keyspace: string;
      readonly record: PartitionRecord;
      readonly nodes: readonly NodeEntry[];
    }
  | { readonly kind: 'stop' };

export type SyncAction =
  | {
      readonly kind: 'open';
      readonly stream: number;
      readonly address: string;
      readonly known: readonly KeyspaceGeneration[];
    }
  | { readonly kind: 'close'; readonly stream: number }
  | { readonly kind: 'applied'; readonly stream: number; readonly applied: KeyspaceGeneration }
  | { readonly kind: 'changed'; readonly keyspace: string }
  | { readonly kind: 'warn'; readonly message: string };

export interface SyncStep {
  readonly state: SyncState;
  readonly actions: readonly SyncAction[];
  readonly wakeAt: MonotonicMs | undefined;
}

export const initialSync = (addresses: readonly string[]): SyncState => ({
  addresses,
  at: -1,
  streams: 0,
  connection: { kind: 'stopped' },
  failures: 0,
  cluster: undefined,
  answered: false,
  synced: false,
  maps: new Map(),
  mapsBefore: new Map(),
  distrusted: new Set(),
});

const step = (state: SyncState, actions: readonly SyncAction[] = []): SyncStep => ({
  state,
  actions,
  wakeAt: wakeAtOf(state.connection),
});

const wakeAtOf = (connection: Connection): MonotonicMs | undefined => {
  if (connection.kind === 'waiting') return connection.until;
  return connection.kind === 'open' ? connection.heardAt + SILENCE_MS : undefined;
};

export const onAdvance = (state: SyncState, now: MonotonicMs, jitter: number): SyncStep => {
  const { connection } = state;
  if (connection.kind === 'waiting' && now >= connection.until) return open(state, now);
  if (connection.kind === 'open' && now >= connection.heardAt + SILENCE_MS)
    return leave(state, `silent for ${SILENCE_MS} ms`, now, jitter);
  return step(state);
};

export const onEvent = (state: SyncState, event: SyncEvent, now: MonotonicMs): SyncStep => {
  if ('stream' in event) {
    if (state.connection.kind !== 'open' || state.connection.stream !== event.stream) return step(state);
    return onStreamEvent(
      {
        ...state,
        answered: state.answered || (event.kind !== 'ended' && event.kind !== 'damaged'),
        connection: { ...state.connection, heardAt: now },
      },
      event,
      now,
    );
  }
  switch (event.kind) {
    case 'start':
      return state.connection.kind === 'stopped' ? open(state, now) : step(state);
    case 'seed':
      return seed(state, event.clusterId, event.maps);
    case 'healed':
      return heal(state, event.keyspace, event.record, event.nodes);
    case 'stop':
      return stop(state);
  }
};

type StreamEvent = Extract<SyncEvent, { stream: number }>;

const onStreamEvent = (state: SyncState, event: StreamEvent, now: MonotonicMs): SyncStep => {
  switch (event.kind) {
    case 'heard':
      return step(state);
    case 'snapshot':
      return onSnapshot(state, event.stream, event.map);
    case 'delta':
      return onDelta(state, event.stream, event.delta, now);
    case 'dropped':
      return onDropped(state, event.keyspace);
    case 'progress':
      return onProgress(state, event.clusterId, now);
    case 'damaged':
      return leave(
        event.keyspace === undefined ? state : distrust(state, event.keyspace),
        event.why,
        now,
        event.jitter,
      );
    case 'ended':
      return leave(state, event.why, now, event.jitter);
  }
};

const open = (state: SyncState, now: MonotonicMs): SyncStep => {
  const at = (state.at + 1) % state.addresses.length;
  const address = state.addresses[at]!;
  const stream = state.streams + 1;
  const known = [...state.maps.values()]
    .filter((m) => !state.distrusted.has(m.spec.name))
    .map((m) => ({ keyspace: m.spec.name, generation: m.generation }));
  const next: SyncState = {
    ...state,
    at,
    streams: stream,
    connection: { kind: 'open', stream, address, heardAt: now },
    mapsBefore: state.maps,
  };
  return step(next, [{ kind: 'open', stream, address, known }]);
};

/** Closes the stream and waits; the next one goes to the next replica. */
const leave = (state: SyncState, why: string, now: MonotonicMs, jitter: number): SyncStep => {
  if (state.connection.kind !== 'open') return step(state);
  const { stream, address } = state.connection;
  const ceiling = Math.min(BACKOFF_MAX_MS, BACKOFF_INITIAL_MS * 2 ** state.failures);
  const until = now + ceiling * (0.25 + 0.75 * jitter);
  const failures = Math.min(state.failures + 1, 20);
  return step({ ...state, failures, connection: { kind: 'waiting', until } }, [
    { kind: 'close', stream },
    { kind: 'warn', message: `map stream from ${address} left: ${why}` },
  ]);
};

const stop = (state: SyncState): SyncStep => {
  const actions: SyncAction[] =
    state.connection.kind === 'open' ? [{ kind: 'close', stream: state.connection.stream }] : [];
  return step({ ...state, connection: { kind: 'stopped' } }, actions);
};

const distrust = (state: SyncState, keyspace: string): SyncState => ({
  ...state,
  distrusted: new Set(state.distrusted).add(keyspace),
});

const withMap = (state: SyncState, map: KeyspaceMap): SyncState => {
  const distrusted = new Set(state.distrusted);
  distrusted.delete(map.spec.name);
  return { ...state, maps: new Map(state.maps).set(map.spec.name, map), distrusted };
};

/** A file is believed only until a control plane has spoken. */
const seed = (state: SyncState, clusterId: string, maps: readonly KeyspaceMap[]): SyncStep => {
  if (state.answered) return step(state);
  const seeded = new Map(maps.map((m) => [m.spec.name, m] as const));
  const changed = maps.map((m): SyncAction => ({ kind: 'changed', keyspace: m.spec.name }));
  return step(
    {
      ...state,
      cluster: clusterId ? { id: clusterId, confirmed: false } : undefined,
      maps: seeded,
      mapsBefore: seeded,
    },
    changed,
  );
};

const onSnapshot = (state: SyncState, stream: number, map: KeyspaceMap): SyncStep => {
  const keyspace = map.spec.name;
  const held = state.maps.get(keyspace);
  if (held && compareGenerations(map.generation, held.generation) < 0) {
    const message = `snapshot of ${keyspace} at ${formatGeneration(map.generation)} is older than ${formatGeneration(held.generation)} and is refused`;
    return step(state, [{ kind: 'warn', message }]);
  }
  const merged = held ? keepNewerRecords(held, map) : map;
  return step(withMap(state, merged), [
    { kind: 'applied', stream, applied: { keyspace, generation: merged.generation } },
    { kind: 'changed', keyspace },
  ]);
};

/** An owner may have healed a record further than the snapshot knows. A new incarnation of the register begins afresh. */
const keepNewerRecords = (held: KeyspaceMap, map: KeyspaceMap): KeyspaceMap => {
  if (held.generation.incarnation !== map.generation.incarnation) return map;
  let merged = map;
  for (let p = 0, end = Math.min(held.partitions, map.partitions); p < end; p += 1) {
    if (held.epochOf(p) <= map.epochOf(p)) continue;
    const record = held.record(p);
    const missing = record.replicas.filter((r) => !merged.node(r.node)).map((r) => held.node(r.node)!);
    merged = merged.healed(record, missing);
  }
  return merged;
};

/** A delta may begin and end at the generation that is held: then only addresses of nodes have changed. */
const onDelta = (state: SyncState, stream: number, delta: MapDelta, now: MonotonicMs): SyncStep => {
  const held = state.maps.get(delta.keyspace);
  if (held && isKnown(delta, held.generation)) return step(state);
  if (!held || compareGenerations(delta.from, held.generation) !== 0) {
    const have = held ? formatGeneration(held.generation) : 'nothing';
    return leave(
      distrust(state, delta.keyspace),
      `gap in ${delta.keyspace}: delta from ${formatGeneration(delta.from)}, held is ${have}`,
      now,
      0,
    );
  }
  const map = held.withDelta(delta);
  return step(withMap(state, map), [
    { kind: 'applied', stream, applied: { keyspace: delta.keyspace, generation: map.generation } },
    { kind: 'changed', keyspace: delta.keyspace },
  ]);
};

const onDropped = (state: SyncState, keyspace: string): SyncStep => {
  if (!state.maps.has(keyspace)) return step(state);
  const maps = new Map(state.maps);
  maps.delete(keyspace);
  return step({ ...state, maps }, [{ kind: 'changed', keyspace }]);
};

const onProgress = (state: SyncState, clusterId: string, now: MonotonicMs): SyncStep => {
  const { cluster } = state;
  if (!cluster || cluster.id === clusterId || clusterId === '') {
    const id = clusterId || cluster?.id;
    return step({ ...state, synced: true, failures: 0, cluster: id ? { id, confirmed: true } : undefined });
  }
  return cluster.confirmed
    ? refuseCluster(state, cluster.id, clusterId, now)
    : forgetSeed(state, cluster.id, clusterId, now);
};

/** Two clusters' generations cannot be compared: the map that was good stays, until its own cluster answers again. */
const refuseCluster = (state: SyncState, id: string, other: string, now: MonotonicMs): SyncStep => {
  const touched = [...new Set([...state.maps.keys(), ...state.mapsBefore.keys()])].filter(
    (k) => state.maps.get(k) !== state.mapsBefore.get(k),
  );
  const left = leave(
    { ...state, maps: state.mapsBefore },
    `it belongs to cluster ${other}, this client to ${id}`,
    now,
    1,
  );
  return {
    ...left,
    actions: [...left.actions, ...touched.map((keyspace): SyncAction => ({ kind: 'changed', keyspace }))],
  };
};

/** The file is of another cluster: begin with nothing. */
const forgetSeed = (state: SyncState, id: string, other: string, now: MonotonicMs): SyncStep => {
  const changed = [...state.maps.keys()].map((keyspace): SyncAction => ({ kind: 'changed', keyspace }));
  const left = leave(
    { ...state, maps: new Map(), mapsBefore: new Map(), cluster: { id: other, confirmed: true } },
    `the cached map is of cluster ${id}, not of ${other}: it is thrown away`,
    now,
    0,
  );
  return { ...left, actions: [...left.actions, ...changed] };
};

const heal = (state: SyncState, keyspace: string, record: PartitionRecord, nodes: readonly NodeEntry[]): SyncStep => {
  const held = state.maps.get(keyspace);
  const map = held?.healed(record, nodes);
  if (!map || map === held) return step(state);
  return step({ ...state, maps: new Map(state.maps).set(keyspace, map) }, [{ kind: 'changed', keyspace }]);
};
