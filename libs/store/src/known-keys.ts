import type { KeyValue, Resync, Revision, WatchBatch } from './store.js';

/** What one watch has delivered: each key's modRevision. Tells what a full read changes. */
export class KnownKeys {
  private revisions = new Map<string, Revision>();

  apply(batch: WatchBatch): void {
    for (const { type, kv } of batch.events) {
      if (type === 'put') this.revisions.set(kv.key, kv.modRevision);
      else this.revisions.delete(kv.key);
    }
  }

  resync(reason: Resync['reason'], revision: Revision, kvs: readonly KeyValue[]): Resync {
    const next = new Map<string, Revision>();
    for (const kv of kvs) next.set(kv.key, kv.modRevision);
    const changed = kvs.filter((kv) => this.revisions.get(kv.key) !== kv.modRevision);
    const deleted = [...this.revisions.keys()].filter((key) => !next.has(key));
    this.revisions = next;
    return { reason, revision, kvs, changed, deleted };
  }
}
