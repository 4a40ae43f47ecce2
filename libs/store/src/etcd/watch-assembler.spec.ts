import { describe, expect, it } from '@jest/globals';
import type { WatchEvent } from '../store.js';
import { WatchAssembler } from './watch-assembler.js';

const event = (revision: bigint, key = 'k'): WatchEvent => ({
  type: 'put',
  kv: { key, value: new Uint8Array(0), version: 1n, createRevision: 1n, modRevision: revision, leaseId: 0n },
});
const message = (
  events: WatchEvent[],
  more: { fragment?: boolean; headerRevision?: bigint; isProgress?: boolean } = {},
) => ({ events, fragment: false, headerRevision: 100n, isProgress: false, ...more });

describe('WatchAssembler', () => {
  it('resumes after the last event, not after the header', () => {
    // A message with events 5 and 7 under header 100: two batches, resume at 8.
    const assembler = new WatchAssembler(5n);
    const assembled = assembler.accept(message([event(5n), event(7n)]));
    expect(assembled).toMatchObject({ kind: 'batches', batches: [{ revision: 5n }, { revision: 7n }] });
    expect(assembler.resumeFrom).toBe(8n);
  });

  it('keeps a revision whole over fragments, and drops half a one with its connection', () => {
    // Two of three fragments, then a reset: nothing delivered; the full set again: one batch with three events.
    const assembler = new WatchAssembler(5n);
    const fragments = ['a', 'b', 'c'].map((key, index) => message([event(5n, key)], { fragment: index < 2 }));
    for (const part of fragments.slice(0, 2)) expect(assembler.accept(part)).toEqual({ kind: 'nothing' });
    expect(assembler.resumeFrom).toBe(5n);
    assembler.reset();
    const delivered = fragments.map((part) => assembler.accept(part)).at(-1);
    expect(delivered).toMatchObject({ kind: 'batches', batches: [{ revision: 5n, events: [{}, {}, {}] }] });
  });

  it('drops what it has delivered before', () => {
    // Revisions 4 and 5 come to a watch that stands at 5.
    const assembler = new WatchAssembler(5n);
    expect(assembler.accept(message([event(4n), event(5n)]))).toMatchObject({ batches: [{ revision: 5n }] });
  });

  it('moves on with progress that can be believed, and never back', () => {
    // An inexact mark is ignored; an exact one moves to header + 1; an older one is ignored.
    const assembler = new WatchAssembler(5n);
    expect(assembler.accept(message([]))).toEqual({ kind: 'nothing' });
    expect(assembler.resumeFrom).toBe(5n);
    expect(assembler.accept(message([], { isProgress: true, headerRevision: 9n }))).toEqual({
      kind: 'progress',
      revision: 9n,
    });
    expect(assembler.accept(message([], { isProgress: true, headerRevision: 3n }))).toEqual({ kind: 'nothing' });
    expect(assembler.resumeFrom).toBe(10n);
  });
});
