import type { PartitionRecord, PlanBody } from '@cadastre/core';
import type { KeyValue, Store, Watch, WatchBatch } from '@cadastre/store';
import type { AuditEntry, PlanHead } from '@cadastre/store';
import {
  auditCodec,
  headCodec,
  keyspaceCodec,
  nodeCodec,
  parseKey,
  planBodyCodec,
  planHeadCodec,
  ROOT,
  segmentCodec,
} from '@cadastre/store';
import type { Recorder } from './recorder.js';
import { historyNow } from './recorder.js';

interface Held {
  readonly name: string;
  readonly records: Map<number, string>;
}

/**
 * Writes every committed change of the register into the history: its own watch, its own reading of the bytes, so that nothing that
 * the product believes is taken for granted.
 */
export class RegisterObserver {
  private readonly raw = new Map<string, KeyValue>();
  private readonly keyspaces = new Map<string, Held>();
  private readonly told = new Map<string, string>();
  private watch: Watch | undefined;
  private lastAt = 0;
  private readonly wallOffsetMs = Date.now() - historyNow();

  constructor(
    private readonly store: Store,
    private readonly recorder: Recorder,
    private readonly onError: (error: Error) => void,
  ) {}

  start(): void {
    this.watch = this.store.watch(ROOT, {
      onResync: ({ kvs, reason, revision }) => {
        if (reason !== 'start') this.recorder.note(`observer read the register anew at ${revision}: ${reason}`);
        this.raw.clear();
        for (const kv of kvs) this.raw.set(kv.key, kv);
        for (const kv of kvs) this.takePlanOrNode(kv, historyNow());
        for (const kv of kvs) if (parseKey(kv.key).kind === 'keyspace') this.whole(kv);
      },
      onBatch: (batch) => this.batch(batch),
      onError: (error) => this.onError(error),
    });
  }

  stop(): void {
    this.watch?.close();
  }

  private batch({ events }: WatchBatch): void {
    let audit: AuditEntry | undefined;
    for (const { type, kv } of events) {
      if (type === 'delete') {
        this.raw.delete(kv.key);
        continue;
      }
      this.raw.set(kv.key, kv);
      if (kv.key.startsWith(`${ROOT}audit/`) && parseKey(kv.key).kind !== 'audit-head')
        audit = auditCodec.decode(kv.value);
    }
    const at = this.timeOf(audit);
    for (const { type, kv } of events) {
      if (type === 'delete') continue;
      this.takePlanOrNode(kv, at);
      if (parseKey(kv.key).kind === 'keyspace') this.whole(kv);
      const key = parseKey(kv.key);
      if (key.kind === 'map-head')
        this.mapChange(
          key.id,
          kv,
          events.map((e) => e.kv),
          audit,
          at,
        );
    }
  }

  /** What is told late happened no later than its writer said; the order of commits stays. */
  private timeOf(audit: AuditEntry | undefined): number {
    const now = historyNow();
    const said = audit ? audit.atMs - this.wallOffsetMs : now;
    this.lastAt = Math.max(this.lastAt, Math.min(now, said));
    return this.lastAt;
  }

  private takePlanOrNode(kv: KeyValue, at: number): void {
    const key = parseKey(kv.key);
    if (key.kind === 'node') {
      const { entry, incarnation } = nodeCodec.decode(kv.value);
      this.recorder.record({ type: 'node', at, entry, incarnation });
    } else if (key.kind === 'plan-head') {
      const head = planHeadCodec.decode(kv.value);
      const approver = approverOf(head);
      const body = this.told.has(head.id) ? undefined : this.bodyOf(head);
      const what = `${head.state} ${head.digest} ${approver ?? ''}`;
      if (this.told.get(head.id) === what) return;
      this.told.set(head.id, what);
      this.recorder.record({
        type: 'plan',
        at,
        id: head.id,
        state: head.state,
        digest: head.digest,
        ...(body && { moves: body.moves }),
        ...(approver !== undefined && { approver }),
      });
    }
  }

  private bodyOf(head: PlanHead): PlanBody | undefined {
    const chunks = Array.from(
      { length: head.bodyChunks },
      (_, i) => this.raw.get(`${ROOT}plans/${head.id}/body/${String(i).padStart(4, '0')}`)?.value,
    );
    return chunks.every((c) => c !== undefined)
      ? planBodyCodec.decode(Buffer.concat(chunks as Uint8Array[]))
      : undefined;
  }

  private whole(kv: KeyValue): void {
    const { spec, id, partitions } = keyspaceCodec.decode(kv.value);
    const head = this.raw.get(`${ROOT}map/${id}/head`);
    if (!head) return;
    const records = [...this.raw]
      .filter(([key]) => key.startsWith(`${ROOT}map/${id}/segments/`))
      .flatMap(([, segment]) => [...segmentCodec.decode(segment.value)]);
    this.keyspaces.set(id, { name: spec.name, records: new Map(records.map((r) => [r.partition, JSON.stringify(r)])) });
    const at = this.timeOf(undefined);
    this.recorder.record({ type: 'keyspace', at, spec, partitions, generation: headCodec.decode(head.value), records });
  }

  private mapChange(
    id: string,
    head: KeyValue,
    kvs: readonly KeyValue[],
    audit: AuditEntry | undefined,
    at: number,
  ): void {
    const held = this.keyspaces.get(id);
    // The head of a keyspace that is being made comes with its keyspace record.
    if (!held || kvs.some((kv) => parseKey(kv.key).kind === 'keyspace')) return;
    const changed: PartitionRecord[] = [];
    for (const kv of kvs) {
      const key = parseKey(kv.key);
      if (key.kind !== 'map-segment' || key.id !== id) continue;
      for (const record of segmentCodec.decode(kv.value)) {
        const text = JSON.stringify(record);
        if (held.records.get(record.partition) === text) continue;
        held.records.set(record.partition, text);
        changed.push(record);
      }
    }
    this.recorder.record({
      type: 'map',
      at,
      keyspace: held.name,
      generation: headCodec.decode(head.value),
      records: changed,
      actor: audit?.actor ?? '',
      verb: audit?.verb ?? '',
    });
  }
}

/** A person, or the policy in which a person approved that kind of move beforehand. */
const approverOf = (head: PlanHead): string | undefined => {
  const approval = head.events.find((e) => e.what.startsWith('approved'));
  if (approval === undefined || approval.actor !== 'cadastre') return approval?.actor;
  return /^approved(: settings:| by policy )/.test(approval.what) ? 'policy' : undefined;
};
