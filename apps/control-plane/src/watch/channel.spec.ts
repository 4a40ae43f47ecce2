import { describe, expect, it } from '@jest/globals';
import { changeLeader, KeyspaceMap, newRecord } from '@cadastre/core';
import type { KeyspaceSpec } from '@cadastre/core';
import { Channel } from './channel.js';
import type { CachedSnapshot } from './channel.js';
import type { Position } from './next-step.js';
import { nextStep } from './next-step.js';

const partitions = 16;
const spec: KeyspaceSpec = {
  name: 'k',
  scheme: { kind: 'hash-slots', slots: partitions, hash: 'murmur3', hashTags: false },
  replicationFactor: 2,
  minInSync: 1,
  spread: [],
};
const nodes = ['a', 'b'].map((id) => ({ id, address: `${id}:1`, labels: {}, weight: 1 }));
const records = Array.from({ length: partitions }, (_, p) => newRecord(p, ['a', 'b']));

const turn = (channel: Channel, n: number): void => {
  const { map } = channel;
  const record = map.record(n % partitions);
  const next = changeLeader(record, map.leader(record.partition)!.id === 'a' ? 'b' : 'a');
  const delta = {
    keyspace: 'k',
    from: map.generation,
    to: { incarnation: 1, number: map.generation.number + 1 },
    records: [next],
    nodes: [],
  };
  channel.apply(delta, map.withDelta(delta), n);
};

const snapshotOf = (channel: Channel): CachedSnapshot => {
  for (;;) {
    const ready = channel.snapshot('packed');
    if (ready) return ready;
    channel.build();
  }
};

describe('Channel', () => {
  // Plan: a snapshot is cached, then any number of changes follow; a new reader has everything after a few steps, never sent the same for ever.
  it.each([0, 1, 8, 9, 13, 30, 64, 65, 200, 1_500])('brings a new reader up to date after %i changes', (changes) => {
    const channel = new Channel(
      'id',
      KeyspaceMap.fromRecords(spec, { incarnation: 1, number: 1 }, records, nodes),
      1_024,
    );
    snapshotOf(channel);
    for (let n = 0; n < changes; n += 1) turn(channel, n);
    let position: Position = { kind: 'nothing' };
    let steps = 0;
    for (; steps < 5; steps += 1) {
      const step = nextStep(position, channel.ring, partitions);
      if (step.kind === 'current') break;
      position = { kind: 'at', seq: step.kind === 'snapshot' ? snapshotOf(channel).seq : channel.ring.head };
    }
    expect(steps).toBeLessThanOrEqual(2);
    expect(position).toEqual({ kind: 'at', seq: channel.ring.head });
  });
});
