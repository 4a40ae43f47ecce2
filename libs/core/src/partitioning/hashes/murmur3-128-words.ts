import { hashWords } from './hash-words.js';
import { highProduct, wordAt } from './words.js';

const C1H = 0x87c37b91;
const C1L = 0x114253d5;
const C2H = 0x4cf5ad43;
const C2L = 0x2745937f;

/** h1, h2, k1, k2: high word, low word of each. */
const state = new Int32Array(8);
const H1 = 0;
const H2 = 2;
const K1 = 4;
const K2 = 6;

const add = (at: number, hi: number, lo: number): void => {
  const sum = (state[at + 1]! >>> 0) + (lo >>> 0);
  state[at] = state[at]! + hi + (sum > 0xffffffff ? 1 : 0);
  state[at + 1] = sum;
};

const multiply = (at: number, hi: number, lo: number): void => {
  const low = state[at + 1]!;
  state[at] = highProduct(low, lo) + Math.imul(state[at]!, lo) + Math.imul(low, hi);
  state[at + 1] = Math.imul(low, lo);
};

/** Rotates left by fewer than 32 bits; with `swapped` by 32 more. */
const rotate = (at: number, bits: number, swapped = false): void => {
  const hi = state[swapped ? at + 1 : at]!;
  const lo = state[swapped ? at : at + 1]!;
  state[at] = (hi << bits) | (lo >>> (32 - bits));
  state[at + 1] = (lo << bits) | (hi >>> (32 - bits));
};

const takeFirst = (): void => {
  multiply(K1, C1H, C1L);
  rotate(K1, 31);
  multiply(K1, C2H, C2L);
  state[H1]! ^= state[K1]!;
  state[H1 + 1]! ^= state[K1 + 1]!;
};

const takeSecond = (): void => {
  multiply(K2, C2H, C2L);
  rotate(K2, 1, true);
  multiply(K2, C1H, C1L);
  state[H2]! ^= state[K2]!;
  state[H2 + 1]! ^= state[K2 + 1]!;
};

const takeBlock = (key: Uint8Array, at: number): void => {
  state[K1 + 1] = wordAt(key, at);
  state[K1] = wordAt(key, at + 4);
  state[K2 + 1] = wordAt(key, at + 8);
  state[K2] = wordAt(key, at + 12);
  takeFirst();
  rotate(H1, 27);
  add(H1, state[H2]!, state[H2 + 1]!);
  multiply(H1, 0, 5);
  add(H1, 0, 0x52dce729);
  takeSecond();
  rotate(H2, 31);
  add(H2, state[H1]!, state[H1 + 1]!);
  multiply(H2, 0, 5);
  add(H2, 0, 0x38495ab5);
};

/** Byte `i` of the tail goes to `word` as it is, or, signed, over all that is above it. */
const takeTailByte = (at: number, i: number, byte: number): void => {
  if (i >= 4) state[at]! ^= byte << (8 * (i - 4));
  else {
    state[at + 1]! ^= byte << (8 * i);
    state[at]! ^= byte >> 31;
  }
};

const takeTail = (key: Uint8Array, at: number, to: number, signed: boolean): void => {
  state.fill(0, K1);
  for (let i = 0; at + i < to; i += 1) {
    const byte = signed ? (key[at + i]! << 24) >> 24 : key[at + i]!;
    takeTailByte(i < 8 ? K1 : K2, i & 7, byte);
  }
  if (to - at > 8) takeSecond();
  if (to > at) takeFirst();
};

const finalise = (at: number): void => {
  state[at + 1]! ^= state[at]! >>> 1;
  multiply(at, 0xff51afd7, 0xed558ccd);
  state[at + 1]! ^= state[at]! >>> 1;
  multiply(at, 0xc4ceb9fe, 0x1a85ec53);
  state[at + 1]! ^= state[at]! >>> 1;
};

/** MurmurHash3_x64_128 in 32-bit words, for where WebAssembly is not to be had and for keys beyond its memory. */
export const murmur3x64Words = (key: Uint8Array, from: number, to: number, signed: boolean): void => {
  state.fill(0);
  let at = from;
  for (; at + 16 <= to; at += 16) takeBlock(key, at);
  takeTail(key, at, to, signed);
  state[H1 + 1]! ^= to - from;
  state[H2 + 1]! ^= to - from;
  add(H1, state[H2]!, state[H2 + 1]!);
  add(H2, state[H1]!, state[H1 + 1]!);
  finalise(H1);
  finalise(H2);
  add(H1, state[H2]!, state[H2 + 1]!);
  add(H2, state[H1]!, state[H1 + 1]!);
  for (let i = 0; i < 4; i += 1) hashWords[i] = state[i]!;
};
