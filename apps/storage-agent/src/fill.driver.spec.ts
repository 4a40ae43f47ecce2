import { describe, expect, it } from '@jest/globals';
import { addLearner, CadastreError, newRecord } from '@cadastre/core';
import type { Peer } from '@cadastre/contracts';
import type { Pair } from '@cadastre/engine';
import { MemoryEngine } from '@cadastre/engine';
import { silentLogger, systemClock } from '@cadastre/runtime';
import { ByteRate } from './byte-rate.js';
import { Fills } from './fill.driver.js';
import { frameCrc } from './frames.codec.js';
import { AgentMeters } from './metrics/agent-meters.js';
import { ReplicaDriver, type ReplicaSurroundings } from './replica.driver.js';

const id = { keyspace: 'orders', partition: 0 };
const pairs: Pair[] = [[Buffer.from('a'), Buffer.from('1')]];
const FRAME = {
  seq: 4,
  totalBytes: 2,
  index: 0,
  last: true,
  epochAtSeq: '1',
  packed: Buffer.alloc(0),
  packedCrc32: 0,
  entries: pairs.map(([key, value]) => ({ key, value })),
  crc32c: frameCrc(pairs),
};

/** Gives the one frame that there is. */
const source = (): Peer => {
  const call = () => ({
    on: () => undefined,
    cancel: () => undefined,
    async *[Symbol.asyncIterator]() {
      yield FRAME;
    },
  });
  return { transfer: { snapshot: call }, close: () => undefined } as unknown as Peer;
};

describe('Fills', () => {
  it.each(['RESOURCE_EXHAUSTED', 'INTERNAL'] as const)('stops the node when its disk fails with %s', async (code) => {
    // Plan: the disk fails under the first write of a copy; that is fatal, because nobody knows what the disk has, and not tried again.
    const engine = new MemoryEngine();
    await engine.open();
    await engine.create(id);
    const fatal: Error[] = [];
    const fills = new Fills({
      node: 'b',
      engine,
      clock: systemClock,
      random: () => 0.5,
      logger: silentLogger,
      in: new ByteRate(systemClock),
      connect: source,
      onFatal: (error) => void fatal.push(error),
    });
    const around = {
      node: 'b',
      engine,
      clock: systemClock,
      logger: silentLogger,
      inSyncTimeoutMs: 1_000,
      granted: new Map(),
      grantedUntil: 0,
      toLeader: () => undefined,
      toFollower: () => undefined,
      stream: () => undefined,
      changeInSync: () => Promise.resolve({ outcome: 'unknown' }),
      minInSync: () => 1,
      ceased: () => undefined,
      pending: () => undefined,
      fill: () => undefined,
      stopFill: () => undefined,
      onFatal: () => undefined,
      meters: new AgentMeters(),
    } satisfies ReplicaSurroundings;
    const replica = new ReplicaDriver(id, around, 'absent');
    replica.dispatch({ type: 'record', record: addLearner(newRecord(0, ['a']), 'b'), minInSync: 1 });
    await new Promise((resolve) => setImmediate(resolve));
    engine.disk.failNext(new CadastreError(code, 'the disk'));
    fills.start(replica, 'a', false);
    for (let i = 0; i < 1000 && fatal.length === 0; i += 1) await new Promise((resolve) => setTimeout(resolve, 2));
    expect(fatal).toEqual([expect.objectContaining({ code })]);
    fills.stopAll();
    replica.close(undefined);
  });
});
