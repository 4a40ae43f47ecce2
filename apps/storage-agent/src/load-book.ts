import { LATENCY_BUCKETS, latencyBucketOf } from '@cadastre/core';
import type { ReceivedOp, Wire } from '@cadastre/contracts';
import type { PartitionId } from '@cadastre/engine';

/** What one partition has answered here, all told. */
class PartitionLoad {
  reads = 0;
  writes = 0;
  private readonly counts = new Float64Array(LATENCY_BUCKETS);

  note(reads: number, writes: number, tookMs: number): void {
    this.reads += reads;
    this.writes += writes;
    const bucket = latencyBucketOf(tookMs);
    this.counts[bucket] = this.counts[bucket]! + 1;
  }

  report(): Wire.ReplicaLoad {
    const first = this.counts.findIndex((n) => n > 0);
    const last = this.counts.findLastIndex((n) => n > 0);
    const latencyCounts = Array.from(this.counts.subarray(first, last + 1));
    return { reads: this.reads, writes: this.writes, latencyFirst: first, latencyCounts };
  }
}

/**
 * Reads, writes and latencies of each partition since this process started, as callers see them here: what was answered, not what was
 * refused or redirected. 0.4 kB for each partition that was asked for; to note one allocates nothing.
 */
export class LoadBook {
  private readonly byKeyspace = new Map<string, Map<number, PartitionLoad>>();

  /** An operation that was answered. */
  note({ kind, request }: ReceivedOp, tookMs: number): void {
    const { target } = request;
    if (!target) return;
    const writes = kind === 'batch' ? request.ops.length : kind === 'put' || kind === 'delete' ? 1 : 0;
    this.of(target.keyspace, target.partition).note(writes === 0 ? 1 : 0, writes, tookMs);
  }

  report({ keyspace, partition }: PartitionId): Wire.ReplicaLoad | undefined {
    return this.byKeyspace.get(keyspace)?.get(partition)?.report();
  }

  /** Its copy is gone from here. */
  forget({ keyspace, partition }: PartitionId): void {
    const loads = this.byKeyspace.get(keyspace);
    loads?.delete(partition);
    if (loads?.size === 0) this.byKeyspace.delete(keyspace);
  }

  private of(keyspace: string, partition: number): PartitionLoad {
    let loads = this.byKeyspace.get(keyspace);
    if (!loads) this.byKeyspace.set(keyspace, (loads = new Map()));
    let load = loads.get(partition);
    if (!load) loads.set(partition, (load = new PartitionLoad()));
    return load;
  }
}
