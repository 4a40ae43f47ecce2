import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { PartitionRecord } from '@cadastre/core';
import { KeyspaceMap, newRecord } from '@cadastre/core';
import { MemoryEngine } from '@cadastre/engine';
import { silentLogger, systemClock } from '@cadastre/runtime';
import { AgentMeters } from './metrics/agent-meters.js';
import { ReplicaSet } from './replica-set.driver.js';

const nodes = ['a', 'b', 'c'].map((id) => ({ id, address: `${id}:1`, labels: {}, weight: 1 }));
const spec = {
  name: 'orders',
  scheme: { kind: 'hash-slots', slots: 4, hash: 'murmur3', hashTags: false },
  replicationFactor: 2,
  minInSync: 1,
  spread: [],
} as const;
const first = KeyspaceMap.fromRecords(
  spec,
  { incarnation: 1, number: 1 },
  [0, 1, 2, 3].map((p) => newRecord(p, ['a', 'b'])),
  nodes,
);
const changed = (records: readonly PartitionRecord[]): KeyspaceMap =>
  first.withDelta({
    keyspace: 'orders',
    from: first.generation,
    to: { incarnation: 1, number: 2 },
    records,
    nodes: [],
  });

describe('ReplicaSet', () => {
  let engine: MemoryEngine;
  let map: KeyspaceMap;
  let set: ReplicaSet;
  const at = (partition: number) => set.get(`orders/${partition}`);

  beforeEach(async () => {
    engine = new MemoryEngine();
    await engine.open();
    map = first;
    const surroundings = {
      node: 'a',
      engine,
      clock: systemClock,
      logger: silentLogger,
      inSyncTimeoutMs: undefined,
      granted: new Map(),
      grantedUntil: 0,
      toLeader: () => undefined,
      toFollower: () => undefined,
      stream: () => undefined,
      changeInSync: () => new Promise<never>(() => undefined),
      minInSync: () => 1,
      ceased: () => undefined,
      pending: () => undefined,
      fill: () => undefined,
      stopFill: () => undefined,
      onFatal: (error: Error) => {
        throw error;
      },
      meters: new AgentMeters(),
    };
    const common = { node: 'a', clock: systemClock, engine, logger: silentLogger };
    set = new ReplicaSet({ ...common, around: surroundings, mapOf: () => map });
    set.startActing(['orders']);
  });
  afterEach(async () => {
    set.close();
    await engine.close();
  });

  // Plan: one partition moves away and one gets another epoch; both are worked off, and nobody counts the thousands of others for it.
  it('looks at those partitions alone that a change names', () => {
    const partitions = jest.spyOn(engine, 'partitions');
    const gone = { ...newRecord(1, ['b', 'c']), epoch: 2 };
    const raised = { ...newRecord(2, ['a', 'c']), epoch: 2 };
    map = changed([gone, raised]);
    set.onMap('orders', map, [1, 2]);
    expect([at(0)?.machine.record?.epoch, at(1), at(2)?.machine.record?.epoch]).toEqual([1, undefined, 2]);
    expect([...set.allStrays()]).toEqual([{ keyspace: 'orders', partition: 1 }]);
    expect(engine.meta({ keyspace: 'orders', partition: 1 })?.state).toBe('quarantined');
    expect(partitions).not.toHaveBeenCalled();
  });

  // Plan: a whole map without two partitions that are here sets both aside, and takes one back that the next one gives again.
  it('looks at everything where a map comes whole', () => {
    map = changed([0, 3].map((p) => ({ ...newRecord(p, ['b', 'c']), epoch: 2 })));
    set.onMap('orders', map, undefined);
    expect([...set.allStrays()].map(({ partition }) => partition)).toEqual([0, 3]);
    map = first;
    set.onMap('orders', map, undefined);
    expect([...set.allStrays()]).toEqual([]);
    expect(at(3)?.machine.record?.epoch).toBe(1);
  });
});
