import { describe, expect, it } from '@jest/globals';
import { Election } from './election.js';
import type { Mandate } from './election.js';
import { MemoryDatabase } from './memory/memory-database.js';
import { MemoryStore } from './memory/memory-store.js';
import { op } from './ops.js';
import { ManualClock } from './testing/manual-clock.js';
import { bytes } from './testing/watch-recorder.js';

function candidate(database: MemoryDatabase, clock: ManualClock) {
  const store = new MemoryStore({ database, clock });
  const elected: Mandate[] = [];
  const log: string[] = [];
  const election = new Election({
    store,
    clock,
    random: () => 0.5,
    prefix: 'e',
    value: bytes('v'),
    ttlMs: 10_000,
    onElected: (mandate) => {
      elected.push(mandate);
      log.push(`elected@${clock.monotonicMs()}`);
    },
    onDeposed: (reason) => void log.push(`${reason}@${clock.monotonicMs()}`),
  });
  return { store, election, elected, log };
}

describe('Election in manual time', () => {
  it('deposes itself before the next one can be elected when it is cut off', async () => {
    // A leads and is disconnected: deposed by its own clock at 80 % of the TTL, B elected only after the whole TTL; A's fence fails.
    const clock = new ManualClock();
    const database = new MemoryDatabase(clock);
    const a = candidate(database, clock);
    const b = candidate(database, clock);
    a.election.campaign();
    await clock.advance(100);
    b.election.campaign();
    await clock.advance(1_000);
    a.store.setConnected(false);
    await clock.advance(30_000);
    const deposedAt = Number(a.log[1]?.split('@')[1]);
    const electedAt = Number(b.log[0]?.split('@')[1]);
    expect(a.log[1]).toMatch(/^lease-deadline@/);
    expect(b.log[0]).toMatch(/^elected@/);
    expect(electedAt - deposedAt).toBeGreaterThanOrEqual(1_900);
    const fence = (a.elected[0] as Mandate).fence;
    expect((await b.store.txn({ compare: [fence], success: [op.put('x', bytes('late'))] })).kind).toBe('conflict');
    a.store.setConnected(true);
    await clock.advance(5_000);
    expect(a.elected).toHaveLength(1);
    expect(b.log).toHaveLength(1);
    await a.election.close();
    await b.election.close();
  });

  it('gives no mandate to a process that was suspended over its deadline', async () => {
    // The clock jumps past the deadline without timers: `mandate` is gone at once, before any callback.
    const clock = new ManualClock();
    const a = candidate(new MemoryDatabase(clock), clock);
    a.election.campaign();
    await clock.advance(100);
    expect(a.election.mandate).toBeDefined();
    clock.jump(9_000);
    expect(a.election.mandate).toBeUndefined();
    await clock.advance(1);
    expect(a.log.at(-1)).toMatch(/^lease-deadline@/);
    await a.election.close();
  });

  it('takes its key back when it resigns in the middle of standing', async () => {
    // Resign before the lease is granted: never elected, and no key stays.
    const clock = new ManualClock();
    const database = new MemoryDatabase(clock);
    const a = candidate(database, clock);
    a.election.campaign();
    await a.election.resign();
    await clock.advance(1_000);
    expect(a.elected).toEqual([]);
    expect(database.range('e/').kvs).toEqual([]);
    await a.election.close();
  });
});
