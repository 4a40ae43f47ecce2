import { wordAt } from './words.js';

const START = 0x9e3779b9 + 3923095;

const rotate = (value: number, bits: number): number => (value << bits) | (value >>> (32 - bits));

const finish = (a: number, b: number, c: number): number => {
  c = (c ^ b) - rotate(b, 14);
  a = (a ^ c) - rotate(c, 11);
  b = (b ^ a) - rotate(a, 25);
  c = (c ^ b) - rotate(b, 16);
  a = (a ^ c) - rotate(c, 4);
  b = (b ^ a) - rotate(a, 14);
  return ((c ^ b) - rotate(b, 24)) | 0;
};

/** `count` bytes, fewer than 5, as a little-endian word. */
const partialWord = (key: Uint8Array, at: number, count: number): number => {
  let word = 0;
  for (let i = Math.min(count, 4) - 1; i >= 0; i -= 1) word = (word << 8) | key[at + i]!;
  return word;
};

/**
 * PostgreSQL's `hashtext` of text under a deterministic collation, `hashvarlena` of bytea, and (of 16 bytes) `uuid_hash`:
 * Jenkins' lookup3 with PostgreSQL's start values. Signed 32 bits; Citus lays its shards on this range.
 * Source: `hash_bytes` in postgres/src/common/hashfn.c; citus/src/backend/distributed/utils/shardinterval_utils.c.
 */
export const postgresHashBytes = (key: Uint8Array, from = 0, to = key.length): number => {
  let a = (START + to - from) | 0;
  let b = a;
  let c = a;
  let at = from;
  for (; to - at >= 12; at += 12) {
    a = (a + wordAt(key, at)) | 0;
    b = (b + wordAt(key, at + 4)) | 0;
    c = (c + wordAt(key, at + 8)) | 0;
    a = (a - c) ^ rotate(c, 4);
    c = (c + b) | 0;
    b = (b - a) ^ rotate(a, 6);
    a = (a + c) | 0;
    c = (c - b) ^ rotate(b, 8);
    b = (b + a) | 0;
    a = (a - c) ^ rotate(c, 16);
    c = (c + b) | 0;
    b = (b - a) ^ rotate(a, 19);
    a = (a + c) | 0;
    c = (c - b) ^ rotate(b, 4);
    b = (b + a) | 0;
  }
  const rest = to - at;
  a = (a + partialWord(key, at, rest)) | 0;
  b = (b + partialWord(key, at + 4, rest - 4)) | 0;
  // The lowest byte of c is kept for the length.
  c = (c + (partialWord(key, at + 8, rest - 8) << 8)) | 0;
  return finish(a, b, c);
};

/** PostgreSQL's `hashint4`, for a value as a signed or unsigned word. Source: `hash_bytes_uint32` in postgres/src/common/hashfn.c. */
export const postgresHashInt4 = (value: number): number => {
  const start = (START + 4) | 0;
  return finish((start + value) | 0, start, start);
};

/**
 * PostgreSQL's `hashint8`, from the two words of the value: equal to `hashint4` where the value fits.
 * Source: `hashint8` in postgres/src/backend/access/hash/hashfunc.c.
 */
export const postgresHashInt8 = (hi: number, lo: number): number => postgresHashInt4(lo ^ ((hi | 0) >= 0 ? hi : ~hi));

export const postgresHashInt8BigInt = (value: bigint): number =>
  postgresHashInt8(Number(BigInt.asIntN(32, value >> 32n)), Number(BigInt.asIntN(32, value)));

/** PostgreSQL's `uuid_hash` of 16 bytes. Source: postgres/src/backend/utils/adt/uuid.c. */
export const postgresHashUuid = postgresHashBytes;
