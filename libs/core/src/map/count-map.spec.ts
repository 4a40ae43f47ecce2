import { describe, expect, it } from '@jest/globals';
import { addLearner, changeLeader, growInSync, newRecord, shrinkInSync } from './changes.js';
import { countMap } from './count-map.js';
import { KeyspaceMap } from './keyspace-map.js';
import type { KeyspaceSpec } from './records.js';

const spec: KeyspaceSpec = {
  name: 'k',
  scheme: { kind: 'hash-slots', slots: 5, hash: 'murmur3', hashTags: false },
  replicationFactor: 3,
  minInSync: 2,
  spread: [],
};
const nodes = ['a', 'b', 'c', 'd'].map((id) => ({ id, address: `${id}:1`, labels: {}, weight: 1 }));
const whole = (partition: number) => newRecord(partition, ['a', 'b', 'c']);

describe('countMap', () => {
  // Plan: one partition whole, one with a learner, one short of a copy, one short of two, one moved to d; with a and c down the last loses nothing.
  it('counts what is missing, and what each node has', () => {
    const records = [
      whole(0),
      addLearner(whole(1), 'd'),
      shrinkInSync(whole(2), 'b'),
      shrinkInSync(shrinkInSync(whole(3), 'b'), 'c'),
      changeLeader(growInSync(addLearner(whole(4), 'd'), 'd'), 'd'),
    ];
    const map = KeyspaceMap.fromRecords(spec, { incarnation: 1, number: 1 }, records, nodes);
    const counts = countMap(map, (node) => node !== 'a' && node !== 'c');
    expect(counts).toMatchObject({ underReplicated: 2, belowMinInSync: 1, leaderless: 0, unavailable: 2 });
    expect([...counts.replicas]).toEqual([5, 5, 5, 2]);
    expect([...counts.leaders]).toEqual([4, 0, 0, 1]);
    expect(countMap(map, () => true).unavailable).toBe(0);
  });
});
