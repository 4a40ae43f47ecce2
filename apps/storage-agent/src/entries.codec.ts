import type { ContentMark, LogOp, ReplicatedEntry } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import { safeInteger } from '@cadastre/contracts';

const EMPTY = Buffer.alloc(0);

export const encodeOp = (op: LogOp): Wire.WriteOp =>
  op.kind === 'put' ? { delete: false, key: op.key, value: op.value } : { delete: true, key: op.key, value: EMPTY };

export const decodeOp = (wire: Wire.WriteOp__Output): LogOp =>
  wire.delete ? { kind: 'delete', key: wire.key } : { kind: 'put', key: wire.key, value: wire.value };

export const encodeEntry = (entry: ReplicatedEntry): Wire.LogEntry => ({
  epoch: entry.epoch,
  seq: entry.seq,
  requestId: entry.requestId,
  ops: entry.ops.map(encodeOp),
});

export const decodeEntry = (wire: Wire.LogEntry__Output): ReplicatedEntry => ({
  epoch: safeInteger('entry.epoch', wire.epoch),
  seq: safeInteger('entry.seq', wire.seq),
  requestId: wire.requestId,
  ops: wire.ops.map(decodeOp),
});

/** The mark is there when a digest is. */
export const decodeMark = (wire: Wire.Entries__Output): ContentMark | undefined =>
  wire.digest === ''
    ? undefined
    : { seq: safeInteger('digestSeq', wire.digestSeq), records: wire.records, digest: wire.digest };
