import { hashWords } from './hash-words.js';
import { highProduct, wordAt } from './words.js';

/** The five primes of XXH64, high and low words. */
const P1H = 0x9e3779b1;
const P1L = 0x85ebca87;
const P2H = 0xc2b2ae3d;
const P2L = 0x27d4eb4f;
const P3H = 0x165667b1;
const P3L = 0x9e3779f9;
const P4H = 0x85ebca77;
const P4L = 0xc2b2ae63;
const P5H = 0x27d4eb2f;
const P5L = 0x165667c5;

/** Four lanes, then the hash: high word, low word of each. 64-bit arithmetic in words, as bigints would allocate. */
const state = new Int32Array(10);
const HASH = 8;

const put = (at: number, hi: number, lo: number): void => {
  state[at] = hi;
  state[at + 1] = lo;
};

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

const rotate = (at: number, bits: number): void => {
  const hi = state[at]!;
  const lo = state[at + 1]!;
  state[at] = (hi << bits) | (lo >>> (32 - bits));
  state[at + 1] = (lo << bits) | (hi >>> (32 - bits));
};

/** Takes 8 bytes into a lane. */
const round = (at: number, hi: number, lo: number): void => {
  add(at, Math.imul(hi, P2L) + Math.imul(lo, P2H) + highProduct(lo, P2L), Math.imul(lo, P2L));
  rotate(at, 31);
  multiply(at, P1H, P1L);
};

const takeIntoHash = (at: number): void => {
  state[HASH] = state[HASH]! ^ state[at]!;
  state[HASH + 1] = state[HASH + 1]! ^ state[at + 1]!;
};

const mergeLane = (at: number): void => {
  const hi = state[at]!;
  const lo = state[at + 1]!;
  put(at, 0, 0);
  round(at, hi, lo);
  takeIntoHash(at);
  multiply(HASH, P1H, P1L);
  add(HASH, P4H, P4L);
};

const addLane = (at: number, bits: number): void => {
  const hi = state[at]!;
  const lo = state[at + 1]!;
  add(HASH, (hi << bits) | (lo >>> (32 - bits)), (lo << bits) | (hi >>> (32 - bits)));
};

/** Whole stripes of 32 bytes; returns where the rest begins. */
const stripes = (key: Uint8Array, from: number, to: number): number => {
  put(0, 0x60ea27ee, 0xadc0b5d6);
  put(2, P2H, P2L);
  put(4, 0, 0);
  put(6, 0x61c8864e, 0x7a143579);
  let at = from;
  for (; at + 32 <= to; at += 32) {
    round(0, wordAt(key, at + 4), wordAt(key, at));
    round(2, wordAt(key, at + 12), wordAt(key, at + 8));
    round(4, wordAt(key, at + 20), wordAt(key, at + 16));
    round(6, wordAt(key, at + 28), wordAt(key, at + 24));
  }
  put(HASH, 0, 0);
  addLane(0, 1);
  addLane(2, 7);
  addLane(4, 12);
  addLane(6, 18);
  for (let lane = 0; lane < 8; lane += 2) mergeLane(lane);
  return at;
};

const rest = (key: Uint8Array, from: number, to: number): void => {
  let at = from;
  for (; at + 8 <= to; at += 8) {
    put(0, 0, 0);
    round(0, wordAt(key, at + 4), wordAt(key, at));
    takeIntoHash(0);
    rotate(HASH, 27);
    multiply(HASH, P1H, P1L);
    add(HASH, P4H, P4L);
  }
  if (at + 4 <= to) {
    put(0, 0, wordAt(key, at));
    multiply(0, P1H, P1L);
    takeIntoHash(0);
    rotate(HASH, 23);
    multiply(HASH, P2H, P2L);
    add(HASH, P3H, P3L);
    at += 4;
  }
  for (; at < to; at += 1) {
    put(0, 0, key[at]!);
    multiply(0, P5H, P5L);
    takeIntoHash(0);
    rotate(HASH, 11);
    multiply(HASH, P1H, P1L);
  }
};

const avalanche = (): void => {
  state[HASH + 1]! ^= state[HASH]! >>> 1;
  multiply(HASH, P2H, P2L);
  const hi = state[HASH]!;
  put(HASH, hi ^ (hi >>> 29), state[HASH + 1]! ^ ((hi << 3) | (state[HASH + 1]! >>> 29)));
  multiply(HASH, P3H, P3L);
  hashWords[0] = state[HASH]!;
  hashWords[1] = state[HASH + 1]! ^ state[HASH]!;
};

/** XXH64 in 32-bit words, for where WebAssembly is not to be had and for keys beyond its memory. Result as `xxhash64`'s. */
export const xxhash64Words = (key: Uint8Array, from: number, to: number): void => {
  const length = to - from;
  let at = from;
  if (length >= 32) at = stripes(key, from, to);
  else put(HASH, P5H, P5L);
  add(HASH, 0, length);
  rest(key, at, to);
  avalanche();
};
