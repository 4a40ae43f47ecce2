import { compareBytes } from '../bytes.js';
import type { Compound, Scheme } from './scheme.js';

/** Something computed from a part of a key, bytes `from` to `to`. */
export type OnPart<T> = (key: Uint8Array, from: number, to: number) => T;

/** Which part of a key is hashed; scanning allocates nothing. */
export interface KeyPart {
  /** `compute` on the part of a key that is hashed. */
  on<T>(compute: OnPart<T>): (key: Uint8Array) => T;
  /**
   * Length of the key's beginning that fixes the hashed part whatever follows, 0 when more bytes could change it. So all keys that
   * begin with it hash alike.
   */
  fixedLength(key: Uint8Array): number;
}

const OPEN = 0x7b;
const CLOSE = 0x7d;

const whole: KeyPart = {
  on: (compute) => (key) => compute(key, 0, key.length),
  fixedLength: () => 0,
};

/** Where the first `}` after `open` stands, -1 when there is none or nothing between. */
const closeAfter = (key: Uint8Array, open: number): number => {
  for (let i = open + 1; i < key.length; i += 1) if (key[i] === CLOSE) return i === open + 1 ? -1 : i;
  return -1;
};

const hashTags: KeyPart = {
  on: (compute) => (key) => {
    const length = key.length;
    for (let i = 0; i < length; i += 1) {
      if (key[i] !== OPEN) continue;
      const close = closeAfter(key, i);
      return close < 0 ? compute(key, 0, length) : compute(key, i + 1, close);
    }
    return compute(key, 0, length);
  },
  fixedLength: (key) => {
    const open = key.indexOf(OPEN);
    return open < 0 ? 0 : closeAfter(key, open) + 1;
  },
};

const separated = (separator: Uint8Array): KeyPart => {
  const first = separator[0]!;
  const isAt = (key: Uint8Array, at: number): boolean => {
    for (let i = 1; i < separator.length; i += 1) if (key[at + i] !== separator[i]) return false;
    return true;
  };
  const endOf = (key: Uint8Array): number => {
    for (let i = 0; i < key.length; i += 1) if (key[i] === first && isAt(key, i)) return i;
    return -1;
  };
  return {
    on: (compute) => (key) => {
      const end = endOf(key);
      return compute(key, 0, end < 0 ? key.length : end);
    },
    fixedLength: (key) => {
      const end = endOf(key);
      return end < 0 ? 0 : end + separator.length;
    },
  };
};

const lengthPrefixed = (width: number): KeyPart => {
  const endOf = (key: Uint8Array): number => {
    if (key.length < width) return -1;
    let length = 0;
    for (let i = 0; i < width; i += 1) length = length * 256 + key[i]!;
    return width + length <= key.length ? width + length : -1;
  };
  return {
    on: (compute) => (key) => {
      const end = endOf(key);
      return end < 0 ? compute(key, 0, key.length) : compute(key, width, end);
    },
    fixedLength: (key) => Math.max(0, endOf(key)),
  };
};

export const compoundPart = (compound: Compound): KeyPart =>
  'separator' in compound ? separated(compound.separator) : lengthPrefixed(compound.lengthPrefixBytes);

export const keyPartOf = (scheme: Scheme): KeyPart => {
  if (scheme.kind === 'hash-slots' && scheme.hashTags) return hashTags;
  if (scheme.kind === 'range' || scheme.kind === 'directory' || scheme.compound === undefined) return whole;
  return compoundPart(scheme.compound);
};

/** The least key above all that begin with `prefix`; undefined when there is none. */
export const prefixEnd = (prefix: Uint8Array): Uint8Array | undefined => {
  let length = prefix.length;
  while (length > 0 && prefix[length - 1] === 255) length -= 1;
  if (length === 0) return undefined;
  const end = Uint8Array.from(prefix.subarray(0, length)); // a Buffer's slice would be the prefix itself
  end[length - 1]! += 1;
  return end;
};

export const isEmptyRange = (start: Uint8Array, end: Uint8Array | undefined): boolean =>
  end !== undefined && compareBytes(start, end) >= 0;

/** True when [start, end) holds `start` alone. */
export const isOneKey = (start: Uint8Array, end: Uint8Array | undefined): boolean =>
  end !== undefined &&
  end.length === start.length + 1 &&
  end.at(-1) === 0 &&
  compareBytes(start, end) < 0 &&
  end.subarray(0, -1).every((byte, i) => byte === start[i]);

/** True when all keys in [start, end) have one hash for certain. */
export const isOneHash = (part: KeyPart, start: Uint8Array, end: Uint8Array | undefined): boolean => {
  if (isOneKey(start, end)) return true;
  const length = part.fixedLength(start);
  if (length === 0) return false;
  const after = prefixEnd(start.subarray(0, length));
  return after === undefined || (end !== undefined && compareBytes(end, after) <= 0);
};
