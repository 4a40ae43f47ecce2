import { describe, expect, it } from '@jest/globals';
import { unavailability } from './availability.js';
import { pairCalls } from './client-history.js';
import type { HistoryEvent } from './history.js';

/** Calls as "from-to" on one partition; without `to` it never ends. */
const calls = (partition: number, ...spans: string[]): HistoryEvent[] =>
  spans.flatMap((span, op): HistoryEvent[] => {
    const [from, to] = span.split('-') as [string, string];
    const process = `p${partition}.${op}`;
    const invoke = {
      type: 'invoke',
      at: Number(from),
      process,
      op,
      call: 'get',
      keyspace: 'k',
      partition,
      key: 'x',
    } as const;
    return to === '' ? [invoke] : [invoke, { type: 'ok', at: Number(to), process, op }];
  });

const windowsOf = (...events: HistoryEvent[]) =>
  unavailability(pairCalls(events)).map(({ partition, from, ms }) => [partition, from, ms]);

describe('unavailability as clients felt it', () => {
  // Plan: quick answers, one call that waits while others are answered, a time in which all wait, and one in which nobody asks.
  it('counts the time in which somebody waited and nobody was answered', () => {
    expect(windowsOf(...calls(0, '0-10', '20-30', '2000-2010'))).toEqual([]);
    expect(windowsOf(...calls(0, '0-10', '20-3000', '100-110', '900-910', '1700-1710', '2500-2510'))).toEqual([]);
    expect(windowsOf(...calls(0, '0-10', '100-4000', '200-4010', '4020-4030'))).toEqual([['k/0', 100, 3900]]);
  });

  // Plan: two partitions, one of which never comes back; the longest is first.
  it('keeps partitions apart, and sees one that stays away', () => {
    const events = [...calls(0, '0-10', '100-', '5100-'), ...calls(1, '0-10', '100-1000', '1010-1020')];
    expect(windowsOf(...events)).toEqual([
      ['k/0', 100, 5000],
      ['k/1', 100, 900],
    ]);
  });
});
