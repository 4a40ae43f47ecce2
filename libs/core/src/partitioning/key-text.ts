import { invalid } from '../errors.js';
import type { KeyType } from './hash-functions.js';
import { hashFunction } from './hash-functions.js';
import type { Scheme } from './scheme.js';
import { bytesOfHex } from './token.js';

/** What the bytes of a scheme's keys mean; `text` wherever the system takes any bytes. */
export const keyTypeOf = (scheme: Scheme): KeyType => {
  if (scheme.kind === 'directory') return keyTypeOf(scheme.fallback);
  if (scheme.kind !== 'hash-range' && scheme.kind !== 'ring') return 'text';
  return scheme.hash === 'bytes' ? 'text' : hashFunction(scheme.hash).keyType;
};

/**
 * The key that a person wrote, as the bytes that the scheme takes: text as UTF-8, whole numbers as 4 or 8 bytes big-endian two's
 * complement, UUIDs as 16 bytes, object ids as 12.
 * @throws CadastreError INVALID_ARGUMENT naming `field` when the text is no value of the type
 */
export const keyFromText = (scheme: Scheme, text: string, field = 'key'): Uint8Array =>
  ENCODE[keyTypeOf(scheme)](text, field);

const integer =
  (bits: 32 | 64) =>
  (text: string, field: string): Uint8Array => {
    const [least, most] = [-(2n ** BigInt(bits - 1)), 2n ** BigInt(bits - 1) - 1n];
    const limit = `${least} to ${most}`;
    if (!/^-?[0-9]{1,20}$/.test(text))
      throw invalid(field, `"${text.slice(0, 40)}" is no whole number`, 'give digits alone', limit);
    const value = BigInt(text);
    if (value < least || value > most)
      throw invalid(field, `${text} does not fit ${bits} bits`, 'give a smaller number', limit);
    return Uint8Array.from({ length: bits / 8 }, (_, i) => Number((value >> BigInt(bits - 8 * (i + 1))) & 255n));
  };

const hex =
  (bytes: number, what: string) =>
  (text: string, field: string): Uint8Array => {
    const digits = text.replaceAll('-', '').replace(/^\{(.*)\}$/, '$1');
    if (digits.length !== 2 * bytes)
      throw invalid(field, `"${text.slice(0, 40)}" is no ${what}`, `give ${2 * bytes} hexadecimal digits`);
    return bytesOfHex(field, digits);
  };

const ENCODE: Record<KeyType, (text: string, field: string) => Uint8Array> = {
  text: (text) => new TextEncoder().encode(text),
  int32: integer(32),
  int64: integer(64),
  uuid: hex(16, 'UUID'),
  objectid: hex(12, 'object id'),
};
