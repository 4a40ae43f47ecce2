import { describe, expect, it } from '@jest/globals';
import type { PlanMove } from '../plan.js';
import { estimateDuration } from './duration.js';

const move = (step: number, from: string, to: string, bytes: number, kind: PlanMove['kind'] = 'replica'): PlanMove => ({
  index: 0,
  step,
  keyspace: 'k',
  partition: 0,
  kind,
  from,
  to,
  leaderAfter: from,
  baseEpoch: 1,
  reason: '',
  bytes,
});

const throttle = { bytesPerSecondPerNode: 100, moveOverheadMs: { least: 10, most: 30 } };

describe('estimateDuration', () => {
  it('takes the busiest link of each step, and of the whole plan for the best case', () => {
    // Step 1: c takes in 300 bytes from two nodes; step 2: 100 bytes elsewhere. At 100 bytes/s.
    const found = estimateDuration([move(1, 'a', 'c', 100), move(1, 'b', 'c', 200), move(2, 'a', 'd', 100)], throttle);
    expect(found).toMatchObject({ lowMs: 3_000, likelyMs: 4_040, highMs: 8_060, bytes: 400, steps: 2 });
    expect(found.busiest).toEqual({ node: 'c', bytes: 300 });
  });

  it('takes leadership changes and unknown sizes for their overhead alone', () => {
    // No bytes at all: the range is that of the overhead, and the copy without a size is counted.
    const found = estimateDuration([move(1, 'a', 'b', 0), move(2, 'a', 'b', 0, 'leader')], throttle);
    expect(found).toMatchObject({ lowMs: 20, likelyMs: 40, highMs: 60, bytes: 0, unknownSizes: 1 });
  });

  it('is nothing for an empty plan', () => {
    expect(estimateDuration([])).toMatchObject({ lowMs: 0, likelyMs: 0, highMs: 0, steps: 0 });
  });
});
