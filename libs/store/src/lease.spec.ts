import { describe, expect, it } from '@jest/globals';
import { KeptLease } from './lease.js';
import type { LeaseLoss } from './store.js';
import { ManualClock } from './testing/manual-clock.js';

type Answer = { readonly ttlMs: number } | 'gone' | 'fails' | 'hangs';

const TTL = 10_000;

function start(answer: () => Answer) {
  const clock = new ManualClock();
  const sent: number[] = [];
  const losses: { reason: LeaseLoss; at: number }[] = [];
  const begin = clock.monotonicMs();
  const keepAliveOnce = async () => {
    sent.push(clock.monotonicMs() - begin);
    const next = answer();
    if (next === 'fails') throw new Error('unavailable');
    if (next === 'hangs')
      return new Promise<never>((_, reject) => clock.after(TTL / 4, () => reject(new Error('late'))));
    return next;
  };
  const lease = new KeptLease({ clock, keepAliveOnce, revokeLease: async () => undefined }, 7n, TTL, begin);
  lease.onLost((reason) => losses.push({ reason, at: clock.monotonicMs() - begin }));
  return { clock, lease, losses, sent, begin };
}

describe('KeptLease', () => {
  it('asks every third of its TTL, and its deadline follows the send time', async () => {
    // 30 s of good answers: sent at thirds, deadline = last send + 80 % of the TTL, never lost.
    const { clock, lease, losses, sent, begin } = start(() => ({ ttlMs: TTL }));
    await clock.advance(30_000);
    expect(sent.slice(0, 3).map(Math.round)).toEqual([3_333, 6_667, 10_000]);
    expect(lease.expiresAt() - begin).toBeCloseTo((sent.at(-1) as number) + 8_000);
    expect(losses).toEqual([]);
    lease.release();
  });

  it.each(['fails', 'hangs'] as const)('is lost at 80 %% of its TTL when every keepalive %s', async (how) => {
    // No answer ever: lost once, by the deadline, before the TTL; an answer later changes nothing.
    const { clock, lease, losses } = start(() => how);
    await clock.advance(60_000);
    expect(losses).toEqual([{ reason: 'deadline', at: 8_000 }]);
    expect(lease.isAlive()).toBe(false);
  });

  it('is lost at once when the store says that it is gone', async () => {
    // The first keepalive, at a third of the TTL, is answered by "gone".
    const { clock, losses } = start(() => 'gone');
    await clock.advance(4_000);
    expect(losses.map(({ reason, at }) => [reason, Math.round(at)])).toEqual([['gone', 3_333]]);
  });

  it('does not come back after a suspension, even when the old answer is positive', async () => {
    // The process sleeps over the deadline; the first thing that runs is a keepalive that succeeds: lost all the same.
    const { clock, lease, losses } = start(() => ({ ttlMs: TTL }));
    clock.jump(9_000);
    expect(lease.isAlive()).toBe(false);
    await clock.advance(1);
    expect(losses.map(({ reason }) => reason)).toEqual(['deadline']);
    await clock.advance(20_000);
    expect(lease.isAlive()).toBe(false);
  });

  it('tells a late listener at once, and forgets one that left', async () => {
    // Release; a listener that was removed hears nothing, one that comes after hears the reason.
    const { lease } = start(() => 'fails');
    const heard: string[] = [];
    lease.onLost(() => heard.push('removed'))();
    lease.release();
    lease.onLost((reason) => heard.push(reason));
    expect(heard).toEqual(['released']);
  });
});
