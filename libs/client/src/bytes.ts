import { invalid } from '@cadastre/core';

/** Bytes as they are, or text as UTF-8. */
export type Bytes = Uint8Array | string;

const LONE_SURROGATE = /\p{Surrogate}/u;

/** @throws CadastreError INVALID_ARGUMENT: text that UTF-8 cannot hold would be stored as something else in silence */
export const toBytes = (field: string, value: Bytes): Uint8Array => {
  if (value instanceof Uint8Array) return value;
  if (typeof value !== 'string')
    throw invalid(field, `is ${value === null ? 'null' : typeof value}`, 'give a Uint8Array or a string');
  if (LONE_SURROGATE.test(value))
    throw invalid(field, 'has half of a surrogate pair, which UTF-8 cannot hold', 'give well-formed text, or bytes');
  return Buffer.from(value, 'utf8');
};

/** First key after all keys with this prefix; undefined when there is none (all bytes are 0xff). */
export const prefixEnd = (prefix: Uint8Array): Uint8Array | undefined => {
  let length = prefix.length;
  while (length > 0 && prefix[length - 1] === 0xff) length -= 1;
  if (length === 0) return undefined;
  const end = Buffer.from(prefix.subarray(0, length));
  end[length - 1] = end[length - 1]! + 1;
  return end;
};
