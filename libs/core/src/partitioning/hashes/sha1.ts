import { hashWords, unsignedOfWords } from './hash-words.js';
import { swapBytes, wordAt } from './words.js';

const state = new Int32Array(5);
const block = new Int32Array(80);

const extend = (): void => {
  for (let i = 16; i < 80; i += 1) {
    const word = block[i - 3]! ^ block[i - 8]! ^ block[i - 14]! ^ block[i - 16]!;
    block[i] = (word << 1) | (word >>> 31);
  }
};

/** The 80 steps on one block, a loop for each of the four mixing functions: chosen inside one loop they take half as long again. */
const compress = (): void => {
  extend();
  let a = state[0]!;
  let b = state[1]!;
  let c = state[2]!;
  let d = state[3]!;
  let e = state[4]!;
  for (let i = 0; i < 20; i += 1) {
    const next = (((a << 5) | (a >>> 27)) + ((b & c) | (~b & d)) + 0x5a827999 + e + block[i]!) | 0;
    e = d;
    d = c;
    c = (b << 30) | (b >>> 2);
    b = a;
    a = next;
  }
  for (let i = 20; i < 40; i += 1) {
    const next = (((a << 5) | (a >>> 27)) + (b ^ c ^ d) + 0x6ed9eba1 + e + block[i]!) | 0;
    e = d;
    d = c;
    c = (b << 30) | (b >>> 2);
    b = a;
    a = next;
  }
  for (let i = 40; i < 60; i += 1) {
    const next = (((a << 5) | (a >>> 27)) + ((b & c) | (d & (b | c))) + 0x8f1bbcdc + e + block[i]!) | 0;
    e = d;
    d = c;
    c = (b << 30) | (b >>> 2);
    b = a;
    a = next;
  }
  for (let i = 60; i < 80; i += 1) {
    const next = (((a << 5) | (a >>> 27)) + (b ^ c ^ d) + 0xca62c1d6 + e + block[i]!) | 0;
    e = d;
    d = c;
    c = (b << 30) | (b >>> 2);
    b = a;
    a = next;
  }
  state[0]! += a;
  state[1]! += b;
  state[2]! += c;
  state[3]! += d;
  state[4]! += e;
};

const load = (key: Uint8Array, at: number, count: number): void => {
  block.fill(0, 0, 16);
  for (let i = 0; i < count; i += 1) block[i >> 2]! |= key[at + i]! << (24 - 8 * (i & 3));
};

const finish = (key: Uint8Array, at: number, rest: number, length: number): void => {
  load(key, at, rest);
  block[rest >> 2]! |= 0x80 << (24 - 8 * (rest & 3));
  if (rest >= 56) {
    compress();
    block.fill(0, 0, 16);
  }
  block[14] = length >>> 29;
  block[15] = length << 3;
  compress();
};

/** SHA-1 (FIPS 180-4). The digest is in the 5 `hashWords`, its first byte the most significant. */
export const sha1 = (key: Uint8Array, from = 0, to = key.length): void => {
  state[0] = 0x67452301;
  state[1] = 0xefcdab89;
  state[2] = 0x98badcfe;
  state[3] = 0x10325476;
  state[4] = 0xc3d2e1f0;
  let at = from;
  for (; at + 64 <= to; at += 64) {
    for (let i = 0; i < 16; i += 1) block[i] = swapBytes(wordAt(key, at + 4 * i));
    compress();
  }
  finish(key, at, to - at, to - from);
  for (let i = 0; i < 5; i += 1) hashWords[i] = state[i]!;
};

/** SHA-1 as an unsigned 160-bit number. */
export const sha1BigInt = (key: Uint8Array, from = 0, to = key.length): bigint => {
  sha1(key, from, to);
  return unsignedOfWords(5);
};
