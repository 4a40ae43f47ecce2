import { describe, expect, it } from '@jest/globals';
import type { KeyspaceMap } from '@cadastre/core';
import type { BatchPart } from './batch.js';
import { BulkWriter } from './bulk-writer.js';

const oneMap = { partitionOf: (key: Uint8Array) => key[0]! % 2 } as unknown as KeyspaceMap;

/** Holds each batch until it is let go. */
class Wire {
  readonly sent: BatchPart[] = [];
  private readonly open: { resolve: (r: { epoch: number; seq: number }) => void; reject: (e: Error) => void }[] = [];
  readonly writer = new BulkWriter({
    map: () => Promise.resolve(oneMap),
    send: (part) => {
      this.sent.push(part);
      return new Promise((resolve, reject) => this.open.push({ resolve, reject }));
    },
  });

  async next(error?: Error): Promise<void> {
    const held = this.open.shift()!;
    if (error) held.reject(error);
    else held.resolve({ epoch: 1, seq: this.sent.length });
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const settled = () => new Promise((resolve) => setImmediate(resolve));
const put = (key: string, value = 'v') => ({ type: 'put' as const, key, value });

describe('BulkWriter', () => {
  // Plan: the first write goes alone at once; those that come meanwhile go together, in order; the other partition is not held up.
  it('gathers what comes while a batch is under way, per partition and in order', async () => {
    const wire = new Wire();
    const writes = ['b1', 'b2', 'b3', 'a1'].map((key) => wire.writer.write(put(key)));
    await settled();
    expect(wire.sent.map((p) => p.ops.length)).toEqual([1, 1]);
    await wire.next();
    expect(wire.sent[2]!.ops.map((op) => Buffer.from(op.key).toString())).toEqual(['b2', 'b3']);
    await wire.next();
    await wire.next();
    expect(await Promise.all(writes)).toHaveLength(4);
  });

  // Plan: a failed batch rejects its own writes only; the next batch goes on.
  it('rejects the writes of a failed batch and goes on', async () => {
    const wire = new Wire();
    const first = wire.writer.write(put('b1'));
    const second = wire.writer.write(put('b2'));
    await settled();
    const failed = expect(first).rejects.toThrow('gone');
    await wire.next(new Error('gone'));
    await failed;
    await wire.next();
    await expect(second).resolves.toMatchObject({ epoch: 1 });
  });

  // Plan: batches stay below the limits of the contract, whatever waits.
  it('cuts batches at 500 operations and 1 MiB', async () => {
    const wire = new Wire();
    const writes = Array.from({ length: 1_001 }, (_, i) => wire.writer.write(put(`b${i}`)));
    writes.push(...Array.from({ length: 3 }, (_, i) => wire.writer.write(put(`b-large-${i}`, 'x'.repeat(600_000)))));
    await settled();
    for (let i = 0; i < 6; i += 1) await wire.next();
    expect(wire.sent.map((p) => p.ops.length)).toEqual([1, 500, 500, 1, 1, 1]);
    await Promise.all(writes);
  });

  // Plan: a bad write is refused before anything is sent.
  it('refuses a bad key by name', async () => {
    const wire = new Wire();
    await expect(wire.writer.write(put(''))).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', field: 'ops[0].key' });
    expect(wire.sent).toEqual([]);
  });
});
