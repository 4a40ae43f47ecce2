import type { KeyspaceMap } from '@cadastre/core';
import { compareBytes, invalid, LIMITS } from '@cadastre/core';
import type { Bytes } from './bytes.js';
import { prefixEnd, toBytes } from './bytes.js';
import type { Entry } from './merge.js';
import { Gate, mergeSorted } from './merge.js';

export interface ScanOptions {
  /** Inclusive; from the first key when not given. */
  readonly start?: Bytes;
  /** Exclusive; to the last key when not given. */
  readonly end?: Bytes;
  readonly prefix?: Bytes;
  /** Entries in all; without end when not given. */
  readonly limit?: number;
  readonly signal?: AbortSignal;
  /** As of single reads: `nearest` lets followers answer, each page as of at most `maxStalenessMs` ago. */
  readonly from?: 'leader' | 'nearest';
  readonly maxStalenessMs?: number;
}

export interface ScanRange {
  readonly start: Uint8Array;
  /** Exclusive; undefined for the end of the keyspace. */
  readonly end: Uint8Array | undefined;
  readonly limit: number;
}

export interface Page {
  readonly entries: readonly Entry[];
  /** Where the next page begins; undefined after the last. */
  readonly next: Uint8Array | undefined;
}

/** Reads one page of one partition. */
export type ReadPage = (
  partition: number,
  start: Uint8Array,
  end: Uint8Array | undefined,
  limit: number,
) => Promise<Page>;

export const PAGE = 500;
/** Pages that are read at the same time when every partition has to be asked. */
const CONCURRENCY = 16;

export const compileRange = ({ start, end, prefix, limit = Infinity }: ScanOptions): ScanRange => {
  if (limit !== Infinity && (!Number.isInteger(limit) || limit < 0))
    throw invalid('limit', `${limit} is not a count`, 'give a whole number, or none for all', 'at least 0');
  const from = start === undefined ? new Uint8Array() : toBytes('start', start);
  const to = end === undefined ? undefined : toBytes('end', end);
  for (const [field, bytes] of [
    ['start', from],
    ['end', to],
  ] as const) {
    if (bytes && bytes.length > LIMITS.keyBytesMax)
      throw invalid(
        field,
        `has ${bytes.length} bytes`,
        'no key is that long: shorten it',
        `${LIMITS.keyBytesMax} bytes`,
      );
  }
  if (prefix === undefined) return { start: from, end: to, limit };
  const begin = toBytes('prefix', prefix);
  return { start: later(from, begin), end: earlier(to, prefixEnd(begin)), limit };
};

const later = (a: Uint8Array, b: Uint8Array): Uint8Array => (compareBytes(a, b) >= 0 ? a : b);

const earlier = (a: Uint8Array | undefined, b: Uint8Array | undefined): Uint8Array | undefined => {
  if (!a || !b) return a ?? b;
  return compareBytes(a, b) <= 0 ? a : b;
};

/** Entries in key order, whatever the scheme. Each page is read as of its own moment: a scan is no snapshot. */
export async function* scanEntries(map: KeyspaceMap, range: ScanRange, read: ReadPage): AsyncGenerator<Entry> {
  let left = range.limit;
  if (left === 0 || (range.end && compareBytes(range.start, range.end) >= 0)) return;
  const partitions = map.partitionsFor(range.start, range.end);
  const entries = map.ordered ? inSequence(partitions, range, read) : merged(partitions, range, read);
  for await (const entry of entries) {
    yield entry;
    left -= 1;
    if (left === 0) return;
  }
}

async function* inSequence(partitions: readonly number[], range: ScanRange, read: ReadPage): AsyncGenerator<Entry> {
  const pageSize = Math.min(PAGE, range.limit);
  for (const partition of partitions) yield* pages(partition, range, pageSize, read);
}

/** With a limit, each partition is expected to hold its share of it: small first pages, and no more than needed is read. */
const merged = (partitions: readonly number[], range: ScanRange, read: ReadPage): AsyncGenerator<Entry> => {
  const gate = new Gate(CONCURRENCY);
  const gated: ReadPage = (...page) => gate.run(() => read(...page));
  const share = Math.ceil((range.limit / partitions.length) * 1.5) + 4;
  const pageSize = Math.min(PAGE, range.limit, share);
  return mergeSorted(partitions.map((partition) => pages(partition, range, pageSize, gated)));
};

export async function* pages(
  partition: number,
  { start, end }: ScanRange,
  pageSize: number,
  read: ReadPage,
): AsyncGenerator<Entry> {
  let page = await read(partition, start, end, pageSize);
  for (;;) {
    const following = page.next && ahead(read(partition, page.next, end, pageSize));
    yield* page.entries;
    if (!following) return;
    page = await following;
  }
}

/** Read while the page before is being used up; its failure is thrown when it is asked for, and never goes unhandled. */
const ahead = (page: Promise<Page>): Promise<Page> => {
  page.catch(() => undefined);
  return page;
};
