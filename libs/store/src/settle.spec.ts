import { describe, expect, it } from '@jest/globals';
import { systemClock } from '@cadastre/runtime';
import { MemoryDatabase } from './memory/memory-database.js';
import { MemoryStore } from './memory/memory-store.js';
import type { MemoryCall, MemoryFault } from './memory/memory-store.js';
import { compare, op } from './ops.js';
import { isSelfGuarded, settle } from './settle.js';
import type { KeyValue, Txn } from './store.js';
import { bytes, text } from './testing/watch-recorder.js';

const KEY = 'k';
const create = (mark: string): Txn => ({ compare: [compare.absent(KEY)], success: [op.put(KEY, bytes(mark))] });
const proofOf = (mark: string) => ({ key: KEY, matches: (kv: KeyValue) => text(kv.value) === mark });

function start(...faults: MemoryFault[]) {
  const database = new MemoryDatabase(systemClock);
  const direct = new MemoryStore({ database });
  const calls: MemoryCall[] = [];
  const fault = (call: MemoryCall): MemoryFault => {
    calls.push(call);
    return faults.shift();
  };
  return { direct, calls, store: new MemoryStore({ database, fault }) };
}

describe('settle', () => {
  it('finds a commit whose answer was lost', async () => {
    // Lose the reply once, and the first read-back too: committed at the key's revision, written once.
    const { store, direct } = start('lost-reply', 'refused');
    const settled = await settle(store, create('a'), proofOf('a'));
    const kv = await direct.get(KEY);
    expect(settled).toMatchObject({ kind: 'committed', revision: kv?.modRevision });
    expect(kv?.version).toBe(1n);
  });

  it('sends a self-guarded transaction again when it is not there', async () => {
    // Lose the request: settled as committed by the second sending.
    const { store, direct } = start('lost-request');
    expect(await settle(store, create('a'), proofOf('a'))).toMatchObject({ kind: 'committed' });
    expect(text((await direct.get(KEY))?.value)).toBe('a');
  });

  it('finds its own first sending when the second loses against it', async () => {
    // The request looks lost, the second sending's reply is lost too: still one write, and committed.
    const { store, direct } = start('lost-request', undefined, 'lost-reply');
    expect(await settle(store, create('a'), proofOf('a'))).toMatchObject({ kind: 'committed' });
    expect((await direct.get(KEY))?.version).toBe(1n);
  });

  it('reports a conflict when someone else was first', async () => {
    // The request is lost, and another client creates the key meanwhile.
    const { store, direct } = start('lost-request');
    const settling = settle(store, create('a'), proofOf('a'));
    await direct.txn(create('b'));
    expect(await settling).toMatchObject({ kind: 'conflict' });
    expect(text((await direct.get(KEY))?.value)).toBe('b');
  });

  it('leaves a transaction that could hold twice alone, and says that it does not know', async () => {
    // A blind put is lost: never sent again, unknown at the end.
    const { store, direct, calls } = start('lost-request');
    const blind = { compare: [], success: [op.put(KEY, bytes('a'))] };
    expect(await settle(store, blind, proofOf('a'), { giveUpMs: 60 })).toMatchObject({ kind: 'unknown' });
    expect(calls.filter(({ txn }) => txn?.success.some(({ kind }) => kind === 'put'))).toHaveLength(1);
    expect(await direct.get(KEY)).toBeUndefined();
  });

  it('throws what surely did not happen', async () => {
    // Refused at once: UNAVAILABLE, and nothing is read back.
    const { store, calls } = start('refused');
    await expect(settle(store, create('a'), proofOf('a'))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(calls).toHaveLength(1);
  });

  it.each([
    ['create if absent', create('a'), true],
    ['replace at a revision', { compare: [compare.modRevision(KEY, 5n)], success: [op.put(KEY, bytes('a'))] }, true],
    ['delete at a revision', { compare: [compare.modRevision(KEY, 5n)], success: [op.delete(KEY)] }, true],
    ['another key guarded', { compare: [compare.modRevision('other', 5n)], success: [op.put(KEY, bytes('a'))] }, false],
    [
      'fence only: it stays true',
      { compare: [compare.createRevision(KEY, 5n)], success: [op.put(KEY, bytes('a'))] },
      false,
    ],
    [
      'by value: it can come back',
      { compare: [compare.value(KEY, bytes('x'))], success: [op.put(KEY, bytes('a'))] },
      false,
    ],
    [
      'by version: it can come back',
      { compare: [compare.version(KEY, 1n)], success: [op.put(KEY, bytes('a'))] },
      false,
    ],
  ])('knows what guards itself: %s', (_story, txn, expected) => {
    // Table of transactions and whether two arrivals of one can both hold.
    expect(isSelfGuarded(txn)).toBe(expected);
  });
});
