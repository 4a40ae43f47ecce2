import { afterEach, describe, expect, it } from '@jest/globals';
import { addLearner, newRecord } from '@cadastre/core';
import type { DuplexCall, Wire, WritableCall } from '@cadastre/contracts';
import { GrpcServer, streaming, transferService } from '@cadastre/contracts';
import { crc32c } from '@cadastre/storage-agent';
import { FakeControlPlane } from './fake-control-plane.js';
import { specOf, Stage, waitFor } from './kit.js';

type Snapshot = WritableCall<Wire.SnapshotRequest__Output, Wire.SnapshotFrame>;
type Replicate = DuplexCall<Wire.FollowerMessage__Output, Wire.LeaderMessage>;

const KEYS = Array.from({ length: 20 }, (_, i) => `key-${String(i).padStart(2, '0')}`);
const id = { keyspace: 'ks', partition: 0 };

const lengthOf = (n: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(n);
  return bytes;
};
const frameOf = (key: string, index: number): Wire.SnapshotFrame => {
  const [k, v] = [Buffer.from(key), Buffer.from(`value of ${key}`)];
  return {
    seq: 7,
    totalBytes: 400,
    index,
    entries: [{ key: k, value: v }],
    crc32c: crc32c(Buffer.concat([lengthOf(k.length), k, lengthOf(v.length), v])),
    last: false,
    epochAtSeq: '1',
  };
};

/** A source that is spoilt on purpose: `spoil` may change the frame of a key, or return undefined to cut the stream there. */
class BadSource {
  readonly requests: { after: string; resume: boolean }[] = [];
  readonly follows: Wire.Follow__Output[] = [];

  constructor(
    private readonly spoil: (key: string, attempt: number, frame: Wire.SnapshotFrame) => Wire.SnapshotFrame | undefined,
  ) {}

  async start(stage: Stage): Promise<string> {
    const server = new GrpcServer();
    server.add(transferService, {
      snapshot: streaming((call: Snapshot) => this.snapshot(call)) as never,
      replicate: streaming((call: Replicate) => this.replicate(call)) as never,
    });
    stage.onEnd(() => server.cut());
    return `127.0.0.1:${await server.listen({ host: '127.0.0.1', port: 0 })}`;
  }

  private snapshot(call: Snapshot): void {
    const { after, resume } = call.request;
    this.requests.push({ after: after.toString(), resume });
    let index = 0;
    for (const key of KEYS.filter((k) => !resume || k > after.toString())) {
      const frame = this.spoil(key, this.requests.length, frameOf(key, index));
      if (!frame) return void call.end();
      call.write(frame);
      index += 1;
    }
    call.write({ seq: 7, totalBytes: 400, index, entries: [], crc32c: 0, last: true, epochAtSeq: '1' });
    return void call.end();
  }

  private replicate(call: Replicate): void {
    call.on('data', (message: Wire.FollowerMessage__Output) => {
      if (message.follow) this.follows.push(message.follow);
    });
    call.on('end', () => call.end());
  }
}

describe('filling a learner', () => {
  const stage = new Stage();
  afterEach(() => stage.end());

  const fill = async (source: BadSource) => {
    const plane = await new FakeControlPlane().start();
    stage.onEnd(() => plane.cut());
    const agent = await stage.agent('n2', plane);
    await waitFor('session', () => plane.nodes.size === 1);
    plane.nodes.set('n1', { id: 'n1', address: await source.start(stage), labels: {}, weight: 1 });
    plane.createKeyspace(specOf(1, 1, 1), [addLearner(newRecord(0, ['n1']), 'n2')]);
    await waitFor('the learner to follow', () => source.follows.length > 0, 20_000);
    expect(source.follows[0]).toMatchObject({ lastSeq: 7, lastEpoch: 1, appliedSeq: 7 });
    for (const key of KEYS)
      expect(Buffer.from(agent.engine.get(id, Buffer.from(key))!).toString()).toBe(`value of ${key}`);
    expect(agent.engine.digestAt(id)).toMatchObject({ seq: 7, count: KEYS.length });
  };

  // Plan: one frame of the first attempt has a wrong checksum; the copy must go on after the last good key, and be whole.
  it('refuses a damaged frame and goes on after the last good key', async () => {
    const source = new BadSource((key, attempt, frame) =>
      key === 'key-05' && attempt === 1 ? { ...frame, crc32c: 1 } : frame,
    );
    await fill(source);
    expect(source.requests).toEqual([
      { after: '', resume: false },
      { after: 'key-04', resume: true },
    ]);
  });

  // Plan: the stream ends early twice, and a frame comes out of its place; each time the copy goes on where it was.
  it('gets over streams that are cut and frames that are skipped', async () => {
    const source = new BadSource((key, attempt, frame) => {
      if (key === 'key-03' && attempt === 1) return undefined;
      if (key === 'key-10' && attempt === 2) return { ...frame, index: frame.index! + 1 };
      return frame;
    });
    await fill(source);
    expect(source.requests.map((r) => r.after)).toEqual(['', 'key-02', 'key-09']);
  });

  // Plan: the frame after a certain key is damaged five times; then what was filled is given up and the copy starts anew.
  it('starts anew after five damaged frames', async () => {
    const source = new BadSource((key, attempt, frame) =>
      key === 'key-05' && attempt <= 5 ? { ...frame, crc32c: 1 } : frame,
    );
    await fill(source);
    expect(source.requests.map((r) => r.resume)).toEqual([false, true, true, true, true, false]);
  });
});
