import type { MapDelta, PartitionRecord } from '@cadastre/core';
import { KeyspaceMap, leaderOf } from '@cadastre/core';
import type { Logger } from '@cadastre/runtime';
import { keys, parseKey, ROOT } from '../keys.js';
import type { KeyValue, Revision, Store, Watch, WatchBatch } from '../store.js';
import type { KeyspaceRecord, MoveRecord, NodeRecord, PlanHead, RecordCodec } from './records.js';
import {
  auditHeadCodec,
  approvalPolicyCodec,
  clusterCodec,
  controllerCodec,
  freezeCodec,
  headCodec,
  keyspaceCodec,
  manualFreezeCodec,
  moveCodec,
  nodeCodec,
  owedCodec,
  planBodyCodec,
  planHeadCodec,
  recoveryCodec,
  segmentCodec,
  sessionCodec,
  settingsCodec,
} from './records.js';
import type {
  ControllerView,
  KeyspaceView,
  PlanView,
  RegisterChange,
  RegisterState,
  SessionView,
  Stored,
} from './register-state.js';
import { nodeEntries } from './register-state.js';

export interface MirrorEvents {
  onChange(change: RegisterChange, state: RegisterState): void;
  /** The watch is over for good: the register is not the one it was. The process must stop acting. */
  onFatal(error: Error): void;
}

/**
 * The register in memory, fed by one watch. Raw values are kept by key; what a change touches is decoded and put together anew.
 * A record that cannot be read is kept aside with a loud line, and the last good one goes on being used (one bad record must never
 * take the plane down).
 */
export class RegisterMirror {
  private readonly raw = new Map<string, KeyValue>();
  private current: RegisterState = EMPTY;
  private watch: Watch | undefined;
  private readonly waiting = new Set<{ revision: Revision; resolve: () => void }>();
  private readonly first: Promise<void>;
  private markFirst: () => void = () => undefined;

  constructor(
    private readonly store: Store,
    private readonly logger: Logger,
    private readonly events: MirrorEvents,
  ) {
    this.first = new Promise((resolve) => (this.markFirst = resolve));
  }

  get state(): RegisterState {
    return this.current;
  }

  /** Resolves when the whole register has been read once. */
  start(): Promise<void> {
    this.watch = this.store.watch(ROOT, {
      onResync: (resync) => this.resync(resync.kvs, resync.revision),
      onBatch: (batch) => this.batch(batch),
      onProgress: (revision) => this.advance(revision),
      onError: (error) => this.events.onFatal(error),
    });
    return this.first;
  }

  stop(): void {
    this.watch?.close();
    for (const waiter of this.waiting) waiter.resolve();
    this.waiting.clear();
  }

  /** Resolves when the mirror shows at least `revision`. */
  reached(revision: Revision): Promise<void> {
    if (this.current.revision >= revision) return Promise.resolve();
    return new Promise((resolve) => this.waiting.add({ revision, resolve }));
  }

  private resync(kvs: readonly KeyValue[], revision: Revision): void {
    const touched = new Set([...this.raw.keys(), ...kvs.map((kv) => kv.key)]);
    this.raw.clear();
    for (const kv of kvs) this.keep(kv);
    this.apply(touched, revision, true);
    this.markFirst();
  }

  private batch({ events, revision }: WatchBatch): void {
    const touched = new Set<string>();
    for (const { type, kv } of events) {
      touched.add(kv.key);
      if (type === 'put') this.keep(kv);
      else this.raw.delete(kv.key);
    }
    this.apply(touched, revision, false);
  }

  /** Not what nobody here reads: the audit log grows for ever. */
  private keep(kv: KeyValue): void {
    if (parseKey(kv.key).kind !== 'other') this.raw.set(kv.key, kv);
  }

  private apply(touched: ReadonlySet<string>, revision: Revision, whole: boolean): void {
    const builder = new StateBuilder(this.current, this.raw, touched, this.logger, whole);
    const { state, change } = builder.build(revision);
    this.current = state;
    this.forgetBytes(touched);
    this.wake();
    this.events.onChange(change, state);
  }

  /** The bytes of segments that are in a map: of a million partitions they are more than the map itself. */
  private forgetBytes(touched: ReadonlySet<string>): void {
    const held = new Map([...this.current.keyspaces.values()].map((view) => [view.record.id, view]));
    for (const key of touched) {
      const parsed = parseKey(key);
      const kv = parsed.kind === 'map-segment' ? this.raw.get(key) : undefined;
      if (!kv || parsed.kind !== 'map-segment') continue;
      const isIn = held.get(parsed.id)?.segmentRevisions[parsed.number] === kv.modRevision;
      if (isIn) this.raw.set(key, { ...kv, value: NO_BYTES });
    }
  }

  private advance(revision: Revision): void {
    if (revision <= this.current.revision) return;
    this.current = { ...this.current, revision };
    this.wake();
  }

  private wake(): void {
    for (const waiter of this.waiting) {
      if (waiter.revision > this.current.revision) continue;
      this.waiting.delete(waiter);
      waiter.resolve();
    }
  }
}

const NO_BYTES = new Uint8Array(0);

const EMPTY: RegisterState = {
  revision: 0n,
  cluster: undefined,
  keyspaces: new Map(),
  nodes: new Map(),
  sessions: new Map(),
  departed: new Set(),
  plans: new Map(),
  settings: undefined,
  freeze: undefined,
  manualFreeze: undefined,
  approvalPolicy: undefined,
  recovery: undefined,
  restoring: false,
  owed: new Map(),
  floors: new Map(),
  controller: undefined,
  auditHead: undefined,
};

/** Puts together the state after a change from the state before, the raw values and the keys that were touched. */
class StateBuilder {
  /** Segments that were touched, by the id of the map that they are of; the id alone when only its head was. */
  private readonly maps = new Map<string, number[]>();
  private readonly names = new Set<string>();
  private readonly nodesTouched = new Set<string>();
  private readonly sessionsTouched = new Set<string>();
  private readonly departuresTouched = new Set<string>();
  private readonly owedTouched = new Set<string>();
  private readonly floorsTouched = new Set<string>();
  private readonly plansTouched = new Set<string>();
  private clusterTouched = false;
  private controllerTouched = false;
  private auditTouched = false;

  constructor(
    private readonly before: RegisterState,
    private readonly raw: ReadonlyMap<string, KeyValue>,
    private readonly touched: ReadonlySet<string>,
    private readonly logger: Logger,
    private readonly whole: boolean,
  ) {
    for (const key of touched) this.sort(key);
  }

  build(revision: Revision): { state: RegisterState; change: RegisterChange } {
    const { before } = this;
    const nodes = this.nodesTouched.size > 0 ? this.nodes() : before.nodes;
    const partial: RegisterState = {
      revision,
      cluster: this.clusterTouched ? this.stored(keys.cluster, clusterCodec, before.cluster) : before.cluster,
      keyspaces: before.keyspaces,
      nodes,
      sessions: this.sessionsTouched.size > 0 ? this.sessions() : before.sessions,
      departed: this.departuresTouched.size > 0 ? this.departed() : before.departed,
      plans: this.plansTouched.size > 0 ? this.plans() : before.plans,
      settings: this.touched.has(keys.settings)
        ? this.stored(keys.settings, settingsCodec, before.settings)
        : before.settings,
      freeze: this.touched.has(keys.freeze) ? this.stored(keys.freeze, freezeCodec, before.freeze) : before.freeze,
      manualFreeze: this.touched.has(keys.manualFreeze)
        ? this.stored(keys.manualFreeze, manualFreezeCodec, before.manualFreeze)
        : before.manualFreeze,
      approvalPolicy: this.touched.has(keys.approvalPolicy)
        ? this.stored(keys.approvalPolicy, approvalPolicyCodec, before.approvalPolicy)
        : before.approvalPolicy,
      recovery: this.touched.has(keys.recovery)
        ? this.stored(keys.recovery, recoveryCodec, before.recovery)
        : before.recovery,
      restoring: this.raw.has(keys.restoring),
      owed: this.named(before.owed, this.owedTouched, keys.owed, owedCodec),
      floors: this.named(before.floors, this.floorsTouched, keys.floor, headCodec),
      controller: this.controllerTouched ? this.controller() : before.controller,
      auditHead: this.auditTouched ? this.stored(keys.auditHead, auditHeadCodec, before.auditHead) : before.auditHead,
    };
    const maps = this.keyspaces(partial);
    return {
      state: { ...partial, keyspaces: maps.keyspaces },
      change: {
        revision,
        deltas: maps.deltas,
        snapshots: maps.snapshots,
        dropped: maps.dropped,
        nodes: [...this.nodesTouched],
        sessions: [...this.sessionsTouched],
        plans: [...this.plansTouched],
        controller: this.controllerTouched,
      },
    };
  }

  private sort(key: string): void {
    const parsed = parseKey(key);
    switch (parsed.kind) {
      case 'cluster':
        this.clusterTouched = true;
        break;
      case 'keyspace':
        this.names.add(parsed.id);
        break;
      case 'map-head':
        this.segmentsOf(parsed.id);
        break;
      case 'map-segment':
        this.segmentsOf(parsed.id).push(parsed.number);
        break;
      case 'node':
        this.nodesTouched.add(parsed.id);
        break;
      case 'session':
        this.sessionsTouched.add(parsed.id);
        break;
      case 'departure':
        this.departuresTouched.add(parsed.id);
        break;
      case 'owed':
        this.owedTouched.add(parsed.id);
        break;
      case 'floor':
        this.floorsTouched.add(parsed.id);
        break;
      case 'plan-head':
      case 'plan-body':
      case 'move':
        this.plansTouched.add(parsed.id);
        break;
      case 'controller':
        this.controllerTouched = true;
        break;
      case 'audit-head':
        this.auditTouched = true;
        break;
      default:
    }
  }

  private segmentsOf(id: string): number[] {
    const known = this.maps.get(id);
    if (known) return known;
    const segments: number[] = [];
    this.maps.set(id, segments);
    return segments;
  }

  /** A value that cannot be read leaves the last good one in place. */
  private decode<T>(kv: KeyValue, codec: RecordCodec<T>): T | undefined {
    try {
      return codec.decode(kv.value);
    } catch (error) {
      this.logger.error('a record of the register cannot be read and is kept aside', {
        key: kv.key,
        reason: String(error),
      });
      return undefined;
    }
  }

  private stored<T>(key: string, codec: RecordCodec<T>, lastGood: Stored<T> | undefined): Stored<T> | undefined {
    const kv = this.raw.get(key);
    if (!kv) return undefined;
    const value = this.decode(kv, codec);
    return value === undefined ? lastGood : { value, revision: kv.modRevision };
  }

  private nodes(): ReadonlyMap<string, Stored<NodeRecord>> {
    return this.named(this.before.nodes, this.nodesTouched, keys.node, nodeCodec);
  }

  private named<T>(
    before: ReadonlyMap<string, Stored<T>>,
    touched: ReadonlySet<string>,
    keyOf: (id: string) => string,
    codec: RecordCodec<T>,
  ): ReadonlyMap<string, Stored<T>> {
    if (touched.size === 0) return before;
    const after = new Map(before);
    for (const id of touched) {
      const value = this.stored(keyOf(id), codec, before.get(id));
      if (value) after.set(id, value);
      else after.delete(id);
    }
    return after;
  }

  private sessions(): Map<string, SessionView> {
    const sessions = new Map(this.before.sessions);
    for (const id of this.sessionsTouched) {
      const kv = this.raw.get(keys.session(id));
      const session = kv && this.decode(kv, sessionCodec);
      if (kv && session) sessions.set(id, { ...session, leaseId: kv.leaseId });
      else sessions.delete(id);
    }
    return sessions;
  }

  private departed(): Set<string> {
    const departed = new Set(this.before.departed);
    for (const id of this.departuresTouched) {
      if (this.raw.has(keys.departure(id))) departed.add(id);
      else departed.delete(id);
    }
    return departed;
  }

  /** The oldest candidate leads; its create revision is the term. */
  private controller(): ControllerView | undefined {
    let oldest: KeyValue | undefined;
    for (const [key, kv] of this.raw) {
      if (!key.startsWith(`${keys.controllers}/`)) continue;
      if (!oldest || kv.createRevision < oldest.createRevision) oldest = kv;
    }
    const record = oldest && this.decode(oldest, controllerCodec);
    return oldest && record ? { ...record, term: oldest.createRevision, key: oldest.key } : undefined;
  }

  private plans(): Map<string, PlanView> {
    const plans = new Map(this.before.plans);
    for (const id of this.plansTouched) {
      const plan = this.plan(id);
      if (plan) plans.set(id, plan);
      else plans.delete(id);
    }
    return plans;
  }

  private plan(id: string): PlanView | undefined {
    const before = this.before.plans.get(id);
    const lastGood = before && { value: before.head, revision: before.headRevision };
    const head = this.stored<PlanHead>(keys.planHead(id), planHeadCodec, lastGood);
    if (!head) return undefined;
    const body = before?.body ?? this.planBody(id, head.value.bodyChunks);
    if (!body) return undefined;
    return {
      head: head.value,
      headRevision: head.revision,
      body,
      moves: this.moves(id, before?.moves, body.moves.length),
    };
  }

  private planBody(id: string, chunks: number): PlanView['body'] | undefined {
    const parts: Uint8Array[] = [];
    for (let i = 0; i < chunks; i += 1) {
      const kv = this.raw.get(keys.planBody(id, i));
      if (!kv) return undefined;
      parts.push(kv.value);
    }
    const kv = this.raw.get(keys.planBody(id, 0));
    return kv && this.decode({ ...kv, value: Buffer.concat(parts) }, planBodyCodec);
  }

  private moves(id: string, before: PlanView['moves'] | undefined, count: number): Map<number, Stored<MoveRecord>> {
    const moves = new Map(before);
    for (let index = 0; index < count; index += 1) {
      const key = keys.move(id, index);
      if (before && !this.touched.has(key)) continue;
      const move = this.stored(key, moveCodec, before?.get(index));
      if (move) moves.set(index, move);
      else moves.delete(index);
    }
    return moves;
  }

  private keyspaces(state: RegisterState) {
    const keyspaces = new Map(this.before.keyspaces);
    const deltas: MapDelta[] = [];
    const snapshots: string[] = [];
    const dropped: string[] = [];
    for (const name of this.touchedNames()) {
      const before = this.before.keyspaces.get(name);
      const view = this.keyspace(name, before, state);
      if (!view) {
        if (keyspaces.delete(name)) dropped.push(name);
        continue;
      }
      keyspaces.set(name, view);
      const delta = this.delta(before, view);
      if (delta) deltas.push(delta);
      else if (view !== before) snapshots.push(name);
    }
    return { keyspaces, deltas, snapshots, dropped };
  }

  private touchedNames(): Set<string> {
    const names = new Set(this.names);
    if (this.maps.size > 0) {
      const told = new Set<string>();
      for (const [name, { record }] of this.before.keyspaces) {
        if (!this.maps.has(record.id)) continue;
        told.add(record.id);
        names.add(name);
      }
      // A map that comes with its keyspace is not known yet by its id; nor is one whose keyspace could not be read.
      if (told.size < this.maps.size)
        for (const key of this.raw.keys()) {
          const parsed = key.startsWith(keys.keyspaces) ? parseKey(key) : undefined;
          if (parsed?.kind === 'keyspace' && !this.before.keyspaces.has(parsed.id)) names.add(parsed.id);
        }
    }
    if (this.nodesTouched.size > 0) for (const name of this.before.keyspaces.keys()) names.add(name);
    return names;
  }

  private keyspace(name: string, before: KeyspaceView | undefined, state: RegisterState): KeyspaceView | undefined {
    const kv = this.raw.get(keys.keyspace(name));
    const record = kv && (before && !this.touched.has(kv.key) ? before.record : this.decode(kv, keyspaceCodec));
    if (!record) return kv ? before : undefined;
    const headKv = this.raw.get(keys.mapHead(record.id));
    const generation = headKv && this.decode(headKv, headCodec);
    if (!headKv || !generation) return before;
    const known = before && before.record.id === record.id && !this.whole ? before : undefined;
    const segments = this.segments(record, known);
    if (!segments) return before;
    const { records, revisions } = segments;
    try {
      const map = known
        ? (record === known.record ? known.map : known.map.withSpec(record.spec)).withDelta({
            keyspace: name,
            from: known.map.generation,
            to: generation,
            records: [...records],
            nodes: this.changedNodes(state),
          })
        : KeyspaceMap.fromRecords(record.spec, generation, records, nodeEntries(state));
      return { record, map, headRevision: headKv.modRevision, segmentRevisions: revisions };
    } catch (error) {
      this.logger.error('a map cannot be read; the last good one stays in use', {
        keyspace: name,
        reason: String(error),
      });
      return before;
    }
  }

  private changedNodes(state: RegisterState) {
    return [...this.nodesTouched].flatMap((id) => state.nodes.get(id)?.value.entry ?? []);
  }

  /** Records of the segments that changed; of all segments, one after the other, when nothing was known. Undefined while some are missing. */
  private segments(record: KeyspaceRecord, known: KeyspaceView | undefined) {
    const revisions: Revision[] = known ? [...known.segmentRevisions] : [];
    const changed: KeyValue[] = [];
    for (const segment of this.segmentsToRead(record, known)) {
      const kv = this.raw.get(keys.mapSegment(record.id, segment));
      if (!kv) return undefined;
      revisions[segment] = kv.modRevision;
      changed.push(kv);
    }
    return { records: this.recordsOf(changed), revisions };
  }

  /** @throws Error when one cannot be read */
  private *recordsOf(segments: readonly KeyValue[]): Generator<PartitionRecord> {
    for (const kv of segments) {
      const records = this.decode(kv, segmentCodec);
      if (!records) throw new Error(`${kv.key} cannot be read`);
      yield* records;
    }
  }

  private segmentsToRead(record: KeyspaceRecord, known: KeyspaceView | undefined): Iterable<number> {
    const count = Math.ceil(record.partitions / record.segmentSize);
    if (!known) return Array(count).keys();
    return (this.maps.get(record.id) ?? []).filter((segment) => segment < count).sort((a, b) => a - b);
  }

  /** What readers of the map are told: only records that really differ. Undefined when they need the whole. */
  private delta(before: KeyspaceView | undefined, after: KeyspaceView): MapDelta | undefined {
    // A spec travels in snapshots alone.
    if (!before || this.whole || before.record !== after.record) return undefined;
    const from = before.map.generation;
    const to = after.map.generation;
    const records: PartitionRecord[] = [];
    const { segmentSize, partitions } = after.record;
    for (const segment of this.segmentsToRead(after.record, before)) {
      if (after.segmentRevisions[segment] === before.segmentRevisions[segment]) continue;
      for (let p = segment * segmentSize; p < Math.min(partitions, (segment + 1) * segmentSize); p += 1) {
        const record = after.map.record(p);
        if (!sameRecord(record, before.map.record(p))) records.push(record);
      }
    }
    const nodes = this.changedNodes({
      ...this.before,
      nodes: this.nodesTouched.size > 0 ? this.nodes() : this.before.nodes,
    });
    return { keyspace: after.record.spec.name, from, to, records, nodes };
  }
}

const sameRecord = (a: PartitionRecord, b: PartitionRecord): boolean =>
  a.epoch === b.epoch &&
  a.replicas.length === b.replicas.length &&
  leaderOf(a) === leaderOf(b) &&
  a.replicas.every((r, i) => {
    const other = b.replicas[i]!;
    return r.node === other.node && r.role === other.role && r.state === other.state && r.inSync === other.inSync;
  });
