import type { KeyspaceGeneration, KeyspaceMap, MapDelta, NodeEntry, PartitionRecord } from '@cadastre/core';
import { compareGenerations, isKnown, formatGeneration } from '@cadastre/core';
import type { MonotonicMs } from '@cadastre/runtime';
import type { Claims } from './claims.js';
import { claimed, confirmedBy, confirmedByMap, overdue } from './claims.js';

/**
 * Follows the map from one control-plane replica at a time. Pure: the driver opens streams, decodes messages and keeps the clock.
 * Holds INV-2: neither a generation nor a record ever goes back, whichever replica speaks.
 */
export const PROGRESS_PERIOD_MS = 5_000;
const SILENCE_MS = 3 * PROGRESS_PERIOD_MS;
const BACKOFF_INITIAL_MS = 50;
const BACKOFF_MAX_MS = 2_000;
/** Whatever a server asks for, a client is back within it. */
const SPREAD_MAX_MS = 30_000;

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
  /** A control plane or a node has given a map at least once. */
  readonly told: boolean;
  /** The highest incarnation of the register that was seen: nothing of a lower one is taken, even where no map is held (INV-2). */
  readonly incarnation: number;
  /** Over how long the server asks those who lose their stream to spread their return. */
  readonly spreadMs: number;
  /** What nodes said of partitions and the control plane has not yet. */
  readonly claims: Claims;
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
  | { readonly kind: 'progress'; readonly stream: number; readonly clusterId: string; readonly spreadMs?: number }
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
  /** Nodes gave the maps that they have; empty when the node did not know the cluster's id. */
  | { readonly kind: 'copy'; readonly clusterId: string; readonly maps: readonly KeyspaceMap[] }
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
  /** No control plane answers: any node may have a newer map than this client. */
  | { readonly kind: 'ask-nodes' }
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
  told: false,
  incarnation: 0,
  spreadMs: 0,
  claims: new Map(),
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
    return lose(state, `silent for ${SILENCE_MS} ms`, now, jitter);
  return step(state);
};

export const onEvent = (state: SyncState, event: SyncEvent, now: MonotonicMs): SyncStep => {
  if ('stream' in event) {
    if (state.connection.kind !== 'open' || state.connection.stream !== event.stream) return step(state);
    return onStreamEvent(
      {
        ...state,
        answered: state.answered || (event.kind !== 'ended' && event.kind !== 'damaged'),
        told: state.told || (event.kind !== 'ended' && event.kind !== 'damaged'),
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
      return heal(state, event.keyspace, event.record, event.nodes, now);
    case 'copy':
      return onCopy(state, event.clusterId, event.maps);
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
      return onSnapshot(state, event.stream, event.map, now);
    case 'delta':
      return onDelta(state, event.stream, event.delta, now);
    case 'dropped':
      return onDropped(state, event.keyspace);
    case 'progress':
      return onProgress({ ...state, spreadMs: event.spreadMs ?? 0 }, event.clusterId, now);
    case 'damaged':
      return leave(
        event.keyspace === undefined ? state : distrust(state, event.keyspace),
        event.why,
        now,
        event.jitter,
      );
    case 'ended':
      return lose(state, event.why, now, event.jitter);
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

/** A good stream that ends is lost by all watchers of that replica at once: they spread their return as it asked them to. */
const lose = (state: SyncState, why: string, now: MonotonicMs, jitter: number): SyncStep => {
  const left = leave(state, why, now, jitter);
  const { connection } = left.state;
  if (state.failures > 0 || connection.kind !== 'waiting') return left;
  const until = Math.max(connection.until, now + Math.min(state.spreadMs, SPREAD_MAX_MS) * jitter);
  const waiting: SyncState = { ...left.state, connection: { kind: 'waiting', until } };
  return step(waiting, left.actions);
};

/** Closes the stream and waits; the next one goes to the next replica. After a round without an answer the nodes are asked. */
const leave = (state: SyncState, why: string, now: MonotonicMs, jitter: number): SyncStep => {
  if (state.connection.kind !== 'open') return step(state);
  const { stream, address } = state.connection;
  const ceiling = Math.min(BACKOFF_MAX_MS, BACKOFF_INITIAL_MS * 2 ** state.failures);
  const until = now + ceiling * (0.25 + 0.75 * jitter);
  const failures = Math.min(state.failures + 1, 20);
  const asks = failures >= state.addresses.length ? [{ kind: 'ask-nodes' } as const] : [];
  return step({ ...state, failures, connection: { kind: 'waiting', until } }, [
    { kind: 'close', stream },
    { kind: 'warn', message: `map stream from ${address} left: ${why}` },
    ...asks,
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

const highestOf = (maps: Iterable<KeyspaceMap>): number =>
  [...maps].reduce((highest, { generation }) => Math.max(highest, generation.incarnation), 0);

const withMap = (state: SyncState, map: KeyspaceMap): SyncState => {
  const distrusted = new Set(state.distrusted);
  distrusted.delete(map.spec.name);
  const incarnation = Math.max(state.incarnation, map.generation.incarnation);
  return { ...state, maps: new Map(state.maps).set(map.spec.name, map), distrusted, incarnation };
};

/** A file is believed only until a control plane has spoken. */
const seed = (state: SyncState, clusterId: string, maps: readonly KeyspaceMap[]): SyncStep => {
  if (state.told) return step(state);
  const seeded = new Map(maps.map((m) => [m.spec.name, m] as const));
  const changed = maps.map((m): SyncAction => ({ kind: 'changed', keyspace: m.spec.name }));
  return step(
    {
      ...state,
      cluster: clusterId ? { id: clusterId, confirmed: false } : undefined,
      maps: seeded,
      mapsBefore: seeded,
      incarnation: highestOf(maps),
    },
    changed,
  );
};

const onSnapshot = (state: SyncState, stream: number, map: KeyspaceMap, now: MonotonicMs): SyncStep => {
  const keyspace = map.spec.name;
  const held = state.maps.get(keyspace);
  if (map.generation.incarnation < state.incarnation) return refuseIncarnation(state, map);
  if (held && compareGenerations(map.generation, held.generation) < 0) {
    const message = `snapshot of ${keyspace} at ${formatGeneration(map.generation)} is older than ${formatGeneration(held.generation)} and is refused`;
    return step(state, [{ kind: 'warn', message }]);
  }
  const disbelieved = new Set(
    overdue(state.claims, now).flatMap((c) => (c.keyspace === keyspace ? [c.partition] : [])),
  );
  const merged = held ? keepNewerRecords(held, map, disbelieved) : map;
  const next = withMap({ ...state, claims: confirmedByMap(state.claims, map, disbelieved) }, merged);
  return step(next, [
    { kind: 'applied', stream, applied: { keyspace, generation: merged.generation } },
    { kind: 'changed', keyspace },
  ]);
};

/**
 * A register that was restored from a backup without raising its incarnation, or an old one that came back: none of it is taken. The
 * stream goes on, for the mark at its end may say that it is of another cluster, whose incarnations count for themselves.
 */
const refuseIncarnation = (state: SyncState, { spec, generation }: KeyspaceMap): SyncStep => {
  const message = `snapshot of ${spec.name} at ${formatGeneration(generation)} is of an older incarnation than ${state.incarnation} and is refused`;
  return step(state, [{ kind: 'warn', message }]);
};

/** An owner may have healed a record further than the snapshot knows. A new incarnation of the register begins afresh. */
const keepNewerRecords = (
  held: KeyspaceMap,
  map: KeyspaceMap,
  disbelieved: ReadonlySet<number> = NONE,
): KeyspaceMap => {
  if (held.generation.incarnation !== map.generation.incarnation) return map;
  let merged = map;
  for (let p = 0, end = Math.min(held.partitions, map.partitions); p < end; p += 1) {
    if (held.epochOf(p) <= map.epochOf(p) || disbelieved.has(p)) continue;
    const record = held.record(p);
    const missing = record.replicas.filter((r) => !merged.node(r.node)).map((r) => held.node(r.node)!);
    merged = merged.healed(record, missing);
  }
  return merged;
};

const NONE: ReadonlySet<number> = new Set();

/** What nodes have is taken where it is newer; only a control plane can tell that a keyspace is gone, or confirm the cluster. */
const onCopy = (state: SyncState, clusterId: string, maps: readonly KeyspaceMap[]): SyncStep => {
  const { cluster } = state;
  if (cluster && clusterId !== '' && cluster.id !== clusterId) {
    const message = `maps of nodes of cluster ${clusterId} are refused: this client is of ${cluster.id}`;
    return step(state, [{ kind: 'warn', message }]);
  }
  const newer = maps.filter((map) => {
    const held = state.maps.get(map.spec.name);
    if (map.generation.incarnation < state.incarnation) return false;
    return !held || compareGenerations(map.generation, held.generation) > 0;
  });
  const id = cluster ?? (clusterId === '' ? undefined : { id: clusterId, confirmed: false });
  const next = newer.reduce(
    (to, map) => {
      const held = to.maps.get(map.spec.name);
      return withMap(to, held ? keepNewerRecords(held, map) : map);
    },
    { ...state, cluster: id, told: state.told || maps.length > 0 },
  );
  return step(
    next,
    newer.map((map): SyncAction => ({ kind: 'changed', keyspace: map.spec.name })),
  );
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
  const claims = confirmedBy(state.claims, delta.keyspace, delta.records);
  return step(withMap({ ...state, claims }, map), [
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
    const next: SyncState = { ...state, synced: true, failures: 0, cluster: id ? { id, confirmed: true } : undefined };
    return disbelieve(next, now);
  }
  return cluster.confirmed
    ? refuseCluster(state, cluster.id, clusterId, now)
    : forgetSeed(state, cluster.id, clusterId, now);
};

/** A mark says that all is told. What a node said long ago and is not in it was never so: the keyspace is asked for anew. */
const disbelieve = (state: SyncState, now: MonotonicMs): SyncStep => {
  const [claim] = overdue(state.claims, now).filter((c) => state.maps.has(c.keyspace));
  if (!claim) return step(state);
  const { keyspace, partition, epoch } = claim;
  return leave(
    distrust(state, keyspace),
    `${keyspace}/${partition}: a node claimed epoch ${epoch}, which the register does not have`,
    now,
    0,
  );
};

/** Two clusters' generations cannot be compared: the map that was good stays, until its own cluster answers again. */
const refuseCluster = (state: SyncState, id: string, other: string, now: MonotonicMs): SyncStep => {
  const touched = [...new Set([...state.maps.keys(), ...state.mapsBefore.keys()])].filter(
    (k) => state.maps.get(k) !== state.mapsBefore.get(k),
  );
  const left = leave(
    { ...state, maps: state.mapsBefore, incarnation: highestOf(state.mapsBefore.values()) },
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
    {
      ...state,
      maps: new Map(),
      mapsBefore: new Map(),
      claims: new Map(),
      incarnation: 0,
      cluster: { id: other, confirmed: true },
    },
    `the cached map is of cluster ${id}, not of ${other}: it is thrown away`,
    now,
    0,
  );
  return { ...left, actions: [...left.actions, ...changed] };
};

const heal = (
  state: SyncState,
  keyspace: string,
  record: PartitionRecord,
  nodes: readonly NodeEntry[],
  now: MonotonicMs,
): SyncStep => {
  const held = state.maps.get(keyspace);
  const map = held?.healed(record, nodes);
  if (!map || map === held) return step(state);
  const claims = claimed(state.claims, keyspace, record, now);
  return step({ ...state, claims, maps: new Map(state.maps).set(keyspace, map) }, [{ kind: 'changed', keyspace }]);
};
