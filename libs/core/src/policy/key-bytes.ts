import type { Field } from '../fields.js';

/** Keys in JSON: as text where they are text, hexadecimal otherwise. */
export const bytesOf = (field: Field): Uint8Array => {
  const hex = field.text(8_192);
  if (!/^([0-9a-fA-F]{2})+$/.test(hex)) throw field.bad('is no hexadecimal', 'give two of 0-9 and a-f for each byte');
  return Uint8Array.from({ length: hex.length / 2 }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16));
};

/** @returns undefined where the bytes are no text that comes back as the same bytes */
export const textOf = (bytes: Uint8Array): string | undefined => {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
};

export const hexOf = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
