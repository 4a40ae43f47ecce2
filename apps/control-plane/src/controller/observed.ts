import type { Generation } from '@cadastre/core';
import { compareGenerations } from '@cadastre/core';
import type { MonotonicMs } from '@cadastre/runtime';
import type { AgentReport, ReplicaReport } from './reports.js';

interface Seen {
  readonly report: AgentReport;
  readonly at: MonotonicMs;
  /** Latest of each replica, by `keyspace/partition`. */
  readonly replicas: ReadonlyMap<string, ReplicaReport>;
  readonly fills: boolean;
}

const at = (keyspace: string, partition: number): string => `${keyspace}/${partition}`;

/** What the agents say of themselves. Soft: lost with the process and gathered anew within a report's period. */
export class Observed {
  private readonly nodes = new Map<string, Seen>();

  take(report: AgentReport, now: MonotonicMs): void {
    const replicas = new Map(report.replicas.map((r) => [at(r.keyspace, r.partition), r]));
    const fills = report.replicas.some((r) => r.phase === 'filling');
    this.nodes.set(report.node, { report, at: now, replicas, fills });
  }

  forget(node: string): void {
    this.nodes.delete(node);
  }

  replica(node: string, keyspace: string, partition: number): ReplicaReport | undefined {
    return this.nodes.get(node)?.replicas.get(at(keyspace, partition));
  }

  replicasOf(node: string): Iterable<ReplicaReport> {
    return this.nodes.get(node)?.replicas.values() ?? [];
  }

  /** The last of each node. */
  *reports(): Generator<AgentReport> {
    for (const { report } of this.nodes.values()) yield report;
  }

  /** When the node last reported here; undefined when it never has. */
  heardAt(node: string): MonotonicMs | undefined {
    return this.nodes.get(node)?.at;
  }

  /** Nodes that take in a copy at present. */
  get fillingNodes(): number {
    let count = 0;
    for (const { fills } of this.nodes.values()) if (fills) count += 1;
    return count;
  }

  has(node: string): boolean {
    return this.nodes.has(node);
  }

  /** The node has said that it acts on this generation or a later one. */
  applied(node: string, keyspace: string, generation: Generation): boolean {
    const known = this.nodes.get(node)?.report.applied.find((a) => a.keyspace === keyspace);
    return known !== undefined && compareGenerations(known.generation, generation) >= 0;
  }

  /** Bytes of a partition: the most that any of its holders reports. */
  bytesOf(keyspace: string, partition: number): number {
    let most = 0;
    for (const seen of this.nodes.values())
      most = Math.max(most, seen.replicas.get(at(keyspace, partition))?.bytes ?? 0);
    return most;
  }

  /** Bytes of all partitions of a keyspace, each the most that any of its holders reports: one pass over the reports. */
  sizesOf(keyspace: string, partitions: number): Float64Array {
    const sizes = new Float64Array(partitions);
    for (const { replicas } of this.nodes.values())
      for (const r of replicas.values())
        if (r.keyspace === keyspace && r.bytes > (sizes[r.partition] ?? Infinity)) sizes[r.partition] = r.bytes;
    return sizes;
  }
}
