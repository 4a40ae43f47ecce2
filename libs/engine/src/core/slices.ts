import type { Clock } from '@cadastre/runtime';
import type { ContentDigest, Pair, Snapshot, SnapshotChunk } from '../engine.js';
import type { ReadSnapshot, ReadView } from './backing.js';
import { compareBytes } from './bytes.js';
import { walkPairs } from './data-space.js';
import { Digest128 } from './digest.js';
import type { Turn } from './group-commit.js';
import type { Partition } from './partition.js';

/** Work that holds the event loop is cut after this long. */
const SLICE_MS = 2;
const PAIRS_PER_LOOK_AT_THE_CLOCK = 16;
const DEFAULT_CHUNK_BYTES = 256 * 1024;

export interface Pace {
  readonly clock: Clock;
  readonly turn: Turn;
}

export const nextTurn = (pace: Pace): Promise<void> => new Promise((resolve) => pace.turn(resolve));

export interface SliceBounds {
  readonly after: Uint8Array | undefined;
  /** Exclusive; absent = to the last key. */
  readonly end?: Uint8Array | undefined;
  readonly maxBytes: number;
}

/** Next pairs after `after`, bounded by bytes and by time; empty = the end. */
export const slice = (view: ReadView, number: number, { after, end, maxBytes }: SliceBounds, clock: Clock): Pair[] => {
  const pairs: Pair[] = [];
  const deadline = clock.monotonicMs() + SLICE_MS;
  let bytes = 0;
  for (const pair of walkPairs(view, number, { start: after, end })) {
    if (after !== undefined && pairs.length === 0 && compareBytes(pair[0], after) === 0) continue;
    pairs.push(pair);
    bytes += pair[0].length + pair[1].length;
    if (bytes >= maxBytes) break;
    if (pairs.length % PAIRS_PER_LOOK_AT_THE_CLOCK === 0 && clock.monotonicMs() >= deadline) break;
  }
  return pairs;
};

async function* slices(
  view: ReadSnapshot,
  number: number,
  after: Uint8Array | undefined,
  maxBytes: number,
  pace: Pace,
): AsyncGenerator<SnapshotChunk> {
  let afterKey = after;
  for (;;) {
    const pairs = slice(view, number, { after: afterKey, maxBytes }, pace.clock);
    const lastKey = pairs.at(-1)?.[0];
    if (lastKey === undefined) return;
    yield { pairs, lastKey };
    afterKey = lastKey;
    await nextTurn(pace);
  }
}

export const digestOf = async (view: ReadSnapshot, stored: Partition, pace: Pace): Promise<ContentDigest> => {
  const digest = new Digest128();
  let count = 0;
  // Hashing 1 MiB takes about as long as a slice may, so a chunk is no larger.
  for await (const { pairs } of slices(view, stored.number, undefined, DEFAULT_CHUNK_BYTES, pace)) {
    for (const [key, value] of pairs) digest.add(key, value);
    count += pairs.length;
  }
  return { seq: stored.appliedSeq, count, digest: digest.toHex() };
};

/** `stored` is the partition's record as the view holds it. */
export const snapshotOf = (
  view: ReadSnapshot,
  stored: Partition,
  afterKey: Uint8Array | undefined,
  pace: Pace,
): Snapshot => ({
  seq: stored.appliedSeq,
  epoch: stored.appliedEpoch,
  count: stored.count,
  digest: stored.digest.toHex(),
  sizeBytes: stored.bytes,
  chunks: ({ maxBytes = DEFAULT_CHUNK_BYTES } = {}) => slices(view, stored.number, afterKey, maxBytes, pace),
  close: () => view.close(),
});
