import { describe, expect, it } from '@jest/globals';
import { postgresHashBytes, postgresHashInt4, postgresHashInt8BigInt, postgresHashUuid } from './index.js';

describe('PostgreSQL', () => {
  // Plan: the value of worker_hash(123) in the documentation of Citus.
  it('hashes an int4 as Citus documents', () => expect(postgresHashInt4(123)).toBe(-205084363));

  // Plan: hashint8 is made to agree with hashint4 where the value fits, negative ones too.
  it.each([0, 1, -1, 123, 2 ** 31 - 1, -(2 ** 31)])('hashes %i alike as int4 and int8', (value) => {
    expect(postgresHashInt8BigInt(BigInt(value))).toBe(postgresHashInt4(value));
  });

  // Plan: an integer's four bytes, little-endian, are hashed to the same by hash_bytes; a part of a buffer as the part alone.
  it('hashes bytes as hash_bytes_uint32 does a word', () => {
    expect(postgresHashBytes(Uint8Array.of(123, 0, 0, 0))).toBe(-205084363);
    expect(postgresHashBytes(Uint8Array.of(9, 9, 123, 0, 0, 0, 9), 2, 6)).toBe(-205084363);
    expect(postgresHashUuid).toBe(postgresHashBytes);
  });
});
