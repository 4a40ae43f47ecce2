import { CadastreError } from '@cadastre/core';
import { type AskedFor, PARTITION_STATES } from '../engine.js';
import { Digest128 } from './digest.js';
import { Partition } from './partition.js';

/*
 * Record of a partition in table `partitions`, written in the same transaction as the data that it counts:
 * u8 format | u8 state | f64 promisedEpoch, baseSeq, baseEpoch, appliedSeq, appliedEpoch, count, bytes, quarantinedAt (NaN = none),
 * snapshotSeq (NaN = not filling) | f64 partition | digest (16) | u16 keyspace length | keyspace | u16 resumeAfter length | resumeAfter.
 * | u16 length | node that was asked for | f64 epoch that it was asked for under; older records end before this, and so do those without.
 * The end of the log is not in it: the log itself tells.
 */
const FORMAT = 1;
const NUMBERS_AT = 2;
const NUMBER_COUNT = 10;
const DIGEST_AT = NUMBERS_AT + 8 * NUMBER_COUNT;
const TEXT_AT = DIGEST_AT + 16;

const LIVE = 0x70; // 'p'
const DOOMED = 0x78; // 'x': its bytes are to be removed

export const recordKey = (kind: number, number: number): Uint8Array => {
  const key = Buffer.alloc(5);
  key[0] = kind;
  key.writeUInt32BE(number, 1);
  return key;
};

export const liveKey = (number: number): Uint8Array => recordKey(LIVE, number);
export const doomedKey = (number: number): Uint8Array => recordKey(DOOMED, number);
export const isDoomedKey = (key: Uint8Array): boolean => key[0] === DOOMED;
export const numberOfKey = (key: Uint8Array): number => new DataView(key.buffer, key.byteOffset).getUint32(1);
/** All keys of the table. */
export const ALL_RECORDS = { start: Buffer.of(0x01), end: Buffer.of(0xff) };

export const encodeRecord = (partition: Partition): Uint8Array => {
  const keyspace = Buffer.from(partition.id.keyspace, 'utf8');
  const resumeAfter = partition.filling?.resumeAfter ?? new Uint8Array(0);
  const asked = partition.asked && Buffer.from(partition.asked.node, 'utf8');
  const out = Buffer.alloc(TEXT_AT + 4 + keyspace.length + resumeAfter.length + (asked ? 10 + asked.length : 0));
  out.writeUInt8(FORMAT, 0);
  out.writeUInt8(PARTITION_STATES.indexOf(partition.state), 1);
  numbersOf(partition).forEach((value, index) => out.writeDoubleBE(value, NUMBERS_AT + 8 * index));
  out.set(partition.digest.toBytes(), DIGEST_AT);
  const end = writeText(out, writeText(out, TEXT_AT, keyspace), resumeAfter);
  if (asked) out.writeDoubleBE(partition.asked!.epoch, writeText(out, end, asked));
  return out;
};

const numbersOf = (partition: Partition): number[] => [
  partition.promisedEpoch,
  partition.baseSeq,
  partition.baseEpoch,
  partition.appliedSeq,
  partition.appliedEpoch,
  partition.count,
  partition.bytes,
  partition.quarantinedAt ?? Number.NaN,
  partition.filling?.snapshotSeq ?? Number.NaN,
  partition.id.partition,
];

const writeText = (out: Buffer, at: number, text: Uint8Array): number => {
  out.writeUInt16BE(text.length, at);
  out.set(text, at + 2);
  return at + 2 + text.length;
};

/** @throws CadastreError DATA_LOSS */
export const decodeRecord = (number: number, bytes: Uint8Array): Partition => {
  try {
    return decode(number, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  } catch (cause) {
    throw new CadastreError('DATA_LOSS', `record of stored partition ${number} cannot be read`, {
      remedy: 'start with an empty directory: replicas are filled again from others',
      cause,
    });
  }
};

const decode = (number: number, bytes: Buffer): Partition => {
  if (bytes.readUInt8(0) !== FORMAT) throw new RangeError(`format ${bytes.readUInt8(0)}`);
  const keyspaceEnd = TEXT_AT + 2 + bytes.readUInt16BE(TEXT_AT);
  const keyspace = bytes.toString('utf8', TEXT_AT + 2, keyspaceEnd);
  const resumeAfter = bytes.subarray(keyspaceEnd + 2, keyspaceEnd + 2 + bytes.readUInt16BE(keyspaceEnd));
  const partition = new Partition({ keyspace, partition: numberAt(bytes, 9) }, number);
  partition.state = PARTITION_STATES[bytes.readUInt8(1)] ?? 'quarantined';
  readNumbers(partition, bytes, resumeAfter);
  partition.asked = askedAt(bytes, keyspaceEnd + 2 + resumeAfter.length);
  partition.digest = Digest128.fromBytes(bytes.subarray(DIGEST_AT, TEXT_AT));
  return partition;
};

const askedAt = (bytes: Buffer, at: number): AskedFor | undefined => {
  if (at >= bytes.length) return undefined;
  const end = at + 2 + bytes.readUInt16BE(at);
  return { node: bytes.toString('utf8', at + 2, end), epoch: bytes.readDoubleBE(end) };
};

const numberAt = (bytes: Buffer, index: number): number => bytes.readDoubleBE(NUMBERS_AT + 8 * index);

const readNumbers = (partition: Partition, bytes: Buffer, resumeAfter: Uint8Array): void => {
  partition.promisedEpoch = numberAt(bytes, 0);
  partition.baseSeq = numberAt(bytes, 1);
  partition.baseEpoch = numberAt(bytes, 2);
  partition.appliedSeq = numberAt(bytes, 3);
  partition.appliedEpoch = numberAt(bytes, 4);
  partition.count = numberAt(bytes, 5);
  partition.bytes = numberAt(bytes, 6);
  const quarantinedAt = numberAt(bytes, 7);
  partition.quarantinedAt = Number.isNaN(quarantinedAt) ? undefined : quarantinedAt;
  const snapshotSeq = numberAt(bytes, 8);
  if (Number.isNaN(snapshotSeq)) return;
  partition.filling = resumeAfter.length === 0 ? { snapshotSeq } : { snapshotSeq, resumeAfter };
};
