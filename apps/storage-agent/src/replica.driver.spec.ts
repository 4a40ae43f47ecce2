import { describe, expect, it, jest } from '@jest/globals';
import { addLearner, changeLeader, newRecord, shrinkInSync } from '@cadastre/core';
import { MemoryEngine } from '@cadastre/engine';
import { silentLogger, systemClock } from '@cadastre/runtime';
import type { ChangeAnswer } from './in-sync-changes.js';
import { AgentMeters } from './metrics/agent-meters.js';
import { ReplicaDriver, type ReplicaSurroundings } from './replica.driver.js';

const id = { keyspace: 'orders', partition: 0 };
const minInSync = 1;

const until = async (test: () => boolean): Promise<void> => {
  for (let i = 0; i < 1000 && !test(); i += 1) await new Promise((resolve) => setTimeout(resolve, 2));
  expect(test()).toBe(true);
};

const surroundings = (engine: MemoryEngine): ReplicaSurroundings => ({
  node: 'a',
  engine,
  clock: systemClock,
  logger: silentLogger,
  inSyncTimeoutMs: 1,
  granted: new Map(),
  grantedUntil: 0,
  toLeader: () => undefined,
  toFollower: () => undefined,
  stream: () => undefined,
  changeInSync: () => new Promise(() => undefined),
  minInSync: () => minInSync,
  ceased: () => undefined,
  pending: () => undefined,
  fill: () => undefined,
  stopFill: () => undefined,
  onFatal: (error) => {
    throw error;
  },
  meters: new AgentMeters(),
});

describe('ReplicaDriver', () => {
  // Plan: peers say who leads: of another partition, with two leaders, of the same epoch, then rightly; it takes the last one alone, and
  // says once that it leads no more.
  it('takes a newer record from a peer, if it is one', async () => {
    const engine = new MemoryEngine();
    await engine.open();
    await engine.create(id);
    const first = newRecord(0, ['a', 'b']);
    const next = changeLeader(first, 'b');
    const ceased = jest.fn();
    const replica = new ReplicaDriver(id, { ...surroundings(engine), ceased }, 'active');
    replica.dispatch({ type: 'record', record: first, minInSync });
    replica.learn({ ...next, partition: 5 });
    replica.learn({ ...next, replicas: next.replicas.map((r) => ({ ...r, role: 'leader' })) });
    replica.learn({ ...next, epoch: first.epoch });
    expect([replica.leader, ceased.mock.calls.length]).toEqual(['a', 0]);
    replica.learn(next);
    replica.learn(next);
    expect([replica.leader, ceased.mock.calls.length]).toEqual(['b', 1]);
    replica.close(undefined);
    await engine.close();
  });

  // Plan: the answer to an in-sync change comes later than a map that has a learner at the same epoch; the learner is not forgotten.
  it('takes from an answer only a record of a newer epoch', async () => {
    const engine = new MemoryEngine();
    await engine.open();
    await engine.create(id);
    const first = newRecord(0, ['a', 'b']);
    const shrunk = shrinkInSync(first, 'b');
    const answer: ChangeAnswer = { outcome: 'refused', record: shrunk };
    const toFollower = jest.fn<ReplicaSurroundings['toFollower']>();
    const stream = jest.fn<ReplicaSurroundings['stream']>();
    let asked = false;
    let answerNow: (answer: ChangeAnswer) => void = () => undefined;
    const around: ReplicaSurroundings = {
      ...surroundings(engine),
      toFollower,
      stream,
      changeInSync: () => {
        asked = true;
        return new Promise((resolve) => (answerNow = resolve));
      },
    };
    const replica = new ReplicaDriver(id, around, 'active');
    replica.dispatch({ type: 'record', record: first, minInSync });
    await until(() => (replica.dispatch({ type: 'tick' }), asked));
    replica.dispatch({ type: 'record', record: addLearner(shrunk, 'c'), minInSync });
    await until(() => replica.machine.phase === 'serving');
    answerNow(answer);
    await new Promise((resolve) => setImmediate(resolve));
    replica.dispatch({ type: 'follow', from: 'c', epoch: shrunk.epoch, lastSeq: 0, lastEpoch: 0, appliedSeq: 0 });
    expect(toFollower).not.toHaveBeenCalledWith(replica, expect.objectContaining({ to: 'c' }));
    expect(stream).toHaveBeenCalledWith(replica, 'c');
    replica.close(undefined);
    await engine.close();
  });
});
