import type { ChangeOutcome, ErrorCode, PartitionRecord } from '@cadastre/core';
import { CadastreError } from '@cadastre/core';
import type { OwnerInfo, Wire } from '@cadastre/contracts';
import { callUnary, decodeRecord } from '@cadastre/contracts';
import type { PartitionId } from '@cadastre/engine';
import type { ControlPlane } from './control-plane.js';
import type { ChangeAction } from './replica.driver.js';

export interface ChangeAnswer {
  readonly outcome: ChangeOutcome;
  readonly record?: { readonly record: PartitionRecord; readonly minInSync: number };
}

/** After these the change may or may not have happened, or may still happen. */
const UNCLEAR: readonly ErrorCode[] = ['UNAVAILABLE', 'UNKNOWN_OUTCOME', 'DEADLINE_EXCEEDED', 'CANCELLED', 'INTERNAL'];
const DEADLINE_MS = 3000;

const request = (
  node: string,
  { keyspace, partition }: PartitionId,
  { epoch, add, remove, reason }: ChangeAction,
): Wire.ChangeInSyncRequest => ({
  node,
  keyspace,
  partition,
  epoch,
  add: add ? [{ node: add.node, seq: add.seq, records: add.records, digest: add.digest }] : [],
  remove: [...remove],
  reason,
});

/** Asks the active controller; every way that this can end is an answer. */
export const changeInSync = async (
  controlPlane: ControlPlane,
  node: string,
  id: PartitionId,
  action: ChangeAction,
  minInSync: number,
): Promise<ChangeAnswer> => {
  try {
    const reply = await controlPlane.onActive((peer) =>
      callUnary<Wire.ChangeInSyncRequest, Wire.ChangeInSyncReply__Output>(
        peer.agent,
        peer.agent.changeInSync,
        request(node, id, action),
        { deadlineMs: DEADLINE_MS },
      ),
    );
    return reply.record
      ? { outcome: 'refused', record: { record: decodeRecord(reply.record), minInSync } }
      : { outcome: 'unknown' };
  } catch (error) {
    const { code, info } = CadastreError.from(error);
    if (code === 'NOT_ACTIVE') return { outcome: 'unreached' };
    if (UNCLEAR.includes(code)) return { outcome: 'unknown' };
    const record = (info as OwnerInfo | undefined)?.record;
    return { outcome: 'refused', ...(record && { record: { record, minInSync } }) };
  }
};
