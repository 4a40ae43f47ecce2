/** Keys as strings of one code unit per byte: usable in a Map, and `<` on them is byte order. */
export const toBinary = (bytes: Uint8Array): string =>
  (Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)).toString('latin1');

export const fromBinary = (text: string): Uint8Array => Buffer.from(text, 'latin1');

export const compareBytes = (a: Uint8Array, b: Uint8Array): number => Buffer.compare(a, b);

/** u32 BE `number` followed by `rest`: partition numbers keep partitions apart in each table. */
export const prefixed = (number: number, rest: Uint8Array): Uint8Array => {
  const key = Buffer.allocUnsafe(4 + rest.length);
  key.writeUInt32BE(number, 0);
  key.set(rest, 4);
  return key;
};

export const prefixOf = (number: number): Uint8Array => prefixed(number, new Uint8Array(0));
