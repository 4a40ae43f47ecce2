import type { Wire, WritableCall } from '@cadastre/contracts';

export type BackupCall = WritableCall<Wire.BackupRequest__Output, Wire.BackupFrame>;

/** Reads on only when the caller has taken what was sent; ends the reading when the caller is gone. */
export const serveBackup = async (call: BackupCall, frames: AsyncIterable<Wire.BackupFrame>): Promise<void> => {
  for await (const frame of frames) {
    if (call.cancelled || call.destroyed) return;
    if (!call.write(frame)) await drained(call);
  }
  call.end();
};

const drained = (call: BackupCall): Promise<void> =>
  new Promise((resolve) => {
    for (const event of ['drain', 'cancelled', 'close', 'error'] as const) call.once(event, resolve);
  });
