import type { KeyValue, Resync, Revision, Store, Watch, WatchBatch, WatchEvent, WatchOptions } from '../store.js';

/** Collects what a watch delivers, and the state that a consumer would hold. */
export class WatchRecorder {
  readonly batches: WatchBatch[] = [];
  readonly resyncs: Resync[] = [];
  readonly progress: Revision[] = [];
  readonly errors: Error[] = [];
  readonly state = new Map<string, KeyValue>();
  readonly watch: Watch;

  constructor(store: Store, prefix: string, fromRevision?: Revision) {
    const options: WatchOptions = {
      onBatch: (batch) => this.onBatch(batch),
      onResync: (resync) => this.onResync(resync),
      onProgress: (revision) => void this.progress.push(revision),
      onError: (error) => void this.errors.push(error),
    };
    this.watch = store.watch(prefix, fromRevision === undefined ? options : { ...options, fromRevision });
  }

  get events(): WatchEvent[] {
    return this.batches.flatMap((batch) => batch.events);
  }

  get revisions(): Revision[] {
    return this.batches.map((batch) => batch.revision);
  }

  private onBatch(batch: WatchBatch): void {
    this.batches.push(batch);
    for (const { type, kv } of batch.events) {
      if (type === 'put') this.state.set(kv.key, kv);
      else this.state.delete(kv.key);
    }
  }

  private onResync(resync: Resync): void {
    this.resyncs.push(resync);
    this.state.clear();
    for (const kv of resync.kvs) this.state.set(kv.key, kv);
  }
}

/** Polls until `condition` is true. @throws Error with `what` after `withinMs` */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  withinMs = 10_000,
): Promise<void> {
  const giveUpAt = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > giveUpAt) throw new Error(`not in ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
export const text = (value: Uint8Array | undefined): string | undefined => value && new TextDecoder().decode(value);
