import { afterEach, describe, expect, it } from '@jest/globals';
import { changeLeader, newRecord } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import { callUnary, type Peer } from '@cadastre/contracts';
import { FakeControlPlane } from './fake-control-plane.js';
import { SmallClient, specOf, Stage, waitFor } from './kit.js';

const id = { keyspace: 'ks', partition: 0 };
const key = Buffer.from('k');

const get = (peer: Peer, more: Partial<Wire.GetRequest> = {}) =>
  callUnary<Wire.GetRequest, Wire.GetReply__Output>(
    peer.kv,
    peer.kv.get,
    { target: { ...id, epoch: 1 }, key, ...more },
    { deadlineMs: 5000 },
  );

describe('read levels', () => {
  const stage = new Stage();
  afterEach(() => stage.end());

  // Plan: two agents with one partition; reads at the leader cost no log entry once leases are granted; the follower answers with its
  // epoch, position and age, refuses when that is too old for the caller, and after a hand-over the new leader answers within a second.
  it('reads at the leader by lease, at a follower with its age', async () => {
    const plane = await new FakeControlPlane().start();
    stage.onEnd(() => plane.cut());
    const spec = specOf(1, 2, 1);
    const n1 = await stage.agent('n1', plane);
    const n2 = await stage.agent('n2', plane);
    await waitFor('sessions', () => plane.nodes.size === 2);
    plane.createKeyspace(spec, [newRecord(0, ['n1', 'n2'])]);
    const client = new SmallClient(stage, spec, { address: n1.address, epoch: 1 });
    await client.put('w:1', 'k', 'v1');
    const [leader, follower] = [stage.peer(n1.address), stage.peer(n2.address)];

    let before = -1;
    await waitFor('a read by lease alone', async () => {
      before = n1.engine.meta(id)!.lastSeq;
      return Buffer.from((await get(leader)).value).toString() === 'v1' && n1.engine.meta(id)!.lastSeq === before;
    });
    for (let i = 0; i < 50; i += 1) expect((await get(leader)).stalenessMs).toBe(0);
    expect(n1.engine.meta(id)!.lastSeq - before).toBeLessThan(25);

    await expect(get(follower)).rejects.toMatchObject({ code: 'NOT_OWNER' });
    const { seq } = await client.put('w:2', 'k', 'v2');
    await waitFor('the follower has it', async () => {
      const reply = await get(follower, { follower: true }).catch(() => undefined);
      return reply !== undefined && reply.appliedSeq >= seq;
    });
    const reply = await get(follower, { follower: true, maxStalenessMs: 4000 });
    expect(Buffer.from(reply.value).toString()).toBe('v2');
    expect(reply.epoch).toBe(1);
    expect(reply.stalenessMs).toBeGreaterThan(0);
    expect(reply.stalenessMs).toBeLessThanOrEqual(4000);
    const refused = { code: 'UNAVAILABLE', field: 'max_staleness_ms' };
    const tooFresh = async () => {
      for (let i = 0; i < 200; i += 1) await get(follower, { follower: true, maxStalenessMs: 1 });
    };
    await expect(tooFresh()).rejects.toMatchObject(refused);

    plane.publish(changeLeader(plane.record(0), 'n2'));
    await waitFor('the new leader answers', async () => {
      const answer = await get(follower).catch(() => undefined);
      return answer !== undefined && Buffer.from(answer.value).toString() === 'v2';
    });
    await expect(get(leader)).rejects.toMatchObject({ code: 'NOT_OWNER' });
  });

  // Plan: the only follower is gone without a goodbye; while it counts as in sync no lease is valid and a read waits; once the map has
  // it out, the leader alone may answer.
  it('does not answer at the leader while a follower that may lead is silent', async () => {
    const plane = await new FakeControlPlane().start();
    stage.onEnd(() => plane.cut());
    const spec = specOf(1, 2, 1);
    const n1 = await stage.agent('n1', plane, { inSyncTimeoutMs: 2500 });
    const n2 = await stage.agent('n2', plane);
    await waitFor('sessions', () => plane.nodes.size === 2);
    plane.createKeyspace(spec, [newRecord(0, ['n1', 'n2'])]);
    const client = new SmallClient(stage, spec, { address: n1.address, epoch: 1 });
    await client.put('w:1', 'k', 'v1');
    await n2.stop();
    const began = Date.now();
    expect(Buffer.from((await get(stage.peer(n1.address))).value).toString()).toBe('v1');
    expect(plane.changes).toEqual(['remove n2']);
    expect(Date.now() - began).toBeGreaterThan(1000);
  });
});
