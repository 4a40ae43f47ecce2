import { afterEach, describe, expect, it } from '@jest/globals';
import { addLearner, changeLeader, dropLearner, inSyncOf, leaderOf, newRecord, removeReplica } from '@cadastre/core';
import { FakeControlPlane } from './fake-control-plane.js';
import { SmallClient, specOf, Stage, waitFor } from './kit.js';

const id = { keyspace: 'ks', partition: 0 };

describe('storage agents', () => {
  const stage = new Stage();
  afterEach(() => stage.end());

  // Plan: three real agents under writes that never stop; a learner is filled and joins, the lead moves to it, the old leader leaves
  // the map and its copy is purged on grant; every acknowledged write is read back, and all copies have the same digest.
  it('writes, fills a learner, takes it in, moves the lead, purges the source', async () => {
    const plane = await new FakeControlPlane().start();
    stage.onEnd(() => plane.cut());
    const spec = specOf(1, 2, 1);
    const n1 = await stage.agent('n1', plane);
    const n2 = await stage.agent('n2', plane);
    const n3 = await stage.agent('n3', plane);
    await waitFor('sessions', () => plane.nodes.size === 3);
    plane.createKeyspace(spec, [newRecord(0, ['n1', 'n2'])]);

    const client = new SmallClient(stage, spec, { address: n1.address, epoch: 1 });
    const acked = new Map<string, string>();
    let writing = true;
    const seqs = new Set<number>();
    const writer = async (name: string) => {
      for (let i = 0; writing; i += 1) {
        const key = `${name}-${i % 500}`;
        const { seq } = await client.put(`${name}:${i}`, key, `v${i}`);
        expect(seqs.has(seq)).toBe(false);
        seqs.add(seq);
        acked.set(key, `v${i}`);
      }
    };
    const writers = Promise.all(['a', 'b', 'c', 'd'].map(writer));
    await waitFor('first writes', () => seqs.size > 300);

    plane.publish(addLearner(plane.record(0), 'n3'));
    await waitFor('n3 in sync', () => inSyncOf(plane.record(0)).includes('n3'));
    expect(plane.changes[0]).toMatch(/^add n3/);
    const before = seqs.size;
    await waitFor('writes go on', () => seqs.size > before + 100);

    plane.publish(changeLeader(plane.record(0), 'n3'));
    const moved = seqs.size;
    await waitFor('writes go on at n3', () => seqs.size > moved + 100);
    expect(leaderOf(plane.record(0))).toBe('n3');

    plane.publish(removeReplica(plane.record(0), 'n1', 1));
    await waitFor('n1 sets its copy aside', () => plane.reports.get('n1/0')?.phase === 'quarantined');
    expect(n1.engine.meta(id)?.state).toBe('quarantined');
    // A grant of a generation that n1 has not applied is not acted on.
    plane.grants = [
      { node: 'n1', grant: { ...id, generation: { incarnation: 1, number: plane.generation.number + 5 } } },
    ];
    const applied = plane.generation.number;
    await waitFor('another report', () => plane.applied.get('n1')?.number === applied);
    expect(n1.engine.meta(id)).toBeDefined();
    plane.grants = [{ node: 'n1', grant: { ...id, generation: plane.generation } }];
    await waitFor('n1 purges', () => n1.engine.meta(id) === undefined);

    writing = false;
    await writers;
    for (const [key, value] of acked) expect(await client.get(key)).toBe(value);
    const same = () => n2.engine.digestAt(id).digest === n3.engine.digestAt(id).digest;
    await waitFor('equal copies', same);
    expect(n3.engine.digestAt(id).count).toBe(acked.size);
  }, 60_000);

  // Plan: while minInSync cannot be met by it, a filled learner is dropped from the map and given back: its copy is set aside, then
  // taken up again and brought up to date from the log, without a second fill.
  it('takes up a copy again that was set aside', async () => {
    const plane = await new FakeControlPlane().start();
    stage.onEnd(() => plane.cut());
    plane.refuseAdds = true;
    const spec = specOf(1, 1, 1);
    const n1 = await stage.agent('n1', plane);
    const n2 = await stage.agent('n2', plane);
    await waitFor('sessions', () => plane.nodes.size === 2);
    plane.createKeyspace(spec, [newRecord(0, ['n1'])]);
    const client = new SmallClient(stage, spec, { address: n1.address, epoch: 1 });
    for (let i = 0; i < 20; i += 1) await client.put(`c:${i}`, `k${i}`, `v${i}`);
    plane.publish(addLearner(plane.record(0), 'n2'));
    await waitFor(
      'n2 has it all',
      () => n2.engine.meta(id)?.state === 'active' && n2.engine.digestAt(id).digest === n1.engine.digestAt(id).digest,
    );
    const born = n2.engine.meta(id)!.firstSeq;

    plane.publish(dropLearner(plane.record(0), 'n2'));
    await waitFor('n2 sets its copy aside', () => plane.reports.get('n2/0')?.phase === 'quarantined');
    for (let i = 20; i < 40; i += 1) await client.put(`c:${i}`, `k${i}`, `v${i}`);
    plane.refuseAdds = false;
    plane.publish(addLearner(plane.record(0), 'n2'));
    await waitFor('n2 in sync', () => inSyncOf(plane.record(0)).includes('n2'));
    expect(n2.engine.meta(id)).toMatchObject({ state: 'active', firstSeq: born });
    await waitFor('equal copies', () => n2.engine.digestAt(id).digest === n1.engine.digestAt(id).digest);
  }, 60_000);

  // Plan: stop a follower under writes; it is proposed for removal and writes go on; it comes back with its data, catches up from the
  // log and is taken in again without a fill. Then the control plane goes away, and a restarted node serves from its saved map.
  it('drops a dead follower, takes it back, and starts without a control plane', async () => {
    const plane = await new FakeControlPlane().start();
    stage.onEnd(() => plane.cut());
    const spec = specOf(4, 2, 1);
    const n1 = await stage.agent('n1', plane);
    const dataDir = await stage.folder();
    const n2 = await stage.agent('n2', plane, { dataDir });
    await waitFor('sessions', () => plane.nodes.size === 2);
    plane.createKeyspace(
      spec,
      [0, 1, 2, 3].map((p) => newRecord(p, ['n1', 'n2'])),
    );
    const client = new SmallClient(stage, spec, { address: n1.address, epoch: 1 });
    for (let i = 0; i < 40; i += 1) await client.put(`c:${i}`, `k${i}`, `v${i}`);
    const port = Number(n2.address.split(':')[1]);
    await n2.stop();
    await client.put('c:40', 'k40', 'v40');
    for (let i = 41; i < 80; i += 1) await client.put(`c:${i}`, `k${i}`, `v${i}`);
    await waitFor('n2 is out everywhere', () => [0, 1, 2, 3].every((p) => !inSyncOf(plane.record(p)).includes('n2')));

    const again = await stage.agent('n2', plane, { dataDir, port });
    await waitFor('n2 is back everywhere', () => [0, 1, 2, 3].every((p) => inSyncOf(plane.record(p)).includes('n2')));
    for (let p = 0; p < 4; p += 1) expect(again.engine.meta({ keyspace: 'ks', partition: p })?.firstSeq).toBe(1); // from the log, not from a copy

    // The same request id takes effect once, and says where it did.
    const first = await client.put('once', 'k1', 'x');
    const second = await client.put('once', 'k1', 'x');
    expect(second.seq).toBe(first.seq);

    plane.publish(changeLeader(plane.record(0), 'n2'));
    await waitFor('n2 has applied', () => plane.applied.get('n2')?.number === plane.generation.number);
    await waitFor('saved', async () => (await client.get('k1')) === 'x');
    plane.cut();
    await again.stop();
    const alone = await stage.agent('n2', plane, { dataDir, port });
    const direct = new SmallClient(stage, spec, { address: alone.address, epoch: 1 });
    for (let i = 0; i < 80; i += 1) if (i !== 1) expect(await direct.get(`k${i}`)).toBe(`v${i}`);
    await direct.put('alone', 'k2', 'still');
    expect(await direct.get('k2')).toBe('still');
  }, 60_000);
});
