import { invalid } from './errors.js';

/** Limits on what a caller may send. One place, cited by every surface. */
export const LIMITS = {
  keyBytesMax: 4096,
  valueBytesMax: 1024 * 1024,
  batchOpsMax: 1000,
  batchBytesMax: 2 * 1024 * 1024,
  scanLimitMax: 10_000,
  partitionsMax: 1_048_576,
  replicationFactorMax: 16,
  labelBytesMax: 256,
  reasonCharsMax: 1000,
  /** An identity provider's URL and a subject of 255 (OpenID Connect) fit: whoever acts is never cut short. */
  actorCharsMax: 1024,
} as const;

/** Names of nodes, keyspaces and labels' values that appear in keys of the register. */
const NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

export const checkName = (field: string, value: string): string => {
  if (!NAME.test(value)) {
    throw invalid(
      field,
      `"${printable(value)}" is not a valid name`,
      'use 1 to 63 of a-z, 0-9 and -, beginning and ending with a letter or digit',
      '63 characters',
    );
  }
  return value;
};

export const checkKey = (key: Uint8Array, field = 'key'): void => {
  if (key.length === 0)
    throw invalid(field, 'is empty', 'give a key of at least 1 byte', `1 to ${LIMITS.keyBytesMax} bytes`);
  if (key.length > LIMITS.keyBytesMax) {
    throw invalid(field, `has ${key.length} bytes`, 'shorten or hash the key', `1 to ${LIMITS.keyBytesMax} bytes`);
  }
};

export const checkValue = (value: Uint8Array, field = 'value'): void => {
  if (value.length > LIMITS.valueBytesMax) {
    throw invalid(
      field,
      `has ${value.length} bytes`,
      'split the value over several keys, or store it elsewhere and keep a reference',
      `${LIMITS.valueBytesMax} bytes`,
    );
  }
};

/** Control characters removed and length capped, for messages and logs. */
export const printable = (text: string, max = 80): string => {
  // oxlint-disable-next-line no-control-regex -- they are what is removed
  const clean = text.replace(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, '?');
  return clean.length > max ? `${clean.slice(0, max)}…` : clean;
};
