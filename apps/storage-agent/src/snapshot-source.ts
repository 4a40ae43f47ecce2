import type { WritableCall, Wire } from '@cadastre/contracts';
import { CadastreError } from '@cadastre/core';
import type { Pair, Snapshot, StorageEngine } from '@cadastre/engine';
import { frameCrc } from './frames.codec.js';
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

/** Sends a copy of a partition that this node leads. @throws CadastreError FAILED_PRECONDITION when it does not */
export const sendSnapshot = async (
  call: Call,
  replica: ReplicaDriver | undefined,
  engine: StorageEngine,
): Promise<void> => {
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
    await sendFrames(call, replica, snapshot);
  } finally {
    snapshot.close();
  }
};

const sendFrames = async (call: Call, replica: ReplicaDriver, snapshot: Snapshot): Promise<void> => {
  const base = replica.machine.copyBase(snapshot.seq, snapshot.epoch);
  replica.dispatch({ type: 'copying', to: call.request.node, seq: base.seq });
  let index = 0;
  const send = async (pairs: readonly Pair[], last: boolean) => {
    const entries = pairs.map(([key, value]) => ({ key, value }));
    const more = call.write({
      seq: base.seq,
      totalBytes: snapshot.sizeBytes,
      index,
      entries,
      crc32c: frameCrc(pairs),
      last,
      epochAtSeq: String(base.epoch),
    });
    index += 1;
    if (!more && !call.cancelled) await room(call);
  };
  for await (const { pairs } of snapshot.chunks({ maxBytes: FRAME_BYTES })) {
    if (call.cancelled) return;
    await send(pairs, false);
  }
  await send([], true);
  call.end();
};
