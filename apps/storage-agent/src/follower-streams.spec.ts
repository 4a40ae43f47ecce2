import { EventEmitter } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import type { Wire } from '@cadastre/contracts';
import { silentLogger, systemClock } from '@cadastre/runtime';
import { FollowerStreams } from './follower-streams.js';
import { BEAT_TICKS } from './lease.js';
import type { ReplicaDriver } from './replica.driver.js';

const replica = (partition: number, mayRead: boolean): ReplicaDriver =>
  ({ id: { keyspace: 'orders', partition }, machine: { serves: () => true, mayRead: () => mayRead } }) as never;

/** The beats that a follower gets. */
class Call extends EventEmitter {
  readonly beats: Wire.LeaderBeat[] = [];
  write(message: Wire.LeaderMessage): boolean {
    if (message.beat) this.beats.push(message.beat);
    return true;
  }
  end(): void {
    this.emit('close');
  }
}

describe('what a beat vouches for', () => {
  it('is nothing of a partition that is led without a lease, also where the node has all its leases', () => {
    // Plan: a leader that seals beside one that serves; the follower grants its lease with its answer, and the next beat names the first.
    const [seals, serves] = [replica(1, false), replica(2, true)];
    const streams = new FollowerStreams({
      clock: systemClock,
      logger: silentLogger,
      replica: () => undefined,
      replicas: () => [seals, serves],
      waiting: () => [seals],
      partners: () => ['b'],
    });
    const call = new Call();
    streams.handle(call as never);
    call.emit('data', { hello: { node: 'b', incarnation: 'i', combined: true } });
    const beat = (): Wire.LeaderBeat => {
      for (let i = 0; i < BEAT_TICKS; i += 1) streams.tick();
      return call.beats.at(-1)!;
    };
    const first = beat();
    call.emit('data', { beat: { echoMs: first.sentMs, sentMs: 7 } });
    expect(streams.leases.get('b')).toBeGreaterThan(first.sentMs as number);
    expect(beat()).toMatchObject({ echoMs: 7, unsure: [{ keyspace: 'orders', partition: 1 }] });
    streams.stop();
  });
});
