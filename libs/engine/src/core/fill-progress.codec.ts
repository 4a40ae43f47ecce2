import { recordKey } from './partition-record.codec.js';

/*
 * How far a fill is, in table `partitions`, written in the same transaction as the pairs that it counts:
 * u8 format | f64 count, bytes | resumeAfter.
 */
const FORMAT = 1;
const KEY_AT = 17;
const FILL = 0x66; // 'f'

export interface StoredFill {
  readonly count: number;
  readonly bytes: number;
  readonly resumeAfter: Uint8Array;
}

export const fillKey = (number: number): Uint8Array => recordKey(FILL, number);
export const isFillKey = (key: Uint8Array): boolean => key[0] === FILL;

export const encodeFillProgress = ({ count, bytes, resumeAfter }: StoredFill): Uint8Array => {
  const out = Buffer.alloc(KEY_AT + resumeAfter.length);
  out.writeUInt8(FORMAT, 0);
  out.writeDoubleBE(count, 1);
  out.writeDoubleBE(bytes, 9);
  out.set(resumeAfter, KEY_AT);
  return out;
};

/** undefined for one that cannot be read: that fill begins anew. */
export const decodeFillProgress = (stored: Uint8Array): StoredFill | undefined => {
  if (stored.length <= KEY_AT || stored[0] !== FORMAT) return undefined;
  const bytes = Buffer.from(stored);
  return { count: bytes.readDoubleBE(1), bytes: bytes.readDoubleBE(9), resumeAfter: bytes.subarray(KEY_AT) };
};
