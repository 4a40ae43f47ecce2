import { LATENCY_BUCKETS } from '@cadastre/core';
import type { Clock } from '@cadastre/runtime';
import type { RegisterState } from '@cadastre/store';
import type { Observed } from '../controller/observed.js';
import type { AgentReport, ReplicaLoad } from '../controller/reports.js';
import { KeyspaceLoad } from './keyspace-load.js';
import type { LatencyDelta } from './load-ring.js';
import { RunLatencies } from './run-latencies.js';

/** 2.2 kB each: a keyspace of 16,384 partitions takes 36 MB, all keyspaces together at most twice that. */
export const SERIES_MAX = 32_768;
export const KEYSPACE_SERIES_MAX = 16_384;
/** For a keyspace that finds no room: something is seen of it, coarsely. */
const KEYSPACE_SERIES_MIN = 16;

/**
 * The load of each partition over time, from what the agents report; each replica of the control plane keeps its own, in memory alone:
 * what was before it started it does not know. Agents tell totals, so a report that was lost is made good by the next.
 */
export class ClusterLoad {
  private readonly keyspaces = new Map<string, KeyspaceLoad>();
  private series = 0;
  readonly sinceMs: number;

  readonly runs = new RunLatencies();

  constructor(private readonly options: { readonly clock: Clock }) {
    this.sinceMs = Math.round(options.clock.wallMs());
  }

  /** @param observed as it was before this report */
  take(report: AgentReport, observed: Observed, state: RegisterState): void {
    const { clock } = this.options;
    const heardAt = observed.heardAt(report.node);
    if (heardAt === undefined) return; // its totals are where counting begins
    const toMs = clock.wallMs();
    const fromMs = toMs - (clock.monotonicMs() - heardAt);
    if (fromMs >= toMs) return;
    this.keep(state);
    for (const known of this.keyspaces.values()) known.advance(toMs);
    this.runs.sync(state, toMs, (...of) => this.addRecentLatencies(...of));
    for (const { keyspace, partition, phase, bytes, load } of report.replicas) {
      const known = this.of(keyspace, state);
      if (!known || partition >= known.partitions) continue;
      if (phase === 'serving') known.lead(partition, bytes, fromMs, toMs);
      if (!load) continue;
      const delta = since(load, observed.replica(report.node, keyspace, partition)?.load);
      known.add(partition, fromMs, toMs, delta);
      if (delta.latency) this.runs.onLatency(keyspace, partition, delta.latency, toMs);
    }
  }

  /** Of one keyspace, up to now. @throws nothing: undefined before its first report */
  look(keyspace: string, state: RegisterState): KeyspaceLoad | undefined {
    this.keep(state);
    const known = this.keyspaces.get(keyspace);
    known?.advance(this.options.clock.wallMs());
    known?.settle();
    return known;
  }

  private addRecentLatencies(keyspace: string, partitions: Iterable<number>, into: Float64Array): void {
    const known = this.keyspaces.get(keyspace);
    const series = new Set(known && Array.from(partitions, (partition) => known.seriesOf(partition)));
    for (const of of series) known!.addRecentLatencies(of, into);
  }

  /** Bytes that the histories take. */
  get bytes(): number {
    return [...this.keyspaces.values()].reduce((sum, known) => sum + known.bytes, 0);
  }

  private of(keyspace: string, state: RegisterState): KeyspaceLoad | undefined {
    const known = this.keyspaces.get(keyspace);
    const view = state.keyspaces.get(keyspace);
    if (known || !view) return known;
    const room = Math.max(KEYSPACE_SERIES_MIN, Math.min(KEYSPACE_SERIES_MAX, SERIES_MAX - this.series));
    const made = new KeyspaceLoad(view.record.id, view.map.partitions, room);
    made.advance(this.options.clock.wallMs());
    this.keyspaces.set(keyspace, made);
    this.series += made.series;
    return made;
  }

  /** Forgets keyspaces that are gone, or are not the ones they were. */
  private keep(state: RegisterState): void {
    for (const [name, known] of this.keyspaces) {
      const view = state.keyspaces.get(name);
      if (view?.record.id === known.id && view.map.partitions === known.partitions) continue;
      this.keyspaces.delete(name);
      this.series -= known.series;
    }
  }
}

const NOTHING: ReplicaLoad = { reads: 0, writes: 0, latencyFirst: 0, latencyCounts: [] };

/** What is more than before. Totals that fell began anew with their agent. */
export const since = (
  now: ReplicaLoad,
  earlier: ReplicaLoad = NOTHING,
): { readonly reads: number; readonly writes: number; readonly latency: LatencyDelta | undefined } => {
  const before = now.reads < earlier.reads || now.writes < earlier.writes ? NOTHING : earlier;
  const counts = now.latencyCounts.map((n, i) => n - countAt(before, now.latencyFirst + i));
  const isMore = counts.some((n) => n > 0) && counts.every((n) => n >= 0);
  return {
    reads: now.reads - before.reads,
    writes: now.writes - before.writes,
    latency: isMore ? { first: now.latencyFirst, counts } : undefined,
  };
};

const countAt = ({ latencyFirst, latencyCounts }: ReplicaLoad, bucket: number): number =>
  bucket < LATENCY_BUCKETS ? (latencyCounts[bucket - latencyFirst] ?? 0) : 0;
