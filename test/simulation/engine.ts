import type { MemoryEngineOptions, PartitionId } from '@cadastre/engine';
import { MemoryEngine } from '@cadastre/engine';

/** `fills` counts how often a copy was begun anew: what took effect before says nothing of the new one. */
export type EngineEvent =
  | { readonly type: 'promised'; readonly epoch: number; readonly fills?: undefined }
  | {
      readonly type: 'effect';
      readonly epoch: number;
      readonly seq: number;
      readonly requestId: string;
      readonly fills: number;
    }
  | { readonly type: 'quarantined' | 'purged'; readonly fills?: undefined };

interface Told {
  fills: number;
  seq: number;
}

/** The engine of a simulated agent: tells what becomes of its copies. `told` outlives the process, as the disk does. */
export class SimEngine extends MemoryEngine {
  report: ((event: EngineEvent, id: PartitionId) => void) | undefined;

  constructor(
    options: MemoryEngineOptions,
    private readonly told: Map<string, Told>,
  ) {
    super(options);
  }

  override async promise(id: PartitionId, epoch: number): Promise<void> {
    await super.promise(id, epoch);
    this.report?.({ type: 'promised', epoch }, id);
  }

  override apply(id: PartitionId, uptoSeq: number): Promise<void> {
    const told = this.toldOf(id);
    // After a crash the last of them are applied again; that is the same effect.
    const from = Math.max(this.meta(id)?.appliedSeq ?? 0, told.seq) + 1;
    const limits = { maxEntries: uptoSeq - from + 1, maxBytes: Infinity };
    const entries = uptoSeq >= from ? this.readLog(id, from, limits) : [];
    const done = super.apply(id, uptoSeq);
    for (const { seq, epoch, requestId } of entries)
      this.report?.({ type: 'effect', epoch, seq, requestId, fills: told.fills }, id);
    told.seq = Math.max(told.seq, uptoSeq);
    return done;
  }

  override beginFill(id: PartitionId, options: { snapshotSeq: number; epoch: number }): Promise<void> {
    const told = this.toldOf(id);
    told.fills += 1;
    told.seq = 0;
    return super.beginFill(id, options);
  }

  override async quarantine(id: PartitionId): Promise<void> {
    await super.quarantine(id);
    this.report?.({ type: 'quarantined' }, id);
  }

  override async purge(id: PartitionId): Promise<void> {
    this.report?.({ type: 'purged' }, id);
    const told = this.toldOf(id);
    told.fills += 1;
    told.seq = 0;
    await super.purge(id);
  }

  private toldOf({ keyspace, partition }: PartitionId): Told {
    const key = `${keyspace}/${partition}`;
    let told = this.told.get(key);
    if (!told) this.told.set(key, (told = { fills: 0, seq: 0 }));
    return told;
  }
}
