import { describe, expect, it } from '@jest/globals';
import type { ChainEntry } from './chain.js';
import { ChainCheck } from './chain.js';

const entry = (n: number, over: Partial<ChainEntry> = {}): ChainEntry => ({
  at: n,
  record: { number: n, previousHash: n === 1 ? '' : `h${n - 1}` },
  hash: `h${n}`,
  prunedTo: 0,
  ...over,
});
const five = [1, 2, 3, 4, 5].map((n) => entry(n));
const verify = (
  entries: readonly ChainEntry[],
  head = { number: 5, hash: 'h5' },
  checkpoints: { number: number; hash: string }[] = [],
) => {
  const check = new ChainCheck(checkpoints);
  for (const each of entries) check.take(each);
  return check.finish(head);
};
const kinds = (...given: Parameters<typeof verify>) => verify(...given).faults.map((f) => `${f.kind} ${f.number}`);

describe('the chain of the audit log', () => {
  // Plan: whole; then each way to tamper with it, and what it is called.
  it('is whole', () => expect(verify(five)).toMatchObject({ intact: true, first: 1, last: 5, entries: 5 }));
  it.each([
    ['an edit', five.map((e) => (e.at === 3 ? { ...e, hash: 'x' } : e)), ['edited 3']],
    ['an edit of the last', five.map((e) => (e.at === 5 ? { ...e, hash: 'x' } : e)), ['edited 5']],
    ['a deletion', five.filter((e) => e.at !== 3), ['missing 3']],
    ['a deletion of the first', five.slice(1), ['missing 1']],
    [
      'two that changed places',
      [entry(1), { ...entry(3), at: 2 }, { ...entry(2), at: 3 }, entry(4), entry(5)],
      ['reordered 2', 'reordered 3', 'edited 3'],
    ],
    ['a tail that is cut', five.slice(0, 4), ['cut 5']],
    ['what cannot be read', five.map((e) => (e.at === 3 ? { ...e, record: undefined } : e)), ['unreadable 3']],
  ])('shows %s', (_story, entries, expected) => expect(kinds(entries)).toEqual(expected));

  // Plan: head and tail are cut together, which nothing but a checkpoint shows; and a history that was written anew.
  it('shows against checkpoints what was rewritten whole', () => {
    const cut = five.slice(0, 3);
    expect(kinds(cut, { number: 3, hash: 'h3' })).toEqual([]);
    expect(kinds(cut, { number: 3, hash: 'h3' }, [{ number: 5, hash: 'h5' }])).toEqual(['cut 4']);
    expect(kinds(five, undefined, [{ number: 2, hash: 'other' }])).toEqual(['edited 2']);
    expect(verify(five, undefined, [{ number: 2, hash: 'h2' }])).toMatchObject({ intact: true, checkpoints: 1 });
  });

  // Plan: old entries may be missing as far as a younger one says that they were pruned, and no further.
  it('knows what was pruned', () => {
    const pruned = five.slice(2).map((e) => (e.at === 5 ? { ...e, prunedTo: 2 } : e));
    expect(kinds(pruned)).toEqual([]);
    expect(kinds(pruned.slice(1))).toEqual(['missing 3']);
  });
});
