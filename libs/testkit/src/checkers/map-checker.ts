import type { Generation, KeyspaceSpec, PartitionRecord, Replica } from '@cadastre/core';
import {
  checkRecord,
  compareGenerations,
  formatGeneration,
  inSyncOf,
  leaderOf,
  replicaOn,
  votersOf,
} from '@cadastre/core';
import type { HistoryEvent, KeyspaceEvent, MapEvent } from './history.js';
import type { StreamChecker, Violation } from './violation.js';
import { NONE } from './violation.js';

export interface KeyspaceSeen {
  readonly spec: KeyspaceSpec;
  generation: Generation;
  readonly records: PartitionRecord[];
}

/** The map as it was committed, change by change: what each change may do to a record, whoever made it. */
export class MapChecker implements StreamChecker {
  readonly keyspaces = new Map<string, KeyspaceSeen>();
  private readonly labels = new Map<string, Readonly<Record<string, string>>>();
  private term = 0;

  observe(event: HistoryEvent): readonly Violation[] {
    if (event.type === 'map') return this.change(event);
    if (event.type === 'keyspace') return this.whole(event);
    if (event.type === 'node') this.labels.set(event.entry.id, event.entry.labels);
    if (event.type === 'term') {
      const before = this.term;
      this.term = Math.max(before, event.term);
      if (event.term < before) {
        return [{ rule: 'INV-1', at: event.at, subject: event.holder, what: `term ${event.term} after ${before}` }];
      }
    }
    return NONE;
  }

  private whole(event: KeyspaceEvent): readonly Violation[] {
    const found: Violation[] = [];
    const { spec, partitions, generation, records } = event;
    const report = (rule: string, subject: string, what: string) =>
      found.push({ rule, at: event.at, subject: `${spec.name}${subject}`, what });
    const before = this.keyspaces.get(spec.name);
    if (before && compareGenerations(generation, before.generation) < 0) {
      report('INV-2', '', `generation ${formatGeneration(generation)} after ${formatGeneration(before.generation)}`);
    }
    const times = new Uint32Array(partitions);
    for (const record of records) {
      if (record.partition < partitions) times[record.partition]! += 1;
      else report('ranges', `/${record.partition}`, `there are only ${partitions} partitions`);
    }
    times.forEach((count, p) => {
      if (count !== 1) report('ranges', `/${p}`, `is covered ${count} times`);
    });
    for (const record of records) {
      const wrong = checkRecord(record);
      if (wrong) report('record', `/${record.partition}`, wrong);
      const known = before?.records[record.partition];
      if (known && record.epoch < known.epoch)
        report('INV-2', `/${record.partition}`, `epoch ${record.epoch} after ${known.epoch}`);
    }
    this.keyspaces.set(spec.name, {
      spec,
      generation,
      records: [...records].sort((a, b) => a.partition - b.partition),
    });
    return found;
  }

  private change(event: MapEvent): readonly Violation[] {
    const seen = this.keyspaces.get(event.keyspace);
    if (!seen)
      return [{ rule: 'history', at: event.at, subject: event.keyspace, what: 'a change of a map that is not known' }];
    const found: Violation[] = [];
    const report = (rule: string, partition: number | undefined, what: string) =>
      found.push({
        rule,
        at: event.at,
        subject: partition === undefined ? event.keyspace : `${event.keyspace}/${partition}`,
        what,
      });
    if (compareGenerations(event.generation, seen.generation) <= 0) {
      report(
        'INV-2',
        undefined,
        `generation ${formatGeneration(event.generation)} after ${formatGeneration(seen.generation)}`,
      );
    }
    seen.generation = event.generation;
    for (const record of event.records) {
      const before = seen.records[record.partition];
      if (!before) {
        report('ranges', record.partition, 'is no partition of this keyspace');
        continue;
      }
      seen.records[record.partition] = record;
      this.compare(seen.spec, before, record, (rule, what) => report(rule, record.partition, what));
    }
    return found;
  }

  private compare(
    spec: KeyspaceSpec,
    before: PartitionRecord,
    after: PartitionRecord,
    report: (rule: string, what: string) => void,
  ): void {
    const wrong = checkRecord(after);
    if (wrong) report('record', wrong);
    if (after.epoch < before.epoch) report('INV-2', `epoch ${after.epoch} after ${before.epoch}`);
    if (after.epoch === before.epoch && fenceOf(after) !== fenceOf(before)) {
      report('INV-2', `changed from ${fenceOf(before)} to ${fenceOf(after)} within epoch ${after.epoch}`);
    }
    const leader = leaderOf(after);
    if (leader !== undefined && leader !== leaderOf(before) && !replicaOn(before, leader)?.inSync) {
      report('INV-4', `${leader} was made leader and was not in sync`);
    }
    for (const { node, inSync } of after.replicas) {
      if (inSync && !replicaOn(before, node)) report('INV-4', `${node} is in sync and had no copy before`);
    }
    if (!inSyncOf(after).some((node) => replicaOn(before, node)?.inSync)) {
      report('INV-5', `no replica that was in sync is left (${inSyncOf(before).join(', ')})`);
    }
    this.compareCopies(spec, before, after, report);
  }

  private compareCopies(
    spec: KeyspaceSpec,
    before: PartitionRecord,
    after: PartitionRecord,
    report: (rule: string, what: string) => void,
  ): void {
    const gone = before.replicas.filter((r) => r.role !== 'learner' && !replicaOn(after, r.node));
    const inSync = inSyncOf(after).length;
    // Who takes a copy away does so by decision, so it must leave enough.
    if (gone.length > 0 && inSync < Math.min(spec.minInSync, inSyncOf(before).length)) {
      report('INV-8', `${namesOf(gone)} was taken out and left ${inSync} in sync, ${spec.minInSync} are required`);
    }
    const voters = votersOf(after).length;
    if (gone.length > 0 && voters < spec.replicationFactor && voters < votersOf(before).length) {
      report('INV-8', `${namesOf(gone)} was taken out and left ${voters} of ${spec.replicationFactor} copies`);
    }
    const worse = this.crowding(spec, after) - this.crowding(spec, before);
    if (worse > 0)
      report('INV-8', `spread broken: ${votersOf(before).join(', ')} became ${votersOf(after).join(', ')}`);
  }

  /** By how many copies hard spread constraints are exceeded. Copies above the wanted number are those of moves on their way, and forgiven. */
  private crowding(spec: KeyspaceSpec, record: PartitionRecord): number {
    const voters = votersOf(record);
    const onTheirWay = Math.max(0, voters.length - spec.replicationFactor);
    let worst = 0;
    for (const { label, maxPerDomain, hard } of spec.spread) {
      if (!hard) continue;
      const counts = new Map<string, number>();
      for (const node of voters) {
        const domain = this.labels.get(node)?.[label] ?? `of ${node}`;
        counts.set(domain, (counts.get(domain) ?? 0) + 1);
      }
      let excess = 0;
      for (const count of counts.values()) excess += Math.max(0, count - maxPerDomain);
      worst = Math.max(worst, excess - onTheirWay);
    }
    return Math.max(0, worst);
  }
}

/** What an epoch stands for. Learners count for nothing, so they do not change it. */
const fenceOf = (record: PartitionRecord): string =>
  `${leaderOf(record) ?? 'nobody'} [${votersOf(record).sort().join(' ')}] in sync [${inSyncOf(record).sort().join(' ')}]`;

const namesOf = (replicas: readonly Replica[]): string => replicas.map((r) => r.node).join(', ');
