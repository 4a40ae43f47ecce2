import { describe, expect, it } from '@jest/globals';
import { systemClock } from '@cadastre/runtime';
import { CoreEngine } from '../core/core-engine.js';
import { compareBytes } from '../core/bytes.js';
import type { Pair, StorageEngine } from '../engine.js';
import { MemoryBacking } from '../memory/memory-engine.js';
import { MemoryDisk } from '../memory/memory-disk.js';
import { MemoryEngine } from '../memory/memory-engine.js';
import { bytes, entry, P0, put } from '../testing/engine-contract.js';
import { JournaledBacking } from './journaled-backing.js';
import { MemoryJournal } from './memory-journal.js';

const P1 = { ...P0, partition: P0.partition + 1 };
const CHUNK = 5;

/** Plain keys, then long ones that share a bucket, so that chunks meet in one. */
const PAIRS: Pair[] = Array.from({ length: 60 }, (_, i): Pair => {
  const tail = bytes(String(i).padStart(3, '0'));
  return [i < 30 ? Buffer.concat([bytes('k'), tail]) : Buffer.concat([Buffer.alloc(4000, 'm'), tail]), bytes(`v${i}`)];
});

class Machine {
  private readonly disk = new MemoryDisk();
  private readonly journal = new MemoryJournal();
  private crashed: () => void = () => undefined;

  async start(): Promise<StorageEngine> {
    const backing = new MemoryBacking(this.disk);
    const turn = (task: () => void) => queueMicrotask(task);
    const journaled = new JournaledBacking(backing, this.journal, { clock: systemClock, turn, checkpointBytes: 2000 });
    this.crashed = () => {
      this.journal.crash();
      journaled.die();
      backing.die();
    };
    const engine = new CoreEngine(journaled, { clock: systemClock, turn });
    await engine.open();
    return engine;
  }

  crash(): void {
    this.crashed();
  }
}

class PlainMachine {
  private engine = new MemoryEngine();

  async start(): Promise<StorageEngine> {
    this.engine = new MemoryEngine({ disk: this.engine.disk });
    await this.engine.open();
    return this.engine;
  }

  crash(): void {
    this.engine.crash();
  }
}

const storeFrom = async (engine: StorageEngine, after: Uint8Array | undefined): Promise<void> => {
  const rest = PAIRS.filter(([key]) => after === undefined || compareBytes(key, after) > 0);
  const stored: Promise<void>[] = [];
  for (let at = 0; at < rest.length; at += CHUNK) {
    const chunk = rest.slice(at, at + CHUNK);
    const done = engine.fillChunk(P0, chunk, chunk.at(-1)![0]);
    done.catch(() => undefined); // told below
    stored.push(done);
    if (at % (3 * CHUNK) === 0) await stored.at(-1);
  }
  await Promise.all(stored);
};

const wholeDigest = async (): Promise<{ count: number; digest: string }> => {
  const engine = await new PlainMachine().start();
  await engine.create(P0);
  await engine.append(P0, [entry(1, ...PAIRS.map(([key, value]) => ({ kind: 'put' as const, key, value })))]);
  await engine.apply(P0, 1);
  const { count, digest } = engine.digestAt(P0);
  await engine.close();
  return { count, digest };
};

describe('a fill that is cut short', () => {
  // Plan: crash after every number of microtasks while chunks, appends to another partition and promises to this one go on; what is
  // there afterwards is exactly the pairs up to where the fill says it is; going on from there gives the whole, by the source's digest.
  it.each([
    ['behind a journal', () => new Machine()],
    ['in memory', () => new PlainMachine()],
  ])('goes on from its last durable chunk, %s', async (_what, newMachine) => {
    const expected = await wholeDigest();
    let resumed = 0;
    let cut = 0;
    for (let whole = false; !whole; cut += 3) {
      const machine = newMachine();
      const engine = await machine.start();
      await engine.create(P1);
      const others = Promise.all(
        Array.from({ length: 8 }, (_, i) => engine.append(P1, [entry(i + 1, put(`o${i}`, 'x'.repeat(300)))])),
      );
      const filled = (async () => {
        await engine.beginFill(P0, { snapshotSeq: 7, epoch: 2 });
        const stored = storeFrom(engine, undefined);
        stored.catch(() => undefined); // the crash may come before it is waited for
        await engine.promise(P0, 3);
        await stored;
        await engine.finishFill(P0, expected);
        whole = true;
      })();
      void Promise.allSettled([others, filled]);
      for (let i = 0; i < cut; i += 1) await Promise.resolve();
      machine.crash();
      whole &&= (await settledOf(filled)) === 'done';

      const next = await machine.start();
      if (next.meta(P0)?.state !== 'active') {
        if (next.meta(P0) === undefined) await next.beginFill(P0, { snapshotSeq: 7, epoch: 2 });
        const after = next.meta(P0)?.filling?.resumeAfter;
        const there = next.scan(P0, { limit: 1000, maxBytes: 1e9 }).entries.map(([key]) => Buffer.from(key).toString());
        const wanted = PAIRS.filter(([key]) => after !== undefined && compareBytes(key, after) <= 0);
        expect(there).toEqual(wanted.map(([key]) => Buffer.from(key).toString()));
        expect(next.meta(P0)?.count).toBe(wanted.length);
        if (after) resumed += 1;
        await storeFrom(next, after);
        await next.finishFill(P0, expected);
      }
      expect(next.meta(P0)).toMatchObject({ state: 'active', lastSeq: 7, ...expected });
      expect(await next.recomputeDigest(P0)).toMatchObject(expected);
      await next.append(P0, [entry(8, put('later', 'x'))]);
      await next.close();
    }
    expect(resumed).toBeGreaterThan(3);
  });

  // Plan: the disk fails under a chunk; it and all that wait are refused with the cause, and so is every later write until a new start.
  it('refuses every write after the disk failed under it', async () => {
    const engine = new MemoryEngine();
    await engine.open();
    await engine.beginFill(P0, { snapshotSeq: 7, epoch: 2 });
    engine.disk.failNext();
    await expect(storeFrom(engine, undefined)).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
    await expect(engine.create(P1)).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
    await engine.close();
    await engine.open();
    await storeFrom(engine, engine.meta(P0)?.filling?.resumeAfter);
    expect(await engine.finishFill(P0, await wholeDigest())).toMatchObject({ seq: 7, count: PAIRS.length });
    await engine.close();
  });
});

const settledOf = (promise: Promise<unknown>): Promise<'done' | 'open'> =>
  Promise.race([promise.then(() => 'done' as const), Promise.resolve().then(() => 'open' as const)]).catch(
    () => 'open',
  );
