import {
  auditCodec,
  keys,
  MemoryStore,
  RegisterMirror,
  type RegisterChange,
  type RegisterState,
  parseKey,
  type Txn,
} from '@cadastre/store';
import type { KeyspaceMap, PartitionRecord, WriteOutcome } from '@cadastre/core';
import { inSyncOf, leaderOf } from '@cadastre/core';
import type { MapWatch } from '../../apps/storage-agent/src/map-watch.driver.js';
import { silentLogger } from '@cadastre/runtime';
import { ReplicaDriver, type WriteCall } from '../../apps/storage-agent/src/replica.driver.js';
import type { HistoryEvent } from '../../libs/testkit/src/checkers/index.js';
import { checkClients, describeViolation, InvariantChecker, pairCalls } from '../../libs/testkit/src/checkers/index.js';
import type { World } from './world.js';

type Unstamped = HistoryEvent extends infer E ? (E extends HistoryEvent ? Omit<E, 'at'> : never) : never;

type WriteObserver = (driver: ReplicaDriver, requestId: string, outcome: WriteOutcome) => void;
let writeObserver: WriteObserver | undefined;
const { write } = ReplicaDriver.prototype;

/** Of every leader in this process, at the moment at which it acknowledges; one world at a time. */
const observeWrites = (observer: WriteObserver): void => {
  writeObserver = observer;
  ReplicaDriver.prototype.write = function observed(requestId, ops, call) {
    const { sentAt } = call;
    const done: WriteCall['done'] = (outcome, at) => {
      writeObserver?.(this, requestId, outcome);
      call.done(outcome, at);
    };
    write.call(this, requestId, ops, { sentAt, done });
  };
};

const RUNNING = new Set(['approved', 'executing', 'paused', 'cancelling']);

/** Sees all that happens in a world, as one history, and holds each event against the invariants at once. */
export class Recorder {
  readonly events: HistoryEvent[] = [];
  readonly invariants = new InvariantChecker();
  readonly mirror: RegisterMirror;
  private readonly sealed = new Map<string, { readonly node: string; readonly epoch: number }>();
  private readonly plansSeen = new Set<string>();
  private readonly inSync = new Map<string, readonly string[]>();
  private term = 0n;
  /** When the map of any keyspace changed last. */
  mapChangedAt = 0;
  mapChanges = 0;

  constructor(private readonly world: World) {
    const { database } = world.etcd;
    const { observer } = world;
    // It sees each commit at the very moment.
    const clock = { ...observer.clock, after: (ms: number, task: () => void) => observer.later(ms, 'observer', task) };
    const store = new MemoryStore({ database, clock });
    this.mirror = new RegisterMirror(store, silentLogger, {
      onChange: (change, state) => this.onRegister(change, state),
      onFatal: (error) => world.violation(`the observer's watch ended: ${error.message}`),
    });
    void this.mirror.start();
    world.network.onSent = (process, path, message) => this.onSent(process.host, String(process.life), path, message);
    observeWrites((driver, requestId, outcome) => this.onWritten(driver, requestId, outcome));
  }

  get state(): RegisterState {
    return this.mirror.state;
  }

  add(event: Unstamped): void {
    const stamped = { at: this.world.scheduler.now, ...event } as HistoryEvent;
    this.events.push(stamped);
    for (const violation of this.invariants.observe(stamped)) this.world.violation(describeViolation(violation));
  }

  /** What clients saw, once the world has come to rest. */
  finish(): void {
    for (const violation of checkClients(pairCalls(this.events))) this.world.violation(describeViolation(violation));
  }

  private onRegister(change: RegisterChange, state: RegisterState): void {
    const audit = this.auditOf(change.revision);
    for (const id of change.nodes) {
      const node = state.nodes.get(id)?.value;
      if (node) this.add({ type: 'node', entry: node.entry, incarnation: node.incarnation });
    }
    for (const id of change.plans) this.onPlan(id, state);
    for (const name of change.snapshots) {
      const map = state.keyspaces.get(name)?.map;
      if (map)
        this.add({
          type: 'keyspace',
          spec: map.spec,
          partitions: map.partitions,
          generation: map.generation,
          records: map.records(),
        });
    }
    for (const delta of change.deltas) {
      // Of addresses alone.
      if (delta.records.length === 0) continue;
      this.mapChangedAt = this.world.scheduler.now;
      this.mapChanges += 1;
      this.add({
        type: 'map',
        keyspace: delta.keyspace,
        generation: delta.to,
        records: delta.records,
        actor: audit?.actor ?? '',
        verb: audit?.verb ?? '',
      });
      for (const record of delta.records) this.onRecord(delta.keyspace, record, audit?.verb);
      for (const record of delta.records)
        this.world.trace.note(
          `map ${delta.keyspace}/${record.partition} e${record.epoch} ${record.replicas.map((r) => `${r.node}:${r.role[0]}${r.inSync ? '+' : ''}`).join(' ')} (${audit?.verb ?? 'in-sync'})`,
        );
    }
    const term = state.controller?.term ?? this.term;
    if (term !== this.term) {
      this.term = term;
      this.add({ type: 'term', holder: state.controller?.id ?? '', term: Number(term) });
    }
  }

  /** INV-6: what no fault has touched is not failed over, whatever became of its session. */
  private onRecord(keyspace: string, record: PartitionRecord, verb: string | undefined): void {
    const key = `${keyspace}/${record.partition}`;
    const before = this.inSync.get(key) ?? [];
    const after = inSyncOf(record);
    this.inSync.set(key, after);
    if (verb !== 'failover') return;
    for (const node of before)
      if (!after.includes(node) && !this.world.touched.has(node))
        this.world.violation(`INV-6: ${node} is well, and ${key} was failed over from it`);
  }

  /** INV-1: who writes the map compares its election key; only the one transaction that makes a keyspace has no need to. */
  onTransaction(writer: string, { compare, success }: Txn): void {
    const kinds = success.map((o) => ('key' in o && o.kind === 'put' ? parseKey(o.key).kind : ''));
    if (!kinds.includes('map-head') || kinds.includes('keyspace')) return;
    const fenced = compare.some((c) => c.key.startsWith(`${keys.controllers}/`) && c.target === 'createRevision');
    if (!fenced) this.world.violation(`INV-1: ${writer} writes the map without comparing its election key`);
  }

  /** A leader serves only under an epoch that its disk has promised. */
  onServing(node: string, keyspace: string, partition: number, epoch: number): void {
    this.sealed.set(`${keyspace}/${partition}`, { node, epoch });
    const promised = this.world.nodes.get(node)?.engine?.meta({ keyspace, partition })?.promisedEpoch ?? 0;
    if (promised < epoch)
      this.world.violation(`INV-3: ${node} serves ${keyspace}/${partition} at ${epoch}, its disk promised ${promised}`);
  }

  private onPlan(id: string, state: RegisterState): void {
    const plan = state.plans.get(id);
    if (!plan) return;
    const approved = plan.head.events.find((e) => e.what.startsWith('approved'));
    const isNew = !this.plansSeen.has(id);
    this.plansSeen.add(id);
    this.add({
      type: 'plan',
      id,
      state: plan.head.state,
      digest: plan.head.digest,
      ...(isNew && { moves: plan.body.moves }),
      ...(approved && RUNNING.has(plan.head.state) && { approver: approved.actor }),
    });
  }

  private auditOf(revision: bigint) {
    const batch = this.world.etcd.database.batchesFrom(revision)?.find((b) => b.revision === revision);
    const entry = batch?.events.find(
      (e) => e.type === 'put' && e.kv.key.startsWith(AUDIT) && e.kv.key !== keys.auditHead,
    );
    return entry && auditCodec.decode(entry.kv.value);
  }

  private onSent(host: string, lifetime: string, path: string, message: unknown): void {
    if (!path.endsWith('/WatchMap')) return;
    const { applied } = message as {
      applied?: { applied: { keyspace: string; generation: { incarnation: number; number: number } }[] };
    };
    for (const { keyspace, generation } of applied?.applied ?? [])
      this.add({ type: 'applied', observer: host, lifetime, keyspace, generation });
  }

  private onWritten(driver: ReplicaDriver, requestId: string, outcome: WriteOutcome): void {
    if (outcome.kind !== 'done') return;
    const { node } = (driver as unknown as { around: { node: string } }).around;
    const { record } = driver.machine;
    // A request that was done under an older leader is answered by its successor, under the epoch of that one.
    const epoch = record && leaderOf(record) === node ? Math.max(record.epoch, outcome.epoch) : outcome.epoch;
    // A leader that stood still acknowledges late what all had durably before: true still, as the checks of the clients' calls show.
    const sealed = this.sealed.get(`${driver.id.keyspace}/${driver.id.partition}`);
    if (sealed && sealed.node !== node && sealed.epoch > epoch) return;
    const incarnation = this.incarnationOf(node);
    this.add({ type: 'acknowledged', node, incarnation, ...driver.id, epoch, seq: outcome.seq, requestId });
  }

  mapOf(node: string, keyspace: string): KeyspaceMap | undefined {
    const agent = this.world.nodes.get(node)?.agent as unknown as { watch: MapWatch } | undefined;
    return agent?.watch.get(keyspace);
  }

  incarnationOf(node: string): string {
    return this.world.nodes.get(node)?.incarnation ?? '';
  }
}

const AUDIT = keys.audit(1).slice(0, keys.audit(1).lastIndexOf('/') + 1);
