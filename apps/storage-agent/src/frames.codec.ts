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
  const pairs = frame.entries.map(({ key, value }): Pair => [key, value]);
  if (frameCrc(pairs) !== frame.crc32c) throw damaged(`number ${index} does not match its checksum`);
  let last = after;
  for (const [key] of pairs) {
    if (last && compareBytes(last, key) >= 0) throw damaged(`number ${index} has a key out of order`);
    last = key;
  }
  return pairs;
};
