import { describe, expect, it } from '@jest/globals';
import { CadastreError } from '@cadastre/core';
import { systemClock } from '@cadastre/runtime';
import { CoreEngine } from '../core/core-engine.js';
import { MemoryBacking } from '../memory/memory-engine.js';
import { MemoryDisk } from '../memory/memory-disk.js';
import { bytes, describeEngine, entry, P0, put, type EngineHarness } from '../testing/engine-contract.js';
import { itMatchesTheModel } from '../testing/engine-model.js';
import { TABLES } from '../core/backing.js';
import { JournaledBacking } from './journaled-backing.js';
import { MemoryJournal } from './memory-journal.js';

const P1 = { ...P0, partition: P0.partition + 1 };

/** The engine with its journal, over memory that survives a crash. */
class Machine {
  readonly disk = new MemoryDisk();
  readonly journal = new MemoryJournal();
  private backing: MemoryBacking | undefined;
  private journaled: JournaledBacking | undefined;

  constructor(private readonly checkpointBytes = 16 * 1024 * 1024) {}

  engine(): CoreEngine {
    const backing = new MemoryBacking(this.disk);
    const turn = (task: () => void) => queueMicrotask(task);
    const { checkpointBytes } = this;
    const journaled = new JournaledBacking(backing, this.journal, { clock: systemClock, turn, checkpointBytes });
    this.backing = backing;
    this.journaled = journaled;
    return new CoreEngine(journaled, { clock: systemClock, turn });
  }

  async start(): Promise<CoreEngine> {
    const engine = this.engine();
    await engine.open();
    return engine;
  }

  crash(): void {
    this.journal.crash();
    this.journaled?.die();
    this.backing?.die();
  }
}

const harness = async (): Promise<EngineHarness> => {
  // Small, so that checkpoints come in the middle of everything.
  const machine = new Machine(2000);
  return {
    create: () => machine.engine(),
    again: () => machine.engine(),
    storedKeys: async () =>
      TABLES.reduce(
        (sum, table) =>
          sum + [...machine.disk.range(table, { start: Buffer.of(0, 0), end: Buffer.alloc(9, 0xff) })].length,
        0,
      ),
    killDuringAppends: async (id) => {
      const engine = await machine.start();
      await engine.create(id);
      let acknowledged = 0;
      for (let seq = 1; seq <= 50; seq += 1) {
        void engine.append(id, [entry(seq, put(`key-${seq}`, 'v'))]).then(() => (acknowledged = seq));
        if (seq % 8 === 0 && seq < 48) await engine.flush();
      }
      machine.crash();
      return acknowledged;
    },
    dispose: async () => undefined,
  };
};

describeEngine('journaled memory', harness);
itMatchesTheModel(harness, 60);

const seqsOf = (engine: CoreEngine, id = P0) =>
  engine.readLog(id, engine.meta(id)!.firstSeq, { maxEntries: 1000, maxBytes: 1e9 }).map((e) => e.seq);

/** Two partitions with `count` durable entries each, one group an entry. */
const written = async (machine: Machine, count: number): Promise<CoreEngine> => {
  const engine = await machine.start();
  await Promise.all([engine.create(P0), engine.create(P1)]);
  for (let seq = 1; seq <= count; seq += 1) {
    await engine.append(P0, [entry(seq, put(`a${seq}`, 'x'))]);
    await engine.append(P1, [entry(seq, put(`b${seq}`, 'y'))]);
  }
  return engine;
};

describe('the journal', () => {
  // Plan: crash with nothing handed over to the store, at several counts; all that was acknowledged is there again, and it can be gone on with.
  it.each([0, 1, 7, 40])('has after a crash all %i entries that were acknowledged', async (count) => {
    const machine = new Machine();
    await written(machine, count);
    machine.crash();
    const engine = await machine.start();
    expect(seqsOf(engine)).toEqual(Array.from({ length: count }, (_, i) => i + 1));
    await engine.append(P0, [entry(count + 1)]);
    machine.crash();
    expect(seqsOf(await machine.start()).length).toBe(count + 1);
  });

  // Plan: the machine dies in the middle of a write, at every length of it; what was acknowledged is there, the torn group is not,
  // and the journal goes on behind it.
  it('cuts a torn end, wherever it is torn', async () => {
    for (let length = 0; length < 120; length += 7) {
      const machine = new Machine();
      const engine = await written(machine, 3);
      machine.journal.tearNext(length);
      engine.append(P0, [entry(4, put('torn', 'z'.repeat(200)))]).catch(() => undefined);
      await new Promise((resolve) => setImmediate(resolve));
      machine.crash();
      const next = await machine.start();
      expect([seqsOf(next), seqsOf(next, P1)]).toEqual([
        [1, 2, 3],
        [1, 2, 3],
      ]);
      await next.append(P0, [entry(4, put('new', 'n'))]);
      machine.crash();
      expect(seqsOf(await machine.start())).toEqual([1, 2, 3, 4]);
    }
  });

  // Plan: flip one bit in the payload of a group in the middle that was acknowledged; the partition that it belongs to is gone, so
  // that it can be filled again, and the other one has everything.
  it('never serves a copy of which an entry was damaged, and keeps the others', async () => {
    const machine = new Machine();
    const engine = await written(machine, 3);
    await engine.append(P0, [entry(4, put('flipped', 'z'.repeat(50)))]);
    const { segment, offset, length } = machine.journal.newest;
    await engine.append(P1, [entry(4, put('after', 'y'))]);
    machine.crash();
    machine.journal.flip(segment, offset + length - 20);
    const next = await machine.start();
    expect(next.meta(P0)).toBeUndefined();
    expect(seqsOf(next, P1)).toEqual([1, 2, 3, 4]);
    await next.beginFill(P0, { snapshotSeq: 9, epoch: 2 });
    await next.finishFill(P0);
    machine.crash();
    expect((await machine.start()).meta(P0)).toMatchObject({ lastSeq: 9, state: 'active' });
  });

  // Plan: flip a bit in the head of a group in the middle: nobody can tell whose writes are missing, so nothing is served.
  it('refuses to open when it cannot tell whose entry is damaged', async () => {
    const machine = new Machine();
    const engine = await written(machine, 3);
    const { segment, offset } = machine.journal.newest;
    await engine.append(P0, [entry(4)]);
    machine.crash();
    machine.journal.flip(segment, offset + 13);
    await expect(machine.start()).rejects.toMatchObject({ code: 'DATA_LOSS' });
  });

  // Plan: take the journal away, or one of its segments; the store alone is not what was acknowledged.
  it('refuses to open when segments are missing', async () => {
    const machine = new Machine();
    const engine = await written(machine, 3);
    await engine.close();
    machine.journal.segments.clear();
    await expect(machine.start()).rejects.toMatchObject({ code: 'DATA_LOSS' });
  });

  // Plan: the disk refuses one write; it and all later ones are refused with a typed error, nothing of it is there after a restart.
  it.each(['RESOURCE_EXHAUSTED', 'INTERNAL'] as const)(
    'acknowledges nothing after the disk failed with %s',
    async (code) => {
      const machine = new Machine();
      const engine = await written(machine, 3);
      machine.journal.failNext(new CadastreError(code, 'broken'));
      await expect(engine.append(P0, [entry(4)])).rejects.toMatchObject({ code });
      await expect(engine.append(P1, [entry(4)])).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
      await engine.close();
      expect(seqsOf(await machine.start())).toEqual([1, 2, 3]);
    },
  );

  // Plan: the store fails while it takes over; writes stop with its error, and the journal still has them all at the next start.
  it('keeps everything when the store fails to take over', async () => {
    const machine = new Machine(500);
    machine.disk.failNext();
    const engine = await machine.start();
    await engine.create(P0);
    let seq = 0;
    const refused = async () => {
      for (;;) {
        await engine.append(P0, [entry(seq + 1, put(`k${seq}`, 'v'.repeat(100)))]);
        seq += 1;
      }
    };
    await expect(refused()).rejects.toMatchObject({
      code: expect.stringMatching('RESOURCE_EXHAUSTED|FAILED_PRECONDITION'),
    });
    machine.crash();
    await engine.close();
    const next = await machine.start();
    expect(next.meta(P0)?.lastSeq).toBe(seq);
    expect(next.get(P0, bytes('k0'))).toBeUndefined();
  });

  // Plan: write far more than a checkpoint and a segment, crash at many moments, and count each time; segments do not pile up.
  it('loses nothing over many checkpoints, segments and crashes', async () => {
    const machine = new Machine(300_000);
    let engine = await machine.start();
    await engine.create(P0);
    let seq = 0;
    for (let life = 0; life < 12; life += 1) {
      for (let i = 0; i < 60; i += 1) {
        seq += 1;
        await engine.append(P0, [entry(seq, put(`k${seq % 50}`, String(seq).padEnd(12_000)))]);
        if (i % 3 === 0) engine.apply(P0, seq).catch(() => undefined);
      }
      machine.crash();
      engine = await machine.start();
      expect(engine.meta(P0)?.lastSeq).toBe(seq);
      await engine.apply(P0, seq);
      expect(
        Buffer.from(engine.get(P0, bytes(`k${seq % 50}`))!)
          .toString()
          .trim(),
      ).toBe(String(seq));
      expect(machine.journal.segments.size).toBeLessThan(6);
    }
  });
});
