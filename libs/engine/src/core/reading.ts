import type { LogEntry, Pair, ScanRange, ScanResult } from '../engine.js';
import type { ReadView } from './backing.js';
import { compareBytes, toBinary } from './bytes.js';
import { readPair, walkPairs } from './data-space.js';
import { decodeLogEntry, epochOfLogEntry, logKey, seqOfLogKey } from './log-entry.codec.js';
import type { OverlayItem } from './overlay.js';
import type { Partition } from './partition.js';

/** The applied view: what is on disk, covered by what waits for a flush. */
export const readApplied = (view: ReadView, partition: Partition, key: Uint8Array): Uint8Array | undefined => {
  if (partition.overlay.size > 0) {
    const name = toBinary(key);
    if (partition.overlay.has(name)) return partition.overlay.get(name);
  }
  return readPair(view, partition.number, key);
};

export const scanApplied = (view: ReadView, partition: Partition, range: ScanRange): ScanResult => {
  const entries: Pair[] = [];
  let bytes = 0;
  for (const pair of mergedPairs(view, partition, range)) {
    bytes += pair[0].length + pair[1].length;
    const full = entries.length >= range.limit || (entries.length > 0 && bytes > range.maxBytes);
    if (full) return { entries, next: range.reverse ? (entries.at(-1)?.[0] ?? pair[0]) : pair[0] };
    entries.push(pair);
  }
  return { entries };
};

function mergedPairs(view: ReadView, partition: Partition, { start, end, reverse = false }: ScanRange): Iterable<Pair> {
  const walk = walkPairs(view, partition.number, { start, end, reverse });
  const covers = partition.overlay.size === 0 ? [] : partition.overlay.range(start, end, reverse);
  return covers.length === 0 ? walk : merge(walk, covers, reverse ? -1 : 1);
}

/** Both sides are sorted alike; where both have a key, the overlay wins, and its deletions hide what the disk has. */
function* merge(walk: Generator<Pair>, covers: readonly OverlayItem[], sign: 1 | -1): Generator<Pair> {
  let at = 0;
  for (const pair of walk) {
    let hidden = false;
    for (let cover = covers[at]; cover !== undefined; cover = covers[at]) {
      const order = sign * compareBytes(cover.key, pair[0]);
      if (order > 0) break;
      if (cover.value !== undefined) yield [cover.key, cover.value];
      hidden ||= order === 0;
      at += 1;
    }
    if (!hidden) yield pair;
  }
  for (const cover of covers.slice(at)) if (cover.value !== undefined) yield [cover.key, cover.value];
}

/** Entries from `fromSeq` (at least `firstSeq`) up to `lastSeq`, from disk and then from memory. */
export function* readEntries(
  view: ReadView,
  partition: Partition,
  fromSeq: number,
): Generator<{ entry: LogEntry; bytes: number }> {
  const { number, tail, lastSeq } = partition;
  const diskEnd = Math.min(tail.firstSeq, lastSeq + 1);
  if (fromSeq < diskEnd) {
    for (const { key, value } of view.range('log', { start: logKey(number, fromSeq), end: logKey(number, diskEnd) }))
      yield { entry: decodeLogEntry(seqOfLogKey(key), value), bytes: value.length };
  }
  for (let seq = Math.max(fromSeq, tail.firstSeq); seq <= lastSeq; seq += 1) {
    const kept = tail.get(seq);
    if (kept !== undefined) yield kept;
  }
}

export const epochAt = (view: ReadView, partition: Partition, seq: number): number => {
  if (seq === partition.baseSeq) return partition.baseEpoch;
  const kept = partition.tail.get(seq);
  if (kept !== undefined) return kept.entry.epoch;
  const stored = view.get('log', logKey(partition.number, seq));
  return stored === undefined ? 0 : epochOfLogEntry(stored);
};

/** Where the log of a stored partition ends; recovery needs nothing else of it. */
export const endOfLog = (view: ReadView, number: number): { seq: number; epoch: number } | undefined => {
  const range = { start: logKey(number, 0), end: logKey(number, Number.MAX_SAFE_INTEGER), reverse: true };
  for (const { key, value } of view.range('log', range))
    return { seq: seqOfLogKey(key), epoch: epochOfLogEntry(value) };
  return undefined;
};
