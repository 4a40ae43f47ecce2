import { EventEmitter } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import { asPromise } from '@cadastre/contracts';
import { systemClock } from '@cadastre/runtime';
import { Gate } from './gate.js';
import { KvService } from './kv-service.js';
import { LoadBook } from './load-book.js';

describe('KvService', () => {
  // Plan: two writes wait for a follower that never answers, in a gate for two; when their callers are gone there is room again, and nothing counts as answered.
  it('does not let callers that are gone take the place of others', async () => {
    const gate = new Gate({
      node: 'a',
      clock: systemClock,
      holdMax: 2,
      mapOf: () => undefined,
      replica: () => undefined,
    });
    const admitted = { replica: { write: () => undefined }, map: { partitionOf: () => 0 } };
    Object.assign(gate, { admitNow: () => admitted });
    const loads = new LoadBook();
    const service = new KvService({ gate, engine: {} as never, clock: systemClock, reads: {} as never, loads });
    const begin = () => {
      const target = { keyspace: 'orders', partition: 0, epoch: 1, forward: false, hops: 0, byKey: false };
      const request = { target, requestId: 'c:1', key: Buffer.from('k'), value: Buffer.from('v') };
      const call = Object.assign(new EventEmitter(), { getDeadline: () => systemClock.wallMs() + 60_000 });
      const served = Promise.resolve().then(() => asPromise(service.serve({ kind: 'put', request }, call), call));
      return {
        call,
        ended: served.then(
          () => null,
          (error: Error) => error,
        ),
      };
    };
    const calls = [begin(), begin()];
    await new Promise((resolve) => setImmediate(resolve));
    await expect(begin().ended).resolves.toMatchObject({ message: expect.stringContaining('calls wait on a') });
    for (const { call } of calls) call.emit('cancelled');
    for (const { ended } of calls) expect(await ended).toMatchObject({ message: expect.stringContaining('gone') });
    expect(await gate.hold(() => Promise.resolve('room'))).toBe('room');
    expect(loads.report({ keyspace: 'orders', partition: 0 })).toBeUndefined(); // nothing was answered
  });
});
