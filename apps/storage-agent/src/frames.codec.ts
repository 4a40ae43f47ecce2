import { crc32 } from 'node:zlib';
import { CadastreError, compareBytes } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import type { Pair } from '@cadastre/engine';
import { crc32c } from './crc32c.js';

const lengthPrefix = Buffer.alloc(4);

const addPart = (crc: number, part: Uint8Array): number => {
  lengthPrefix.writeUInt32BE(part.length);
  return crc32c(part, crc32c(lengthPrefix, crc));
};

export const frameCrc = (pairs: readonly Pair[]): number =>
  pairs.reduce((crc, [key, value]) => addPart(addPart(crc, key), value), 0);

/** len(key) | key | len(value) | value of all pairs, lengths as uint32 big-endian. */
export const packPairs = (pairs: readonly Pair[]): Buffer => {
  let length = 0;
  for (const [key, value] of pairs) length += 8 + key.length + value.length;
  const packed = Buffer.allocUnsafe(length);
  let at = 0;
  for (const pair of pairs) {
    for (const part of pair) {
      at = packed.writeUInt32BE(part.length, at);
      packed.set(part, at);
      at += part.length;
    }
  }
  return packed;
};

/** Pairs are views of the frame's own bytes. */
const unpackPairs = (packed: Buffer, index: number): Pair[] => {
  const pairs: Pair[] = [];
  let at = 0;
  // Plain arrays: a Buffer for each part costs more than all the rest of this.
  const part = (): Uint8Array => {
    const end = at + 4 <= packed.length ? at + 4 + packed.readUInt32BE(at) : Number.POSITIVE_INFINITY;
    if (end > packed.length) throw damaged(`number ${index} ends in the middle of a pair`);
    const bytes = new Uint8Array(packed.buffer, packed.byteOffset + at + 4, end - at - 4);
    at = end;
    return bytes;
  };
  while (at < packed.length) pairs.push([part(), part()]);
  return pairs;
};

const pairsOf = (frame: Wire.SnapshotFrame__Output, index: number): { pairs: Pair[]; intact: boolean } => {
  if (frame.packed.length > 0) {
    if (frame.entries.length > 0) throw damaged(`number ${index} has its pairs twice`);
    return { pairs: unpackPairs(frame.packed, index), intact: crc32(frame.packed) === frame.packedCrc32 };
  }
  const pairs = frame.entries.map(({ key, value }): Pair => [key, value]);
  return { pairs, intact: frameCrc(pairs) === frame.crc32c };
};

const damaged = (what: string): CadastreError =>
  new CadastreError('DATA_LOSS', `snapshot frame: ${what}`, {
    field: 'frame',
    remedy: 'the frame is refused; the copy goes on after the last good key',
  });

/**
 * The pairs of a frame, once its place, its checksum and the order of its keys were checked.
 * @throws CadastreError DATA_LOSS
 */
export const checkFrame = (frame: Wire.SnapshotFrame__Output, index: number, after: Uint8Array | undefined): Pair[] => {
  if (frame.index !== index) throw damaged(`number ${frame.index} where ${index} is next`);
  const { pairs, intact } = pairsOf(frame, index);
  if (!intact) throw damaged(`number ${index} does not match its checksum`);
  let last = after;
  for (const [key] of pairs) {
    if (last && compareBytes(last, key) >= 0) throw damaged(`number ${index} has a key out of order`);
    last = key;
  }
  return pairs;
};
