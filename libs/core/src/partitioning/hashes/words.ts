export const swapBytes = (word: number): number =>
  ((word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0;

/** The high word of the 64-bit product of two words. `Math.imul` gives the low one. */
export const highProduct = (a: number, b: number): number => {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = Math.imul(aHigh, bLow) + (Math.imul(aLow, bLow) >>> 16);
  const carry = (Math.imul(aLow, bHigh) >>> 0) + (middle & 0xffff);
  return (Math.imul(aHigh, bHigh) + (middle >>> 16) + (carry >>> 16)) | 0;
};

/** The four bytes from `at` on as a little-endian word, signed. */
export const wordAt = (bytes: Uint8Array, at: number): number =>
  bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);

let buffer = new Uint8Array(256);

/** Room for a message that a hash is built over; grows, and is kept. Its contents are whatever the last user left. */
export const scratch = (length: number): Uint8Array => {
  if (buffer.length < length) buffer = new Uint8Array(2 ** Math.ceil(Math.log2(length)));
  return buffer;
};

/** Writes `value` as four bytes, the most significant first, and returns where the next byte goes. */
export const putBigEndian = (out: Uint8Array, at: number, value: number): number => {
  out[at] = value >>> 24;
  out[at + 1] = value >>> 16;
  out[at + 2] = value >>> 8;
  out[at + 3] = value;
  return at + 4;
};

/** Writes `value` as four bytes, the least significant first, and returns where the next byte goes. */
export const putLittleEndian = (out: Uint8Array, at: number, value: number): number => {
  out[at] = value;
  out[at + 1] = value >>> 8;
  out[at + 2] = value >>> 16;
  out[at + 3] = value >>> 24;
  return at + 4;
};

/** Copies `from` to `to` of `bytes`, byte by byte: keys are short, and a view for `set` would be allocated. */
export const putBytes = (out: Uint8Array, at: number, bytes: Uint8Array, from: number, to: number): number => {
  for (let i = from; i < to; i += 1) out[at + i - from] = bytes[i]!;
  return at + to - from;
};
