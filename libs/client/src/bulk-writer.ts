import type { KeyspaceMap } from '@cadastre/core';
import type { BatchOp, BatchPart, CompiledOp } from './batch.js';
import { compileBatch } from './batch.js';
import type { WriteResult } from './keyspace-client.js';

export interface BulkHost {
  map(): Promise<KeyspaceMap>;
  send(part: BatchPart): Promise<WriteResult>;
}

interface Waiting {
  readonly op: CompiledOp;
  resolve(result: WriteResult): void;
  reject(error: unknown): void;
}

interface Lane {
  readonly waiting: Waiting[];
  sending: boolean;
}

const OPS_A_BATCH = 500;
const BYTES_A_BATCH = 1024 * 1024;

/**
 * Many independent writes at the price of few requests: what comes while a partition's batch is under way goes with its next one, so a
 * lone write waits for nothing. Writes to one partition keep their order. What is not awaited is not bounded: keep a limit on writes
 * under way.
 */
export class BulkWriter {
  private readonly lanes = new Map<number, Lane>();

  constructor(private readonly host: BulkHost) {}

  /** Resolves when it is acknowledged. When a batch fails, each write in it is rejected; it may or may not have happened. */
  async write(op: BatchOp): Promise<WriteResult> {
    const [compiled] = compileBatch([op]);
    const map = await this.host.map();
    return new Promise((resolve, reject) => {
      const partition = map.partitionOf(compiled!.key);
      const lane = this.lanes.get(partition) ?? { waiting: [], sending: false };
      this.lanes.set(partition, lane);
      lane.waiting.push({ op: compiled!, resolve, reject });
      if (!lane.sending) void this.drain(partition, lane);
    });
  }

  private async drain(partition: number, lane: Lane): Promise<void> {
    lane.sending = true;
    while (lane.waiting.length > 0) {
      const batch = take(lane.waiting);
      try {
        const result = await this.host.send({
          partition,
          ops: batch.map((w) => w.op),
          indices: batch.map((_, i) => i),
        });
        for (const waiting of batch) waiting.resolve(result);
      } catch (error) {
        for (const waiting of batch) waiting.reject(error);
      }
    }
    lane.sending = false;
    this.lanes.delete(partition);
  }
}

const take = (waiting: Waiting[]): Waiting[] => {
  let bytes = 0;
  let count = 0;
  while (count < waiting.length && count < OPS_A_BATCH) {
    const { key, value } = waiting[count]!.op;
    bytes += key.length + value.length;
    if (count > 0 && bytes > BYTES_A_BATCH) break;
    count += 1;
  }
  return waiting.splice(0, count);
};
