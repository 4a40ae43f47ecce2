import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  MAX_KEY_BYTES,
  MAX_VALUE_BYTES,
  type LogEntry,
  type Op,
  type PartitionId,
  type StorageEngine,
} from '../engine.js';

export interface EngineHarness {
  /** A fresh engine, not opened. */
  create(): StorageEngine;
  /** Another engine over what `create` made last. */
  again(): StorageEngine;
  /** Keys that the stored tables hold in all, to see that nothing is left behind. Call it on a closed engine. */
  storedKeys(): Promise<number>;
  /**
   * Appends entries of one put (key = `key-<seq>`) to `id` one by one from 8 callers, kills the engine in the middle, without mercy.
   * @returns how many appends had been acknowledged
   */
  killDuringAppends(id: PartitionId): Promise<number>;
  dispose(): Promise<void>;
}

export const P0: PartitionId = { keyspace: 'orders', partition: 0 };
const P1: PartitionId = { keyspace: 'orders', partition: 1 };
const ALL = { limit: 1_000_000, maxBytes: 1e9 };
const LOG = { maxEntries: 1e6, maxBytes: 1e9 };

export const bytes = (text: string): Uint8Array => Buffer.from(text);
const text = (value: Uint8Array | undefined): string | undefined =>
  value === undefined ? undefined : Buffer.from(value).toString();
export const put = (key: string, value: string): Op => ({ kind: 'put', key: bytes(key), value: bytes(value) });
const del = (key: string): Op => ({ kind: 'delete', key: bytes(key) });
export const entry = (seq: number, ...ops: Op[]): LogEntry => ({ epoch: 1, seq, requestId: `r${seq}`, ops });
const scanText = (engine: StorageEngine, id: PartitionId, range = {}): string[] =>
  engine.scan(id, { ...ALL, ...range }).entries.map(([key, value]) => `${text(key)}=${text(value)}`);
const failing = (code: string, field?: string) =>
  expect.objectContaining(field === undefined ? { code } : { code, field });

/** What every engine must do, whatever it is made of. */
export const describeEngine = (name: string, makeHarness: () => Promise<EngineHarness>): void => {
  describe(`${name}: engine contract`, () => {
    let harness: EngineHarness;
    let engine: StorageEngine;

    beforeEach(async () => {
      harness = await makeHarness();
      engine = harness.create();
      await engine.open();
    });
    afterEach(async () => {
      await engine.close();
      await harness.dispose();
    });

    const reopen = async (): Promise<void> => {
      await engine.close();
      engine = harness.again();
      await engine.open();
    };
    const write = async (id: PartitionId, ...ops: Op[]): Promise<void> => {
      const seq = (engine.meta(id)?.lastSeq ?? 0) + 1;
      await engine.append(id, [entry(seq, ...ops)]);
      void engine.apply(id, seq);
    };

    describe('life', () => {
      it('finds everything again after close', async () => {
        // Plan: two partitions with log, data, promise and trim; reopen; metadata, log and data are equal.
        await engine.create(P0, { epoch: 3 });
        await engine.create(P1);
        for (let i = 1; i <= 5; i += 1) await write(P0, put(`k${i}`, `v${i}`));
        await engine.append(P0, [entry(6, put('later', 'x'))]);
        await engine.promise(P0, 9);
        await engine.markAsked(P0, { epoch: 9, node: 'n2' });
        await engine.trimBefore(P0, 3);
        const before = engine.partitions();
        await reopen();
        expect(engine.partitions()).toEqual(before);
        expect(engine.meta(P0)).toMatchObject({
          promisedEpoch: 9,
          firstSeq: 3,
          lastSeq: 6,
          lastEpoch: 1,
          appliedSeq: 5,
          count: 5,
          state: 'active',
        });
        expect(engine.readLog(P0, 3, LOG).map((e) => [e.seq, e.requestId])).toEqual([
          [3, 'r3'],
          [4, 'r4'],
          [5, 'r5'],
          [6, 'r6'],
        ]);
        expect(scanText(engine, P0)).toEqual(['k1=v1', 'k2=v2', 'k3=v3', 'k4=v4', 'k5=v5']);
        expect(engine.sizeBytes(P0)).toBe(20);
      });

      it('refuses a second engine on the same place, and calls before open or after close', async () => {
        // Plan: open twice; close, then call.
        const second = harness.again();
        await expect(second.open()).rejects.toEqual(failing('FAILED_PRECONDITION', 'directory'));
        await engine.close();
        expect(() => engine.get(P0, bytes('k'))).toThrow('not open');
        await expect(engine.create(P0)).rejects.toEqual(failing('FAILED_PRECONDITION'));
        await engine.open();
      });

      it('keeps every acknowledged append when it is killed in the middle', async () => {
        // Plan: kill -9 during appends; after reopening the log is contiguous, holds at least what was acknowledged, and applies.
        await engine.close();
        const acknowledged = await harness.killDuringAppends(P0);
        engine = harness.again();
        await engine.open();
        const meta = engine.meta(P0);
        expect(acknowledged).toBeGreaterThan(20);
        expect(meta?.lastSeq).toBeGreaterThanOrEqual(acknowledged);
        await engine.apply(P0, meta?.lastSeq ?? 0);
        expect(engine.digestAt(P0).count).toBe(meta?.lastSeq);
        expect(await engine.recomputeDigest(P0)).toEqual(engine.digestAt(P0));
        expect(text(engine.get(P0, bytes(`key-${acknowledged}`)))).toBeDefined();
      });
    });

    describe('log', () => {
      beforeEach(() => engine.create(P0));

      it('refuses gaps, repeats and epochs that go back', async () => {
        // Plan: each broken rule gives its typed error and changes nothing.
        await engine.append(P0, [entry(1), entry(2)]);
        await expect(engine.append(P0, [entry(4)])).rejects.toEqual(failing('FAILED_PRECONDITION', 'seq'));
        await expect(engine.append(P0, [entry(2)])).rejects.toEqual(failing('FAILED_PRECONDITION', 'seq'));
        await engine.promise(P0, 5);
        await engine.promise(P0, 5);
        await expect(engine.promise(P0, 4)).rejects.toEqual(failing('FAILED_PRECONDITION', 'epoch'));
        await expect(engine.append(P1, [entry(1)])).rejects.toEqual(failing('NOT_FOUND', 'partition'));
        await expect(engine.create(P0)).rejects.toEqual(failing('ALREADY_EXISTS'));
        expect(engine.meta(P0)).toMatchObject({ lastSeq: 2, promisedEpoch: 5 });
      });

      it('reads entries before they are durable, within limits, and refuses what was trimmed', async () => {
        // Plan: read right after append without awaiting; count and byte limits; below firstSeq.
        const done = engine.append(P0, [entry(1, put('a', '1')), entry(2, put('b', '2')), entry(3, del('a'))]);
        expect(engine.readLog(P0, 1, LOG)).toHaveLength(3);
        await done;
        expect(engine.readLog(P0, 2, { maxEntries: 1, maxBytes: 1e6 }).map((e) => e.seq)).toEqual([2]);
        expect(engine.readLog(P0, 1, { maxEntries: 9, maxBytes: 1 }).map((e) => e.seq)).toEqual([1]);
        expect(engine.readLog(P0, 4, LOG)).toEqual([]);
        expect(engine.readLog(P0, 3, LOG)[0]?.ops).toEqual([{ kind: 'delete', key: Buffer.from('a') }]);
        await engine.apply(P0, 2);
        await engine.trimBefore(P0, 3);
        expect(() => engine.readLog(P0, 2, LOG)).toThrow('begins at 3');
        await expect(engine.trimBefore(P0, 4)).rejects.toEqual(failing('FAILED_PRECONDITION', 'seq'));
      });

      it('truncates only what is not applied, and appends anew in its place', async () => {
        // Plan: truncate and append again without waiting in between; the newer entries win in memory and after reopening.
        await engine.append(P0, [entry(1, put('a', 'old')), entry(2, put('b', 'old')), entry(3, put('c', 'old'))]);
        void engine.apply(P0, 1);
        await expect(engine.truncateAfter(P0, 0)).rejects.toEqual(failing('FAILED_PRECONDITION', 'seq'));
        const cut = engine.truncateAfter(P0, 1);
        expect(engine.meta(P0)).toMatchObject({ lastSeq: 1, lastEpoch: 1 });
        const anew = engine.append(P0, [{ ...entry(2, put('b', 'new')), epoch: 7 }]);
        expect(engine.readLog(P0, 2, LOG)[0]?.ops).toEqual([put('b', 'new')]);
        await Promise.all([cut, anew]);
        await reopen();
        expect(engine.meta(P0)).toMatchObject({ lastSeq: 2, lastEpoch: 7, appliedSeq: 1 });
        await engine.apply(P0, 2);
        expect(scanText(engine, P0)).toEqual(['a=old', 'b=new']);
      });

      it('trims long logs in batches and goes on from an empty one', async () => {
        // Plan: 5000 entries, trimmed to nothing; the end of the log is still known after reopening.
        await engine.append(
          P0,
          Array.from({ length: 5000 }, (_, i) => entry(i + 1, put(`k${i % 10}`, `${i}`))),
        );
        await engine.apply(P0, 5000);
        await engine.trimBefore(P0, 5001);
        await reopen();
        expect(engine.meta(P0)).toMatchObject({
          firstSeq: 5001,
          lastSeq: 5000,
          lastEpoch: 1,
          appliedSeq: 5000,
          count: 10,
        });
        await engine.append(P0, [entry(5001)]);
        expect(engine.readLog(P0, 5001, LOG)).toHaveLength(1);
      });
    });

    describe('data', () => {
      beforeEach(() => engine.create(P0));

      it('shows applied writes at once, before any flush, in get and scan', async () => {
        // Plan: disk has a, b, c; apply overwrites, deletes and additions; look without awaiting, then after the flush.
        await write(P0, put('a', '1'), put('b', '1'), put('c', '1'));
        await engine.flush();
        void engine.append(P0, [entry(2, put('b', '2'), del('c'), put('bb', '2'), put('A', '2'))]);
        const applied = engine.apply(P0, 2);
        const wanted = ['A=2', 'a=1', 'b=2', 'bb=2'];
        expect(scanText(engine, P0)).toEqual(wanted);
        expect(scanText(engine, P0, { reverse: true })).toEqual([...wanted].reverse());
        expect(engine.get(P0, bytes('c'))).toBeUndefined();
        expect(engine.digestAt(P0)).toMatchObject({ seq: 2, count: 4 });
        await applied;
        expect(scanText(engine, P0)).toEqual(wanted);
        expect(await engine.recomputeDigest(P0)).toEqual(engine.digestAt(P0));
      });

      it('pages through a range in both directions', async () => {
        // Plan: ten keys, pages of three by count and by bytes, bounds inclusive and exclusive.
        await write(P0, ...Array.from({ length: 10 }, (_, i) => put(`k${i}`, 'v')));
        const page = engine.scan(P0, { start: bytes('k2'), end: bytes('k9'), limit: 3, maxBytes: 1e6 });
        expect(page.entries.map(([key]) => text(key))).toEqual(['k2', 'k3', 'k4']);
        expect(text(page.next)).toBe('k5');
        const back = engine.scan(P0, { start: bytes('k2'), end: bytes('k9'), limit: 3, maxBytes: 1e6, reverse: true });
        expect(back.entries.map(([key]) => text(key))).toEqual(['k8', 'k7', 'k6']);
        const rest = engine.scan(P0, {
          start: bytes('k2'),
          end: back.next ?? bytes(''),
          limit: 9,
          maxBytes: 1e6,
          reverse: true,
        });
        expect(rest.entries.map(([key]) => text(key))).toEqual(['k5', 'k4', 'k3', 'k2']);
        expect(rest.next).toBeUndefined();
        expect(engine.scan(P0, { limit: 9, maxBytes: 1 }).entries).toHaveLength(1);
        expect(engine.scan(P0, { limit: 10, maxBytes: 1e6 }).next).toBeUndefined();
      });

      it('takes keys of 1 to 4096 bytes and values up to 1 MiB, and orders long keys among the others', async () => {
        // Plan: keys at every critical length, several that share their first 4000 bytes; order, reverse, bounds, deletion, digest.
        const lengths = [1, 507, 1978, 3999, 4000, 4001, 4002, 4096];
        const ops = lengths.flatMap((length): Op[] => [
          { kind: 'put', key: Buffer.alloc(length, 'm'), value: bytes(`${length}`) },
          { kind: 'put', key: Buffer.alloc(length, 'z'), value: bytes(`z${length}`) },
        ]);
        ops.push({ kind: 'put', key: Buffer.concat([Buffer.alloc(4000, 'm'), Buffer.of(0)]), value: bytes('zero') });
        ops.push(
          { kind: 'put', key: bytes('large'), value: Buffer.alloc(MAX_VALUE_BYTES, 7) },
          { kind: 'put', key: bytes('empty'), value: Buffer.alloc(0) },
        );
        const wanted = ops
          .map((op) => op.key)
          .sort(Buffer.compare)
          .map((key) => Buffer.from(key).toString('hex'));
        const keys = (range = {}) =>
          engine.scan(P0, { ...ALL, ...range }).entries.map(([key]) => Buffer.from(key).toString('hex'));
        await write(P0, ...ops);
        expect(keys()).toEqual(wanted);
        await engine.flush();
        await reopen();
        expect(keys()).toEqual(wanted);
        expect(keys({ reverse: true })).toEqual([...wanted].reverse());
        for (const bound of wanted) {
          expect(keys({ start: Buffer.from(bound, 'hex') })).toEqual(wanted.slice(wanted.indexOf(bound)));
          expect(keys({ end: Buffer.from(bound, 'hex'), reverse: true })).toEqual(
            wanted.slice(0, wanted.indexOf(bound)).reverse(),
          );
        }
        for (const op of ops) expect(engine.get(P0, op.key)).toHaveLength((op as { value: Uint8Array }).value.length);
        await write(
          P0,
          ...ops
            .filter((op) => op.key.length > 4000 && op.key[4000] !== 0)
            .map((op): Op => ({ kind: 'delete', key: op.key })),
        );
        await engine.flush();
        expect(keys()).toHaveLength(wanted.length - 6);
        expect(await engine.recomputeDigest(P0)).toEqual(engine.digestAt(P0));
      });

      it('refuses keys and values that are too long or empty, and takes nothing of such an entry', async () => {
        // Plan: each bad op gives INVALID_ARGUMENT with its field; the log stays where it was.
        const bad = (op: Op) => engine.append(P0, [entry(1, put('good', 'x'), op)]);
        await expect(bad({ kind: 'put', key: Buffer.alloc(MAX_KEY_BYTES + 1), value: bytes('') })).rejects.toEqual(
          failing('INVALID_ARGUMENT', 'key'),
        );
        await expect(bad(del(''))).rejects.toEqual(failing('INVALID_ARGUMENT', 'key'));
        await expect(bad({ kind: 'put', key: bytes('k'), value: Buffer.alloc(MAX_VALUE_BYTES + 1) })).rejects.toEqual(
          failing('INVALID_ARGUMENT', 'value'),
        );
        expect(() => engine.get(P0, bytes(''))).toThrow('key');
        expect(engine.meta(P0)).toMatchObject({ lastSeq: 0 });
      });

      it('keeps partitions apart', async () => {
        // Plan: the same keys in two partitions of one keyspace and one of another; each sees its own.
        const other = { keyspace: 'other', partition: 0 };
        await engine.create(P1);
        await engine.create(other);
        await write(P0, put('k', 'P0'));
        await write(P1, put('k', 'P1'), put('only', 'P1'));
        await write(other, put('k', 'other'));
        await engine.flush();
        expect([P0, P1, other].map((id) => scanText(engine, id))).toEqual([['k=P0'], ['k=P1', 'only=P1'], ['k=other']]);
      });
    });

    describe('snapshot and fill', () => {
      const pairsOf = async (snapshot: Awaited<ReturnType<StorageEngine['snapshot']>>, maxBytes = 64) => {
        const pairs: string[] = [];
        for await (const chunk of snapshot.chunks({ maxBytes }))
          for (const [key, value] of chunk.pairs) pairs.push(`${text(key)}=${text(value)}`);
        return pairs;
      };
      beforeEach(async () => {
        await engine.create(P0);
        await write(P0, ...Array.from({ length: 50 }, (_, i) => put(`k${String(i).padStart(2, '0')}`, `v${i}`)));
      });

      it('is exactly the state at its seq while writes go on', async () => {
        // Plan: open a snapshot, change everything between its chunks; it yields the old state and the old digest.
        const before = engine.digestAt(P0);
        const old = scanText(engine, P0);
        const snapshot = await engine.snapshot(P0);
        expect(snapshot).toMatchObject({ ...before, epoch: 1, sizeBytes: engine.sizeBytes(P0) });
        const seen: string[] = [];
        for await (const chunk of snapshot.chunks({ maxBytes: 64 })) {
          for (const [key, value] of chunk.pairs) seen.push(`${text(key)}=${text(value)}`);
          await write(P0, put('k49', 'changed'), del('k48'), put(`new${seen.length}`, 'x'));
          await engine.flush();
        }
        snapshot.close();
        expect(seen).toEqual(old);
        const tail = await engine.snapshot(P0, { afterKey: bytes('k47') });
        expect((await pairsOf(tail))[0]).toBe('k49=changed');
        tail.close();
      });

      it('fills a replica to the same digest, resumes after a restart, and replays the rest of the log', async () => {
        // Plan: fill P1 from P0 in two halves from two snapshots with writes and a restart in between; replay the log; digests agree.
        const first = await engine.snapshot(P0);
        await engine.beginFill(P1, { snapshotSeq: first.seq, epoch: first.epoch });
        for await (const chunk of first.chunks({ maxBytes: 128 })) {
          await engine.fillChunk(P1, chunk.pairs, chunk.lastKey);
          if (text(chunk.lastKey)! > 'k20') break;
        }
        first.close();
        await write(P0, del('k03'), put('k05', 'newer'), put('k30', 'newer'), put('k99', 'newer'));
        await write(P0, del('k30'), put('k06', 'newest'));
        await engine.flush();
        await reopen();
        const { filling, state } = engine.meta(P1) ?? {};
        expect([state, filling?.snapshotSeq]).toEqual(['filling', 1]);
        await expect(engine.apply(P1, 1)).rejects.toEqual(failing('FAILED_PRECONDITION', 'state'));
        const second = await engine.snapshot(P0, { afterKey: filling?.resumeAfter ?? bytes('') });
        for await (const chunk of second.chunks()) await engine.fillChunk(P1, chunk.pairs, chunk.lastKey);
        second.close();
        expect(await engine.finishFill(P1)).toMatchObject({ seq: 1 });
        expect(engine.meta(P1)).toMatchObject({
          state: 'active',
          firstSeq: 2,
          lastSeq: 1,
          lastEpoch: 1,
          appliedSeq: 1,
        });
        await engine.append(P1, engine.readLog(P0, 2, LOG));
        await engine.apply(P1, 3);
        expect(engine.digestAt(P1)).toEqual(engine.digestAt(P0));
        expect(await engine.recomputeDigest(P1)).toEqual(await engine.recomputeDigest(P0));
        expect(scanText(engine, P1)).toEqual(scanText(engine, P0));
      });

      it('takes pairs in key order only, and finishes only with what it was told to expect', async () => {
        // Plan: a pair again, one before; each is refused and changes nothing; a wrong digest or count refuses the end, the right one does not.
        const { count, digest } = engine.digestAt(P0);
        const pairs = engine.scan(P0, ALL).entries;
        await engine.beginFill(P1, { snapshotSeq: 1, epoch: 1 });
        await engine.fillChunk(P1, pairs.slice(0, 20), pairs[19]![0]);
        for (const wrong of [pairs.slice(19, 21), pairs.slice(3, 4), [pairs[21]!, pairs[20]!]])
          await expect(engine.fillChunk(P1, wrong, wrong.at(-1)![0])).rejects.toEqual(
            failing('FAILED_PRECONDITION', 'pairs'),
          );
        await engine.fillChunk(P1, pairs.slice(20), pairs.at(-1)![0]);
        for (const wrong of [
          { count, digest: '0'.repeat(32) },
          { count: count + 1, digest },
        ])
          await expect(engine.finishFill(P1, wrong)).rejects.toEqual(failing('DATA_LOSS', 'digest'));
        expect(engine.meta(P1)?.state).toBe('filling');
        expect(await engine.finishFill(P1, { count, digest })).toEqual({ seq: 1, count, digest });
      });

      it('is not written over by a fill that was begun anew', async () => {
        // Plan: begin again, and purge, while chunks are on their way; only the last life's pairs are there, and nothing of the others stays.
        const pairs = engine.scan(P0, ALL).entries;
        await engine.beginFill(P1, { snapshotSeq: 1, epoch: 1 });
        const late = engine.fillChunk(P1, pairs, pairs.at(-1)![0]).catch(() => undefined);
        await engine.beginFill(P1, { snapshotSeq: 1, epoch: 1 });
        const last = engine.fillChunk(P1, pairs.slice(0, 1), pairs[0]![0]);
        await Promise.all([late, last]);
        await engine.finishFill(P1);
        expect(scanText(engine, P1)).toEqual(['k00=v0']);
        await engine.beginFill(P1, { snapshotSeq: 1, epoch: 1 });
        const doomed = engine.fillChunk(P1, pairs, pairs.at(-1)![0]).catch(() => undefined);
        await Promise.all([doomed, engine.purge(P1), engine.purge(P0)]);
        await engine.drain();
        await engine.close();
        expect(await harness.storedKeys()).toBe(0);
        await engine.open();
      });

      it('wipes what was there but never the promise', async () => {
        // Plan: fill over a partition with data and log; nothing of it shows, the promised epoch stays, the bytes go.
        await engine.promise(P0, 8);
        await engine.beginFill(P0, { snapshotSeq: 40, epoch: 2 });
        expect(engine.meta(P0)).toMatchObject({
          state: 'filling',
          promisedEpoch: 8,
          count: 0,
          firstSeq: 41,
          lastSeq: 40,
          lastEpoch: 2,
          filling: { snapshotSeq: 40 },
        });
        expect(scanText(engine, P0)).toEqual([]);
        await engine.drain();
        expect(await engine.finishFill(P0)).toEqual({ seq: 40, count: 0, digest: '0'.repeat(32) });
        await engine.close();
        expect(await harness.storedKeys()).toBe(1);
        await engine.open();
      });
    });

    describe('quarantine and purge', () => {
      beforeEach(async () => {
        await engine.create(P0);
        await write(P0, put('a', '1'), { kind: 'put', key: Buffer.alloc(4096, 'l'), value: bytes('long') });
      });

      it('refuses writes in quarantine, still reads, and can come back', async () => {
        // Plan: quarantine, try to write, reopen, read, reinstate, write.
        await engine.quarantine(P0);
        await expect(engine.append(P0, [entry(2)])).rejects.toEqual(failing('FAILED_PRECONDITION', 'state'));
        await reopen();
        expect(engine.meta(P0)).toMatchObject({ state: 'quarantined', quarantinedAt: expect.any(Number) });
        expect(text(engine.get(P0, bytes('a')))).toBe('1');
        await engine.reinstate(P0);
        await write(P0, put('a', '2'));
        expect(engine.meta(P0)).not.toHaveProperty('quarantinedAt');
      });

      it('removes every byte, forgets at once, and can be created anew', async () => {
        // Plan: purge 3000 keys while a snapshot is open; gone at once; the snapshot goes on; a new life is empty; nothing is left.
        await write(P0, ...Array.from({ length: 3000 }, (_, i) => put(`k${i}`, 'v')));
        const snapshot = await engine.snapshot(P0);
        const gone = engine.purge(P0);
        expect(engine.partitions()).toEqual([]);
        expect(() => engine.get(P0, bytes('a'))).toThrow('not stored');
        await engine.create(P0);
        await gone;
        let seen = 0;
        for await (const chunk of snapshot.chunks()) seen += chunk.pairs.length;
        snapshot.close();
        expect(seen).toBe(3002);
        expect(scanText(engine, P0)).toEqual([]);
        await engine.purge(P0);
        await engine.purge(P1);
        await engine.close();
        expect(await harness.storedKeys()).toBe(0);
        await engine.open();
      });

      it('goes on with an interrupted purge when opened', async () => {
        // Plan: close right after a purge became durable but before its batches are done; reopen and drain; nothing is left.
        await write(P0, ...Array.from({ length: 5000 }, (_, i) => put(`k${i}`, 'v')));
        await engine.flush();
        void engine.purge(P0);
        await reopen();
        expect(engine.partitions()).toEqual([]);
        await engine.drain();
        await engine.close();
        expect(await harness.storedKeys()).toBe(0);
        await engine.open();
      });
    });
  });
};
