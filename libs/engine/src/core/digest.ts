import { hash } from 'node:crypto';
import { toBinary } from './bytes.js';

const SCRATCH_BYTES = 64 * 1024;
const scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);

/** As a binary string: what a Buffer costs here is a third of the whole. */
const hashPair = (key: Uint8Array, value: Uint8Array): string => {
  const length = 4 + key.length + value.length;
  const buffer = length <= SCRATCH_BYTES ? scratch.subarray(0, length) : Buffer.allocUnsafe(length);
  buffer.writeUInt32BE(key.length, 0);
  buffer.set(key, 4);
  buffer.set(value, 4 + key.length);
  return hash('sha256', buffer, 'binary');
};

const limbAt = (bytes: string, at: number): number =>
  ((bytes.charCodeAt(at) << 24) |
    (bytes.charCodeAt(at + 1) << 16) |
    (bytes.charCodeAt(at + 2) << 8) |
    bytes.charCodeAt(at + 3)) >>>
  0;

/**
 * Order-independent digest of a set of pairs that can be kept up to date: sum mod 2^128 of the first 16 bytes (big endian) of
 * SHA-256(u32 BE key length | key | value). It detects faults, not forgers: a sum can be steered by who chooses the values.
 */
export class Digest128 {
  /** Limbs of 32 bits, most significant first; plain numbers because carries reach 2^33. */
  private readonly limbs: [number, number, number, number] = [0, 0, 0, 0];

  static fromBytes(bytes: Uint8Array): Digest128 {
    const digest = new Digest128();
    digest.accumulate(toBinary(bytes), 1);
    return digest;
  }

  add(key: Uint8Array, value: Uint8Array): void {
    this.accumulate(hashPair(key, value), 1);
  }

  subtract(key: Uint8Array, value: Uint8Array): void {
    this.accumulate(hashPair(key, value), -1);
  }

  toBytes(): Uint8Array {
    const bytes = Buffer.allocUnsafe(16);
    this.limbs.forEach((limb, index) => bytes.writeUInt32BE(limb, index * 4));
    return bytes;
  }

  toHex(): string {
    return this.limbs.map((limb) => limb.toString(16).padStart(8, '0')).join('');
  }

  private accumulate(bytes: string, sign: 1 | -1): void {
    let carry = 0;
    for (let index = 3; index >= 0; index -= 1) {
      const sum = this.limbs[index as 0] + sign * limbAt(bytes, index * 4) + carry;
      this.limbs[index as 0] = sum >>> 0;
      carry = Math.floor(sum / 0x1_0000_0000);
    }
  }
}
