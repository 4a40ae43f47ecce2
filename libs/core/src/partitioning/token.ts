import { invalid } from '../errors.js';

/** A place in a token space, in the system's own numbering; in an ordered scheme the key's bytes. */
export type Token = bigint | Uint8Array;

/** A decimal string; lower-case hex for tokens that are bytes, as Cassandra prints them. */
export const formatToken = (token: Token): string => (typeof token === 'bigint' ? token.toString() : hexOf(token));

export const hexOf = (bytes: Uint8Array): string => {
  let text = '';
  for (const byte of bytes) text += (byte < 16 ? '0' : '') + byte.toString(16);
  return text;
};

/** @throws CadastreError INVALID_ARGUMENT naming `field` */
export const bytesOfHex = (field: string, text: string): Uint8Array => {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text))
    throw invalid(field, `"${text.slice(0, 80)}" is not hexadecimal`, 'give two digits of 0-9 and a-f for each byte');
  return Uint8Array.from({ length: text.length / 2 }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16));
};

/** The numbers that a hash can give. Inside, a token is its distance from `min` as big-endian words of 32 bits. */
export interface TokenSpace {
  readonly min: bigint;
  readonly max: bigint;
  readonly words: 1 | 2 | 4 | 5;
}

const space = (min: bigint, max: bigint, words: TokenSpace['words']): TokenSpace => ({ min, max, words });

export const UINT32 = space(0n, 2n ** 32n - 1n, 1);
export const INT32 = space(-(2n ** 31n), 2n ** 31n - 1n, 1);
export const UINT64 = space(0n, 2n ** 64n - 1n, 2);
export const INT64 = space(-(2n ** 63n), 2n ** 63n - 1n, 2);
export const UINT128 = space(0n, 2n ** 128n - 1n, 4);
/** The absolute value of a signed 128-bit number: 2^127 itself can be met (Cassandra's RandomPartitioner). */
export const UINT127 = space(0n, 2n ** 127n, 4);
export const UINT160 = space(0n, 2n ** 160n - 1n, 5);

export const sizeOf = ({ min, max }: TokenSpace): bigint => max - min + 1n;

/** @throws CadastreError INVALID_ARGUMENT naming `field` when `text` is no token of the space */
export const parseToken = ({ min, max }: TokenSpace, field: string, text: string): bigint => {
  const limit = `${min} to ${max}`;
  if (typeof text !== 'string' || !/^-?(0|[1-9][0-9]{0,50})$/.test(text))
    throw invalid(field, `"${String(text).slice(0, 80)}" is not a token`, 'give a whole decimal number', limit);
  const token = BigInt(text);
  if (token < min || token > max)
    throw invalid(field, `${text} lies outside the hash`, 'give a token that the hash can have', limit);
  return token;
};

/** Writes a token's words to `out` from `at` on. */
export const putWords = ({ min, words }: TokenSpace, token: bigint, out: Uint32Array, at = 0): void => {
  let left = token - min;
  for (let i = at + words - 1; i >= at; i -= 1) {
    out[i] = Number(left & 0xffffffffn);
    left >>= 32n;
  }
};
