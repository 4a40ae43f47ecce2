import { beforeEach, describe, expect, it } from '@jest/globals';
import type { Clock } from '@cadastre/runtime';
import { Attempts } from './attempts.js';

const MINUTE_MS = 60_000;
const [HOME, ELSEWHERE] = ['192.0.2.1', '198.51.100.9'];

let now: number;
let attempts: Attempts;
beforeEach(() => {
  now = 1_000_000;
  attempts = new Attempts({ monotonicMs: () => now } as Clock);
});

/** How long the name has to wait there, in milliseconds. */
const waitOf = (name: string, address: string): number => {
  const began = now;
  for (; ; now += 500) {
    try {
      attempts.admit(name, address);
      const waited = now - began;
      now = began;
      return waited;
    } catch (error) {
      expect(error).toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
    }
  }
};
const fail = (times: number, name: string, address: string): void => {
  for (let i = 0; i < times; i += 1) attempts.failed(name, address);
};

describe('failed sign-ins', () => {
  // Plan: the wait of a name where it was guessed at, after so many failures.
  it.each([
    [4, 0],
    [5, 1_000],
    [6, 2_000],
    [8, 8_000],
    [29, 15 * MINUTE_MS],
  ])('%i of one name at one place wait %i ms there', (times, waitMs) => {
    fail(times, 'ann', ELSEWHERE);
    expect(waitOf('ann', ELSEWHERE)).toBe(waitMs);
    expect(waitOf('bob', ELSEWHERE)).toBe(0);
  });

  // Plan: an attacker guesses for ever at ann; ann waits half a minute at most, and not at all where she has signed in before.
  it('lock nobody out from elsewhere', () => {
    fail(29, 'ann', ELSEWHERE);
    expect(waitOf('ann', HOME)).toBe(30_000);
    now += 30_000;
    attempts.succeeded('ann', HOME);
    fail(29, 'ann', ELSEWHERE);
    expect([waitOf('ann', HOME), waitOf('ann', '203.0.113.5')]).toEqual([0, 30_000]);
  });

  // Plan: from a thousand places a name is still slowed down: one try per place, then half a minute each.
  it('of one name from many places wait together', () => {
    for (let i = 0; i < 1_000; i += 1) attempts.failed('ann', `10.0.${i >> 8}.${i & 255}`);
    expect(waitOf('ann', '10.9.9.9')).toBe(30_000);
  });

  // Plan: one place goes through names; it waits for any further one, a place next to it does not; of IPv6 the whole network waits.
  it.each([
    ['192.0.2.1', '192.0.2.1', '192.0.2.2'],
    ['2001:db8::1', '2001:db8::ffff', '2001:db8:0:1::1'],
  ])('of many names from %s wait there', (address, same, other) => {
    for (let i = 0; i < 31; i += 1) attempts.failed(`user-${i}`, address);
    expect([waitOf('ann', same), waitOf('ann', other)]).toEqual([2_000, 0]);
  });

  // Plan: after a quiet quarter of an hour beyond the wait, counting begins anew; shortly before it does not.
  it.each([
    [14 * MINUTE_MS, 2_000],
    [16 * MINUTE_MS, 0],
  ])('are forgotten after a quiet time: %i ms', (quietMs, waitMs) => {
    fail(5, 'ann', HOME);
    now += 1_000 + quietMs;
    fail(1, 'ann', HOME);
    expect(waitOf('ann', HOME)).toBe(waitMs);
  });

  // Plan: a right password ends the count of the name, not that of somebody else's place.
  it('end with a success', () => {
    fail(5, 'ann', HOME);
    fail(5, 'ann', ELSEWHERE);
    attempts.succeeded('ann', HOME);
    expect([waitOf('ann', HOME), waitOf('ann', ELSEWHERE)]).toEqual([0, 1_000]);
  });

  // Plan: more names than are remembered: the oldest is forgotten, the newest is not.
  it('are remembered up to a bound', () => {
    attempts = new Attempts({ monotonicMs: () => now } as Clock, { remembered: 2 });
    for (const name of ['ann', 'bob', 'cy']) fail(5, name, `${name}.home`);
    expect(['ann', 'bob', 'cy'].map((name) => waitOf(name, HOME))).toEqual([0, 1_000, 1_000]);
  });
});
