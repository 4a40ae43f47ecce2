import { describe, expect, it } from '@jest/globals';
import { CadastreError } from '@cadastre/core';
import { TABLES } from '../core/backing.js';
import { bytes, describeEngine, entry, P0, put, type EngineHarness } from '../testing/engine-contract.js';
import { itMatchesTheModel } from '../testing/engine-model.js';
import { MemoryDisk } from './memory-disk.js';
import { MemoryEngine } from './memory-engine.js';

const memoryHarness = async (): Promise<EngineHarness> => {
  const disk = new MemoryDisk();
  const again = () => new MemoryEngine({ disk });
  return {
    create: again,
    again,
    storedKeys: async () =>
      TABLES.reduce(
        (sum, table) => sum + [...disk.range(table, { start: Buffer.of(0), end: Buffer.alloc(9, 0xff) })].length,
        0,
      ),
    killDuringAppends: async (id) => {
      const engine = again();
      await engine.open();
      await engine.create(id);
      let acknowledged = 0;
      for (let seq = 1; seq <= 50; seq += 1) {
        void engine.append(id, [entry(seq, put(`key-${seq}`, 'v'))]).then(() => (acknowledged = seq));
        if (seq % 8 === 0 && seq < 48) await engine.flush();
      }
      engine.crash();
      return acknowledged;
    },
    dispose: async () => undefined,
  };
};

describeEngine('memory', memoryHarness);
itMatchesTheModel(memoryHarness, 100);

describe('memory engine', () => {
  it('loses exactly what was not flushed when it crashes', async () => {
    // Plan: one durable append, one under way; crash; only the first is there, and its apply, never flushed, is undone.
    const engine = new MemoryEngine();
    await engine.open();
    await engine.create(P0);
    await engine.append(P0, [entry(1, put('a', '1'))]);
    engine.apply(P0, 1).catch(() => undefined);
    engine.append(P0, [entry(2, put('b', '2'))]).catch(() => undefined);
    engine.crash();
    const next = new MemoryEngine({ disk: engine.disk });
    await next.open();
    expect(next.meta(P0)).toMatchObject({ lastSeq: 1, appliedSeq: 0, count: 0 });
    await next.close();
  });

  it.each(['RESOURCE_EXHAUSTED', 'INTERNAL'] as const)(
    'refuses writes after a flush failed with %s, until it is opened again',
    async (code) => {
      // Plan: fail one flush that two callers share; both reject with the cause, later writes with FAILED_PRECONDITION; reads go on; reopen heals.
      const engine = new MemoryEngine();
      await engine.open();
      await engine.create(P0);
      await engine.append(P0, [entry(1, put('a', '1'))]);
      await engine.apply(P0, 1);
      engine.disk.failNext(new CadastreError(code, 'broken'));
      const both = await Promise.allSettled([engine.append(P0, [entry(2)]), engine.promise(P0, 9)]);
      expect(both.map((result) => (result as PromiseRejectedResult).reason.code)).toEqual([code, code]);
      await expect(engine.append(P0, [entry(3)])).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
      await expect(engine.purge(P0)).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
      expect(engine.get(P0, bytes('a'))).toBeDefined();
      await engine.close();
      await engine.open();
      expect(engine.meta(P0)).toMatchObject({ lastSeq: 1, promisedEpoch: 0 });
      await engine.append(P0, [entry(2)]);
      await engine.close();
    },
  );

  it('shares one commit among all writes of a turn and among those that arrive during a flush', async () => {
    // Plan: 100 appends and a promise in one turn make one commit; 50 more during it make one more.
    const engine = new MemoryEngine();
    await engine.open();
    await engine.create(P0);
    const before = engine.disk.commits;
    const first = Array.from({ length: 100 }, (_, i) => engine.append(P0, [entry(i + 1)]));
    const promised = engine.promise(P0, 2);
    await Promise.resolve();
    const second = Array.from({ length: 50 }, (_, i) => engine.append(P0, [entry(i + 101)]));
    await Promise.all([...first, promised, ...second]);
    expect(engine.disk.commits - before).toBe(2);
    await engine.close();
  });

  it('flushes what was applied by itself after a while, or when told to, and not with each append', async () => {
    // Plan: a hand-moved clock; applied writes stay in memory over an append, go to disk when the delay has passed, or on flush().
    const timers: (() => void)[] = [];
    const after = (_ms: number, task: () => void) => (timers.push(task), { cancel: () => undefined });
    const engine = new MemoryEngine({
      clock: {
        monotonicMs: () => 0,
        wallMs: () => 0,
        after,
        every: () => ({ cancel: () => undefined }),
        soon: queueMicrotask,
      },
    });
    const stored = async () => (await engine.recomputeDigest(P0)).seq;
    await engine.open();
    await engine.create(P0);
    await engine.append(P0, [entry(1, put('a', '1')), entry(2, put('b', '2'))]);
    const lazy = engine.apply(P0, 1);
    await engine.append(P0, [entry(3)]);
    expect([await stored(), timers.length]).toEqual([0, 1]);
    timers[0]?.();
    await lazy;
    expect(await stored()).toBe(1);
    const told = engine.apply(P0, 2);
    await engine.flush();
    await told;
    expect(await stored()).toBe(2);
    await engine.close();
  });

  it('rejects what was applied but not flushed when the flush fails', async () => {
    // Plan: apply, fail the flush; the promise of apply rejects too, instead of hanging.
    const engine = new MemoryEngine();
    await engine.open();
    await engine.create(P0);
    await engine.append(P0, [entry(1, put('a', '1'))]);
    engine.disk.failNext();
    const applied = engine.apply(P0, 1);
    await expect(engine.flush()).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
    await expect(applied).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
    await engine.close();
  });
});
