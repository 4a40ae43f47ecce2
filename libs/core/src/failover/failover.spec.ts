import { describe, expect, it } from '@jest/globals';
import { newRecord, shrinkInSync } from '../map/changes.js';
import { inSyncOf, leaderOf } from '../map/records.js';
import { brake, decideFailover } from './failover.js';

const record = newRecord(7, ['a', 'b', 'c']);
const aliveBut =
  (...dead: string[]) =>
  (node: string) =>
    !dead.includes(node);
const none = () => 0;
const view = (alive: (node: string) => boolean, leaderCount: (node: string) => number = none) => ({
  alive,
  leaderCount,
});

describe('decideFailover', () => {
  // Plan: with all replicas alive nothing is proposed.
  it('leaves a healthy partition alone', () => {
    expect(
      decideFailover(
        record,
        view(() => true),
      ).record,
    ).toBeUndefined();
  });

  // Plan: the leader dies; the in-sync replica with fewer leaderships elsewhere follows it, the dead one leaves the set, one epoch up.
  it('hands a lost leadership to the in-sync replica that leads least', () => {
    const decision = decideFailover(
      record,
      view(aliveBut('a'), (node) => (node === 'b' ? 5 : 1)),
    );
    expect(leaderOf(decision.record!)).toBe('c');
    expect(inSyncOf(decision.record!).sort()).toEqual(['b', 'c']);
    expect(decision.record!.epoch).toBe(record.epoch + 1);
  });

  // Plan: two heirs, one of which lags by thousands of entries and leads nothing; the one with the longer log follows.
  it('prefers the most advanced log over the fewest leaderships', () => {
    const decision = decideFailover(record, {
      ...view(aliveBut('a'), (node) => (node === 'b' ? 9 : 0)),
      lastSeq: (node) => (node === 'b' ? 5_000 : 1_000),
    });
    expect(leaderOf(decision.record!)).toBe('b');
  });

  // Plan: two heirs, one in doubt; the other follows, and the one in doubt only when there is no other.
  it('names a node in doubt only when there is no other', () => {
    const doubted = (node: string) => node === 'b';
    expect(leaderOf(decideFailover(record, { ...view(aliveBut('a')), doubted }).record!)).toBe('c');
    expect(leaderOf(decideFailover(record, { ...view(aliveBut('a', 'c')), doubted }).record!)).toBe('b');
  });

  // Plan: a follower dies; the leader stays and the follower leaves the set.
  it('takes a lost follower out of the in-sync set', () => {
    const decision = decideFailover(record, view(aliveBut('c')));
    expect(leaderOf(decision.record!)).toBe('a');
    expect(inSyncOf(decision.record!).sort()).toEqual(['a', 'b']);
  });

  // Plan: leader and follower die together; the one left leads alone.
  it('copes with two losses at once', () => {
    const decision = decideFailover(record, view(aliveBut('a', 'b')));
    expect(inSyncOf(decision.record!)).toEqual(['c']);
    expect(leaderOf(decision.record!)).toBe('c');
  });

  // Plan: an out-of-sync replica is alive but must never lead (INV-4).
  it('never promotes a replica that is not in sync', () => {
    const shrunk = shrinkInSync(shrinkInSync(record, 'b'), 'c');
    const decision = decideFailover(shrunk, view(aliveBut('a')));
    expect(decision.record).toBeUndefined();
    expect(decision.reason).toContain('no in-sync replica is alive');
  });
});

describe('brake', () => {
  // Plan: the brake needs both a number and a share.
  it.each([
    [2, 4, false],
    [3, 6, true],
    [3, 20, false],
    [6, 20, true],
  ])('%i of %i lost: frozen is %s', (lost, known, frozen) => {
    expect(brake(lost, known) !== undefined).toBe(frozen);
  });
});
