import { describe, expect, it } from '@jest/globals';
import { Health } from '@cadastre/contracts';
import type { PartitionRecord, ReplicaRole, ReplicaState } from '@cadastre/core';
import { KeyspaceMap } from '@cadastre/core';
import type { Clock } from '@cadastre/runtime';
import { Readiness } from './readiness.js';

const statusOf = (health: Health, service: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const check = health.handlers['check'] as (
      call: object,
      done: (error: unknown, reply: { status: string }) => void,
    ) => void;
    check({ request: { service } }, (error, reply) => (error ? reject(error) : resolve(reply.status)));
  });

const mapWith = (mine: { role: ReplicaRole; state: ReplicaState; inSync: boolean }): KeyspaceMap => {
  const other = { node: 'n2', role: 'leader', state: 'available', inSync: true } as const;
  const records: PartitionRecord[] = [{ partition: 0, epoch: 1, replicas: [other, { node: 'n1', ...mine }] }];
  return KeyspaceMap.fromRecords(
    {
      name: 'k',
      scheme: { kind: 'hash-slots', hash: 'crc16', hashTags: true, slots: 16384 } as never,
      replicationFactor: 2,
      minInSync: 1,
      spread: [],
    },
    { incarnation: 1, number: 1 } as never,
    records,
    ['n1', 'n2'].map((id) => ({ id, address: `${id}:1`, labels: {}, weight: 1 })),
  );
};

const setup = (first: KeyspaceMap) => {
  let now = 0;
  let map = first;
  const health = new Health([]);
  const readiness = new Readiness({
    node: 'n1',
    clock: { monotonicMs: () => now } as Clock,
    health,
    mapOf: () => map,
    copies: () => [{ id: { keyspace: 'k', partition: 0 } }],
  });
  return {
    health,
    readiness,
    later: (next: KeyspaceMap) => {
      map = next;
      now += 1000;
      readiness.tick();
    },
  };
};

describe('Readiness', () => {
  const inSync = mapWith({ role: 'follower', state: 'available', inSync: true });
  const behind = mapWith({ role: 'follower', state: 'available', inSync: false });
  const learner = mapWith({ role: 'learner', state: 'initializing', inSync: false });

  // Plan: not ready before the node acts; ready once it does and all it has is in sync; not while a full copy is behind; never after the stop.
  it('follows the in-sync set of the map', async () => {
    const { health, readiness, later } = setup(inSync);
    readiness.tick();
    expect(await statusOf(health, 'readiness')).toBe('NOT_SERVING');
    readiness.startActing();
    readiness.tick();
    expect(await statusOf(health, 'readiness')).toBe('SERVING');
    later(behind);
    expect(await statusOf(health, 'readiness')).toBe('NOT_SERVING');
    later(inSync);
    expect(await statusOf(health, '')).toBe('SERVING');
    readiness.stop();
    later(inSync);
    expect(await statusOf(health, '')).toBe('NOT_SERVING');
  });

  // Plan: a learner is being filled by a plan; the node is ready all the same, and lives whatever readiness says.
  it('does not wait for copies that count for nothing yet', async () => {
    const { health, readiness } = setup(learner);
    expect(await statusOf(health, 'liveness')).toBe('SERVING');
    readiness.startActing();
    readiness.tick();
    expect(await statusOf(health, 'readiness')).toBe('SERVING');
  });
});
