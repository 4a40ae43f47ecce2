import { describe, expect, it } from '@jest/globals';
import type { PlanMove } from '../planning/plan.js';
import type { MovePhaseName } from './move-phase.js';
import type { MoveProgress } from './plan.machine.js';
import { decidePlan } from './plan.machine.js';

const limits = { perNodeIn: 2, perNodeOut: 2, cluster: 3 };
const at = (index: number, step: number, phase: MovePhaseName, to = `t${index}`, from = `f${index}`): MoveProgress => ({
  move: {
    index,
    step,
    keyspace: 'orders',
    partition: index,
    kind: 'replica',
    from,
    to,
    leaderAfter: to,
    baseEpoch: 1,
    reason: '',
    bytes: 0,
  } satisfies PlanMove,
  phase,
  ...(phase === 'failed' ? { note: 'target down' } : {}),
});

describe('a running plan', () => {
  it('begins the moves of the lowest unfinished step, under the limits', () => {
    // Five moves of step 1, three to the same node, cluster limit 3.
    const moves = [
      at(0, 1, 'pending', 'x'),
      at(1, 1, 'pending', 'x'),
      at(2, 1, 'pending', 'x'),
      at(3, 1, 'pending'),
      at(4, 1, 'pending'),
      at(5, 2, 'pending'),
    ];
    expect(decidePlan('executing', moves, {}, limits).start).toEqual([0, 1, 3]);
  });

  it('counts moves in flight', () => {
    // Two fly, one place is left.
    const moves = [at(0, 1, 'transferring'), at(1, 1, 'cutover'), at(2, 1, 'pending'), at(3, 1, 'pending')];
    expect(decidePlan('executing', moves, {}, limits).start).toEqual([2]);
  });

  it('waits for a step to end before the next', () => {
    // One move of step 1 cleans up still.
    expect(decidePlan('executing', [at(0, 1, 'cleaning-up'), at(1, 2, 'pending')], {}, limits)).toMatchObject({
      start: [],
    });
    expect(decidePlan('executing', [at(0, 1, 'done'), at(1, 2, 'pending')], {}, limits).start).toEqual([1]);
  });

  it("lets the others of a failed move's step go on, and then fails with the list", () => {
    // Step 1 has a failure and a pending move; step 2 never begins.
    expect(
      decidePlan('executing', [at(0, 1, 'failed'), at(1, 1, 'pending'), at(2, 2, 'pending')], {}, limits).start,
    ).toEqual([1]);
    const end = decidePlan('executing', [at(0, 1, 'failed'), at(1, 1, 'done'), at(2, 2, 'pending')], {}, limits);
    expect(end).toEqual({
      start: [],
      finish: 'fail',
      why: '1 of 3 moves failed: move 0 (orders partition 0 to t0): target down',
    });
  });

  it('keeps the list of failures short', () => {
    // The most moves that a plan may have fail: the sentence is stored three times in one transaction.
    const moves = Array.from({ length: 5_000 }, (_, i) => at(i, 1, 'failed'));
    const { why } = decidePlan('executing', moves, {}, limits);
    expect(why.length).toBeLessThan(4_000);
    expect(why).toContain('and 4980 more');
  });

  it('completes when all are done', () => {
    // Nothing is left, also while paused.
    expect(decidePlan('executing', [at(0, 1, 'done')], {}, limits).finish).toBe('complete');
    expect(decidePlan('paused', [at(0, 1, 'done')], {}, limits).finish).toBe('complete');
  });

  it('begins nothing while paused or frozen', () => {
    // A pending move stays pending.
    expect(decidePlan('paused', [at(0, 1, 'pending')], {}, limits)).toMatchObject({ start: [] });
    expect(decidePlan('executing', [at(0, 1, 'pending')], { frozen: true }, limits)).toMatchObject({ start: [] });
  });

  it('cancels when nothing is in flight any more', () => {
    // First a move flies, then none.
    expect(decidePlan('cancelling', [at(0, 1, 'transferring'), at(1, 1, 'pending')], {}, limits)).not.toHaveProperty(
      'finish',
    );
    expect(decidePlan('cancelling', [at(0, 1, 'cancelled'), at(1, 1, 'pending')], {}, limits).finish).toBe(
      'finishCancel',
    );
  });

  it.each(['proposed', 'approved', 'completed', 'failed'] as const)('does nothing when it is %s', (state) => {
    // Only a plan under way acts.
    expect(decidePlan(state, [at(0, 1, 'pending')], {}, limits)).toEqual({ start: [], why: `the plan is ${state}` });
  });
});
