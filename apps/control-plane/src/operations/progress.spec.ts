import { describe, expect, it } from '@jest/globals';
import type { PlanView } from '@cadastre/store';
import type { MoveCondition } from './progress.js';
import { planCondition, rateText } from './progress.js';

const paused = (...what: string[]): PlanView => {
  const events = what.map((each) => ({ atMs: 1, actor: each === 'executing' ? 'cadastre' : 'mara', what: each }));
  return { head: { state: 'paused', events } } as unknown as PlanView;
};
const move = (condition: MoveCondition['condition']): MoveCondition => ({ condition, because: '', bytesPerSecond: 0 });
const FREE = { frozen: undefined, window: undefined };

describe('what a paused plan says', () => {
  // Plan: who paused it last and why, and whether it stands still already; what has ended or not begun does not count as under way.
  it.each<[string, PlanView, MoveCondition[], string]>([
    [
      'at rest',
      paused('executing', 'paused'),
      [move(''), move('pending')],
      'by mara; no move begins until it is resumed, nothing moves',
    ],
    [
      'with one on its way',
      paused('executing', 'paused: disks', 'executing', 'paused: night'),
      [move('moving'), move('pending')],
      'by mara: night; no move begins until it is resumed, 1 under way goes on to a safe point',
    ],
    [
      'with some on their way',
      paused('paused'),
      [move('throttled'), move('waiting')],
      'by mara; no move begins until it is resumed, 2 under way go on to a safe point',
    ],
  ])('%s', (_what, plan, moves, because) => {
    expect(planCondition(plan, moves, FREE)).toEqual({ condition: 'paused', because });
  });
});

describe('a rate for people', () => {
  // Plan: the largest unit that leaves at least one of it, at most one digit after the point.
  it.each([
    [0, '0 bytes/s'],
    [1023, '1023 bytes/s'],
    [262_144, '256 KiB/s'],
    [1_600_000, '1.5 MiB/s'],
    [2 ** 41, '2048 GiB/s'],
  ])('%s is %s', (bytes, text) => {
    expect(rateText(bytes)).toBe(text);
  });
});
