import { hashWords, unsignedOfWords } from './hash-words.js';
import { swapBytes, wordAt } from './words.js';

/** floor(2^32 * |sin(i + 1)|), RFC 1321. */
const SINES = Int32Array.from({ length: 64 }, (_, i) => Math.floor(2 ** 32 * Math.abs(Math.sin(i + 1))) | 0);

const state = new Int32Array(4);
const block = new Int32Array(16);

/**
 * The 64 steps on one block. Long, because its steps are written out: as functions of seven arguments they are too many for the
 * compiler to inline, and the hash takes twice the time.
 */
const compress = (): void => {
  let a = state[0]!;
  let b = state[1]!;
  let c = state[2]!;
  let d = state[3]!;
  let t = 0;
  for (let i = 0; i < 16; i += 4) {
    t = a + ((b & c) | (~b & d)) + block[i]! + SINES[i]!;
    a = (b + ((t << 7) | (t >>> 25))) | 0;
    t = d + ((a & b) | (~a & c)) + block[i + 1]! + SINES[i + 1]!;
    d = (a + ((t << 12) | (t >>> 20))) | 0;
    t = c + ((d & a) | (~d & b)) + block[i + 2]! + SINES[i + 2]!;
    c = (d + ((t << 17) | (t >>> 15))) | 0;
    t = b + ((c & d) | (~c & a)) + block[i + 3]! + SINES[i + 3]!;
    b = (c + ((t << 22) | (t >>> 10))) | 0;
  }
  for (let i = 16; i < 32; i += 4) {
    t = a + ((b & d) | (c & ~d)) + block[(5 * i + 1) & 15]! + SINES[i]!;
    a = (b + ((t << 5) | (t >>> 27))) | 0;
    t = d + ((a & c) | (b & ~c)) + block[(5 * i + 6) & 15]! + SINES[i + 1]!;
    d = (a + ((t << 9) | (t >>> 23))) | 0;
    t = c + ((d & b) | (a & ~b)) + block[(5 * i + 11) & 15]! + SINES[i + 2]!;
    c = (d + ((t << 14) | (t >>> 18))) | 0;
    t = b + ((c & a) | (d & ~a)) + block[(5 * i + 16) & 15]! + SINES[i + 3]!;
    b = (c + ((t << 20) | (t >>> 12))) | 0;
  }
  for (let i = 32; i < 48; i += 4) {
    t = a + (b ^ c ^ d) + block[(3 * i + 5) & 15]! + SINES[i]!;
    a = (b + ((t << 4) | (t >>> 28))) | 0;
    t = d + (a ^ b ^ c) + block[(3 * i + 8) & 15]! + SINES[i + 1]!;
    d = (a + ((t << 11) | (t >>> 21))) | 0;
    t = c + (d ^ a ^ b) + block[(3 * i + 11) & 15]! + SINES[i + 2]!;
    c = (d + ((t << 16) | (t >>> 16))) | 0;
    t = b + (c ^ d ^ a) + block[(3 * i + 14) & 15]! + SINES[i + 3]!;
    b = (c + ((t << 23) | (t >>> 9))) | 0;
  }
  for (let i = 48; i < 64; i += 4) {
    t = a + (c ^ (b | ~d)) + block[(7 * i) & 15]! + SINES[i]!;
    a = (b + ((t << 6) | (t >>> 26))) | 0;
    t = d + (b ^ (a | ~c)) + block[(7 * i + 7) & 15]! + SINES[i + 1]!;
    d = (a + ((t << 10) | (t >>> 22))) | 0;
    t = c + (a ^ (d | ~b)) + block[(7 * i + 14) & 15]! + SINES[i + 2]!;
    c = (d + ((t << 15) | (t >>> 17))) | 0;
    t = b + (d ^ (c | ~a)) + block[(7 * i + 21) & 15]! + SINES[i + 3]!;
    b = (c + ((t << 21) | (t >>> 11))) | 0;
  }
  state[0]! += a;
  state[1]! += b;
  state[2]! += c;
  state[3]! += d;
};

/** Loads the last bytes, the end mark, and the length in bits where there is room for it. */
const finish = (key: Uint8Array, at: number, to: number, length: number): void => {
  block.fill(0);
  for (let i = at; i < to; i += 1) block[(i - at) >> 2]! |= key[i]! << (8 * ((i - at) & 3));
  const rest = to - at;
  block[rest >> 2]! |= 0x80 << (8 * (rest & 3));
  if (rest >= 56) {
    compress();
    block.fill(0);
  }
  block[14] = length << 3;
  block[15] = length >>> 29;
  compress();
};

/** MD5 (RFC 1321). The digest is in the first 4 of `hashWords`, its first byte the most significant. */
export const md5 = (key: Uint8Array, from = 0, to = key.length): void => {
  state[0] = 0x67452301;
  state[1] = 0xefcdab89;
  state[2] = 0x98badcfe;
  state[3] = 0x10325476;
  let at = from;
  for (; at + 64 <= to; at += 64) {
    for (let i = 0; i < 16; i += 1) block[i] = wordAt(key, at + 4 * i);
    compress();
  }
  finish(key, at, to, to - from);
  for (let i = 0; i < 4; i += 1) hashWords[i] = swapBytes(state[i]!);
};

/** MD5 as an unsigned 128-bit number, as in DynamoDB-style ranges. */
export const md5BigInt = (key: Uint8Array, from = 0, to = key.length): bigint => {
  md5(key, from, to);
  return unsignedOfWords(4);
};

/** The first 32 bits of MD5, unsigned: positions on the classic ring (consistent hashing, e.g. of `NODE:vnode0`). */
export const md5First32 = (key: Uint8Array, from = 0, to = key.length): number => {
  md5(key, from, to);
  return hashWords[0]!;
};
