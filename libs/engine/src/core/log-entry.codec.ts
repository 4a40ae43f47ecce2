import { CadastreError } from '@cadastre/core';
import type { LogEntry, Op } from '../engine.js';

/*
 * f64 epoch | u16 request id length | request id | u32 op count | per op: u8 kind, u16 key length, key, for puts u32 value length, value.
 * The epoch comes first so that it can be read alone. The seq is in the key.
 */
const PUT = 1;
const DELETE = 2;

const opBytes = (op: Op): number => 3 + op.key.length + (op.kind === 'put' ? 4 + op.value.length : 0);

export const logKey = (number: number, seq: number): Uint8Array => {
  const key = Buffer.allocUnsafe(12);
  key.writeUInt32BE(number, 0);
  key.writeUInt32BE(Math.floor(seq / 0x1_0000_0000), 4);
  key.writeUInt32BE(seq >>> 0, 8);
  return key;
};

export const seqOfLogKey = (key: Uint8Array): number => {
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
  return view.getUint32(4) * 0x1_0000_0000 + view.getUint32(8);
};

export const encodeLogEntry = (entry: LogEntry): Uint8Array => {
  const requestId = Buffer.from(entry.requestId, 'utf8');
  const size = entry.ops.reduce((sum, op) => sum + opBytes(op), 14 + requestId.length);
  const out = Buffer.allocUnsafe(size);
  let at = out.writeDoubleBE(entry.epoch, 0);
  at = out.writeUInt16BE(requestId.length, at);
  out.set(requestId, at);
  at = out.writeUInt32BE(entry.ops.length, at + requestId.length);
  for (const op of entry.ops) at = encodeOp(out, at, op);
  return out;
};

const encodeOp = (out: Buffer, start: number, op: Op): number => {
  let at = out.writeUInt8(op.kind === 'put' ? PUT : DELETE, start);
  at = out.writeUInt16BE(op.key.length, at);
  out.set(op.key, at);
  at += op.key.length;
  if (op.kind === 'delete') return at;
  at = out.writeUInt32BE(op.value.length, at);
  out.set(op.value, at);
  return at + op.value.length;
};

export const epochOfLogEntry = (bytes: Uint8Array): number =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getFloat64(0);

/** @throws CadastreError DATA_LOSS */
export const decodeLogEntry = (seq: number, bytes: Uint8Array): LogEntry => {
  try {
    return decode(seq, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  } catch (cause) {
    throw new CadastreError('DATA_LOSS', `log entry ${seq} cannot be read`, {
      remedy: 'fill this replica anew from another one',
      cause,
    });
  }
};

const decode = (seq: number, bytes: Buffer): LogEntry => {
  const idLength = bytes.readUInt16BE(8);
  const requestId = bytes.toString('utf8', 10, 10 + idLength);
  const count = bytes.readUInt32BE(10 + idLength);
  const ops: Op[] = [];
  let at = 14 + idLength;
  for (let index = 0; index < count; index += 1) {
    const op = decodeOp(bytes, at);
    ops.push(op);
    at += opBytes(op);
  }
  return { epoch: bytes.readDoubleBE(0), seq, requestId, ops };
};

const decodeOp = (bytes: Buffer, at: number): Op => {
  const kind = bytes.readUInt8(at);
  const keyEnd = at + 3 + bytes.readUInt16BE(at + 1);
  const key = bytes.subarray(at + 3, keyEnd);
  if (kind === DELETE) return { kind: 'delete', key };
  if (kind !== PUT) throw new RangeError(`op kind ${kind}`);
  const valueEnd = keyEnd + 4 + bytes.readUInt32BE(keyEnd);
  if (valueEnd > bytes.length) throw new RangeError('value is cut short');
  return { kind: 'put', key, value: bytes.subarray(keyEnd + 4, valueEnd) };
};
