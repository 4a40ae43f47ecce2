import { crc32 } from 'node:zlib';
import { TABLES, type Write } from '../core/backing.js';

/*
 * A group of writes in the journal, at a multiple of 8 bytes:
 * u32 magic | u32 CRC of all that follows up to the payload | u32 segment | u32 frames | u32 payload bytes | u32 end of the segment before
 * | per frame: u32 partition number, u32 bytes, u32 CRC | payload: the frames one after the other.
 * A frame holds the writes of one partition: u8 table, with 0x80 = remove | u16 key length | key | for puts u32 value length, value.
 * So a damaged frame names the partition that it belongs to, and a group of a segment's earlier life is told by its segment number.
 */
const MAGIC = 0x4344_4a31; // "CDJ1"
const HEAD_BYTES = 24;
const FRAME_HEAD_BYTES = 12;
const REMOVE = 0x80;
const ALIGN = 8;

const aligned = (bytes: number): number => Math.ceil(bytes / ALIGN) * ALIGN;

/** Partition that a write belongs to: the number in its key. */
export const numberOf = ({ table, key }: Pick<Write, 'table' | 'key'>): number => {
  const at = table === 'partitions' ? 1 : 0;
  return ((key[at]! << 24) | (key[at + 1]! << 16) | (key[at + 2]! << 8) | key[at + 3]!) >>> 0;
};

const writeBytes = ({ key, value }: Write): number => 3 + key.length + (value === undefined ? 0 : 4 + value.length);

const encodeWrite = (out: Buffer, start: number, { table, key, value }: Write): number => {
  let at = out.writeUInt8(TABLES.indexOf(table) | (value === undefined ? REMOVE : 0), start);
  at = out.writeUInt16LE(key.length, at);
  out.set(key, at);
  at += key.length;
  if (value === undefined) return at;
  at = out.writeUInt32LE(value.length, at);
  out.set(value, at);
  return at + value.length;
};

const byNumber = (writes: readonly Write[]): Map<number, Write[]> => {
  const frames = new Map<number, Write[]>();
  for (const write of writes) {
    const number = numberOf(write);
    const frame = frames.get(number);
    if (frame) frame.push(write);
    else frames.set(number, [write]);
  }
  return frames;
};

/** Its length is a multiple of 8. `previousEnd`: where the last group of the segment before ended; 0 = there is none. */
export const encodeGroup = (segment: number, previousEnd: number, writes: readonly Write[]): Buffer => {
  const frames = byNumber(writes);
  const payloadAt = HEAD_BYTES + FRAME_HEAD_BYTES * frames.size;
  const payloadBytes = writes.reduce((sum, write) => sum + writeBytes(write), 0);
  const out = Buffer.allocUnsafe(aligned(payloadAt + payloadBytes));
  out.fill(0, payloadAt + payloadBytes);
  let head = HEAD_BYTES;
  let at = payloadAt;
  for (const [number, frame] of frames) {
    const start = at;
    for (const write of frame) at = encodeWrite(out, at, write);
    head = out.writeUInt32LE(number, head);
    head = out.writeUInt32LE(at - start, head);
    head = out.writeUInt32LE(crc32(out.subarray(start, at)), head);
  }
  [MAGIC, 0, segment, frames.size, payloadBytes, previousEnd].forEach((value, i) => out.writeUInt32LE(value, 4 * i));
  out.writeUInt32LE(crc32(out.subarray(8, payloadAt)), 4);
  return out;
};

export interface StoredGroup {
  readonly end: number;
  readonly previousEnd: number;
  readonly writes: Write[];
  /** Partitions whose frame is damaged. */
  readonly damaged: number[];
}

/** The group at `at`, or undefined when there is none: never written, torn in its head, or of another segment. */
export const decodeGroup = (bytes: Buffer, at: number, segment: number): StoredGroup | undefined => {
  if (at + HEAD_BYTES > bytes.length || bytes.readUInt32LE(at) !== MAGIC) return undefined;
  const [crc, number, frames, payloadBytes, previousEnd] = [4, 8, 12, 16, 20].map((o) =>
    bytes.readUInt32LE(at + o),
  ) as [number, number, number, number, number];
  const payloadAt = at + HEAD_BYTES + FRAME_HEAD_BYTES * frames;
  if (number !== segment || payloadAt + payloadBytes > bytes.length) return undefined;
  if (crc32(bytes.subarray(at + 8, payloadAt)) !== crc) return undefined;
  const group: StoredGroup = { end: at + aligned(payloadAt - at + payloadBytes), previousEnd, writes: [], damaged: [] };
  let start = payloadAt;
  for (let head = at + HEAD_BYTES; head < payloadAt; head += FRAME_HEAD_BYTES) {
    const end = start + bytes.readUInt32LE(head + 4);
    const whole = crc32(bytes.subarray(start, end)) === bytes.readUInt32LE(head + 8);
    if (whole) decodeFrame(bytes, start, end, group.writes);
    else group.damaged.push(bytes.readUInt32LE(head));
    start = end;
  }
  return group;
};

/** Copies, because the segment's buffer is large and lives only as long as the recovery. */
const decodeFrame = (bytes: Buffer, start: number, end: number, out: Write[]): void => {
  for (let at = start; at < end;) {
    const kind = bytes.readUInt8(at);
    const keyEnd = at + 3 + bytes.readUInt16LE(at + 1);
    const table = TABLES[kind & ~REMOVE]!;
    const key = Uint8Array.prototype.slice.call(bytes, at + 3, keyEnd);
    at = keyEnd;
    if ((kind & REMOVE) !== 0) {
      out.push({ table, key, value: undefined });
      continue;
    }
    at = keyEnd + 4 + bytes.readUInt32LE(keyEnd);
    out.push({ table, key, value: Uint8Array.prototype.slice.call(bytes, keyEnd + 4, at) });
  }
};

/** Whether any whole group of this segment begins after `from`: then what is wrong at `from` is no torn end. */
export const goesOnAfter = (bytes: Buffer, from: number, segment: number): boolean => {
  for (let at = from + ALIGN; at + HEAD_BYTES <= bytes.length; at += ALIGN)
    if (bytes.readUInt32LE(at) === MAGIC && decodeGroup(bytes, at, segment)) return true;
  return false;
};
