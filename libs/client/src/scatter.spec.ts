import { describe, expect, it } from '@jest/globals';
import { CadastreError, compareBytes } from '@cadastre/core';
import type { ReadPage } from './scan.js';
import type { ScatterOptions, ScatterReport } from './scatter.js';
import { compileScatter, Scatter } from './scatter.js';
import { mapOn, rangeSpec, slotsSpec } from './testing/fake-cluster.js';

const nodes = [{ id: 'n1', address: '127.0.0.1:1', labels: {}, weight: 1 }];
const keyOf = (i: number): Buffer => Buffer.from(`k${String(i).padStart(5, '0')}`);
const text = (entries: readonly { key: Uint8Array }[]): string[] =>
  entries.map(({ key }) => Buffer.from(key).toString());

/** Partitions in memory; counts what is read, and fails where it is told to. */
const worldOf = (
  ordered: boolean,
  records: number,
  fails: (partition: number, reads: number) => boolean = () => false,
) => {
  const map = mapOn(ordered ? rangeSpec('r', 'k00250', 'k00500', 'k00750') : slotsSpec('s', 16), nodes);
  const data = Array.from({ length: map.partitions }, () => [] as { key: Buffer; value: Buffer }[]);
  for (let i = 0; i < records; i += 1)
    data[map.partitionOf(keyOf(i))]!.push({ key: keyOf(i), value: Buffer.from([1]) });
  const seen = { underWay: 0, most: 0, reads: new Map<number, number>() };
  const read: ReadPage = async (partition, start, end, limit) => {
    seen.underWay += 1;
    seen.most = Math.max(seen.most, seen.underWay);
    const reads = (seen.reads.get(partition) ?? 0) + 1;
    seen.reads.set(partition, reads);
    await new Promise((resolve) => setImmediate(resolve));
    seen.underWay -= 1;
    if (fails(partition, reads)) throw new CadastreError('UNAVAILABLE', 'no leader', { remedy: 'wait' });
    const within = data[partition]!.filter(
      ({ key }) => compareBytes(key, start) >= 0 && (!end || compareBytes(key, end) < 0),
    );
    return { entries: within.slice(0, limit), next: within[limit]?.key };
  };
  const scatter = (options: ScatterOptions = {}) => new Scatter(compileScatter(options), async () => ({ map, read }));
  return { map, seen, scatter };
};

const collect = async <T>(source: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = [];
  for await (const each of source) all.push(each);
  return all;
};
const all = Array.from({ length: 1_000 }, (_, i) => keyOf(i).toString());

describe('scatter', () => {
  // Plan: a thousand records over 16 hashed and 4 ordered partitions come in key order, and as they come without loss or duplicate.
  it.each([false, true])('gives every entry once (ordered scheme: %s)', async (ordered) => {
    const world = worldOf(ordered, 1_000);
    const inOrder = world.scatter();
    expect(text(await collect(inOrder))).toEqual(all);
    const asTheyCome = world.scatter();
    const entries = await collect(asTheyCome.unordered());
    expect(text(entries).sort()).toEqual(all);
    for (const { key, partition } of entries) expect(world.map.partitionOf(key)).toBe(partition);
    for (const scatter of [inOrder, asTheyCome]) {
      const report = scatter.report();
      expect([...report.complete].sort((a, b) => a - b)).toEqual([...report.partitions].sort((a, b) => a - b));
      expect(report).toMatchObject({ entries: 1_000, failed: [] });
    }
  });

  // Plan: only the partitions that a range of keys touches are asked; with a limit no more than so many come.
  it('keeps to the range and the limit', async () => {
    const world = worldOf(true, 1_000);
    expect(text(await collect(world.scatter({ start: 'k00300', end: 'k00310' })))).toEqual(all.slice(300, 310));
    expect([...world.seen.reads.keys()]).toEqual([1]);
    expect(await collect(worldOf(false, 1_000).scatter({ limit: 7 }))).toHaveLength(7);
    expect(await collect(worldOf(false, 1_000).scatter({ limit: 7 }).unordered())).toHaveLength(7);
    expect(await collect(world.scatter({ start: 'b', end: 'a' }))).toEqual([]);
  });

  // Plan: never more reads at a time than asked for, in both orders.
  it.each([1, 3])('reads at most %s at a time', async (concurrency) => {
    const world = worldOf(false, 1_000);
    await collect(world.scatter({ concurrency }));
    await collect(world.scatter({ concurrency }).unordered());
    expect(world.seen.most).toBeLessThanOrEqual(concurrency);
  });

  // Plan: a reader that stops after one entry has caused no more than the pages under way, not the reading of everything.
  it('reads no further than is consumed', async () => {
    const world = worldOf(false, 40_000);
    const entries = world.scatter({ concurrency: 2 }).unordered();
    await entries.next();
    await new Promise((resolve) => setTimeout(resolve, 20));
    const reads = [...world.seen.reads.values()].reduce((sum, n) => sum + n, 0);
    expect(reads).toBeLessThanOrEqual(3);
    await entries.return(undefined);
  });

  // Plan: partition 5 fails. With `continue` the others are whole and the report names it; with `stop` the error carries the report.
  it.each([true, false])('reports what failed (in order: %s)', async (inOrder) => {
    const world = worldOf(false, 1_000, (partition) => partition === 5);
    const lenient = world.scatter({ onFailure: 'continue' });
    const entries = await collect(inOrder ? lenient : lenient.unordered());
    const expected = all.filter((key) => world.map.partitionOf(Buffer.from(key)) !== 5);
    expect(text(entries).sort()).toEqual(expected);
    const report = lenient.report();
    expect(report.failed).toMatchObject([{ partition: 5, after: undefined, error: { code: 'UNAVAILABLE' } }]);
    expect(report.complete).toHaveLength(15);
    const strict = world.scatter();
    const error = (await collect(inOrder ? strict : strict.unordered()).catch((e: unknown) => e)) as CadastreError;
    expect(error).toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('partition 5'),
      remedy: expect.any(String),
    });
    expect((error.info as ScatterReport).failed[0]!.partition).toBe(5);
  });

  // Plan: a partition fails at its second page; the report says after which key its entries are missing.
  it('says how far a partition came', async () => {
    const world = worldOf(true, 3_000, (partition, reads) => partition === 3 && reads === 3);
    const scatter = world.scatter({ onFailure: 'continue' });
    const entries = await collect(scatter);
    expect(Buffer.from(scatter.report().failed[0]!.after!).toString()).toBe(text(entries).at(-1));
  });

  // Plan: each bad option is refused by name; a scatter that was iterated is not iterated again.
  it('refuses what makes no sense', async () => {
    const { scatter } = worldOf(false, 10);
    for (const [options, field] of [
      [{ concurrency: 0 }, 'concurrency'],
      [{ concurrency: 1.5 }, 'concurrency'],
      [{ concurrency: 5_000 }, 'concurrency'],
      [{ onFailure: 'ignore' as never }, 'onFailure'],
      [{ limit: -1 }, 'limit'],
    ] as const)
      expect(() => scatter(options)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT', field }));
    const once = scatter();
    await collect(once);
    await expect(collect(once)).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
  });
});
