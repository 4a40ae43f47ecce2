import { compareBytes } from '../bytes.js';
import { invalid } from '../errors.js';
import { LIMITS } from '../limits.js';
import { crc16, murmur3 } from './hashes/index.js';
import type { HashSlotsScheme, RangeScheme, Scheme } from './scheme.js';
import { SLOT_HASHES } from './scheme.js';

/** A compiled scheme. Allocation-free per key. */
export interface Partitioner {
  readonly partitions: number;
  /** Partition number of a key, 0 to partitions - 1. Keys are bytes: never normalised, never assumed to be text. */
  partitionOf(key: Uint8Array): number;
  /** Partitions to ask for the keys in [start, end), in key order where the scheme keeps order; `end` undefined = to the end. */
  partitionsFor(start: Uint8Array, end: Uint8Array | undefined): number[];
  /** True when partition order is key order, so that a scan can go partition by partition. */
  readonly ordered: boolean;
}

/** @throws CadastreError INVALID_ARGUMENT naming the wrong field of the scheme */
export const checkScheme = (scheme: Scheme): Scheme => {
  if (scheme.kind === 'hash-slots') return checkHashSlots(scheme);
  if (scheme.kind === 'range') return checkRange(scheme);
  throw invalid('scheme.kind', `"${String((scheme as { kind: unknown }).kind)}" is unknown`, 'use hash-slots or range');
};

const checkHashSlots = (scheme: HashSlotsScheme): Scheme => {
  if (!Number.isInteger(scheme.slots) || scheme.slots < 1 || scheme.slots > LIMITS.partitionsMax) {
    throw invalid(
      'scheme.slots',
      `${scheme.slots} is not a count of slots`,
      'give a whole number; 16 to 100 partitions a node is usual',
      `1 to ${LIMITS.partitionsMax}`,
    );
  }
  if (!SLOT_HASHES.includes(scheme.hash))
    throw invalid('scheme.hash', `"${scheme.hash}" is unknown`, `use one of ${SLOT_HASHES.join(', ')}`);
  return scheme;
};

const checkRange = (scheme: RangeScheme): Scheme => {
  if (scheme.splitPoints.length + 1 > LIMITS.partitionsMax) {
    throw invalid(
      'scheme.splitPoints',
      `${scheme.splitPoints.length} split points`,
      'give fewer',
      `${LIMITS.partitionsMax - 1}`,
    );
  }
  scheme.splitPoints.forEach((point, i) => {
    if (point.length === 0)
      throw invalid(`scheme.splitPoints[${i}]`, 'is empty', 'the first partition begins at the empty key by itself');
    if (i > 0 && compareBytes(scheme.splitPoints[i - 1]!, point) >= 0) {
      throw invalid(
        `scheme.splitPoints[${i}]`,
        'is not greater than the one before it',
        'give split points in ascending order, each once',
      );
    }
  });
  return scheme;
};

export const createPartitioner = (scheme: Scheme): Partitioner => {
  checkScheme(scheme);
  return scheme.kind === 'hash-slots' ? hashSlots(scheme) : ranges(scheme);
};

const hashSlots = ({ slots, hash, hashTags }: HashSlotsScheme): Partitioner => {
  const digest = hash === 'crc16' ? crc16 : murmur3;
  const partitionOf = (key: Uint8Array): number => {
    if (hashTags) {
      const open = key.indexOf(0x7b);
      const close = open < 0 ? -1 : key.indexOf(0x7d, open + 1);
      if (close > open + 1) return digest(key, open + 1, close) % slots;
    }
    return digest(key) % slots;
  };
  const all = () => Array.from({ length: slots }, (_, i) => i);
  return { partitions: slots, partitionOf, partitionsFor: all, ordered: false };
};

const ranges = ({ splitPoints }: RangeScheme): Partitioner => {
  const partitionOf = (key: Uint8Array): number => {
    let low = 0;
    let high = splitPoints.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareBytes(splitPoints[middle]!, key) <= 0) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  const partitionsFor = (start: Uint8Array, end: Uint8Array | undefined): number[] => {
    const result: number[] = [];
    for (let p = partitionOf(start); p <= splitPoints.length; p += 1) {
      const begins = p === 0 ? undefined : splitPoints[p - 1]!;
      if (end && begins && compareBytes(begins, end) >= 0) break;
      result.push(p);
    }
    return result;
  };
  return { partitions: splitPoints.length + 1, partitionOf, partitionsFor, ordered: true };
};
