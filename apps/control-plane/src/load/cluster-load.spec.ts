import { describe, expect, it } from '@jest/globals';
import { latencyBucketOf, latencyBucketMs } from '@cadastre/core';
import type { Clock } from '@cadastre/runtime';
import type { RegisterState } from '@cadastre/store';
import { Observed } from '../controller/observed.js';
import type { ReplicaLoad, ReplicaReport } from '../controller/reports.js';
import { ClusterLoad, KEYSPACE_SERIES_MAX, SERIES_MAX, since } from './cluster-load.js';
import { heatOf, type HeatQuery } from './heat.js';

const BEGAN = 1_800_000_000_000;

/** A control plane that hears reports, at times that the test says. */
class Ear {
  private atMs = 0;
  readonly clock = { wallMs: () => BEGAN + this.atMs, monotonicMs: () => 5_000 + this.atMs } as Clock;
  readonly observed = new Observed();
  readonly load = new ClusterLoad({ clock: this.clock });
  readonly keyspaces = new Map<string, { record: { id: string }; map: ReturnType<typeof mapOf> }>();
  readonly plans = new Map<string, unknown>();
  readonly state = { keyspaces: this.keyspaces, plans: this.plans } as unknown as RegisterState;

  constructor(partitions = 4) {
    this.make('k', partitions);
  }

  make(name: string, partitions: number, id = name): void {
    this.keyspaces.set(name, { record: { id }, map: mapOf(partitions) });
  }

  at(seconds: number): this {
    this.atMs = seconds * 1_000;
    return this;
  }

  hear(node: string, replicas: readonly Partial<ReplicaReport>[]): this {
    const whole = replicas.map((r) => ({ keyspace: 'k', partition: 0, phase: 'serving', bytes: 0, ...r }));
    const report = { node, incarnation: 'i', applied: [], replicas: whole as ReplicaReport[] };
    this.load.take(report, this.observed, this.state);
    this.observed.take(report, this.clock.monotonicMs());
    return this;
  }

  run(state: string, partitions: readonly number[], endedMs = 0): void {
    const head = { id: 'p', state, startedMs: state === 'approved' ? 0 : BEGAN + 120_000, endedMs };
    const moves = partitions.map((partition) => ({ keyspace: 'k', partition }));
    this.plans.set('p', { head, body: { moves } });
  }

  heat(query: Partial<HeatQuery> = {}) {
    const asked = { keyspace: 'k', metric: 'reads', fromMs: 0, toMs: 0, windowMs: 0, firstPartition: 0, partitions: 0 };
    const whole = { ...asked, timeBins: 0, buckets: 0, hottest: 0, ...query };
    const map = this.keyspaces.get(whole.keyspace)!.map;
    return heatOf(map, this.load.look(whole.keyspace, this.state), whole, this.clock.wallMs(), this.load.sinceMs);
  }

  /** One row of the answer, without what nobody measured at its beginning. */
  row(bucket: number, query: Partial<HeatQuery> = {}): number[] {
    const { values = [], steps = 0 } = this.heat(query);
    const row = values.slice(bucket * steps, (bucket + 1) * steps) as number[];
    const first = row.findIndex((v) => v >= 0);
    return first < 0 ? [] : row.slice(first);
  }
}

const mapOf = (partitions: number) => ({ partitions, leader: (p: number) => ({ id: `n${p % 3}` }) });

const loadOf = (reads: number, writes = 0, ms = 1, answers = reads + writes): ReplicaLoad => ({
  reads,
  writes,
  latencyFirst: latencyBucketOf(ms),
  latencyCounts: [answers],
});

/** Within the error of a figure in one byte. */
const near = (value: number) => expect.closeTo(value, -Math.log10(value * 0.1));

describe('the load of partitions over time', () => {
  it('is what agents count more than before, a second', () => {
    // Plan: a node reports every five seconds for a minute: 100 reads and 20 writes a second; before its first report nothing is known.
    const ear = new Ear();
    for (let s = 0; s <= 60; s += 5) ear.at(s).hear('n1', [{ load: loadOf(1_000 + s * 100, s * 20), bytes: 4_096 }]);
    expect(ear.row(0)).toEqual(Array.from({ length: 6 }, () => near(100)));
    expect(ear.row(0, { metric: 'writes' })).toEqual(Array.from({ length: 6 }, () => near(20)));
    expect(ear.row(0, { metric: 'bytes' })).toEqual(Array.from({ length: 6 }, () => near(4_096)));
    expect(ear.row(1)).toEqual([]);
    expect(ear.heat().mean).toEqual(near(25)); // of four
    expect(ear.heat().hottest).toEqual([
      {
        partition: 0,
        leader: 'n0',
        readsPerSecond: near(100),
        writesPerSecond: near(20),
        bytes: near(4_096),
        p99Ms: near(1),
      },
    ]);
  });

  it('gives a late report to the time that it is about', () => {
    // Plan: reports thirty seconds apart, as of very many partitions: every step between has the same rate, none has three times of it.
    const ear = new Ear();
    ear.at(0).hear('n1', [{ load: loadOf(0) }]);
    ear.at(30).hear('n1', [{ load: loadOf(3_000) }]);
    ear.at(60).hear('n1', [{ load: loadOf(6_000) }]);
    expect(ear.row(0)).toEqual(Array.from({ length: 6 }, () => near(100)));
  });

  it('goes on when leadership moves, a report is lost, or an agent starts anew', () => {
    // Plan: n1 leads and serves, then n2, which was known before with nothing; n2 starts anew and counts from zero; one report of it is lost.
    const ear = new Ear();
    for (const s of [0, 10])
      ear
        .at(s)
        .hear('n1', [{ load: loadOf(s * 50) }])
        .hear('n2', [{ phase: 'following' }]);
    for (const s of [20, 30])
      ear
        .at(s)
        .hear('n1', [{ phase: 'following', load: loadOf(500) }])
        .hear('n2', [{ load: loadOf((s - 10) * 50) }]);
    ear.at(40).hear('n2', [{ load: loadOf(500) }]);
    ear.at(60).hear('n2', [{ load: loadOf(1_500) }]);
    expect(ear.row(0)).toEqual(Array.from({ length: 6 }, () => near(50)));
    expect(since(loadOf(500), loadOf(1_500))).toMatchObject({ reads: 500, latency: { counts: [500] } });
  });

  it('tells zero from unknown', () => {
    // Plan: a partition that is led and not asked; one that nobody reports; and a gap of a minute in which no report came from anybody.
    const ear = new Ear();
    for (const s of [0, 10, 20]) ear.at(s).hear('n1', [{ partition: 1 }]);
    const { values = [], steps = 0 } = ear.at(120).heat();
    expect(values.slice(steps, 2 * steps).filter((v) => v === 0)).toHaveLength(2);
    expect(values.slice(2 * steps)).toEqual(Array.from({ length: 2 * steps }, () => -1));
  });

  it('has the latency that 99 of 100 answers took at most, per step', () => {
    // Plan: 990 answers of 1 ms and 10 of 50 ms in one step, all of 1 ms in the next; nothing in the third.
    const ear = new Ear();
    const counts = (slow: number, fast: number) => {
      const latencyCounts = Array.from({ length: latencyBucketOf(50) - latencyBucketOf(1) + 1 }, () => 0);
      latencyCounts[0] = fast;
      latencyCounts[latencyCounts.length - 1] = slow;
      return { reads: slow + fast, writes: 0, latencyFirst: latencyBucketOf(1), latencyCounts };
    };
    ear.at(0).hear('n1', [{}]);
    ear.at(9).hear('n1', [{ load: counts(20, 980) }]);
    ear.at(19).hear('n1', [{ load: counts(20, 1_980) }]);
    ear.at(29).hear('n1', [{ load: counts(20, 1_980) }]);
    const [slow, fast, none] = ear.row(0, { metric: 'p99' });
    expect(slow).toBeGreaterThan(latencyBucketMs(latencyBucketOf(50) - 1) * 0.9);
    expect(slow).toBeLessThan(latencyBucketMs(latencyBucketOf(50)) * 1.1);
    expect(fast).toBeLessThan(1.1);
    expect(none).toBe(-1);
  });

  it('is coarser with age, and forgets', () => {
    // Plan: an hour of reports; ten minutes are known in steps of 10 s, the hour in steps of a minute, and no window asks for more bins than allowed.
    const ear = new Ear();
    for (let s = 0; s <= 3_600; s += 10) ear.at(s).hear('n1', [{ load: loadOf(s * 10) }]);
    expect(ear.heat()).toMatchObject({ stepMs: 10_000 });
    expect(ear.row(0)).toEqual(Array.from({ length: 60 }, () => near(10)));
    expect(ear.heat({ windowMs: 3_600_000 })).toMatchObject({ stepMs: 60_000, steps: 60 });
    expect(ear.row(0, { windowMs: 3_600_000 })).toEqual(Array.from({ length: 60 }, () => near(10)));
    const six = ear.heat({ windowMs: 6 * 3_600_000, timeBins: 100 });
    expect(six).toMatchObject({ stepMs: 240_000 });
    expect(six.steps).toBeLessThanOrEqual(100);
    ear.at(3_600 + 7 * 3_600);
    expect(ear.row(0, { windowMs: 6 * 3_600_000 })).toEqual([]);
  });

  it('shows of a group its hottest partition, and names it', () => {
    // Plan: 16,384 partitions, one of them hot, in 128 groups; the group shows it, the list names it, and zooming in finds the very one.
    const ear = new Ear(16_384);
    for (const s of [0, 10, 20])
      ear.at(s).hear('n1', [
        { partition: 9_997, load: loadOf(s * 900) },
        { partition: 3, load: loadOf(s) },
      ]);
    const { buckets, partitionsPerBucket, hottest } = ear.heat();
    expect({ buckets, partitionsPerBucket }).toEqual({ buckets: 128, partitionsPerBucket: 128 });
    expect(Math.max(...ear.row(Math.floor(9_997 / 128)))).toEqual(near(900));
    expect(hottest?.map((h) => h.partition)).toEqual([9_997, 3]);
    const near9997 = ear.heat({ firstPartition: 9_990, partitions: 10 });
    expect(near9997).toMatchObject({ firstPartition: 9_990, partitionsPerBucket: 1, buckets: 10 });
    expect(near9997.hottest?.map((h) => h.partition)).toEqual([9_997]);
  });

  it('takes a fixed amount of memory', () => {
    // Plan: the stated bytes of 16,384 partitions; a million partitions and two further keyspaces stay within twice that.
    const ear = new Ear(16_384);
    const hear = (keyspace: string) => [0, 10].forEach((s) => ear.at(s).hear('n1', [{ keyspace, load: loadOf(s) }]));
    hear('k');
    expect(ear.load.bytes / 1e6).toBeCloseTo(36, 0);
    ear.make('huge', 1_048_576);
    ear.make('late', 4_096);
    ear.make('later', 8);
    for (const name of ['huge', 'late', 'later']) hear(name);
    expect(ear.load.look('huge', ear.state)).toMatchObject({ series: KEYSPACE_SERIES_MAX, width: 64 });
    expect(ear.load.look('late', ear.state)).toMatchObject({ series: 16, width: 256 });
    expect(ear.load.look('later', ear.state)).toMatchObject({ series: 8, width: 1 });
    expect(ear.load.bytes).toBeLessThan(SERIES_MAX * 2_300 + 4 * 1_048_576);
    expect(ear.heat({ keyspace: 'late' })).toMatchObject({ measuredTogether: 256, buckets: 16 });
  });

  it('forgets a keyspace that is dropped, or made anew', () => {
    // Plan: heard of, then another one of the same name: nothing of the old one is in it.
    const ear = new Ear();
    for (const s of [0, 10]) ear.at(s).hear('n1', [{ load: loadOf(s * 5) }]);
    expect(ear.row(0).length).toBeGreaterThan(0);
    ear.make('k', 4, 'anew');
    expect(ear.row(0)).toEqual([]);
    expect(ear.load.bytes).toBe(0);
  });

  it('refuses what it cannot answer, naming the field', () => {
    // Plan: each bound of a query overstepped, one at a time.
    const ear = new Ear();
    const fieldOf = (query: Partial<HeatQuery>): string | undefined => {
      try {
        ear.heat(query);
        return undefined;
      } catch (error) {
        return (error as { field?: string }).field;
      }
    };
    expect(fieldOf({ metric: 'colour' })).toBe('metric');
    expect(fieldOf({ fromMs: BEGAN, toMs: BEGAN })).toBe('fromMs');
    expect(fieldOf({ windowMs: 7 * 3_600_000 })).toBe('fromMs');
    expect(fieldOf({ firstPartition: 4 })).toBe('firstPartition');
    expect(fieldOf({ firstPartition: 1, partitions: 4 })).toBe('partitions');
    expect(fieldOf({ timeBins: 121 })).toBe('timeBins');
    expect(fieldOf({ timeBins: 1 })).toBe('timeBins');
    expect(fieldOf({ buckets: 257 })).toBe('buckets');
    expect(fieldOf({ hottest: 101 })).toBe('hottest');
    expect(fieldOf({ timeBins: 2, buckets: 1, hottest: 1, firstPartition: 3, partitions: 1 })).toBeUndefined();
  });
});

describe('the latency of a run', () => {
  it('is that of the partitions it touches: before, while it runs, and the minute after', () => {
    // Plan: two minutes of 1 ms, of which the last whole one and what has begun count; a run of partition 0 with 8 ms; a minute of 2 ms after it, then 64 ms. Partition 1 is none of its business.
    const ear = new Ear();
    const counts = Array.from({ length: 40 }, () => 0);
    const hear = (s: number, ms: number) => {
      if (s > 0) counts[latencyBucketOf(ms)]! += 100;
      const load = { reads: s * 10, writes: 0, latencyFirst: 0, latencyCounts: [...counts] };
      ear.at(s).hear('n1', [{ load }, { partition: 1, load: loadOf(s * 10, 0, 500) }]);
    };
    ear.run('approved', [0]);
    for (let s = 0; s <= 120; s += 10) hear(s, 1);
    expect(ear.load.runs.latencyOf('p')).toBeUndefined();
    ear.run('executing', [0]);
    for (let s = 130; s <= 180; s += 10) hear(s, 8);
    const running = ear.load.runs.latencyOf('p');
    expect(running).toMatchObject({ before: { answers: 700 }, during: { answers: 600 }, stepMs: 1_000 });
    expect(running?.points).toHaveLength(6);
    expect(ear.load.runs.afterOf('p')).toBeUndefined();
    ear.run('completed', [0], BEGAN + 180_000);
    for (let s = 190; s <= 240; s += 10) hear(s, 2);
    for (let s = 250; s <= 300; s += 10) hear(s, 64);
    const { before, during } = ear.load.runs.latencyOf('p')!;
    const after = ear.load.runs.afterOf('p')!;
    expect(during.answers).toBe(600);
    expect(after.answers).toBe(600);
    for (const [figure, ms] of [
      [before, 1],
      [during, 8],
      [after, 2],
    ] as const) {
      expect(figure.p99Us / 1_000).toBeLessThanOrEqual(ms * 1.001);
      expect(figure.p50Us / 1_000).toBeGreaterThan(ms * 0.7);
    }
    for (const s of [600, 610]) ear.at(s).hear('n1', []);
    expect(ear.load.runs.latencyOf('p')).toBeUndefined();
  });

  it('has at most 120 points, however long the run', () => {
    // Plan: six hours with an answer every minute: steps get longer, no answer is lost.
    const ear = new Ear();
    ear.at(0).hear('n1', [{ load: loadOf(0) }]);
    ear.at(120).hear('n1', [{ load: loadOf(0) }]);
    ear.run('executing', [0]);
    for (let s = 180; s <= 120 + 6 * 3_600; s += 60) ear.at(s).hear('n1', [{ load: loadOf(s) }]);
    const { points, during, stepMs } = ear.load.runs.latencyOf('p')!;
    expect(points.length).toBeLessThanOrEqual(120);
    expect(points.length).toBeGreaterThan(50);
    expect(stepMs).toBe(256_000);
    expect(points.reduce((sum, { figure }) => sum + figure.answers, 0)).toBe(during.answers);
    expect(during.answers).toBe(120 + 6 * 3_600);
  });
});
