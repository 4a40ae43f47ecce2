import { CadastreError } from '@cadastre/core';

/**
 * Columns of unsigned integers in as few bits as each block of 1,024 needs (frame of reference and bit packing; see PackedColumns in
 * map.proto). Most columns of a map say nearly the same in every row: epochs are low and alike, flags nearly always equal.
 */
const BLOCK = 1_024;
/** Values packed before the event loop may have its turn: some milliseconds. */
const SLICE_VALUES = 64 * BLOCK;
const WIDTH_MAX = 32;
/** Blocks with a wider range hold each value in 8 bytes. */
const WIDTH_WHOLE = 64;
/** Up to here bits can be shifted as int32. */
const NARROW = 24;

type Column = ArrayLike<number>;

/** Packs `column[offset + i * stride]` for i from 0 to count - 1. Yields between slices of work. */
export function* packSteps(
  column: Column,
  count: number,
  stride = 1,
  offset = 0,
  plus = 0,
): Generator<undefined, Buffer> {
  const out: Buffer[] = [];
  const values = new Float64Array(BLOCK);
  for (let from = 0; from < count; from += BLOCK) {
    const n = Math.min(BLOCK, count - from);
    for (let i = 0; i < n; i += 1) values[i] = column[offset + (from + i) * stride]! + plus;
    out.push(packBlock(values, n));
    if ((from + BLOCK) % SLICE_VALUES === 0) yield undefined;
  }
  return Buffer.concat(out);
}

const packBlock = (values: Float64Array, n: number): Buffer => {
  let least = values[0]!;
  let most = least;
  for (let i = 1; i < n; i += 1) {
    const value = values[i]!;
    if (value < least) least = value;
    else if (value > most) most = value;
  }
  const width = widthOf(most - least);
  const head = [...varint(least), width];
  const block = Buffer.alloc(head.length + Math.ceil((n * width) / 8));
  block.set(head);
  if (width === WIDTH_WHOLE)
    for (let i = 0; i < n; i += 1) block.writeBigUInt64LE(BigInt(values[i]! - least), head.length + i * 8);
  else (width <= NARROW ? packNarrow : packWide)(values, n, least, width, block, head.length);
  return block;
};

const widthOf = (range: number): number => {
  if (range >= 2 ** WIDTH_MAX) return WIDTH_WHOLE;
  return range === 0 ? 0 : 32 - Math.clz32(range);
};

const varint = (value: number): number[] => {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
  return bytes;
};

/** At most 7 bits wait when up to 24 come: always an int32. */
const packNarrow = (
  values: Float64Array,
  n: number,
  least: number,
  width: number,
  out: Buffer,
  start: number,
): void => {
  let at = start;
  let held = 0;
  let bits = 0;
  for (let i = 0; i < n; i += 1) {
    held |= (values[i]! - least) << bits;
    for (bits += width; bits >= 8; bits -= 8) {
      out[at] = held;
      at += 1;
      held >>>= 8;
    }
  }
  if (bits > 0) out[at] = held;
};

/** `held` stays below 2^40, so it is a whole number exactly, but no int32: hence no shifts. */
const packWide = (values: Float64Array, n: number, least: number, width: number, out: Buffer, start: number): void => {
  let at = start;
  let held = 0;
  let bits = 0;
  for (let i = 0; i < n; i += 1) {
    held += (values[i]! - least) * 2 ** bits;
    bits += width;
    while (bits >= 8) {
      out[at] = held % 256;
      at += 1;
      held = Math.floor(held / 256);
      bits -= 8;
    }
  }
  if (bits > 0) out[at] = held;
};

const damaged = (what: string): CadastreError =>
  new CadastreError('DATA_LOSS', `snapshot: ${what}`, {
    field: 'packed',
    remedy: 'watch again without a known generation',
  });

/** Takes `n` values of a column, those of the rows from `from` on. They are overwritten when it returns. */
export type Take = (values: Float64Array, n: number, from: number) => void;

/**
 * All columns go through one array of one type, so that the loop over their bits is compiled once, and soon.
 * @throws CadastreError DATA_LOSS unless `bytes` are exactly `count` values
 */
export const unpack = (bytes: Uint8Array, count: number, take: Take): void => {
  const values = new Float64Array(BLOCK);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  for (let from = 0; from < count; from += BLOCK) {
    const n = Math.min(BLOCK, count - from);
    const { value: base, next } = readVarint(bytes, at);
    const width = bytes[next];
    if (width === undefined || (width > WIDTH_MAX && width !== WIDTH_WHOLE)) throw damaged(`a width of ${width} bits`);
    at = next + 1;
    const end = at + Math.ceil((n * width) / 8);
    if (end > bytes.length) throw damaged('a column ends in the middle of a block');
    unpackBlock(view, at, n, width, base, values);
    take(values, n, from);
    at = end;
  }
  if (at !== bytes.length) throw damaged(`${bytes.length - at} bytes after the end of a column`);
};

const readVarint = (bytes: Uint8Array, start: number): { value: number; next: number } => {
  let value = 0;
  for (let i = 0; i < 8; i += 1) {
    const byte = bytes[start + i];
    if (byte === undefined) throw damaged('a column ends too early');
    value += (byte % 128) * 2 ** (7 * i);
    if (byte < 128 && value <= Number.MAX_SAFE_INTEGER) return { value, next: start + i + 1 };
  }
  throw damaged('a base beyond 2^53');
};

type UnpackBlock = (
  view: DataView,
  start: number,
  n: number,
  width: number,
  base: number,
  values: Float64Array,
) => void;

const unpackBlock: UnpackBlock = (view, start, n, width, base, values) => {
  if (width === 0) values.fill(base, 0, n);
  else if (width <= NARROW) unpackNarrow(view, start, n, width, base, values);
  else if (width === WIDTH_WHOLE) unpackWhole(view, start, n, width, base, values);
  else unpackWide(view, start, n, width, base, values);
};

/**
 * Each value lies within the four bytes from its first one on. Read so, no step waits for the one before and none has to be guessed: a
 * third of the time of taking byte after byte, which is left to the last bytes of a column.
 */
const unpackNarrow: UnpackBlock = (view, start, n, width, base, values) => {
  const mask = (1 << width) - 1;
  const whole = Math.min(n, Math.floor(((view.byteLength - 3 - start) * 8 - 1) / width));
  let bit = 0;
  for (let i = 0; i < whole; i += 1, bit += width)
    values[i] = base + ((view.getInt32(start + (bit >>> 3), true) >>> (bit & 7)) & mask);
  for (let i = Math.max(0, whole); i < n; i += 1, bit += width)
    values[i] = base + ((lastBytes(view, start + (bit >>> 3)) >>> (bit & 7)) & mask);
};

const lastBytes = (view: DataView, at: number): number => {
  let held = 0;
  for (let i = at; i < Math.min(at + 4, view.byteLength); i += 1) held |= view.getUint8(i) << ((i - at) * 8);
  return held;
};

const unpackWide: UnpackBlock = (view, start, n, width, base, values) => {
  const whole = 2 ** width;
  let at = start;
  let held = 0;
  let bits = 0;
  for (let i = 0; i < n; i += 1) {
    while (bits < width) {
      held += view.getUint8(at) * 2 ** bits;
      at += 1;
      bits += 8;
    }
    values[i] = base + (held % whole);
    held = Math.floor(held / whole);
    bits -= width;
  }
};

const unpackWhole: UnpackBlock = (view, start, n, _width, base, values) => {
  for (let i = 0; i < n; i += 1) values[i] = base + Number(view.getBigUint64(start + i * 8, true));
};
