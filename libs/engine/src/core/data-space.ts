import { sha256Hex } from '@cadastre/runtime';
import type { Pair } from '../engine.js';
import type { KeyRange, ReadView, Write } from './backing.js';
import { compareBytes, fromBinary, prefixed, toBinary } from './bytes.js';
import type { Applied } from './overlay.js';

/*
 * Where a partition's pairs lie. LMDB through its Node binding takes keys of 4026 bytes, Cadastre promises 4096.
 * A key of up to HEAD_BYTES is stored as u32 number | key. Longer keys that share their first HEAD_BYTES share one bucket, at
 * u32 number | head | 0: longer than any plain key, and in byte order exactly where its members belong. The bucket lists the
 * members' tails in order (u16 length, tail); the values lie in table `long` under u32 number | SHA-256 of the key.
 */
const HEAD_BYTES = 4000;
const BUCKET_KEY_BYTES = 4 + HEAD_BYTES + 1;

export interface UserRange {
  readonly start?: Uint8Array | undefined;
  readonly end?: Uint8Array | undefined;
  readonly reverse?: boolean;
}

const isLong = (key: Uint8Array): boolean => key.length > HEAD_BYTES;

const bucketKey = (number: number, key: Uint8Array): Uint8Array => {
  const bucket = Buffer.alloc(BUCKET_KEY_BYTES);
  bucket.writeUInt32BE(number, 0);
  bucket.set(key.subarray(0, HEAD_BYTES), 4);
  return bucket;
};

const longValueKey = (number: number, key: Uint8Array): Uint8Array =>
  prefixed(number, Buffer.from(sha256Hex(key), 'hex'));

/** Physical place at which a walk that is bounded by `key` has to begin or end. */
const boundKey = (number: number, key: Uint8Array): Uint8Array =>
  isLong(key) ? bucketKey(number, key) : prefixed(number, key);

export const readPair = (view: ReadView, number: number, key: Uint8Array): Uint8Array | undefined =>
  isLong(key) ? view.get('long', longValueKey(number, key)) : view.get('data', prefixed(number, key));

/** A copy on purpose: a view forces the small key off the JavaScript heap first, and costs four times as much; this runs for every pair. */
const userKey = (key: Uint8Array): Uint8Array => Uint8Array.prototype.slice.call(key, 4);

/** Pairs with start <= key < end. Use it in one go. */
export function* walkPairs(view: ReadView, number: number, range: UserRange): Generator<Pair> {
  for (const { key, value } of view.range('data', physicalRange(number, range))) {
    if (key.length !== BUCKET_KEY_BYTES) yield [userKey(key), value];
    else yield* bucketPairs(view, number, key, value, range);
  }
}

const physicalRange = (number: number, { start, end, reverse = false }: UserRange): KeyRange => ({
  start: start === undefined ? prefixed(number, new Uint8Array(0)) : boundKey(number, start),
  // A bucket that `end` lies within belongs to the walk; its members are filtered one by one.
  end:
    end === undefined
      ? prefixed(number + 1, new Uint8Array(0))
      : isLong(end)
        ? Buffer.concat([bucketKey(number, end), Buffer.of(0)])
        : prefixed(number, end),
  reverse,
});

function* bucketPairs(
  view: ReadView,
  number: number,
  bucket: Uint8Array,
  list: Uint8Array,
  range: UserRange,
): Generator<Pair> {
  const tails = decodeTails(list);
  if (range.reverse) tails.reverse();
  for (const tail of tails) {
    const key = Buffer.concat([bucket.subarray(4, 4 + HEAD_BYTES), tail]);
    if (range.start !== undefined && compareBytes(key, range.start) < 0) continue;
    if (range.end !== undefined && compareBytes(key, range.end) >= 0) continue;
    const value = view.get('long', longValueKey(number, key));
    if (value !== undefined) yield [key, value];
  }
}

/** As `pairWrites`, for pairs that ascend and of which none is there yet. */
export const loadWrites = (view: ReadView, number: number, runs: readonly (readonly Pair[])[], out: Write[]): void => {
  const long = new Map<string, Applied>();
  for (const pairs of runs) {
    for (const [key, value] of pairs) {
      if (isLong(key)) long.set(toBinary(key), value);
      else out.push({ table: 'data', key: prefixed(number, key), value });
    }
  }
  if (long.size > 0) pairWrites(view, number, long, out);
};

/** The writes that bring `changes` to disk. `view` has to be what the disk holds now: buckets are read and rewritten. */
export const pairWrites = (
  view: ReadView,
  number: number,
  changes: ReadonlyMap<string, Applied>,
  out: Write[],
): void => {
  const buckets = new Map<string, Map<string, boolean>>();
  for (const [name, value] of changes) {
    const key = fromBinary(name);
    if (!isLong(key)) {
      out.push({ table: 'data', key: prefixed(number, key), value });
      continue;
    }
    out.push({ table: 'long', key: longValueKey(number, key), value });
    const head = name.slice(0, HEAD_BYTES);
    const members = buckets.get(head) ?? new Map<string, boolean>();
    buckets.set(head, members.set(name.slice(HEAD_BYTES), value !== undefined));
  }
  for (const [head, members] of buckets) out.push(bucketWrite(view, number, fromBinary(head), members));
};

const bucketWrite = (
  view: ReadView,
  number: number,
  head: Uint8Array,
  members: ReadonlyMap<string, boolean>,
): Write => {
  const key = bucketKey(number, head);
  const stored = view.get('data', key);
  const tails = new Set(stored === undefined ? [] : decodeTails(stored).map(toBinary));
  for (const [tail, alive] of members) alive ? tails.add(tail) : tails.delete(tail);
  return { table: 'data', key, value: tails.size === 0 ? undefined : encodeTails([...tails].sort()) };
};

const encodeTails = (tails: readonly string[]): Uint8Array =>
  Buffer.concat(tails.flatMap((tail) => [Buffer.of(tail.length >> 8, tail.length & 0xff), fromBinary(tail)]));

const decodeTails = (list: Uint8Array): Uint8Array[] => {
  const tails: Uint8Array[] = [];
  for (let at = 0; at < list.length;) {
    const end = at + 2 + (((list[at] ?? 0) << 8) | (list[at + 1] ?? 0));
    tails.push(list.subarray(at + 2, end));
    at = end;
  }
  return tails;
};
