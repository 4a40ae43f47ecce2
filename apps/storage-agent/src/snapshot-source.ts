import { crc32 } from 'node:zlib';
import type { WritableCall, Wire } from '@cadastre/contracts';
import type { PaceState } from '@cadastre/core';
import { CadastreError, decidePace, newPace } from '@cadastre/core';
import type { Pair, Snapshot, StorageEngine } from '@cadastre/engine';
import type { Clock, MonotonicMs } from '@cadastre/runtime';
import { ByteRate } from './byte-rate.js';
import { frameCrc, packPairs } from './frames.codec.js';
import type { ReplicaDriver } from './replica.driver.js';

const FRAME_BYTES = 256 * 1024;

type Call = WritableCall<Wire.SnapshotRequest__Output, Wire.SnapshotFrame>;

/** Resolves when the reader has room again, or is gone. */
const room = (call: Call): Promise<void> =>
  new Promise((resolve) => {
    const done = () => {
      call.off('drain', done);
      call.off('cancelled', done);
      call.off('close', done);
      resolve();
    };
    call.on('drain', done);
    call.on('cancelled', done);
    call.on('close', done);
  });

export interface SnapshotSourceOptions {
  readonly engine: StorageEngine;
  readonly clock: Clock;
  /** Of all copies out of this node. */
  readonly out: ByteRate;
}

/** Sends a copy of a partition that this node leads, as fast as the limits and the partition's own clients allow. @throws CadastreError FAILED_PRECONDITION when it does not */
export const sendSnapshot = async (
  call: Call,
  replica: ReplicaDriver | undefined,
  options: SnapshotSourceOptions,
): Promise<void> => {
  const { engine } = options;
  const { request } = call;
  // Only a sealed leader has applied all that was ever committed: a copy resumed here never goes back behind where it began.
  if (!replica || replica.machine.phase !== 'serving' || replica.machine.record?.epoch !== request.epoch) {
    throw new CadastreError(
      'FAILED_PRECONDITION',
      `${request.keyspace}/${request.partition} is not led here at epoch ${request.epoch}`,
      { field: 'epoch', remedy: 'learn the leader from the map and ask again' },
    );
  }
  const snapshot = await engine.snapshot(
    replica.id,
    request.resume && request.after.length > 0 ? { afterKey: request.after } : {},
  );
  try {
    await sendFrames(call, replica, snapshot, options);
  } finally {
    snapshot.close();
  }
};

/** Holds the copy back for the partition's own clients. */
class Courtesy {
  private pace: PaceState;
  private readonly rate: ByteRate;
  private readonly startedAt: MonotonicMs;
  private sent = 0;

  constructor(
    private readonly replica: ReplicaDriver,
    private readonly clock: Clock,
  ) {
    this.startedAt = clock.monotonicMs();
    this.rate = new ByteRate(clock);
    this.pace = newPace(replica.writeLatency, this.startedAt);
  }

  async take(bytes: number): Promise<void> {
    this.sent += bytes;
    const now = this.clock.monotonicMs();
    const perSecond = (this.sent * 1000) / Math.max(1, now - this.startedAt);
    const pace = decidePace(this.pace, this.replica.writeLatency, perSecond, now);
    if (pace.rate !== this.pace.rate) this.rate.set(pace.rate ?? 0);
    this.pace = pace;
    await this.rate.take(bytes);
  }
}

const sendFrames = async (
  call: Call,
  replica: ReplicaDriver,
  snapshot: Snapshot,
  { clock, out }: SnapshotSourceOptions,
): Promise<void> => {
  const courtesy = new Courtesy(replica, clock);
  const base = replica.machine.copyBase(snapshot.seq, snapshot.epoch);
  replica.dispatch({ type: 'copying', to: call.request.node, seq: base.seq });
  let index = 0;
  const send = async (pairs: readonly Pair[], last: boolean) => {
    const packed = call.request.packed ? packPairs(pairs) : undefined;
    const more = call.write({
      seq: base.seq,
      totalBytes: snapshot.sizeBytes,
      index,
      ...(packed
        ? { packed, packedCrc32: crc32(packed) }
        : { entries: pairs.map(([key, value]) => ({ key, value })), crc32c: frameCrc(pairs) }),
      last,
      epochAtSeq: String(base.epoch),
      ...(index === 0 && { records: snapshot.count, digest: snapshot.digest }),
    });
    index += 1;
    if (!more && !call.cancelled) await room(call);
    const bytes = packed?.length ?? pairs.reduce((sum, [key, value]) => sum + key.length + value.length, 0);
    await Promise.all([out.take(bytes), courtesy.take(bytes)]);
  };
  for await (const { pairs } of snapshot.chunks({ maxBytes: FRAME_BYTES })) {
    if (call.cancelled) return;
    await send(pairs, false);
  }
  await send([], true);
  call.end();
};
