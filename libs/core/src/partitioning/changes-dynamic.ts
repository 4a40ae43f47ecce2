import { CadastreError, invalid } from '../errors.js';
import { LIMITS } from '../limits.js';
import { spaceOf } from './hash-functions.js';
import type { PartitioningChange, PartitionTable } from './partition-table.js';
import { changeBetween, compareTokens, nextVersion, refusePartition } from './partition-table.js';
import { createPartitioner } from './partitioner.js';
import type { SampledKey } from './sample-splits.js';
import { medianToken } from './sample-splits.js';
import type { HashRangeScheme, RangeScheme, Scheme } from './scheme.js';
import type { Token } from './token.js';
import { formatToken, parseToken } from './token.js';

/** Dynamic partitioning: ranges split when they are large or busy, and neighbours merge when they are not. */
export type DynamicScheme = HashRangeScheme | RangeScheme;

const unsplittable = (partition: number, why: string, remedy: string): CadastreError =>
  new CadastreError('FAILED_PRECONDITION', `partition ${partition} cannot be split: ${why}`, {
    field: 'partition',
    remedy,
  });

const dynamicOf = (scheme: Scheme): DynamicScheme => {
  if (scheme.kind === 'hash-range' || scheme.kind === 'range') return scheme;
  const remedy = {
    'hash-slots': 'slots are fixed: move them, or choose hash-range or range',
    ring: 'let a node with more tokens join',
    directory: 'edit its entries, or change its fallback',
  }[scheme.kind];
  throw invalid('scheme.kind', `${scheme.kind} neither splits nor merges`, remedy);
};

/** Where partitions begin, all but the first. */
const boundariesOf = (scheme: DynamicScheme): Token[] => {
  if (scheme.kind === 'range') return [...scheme.splitPoints];
  if (scheme.splitPoints) return scheme.splitPoints.map(BigInt);
  const { partitions, rangesOf } = createPartitioner(scheme);
  return Array.from({ length: partitions - 1 }, (_, i) => rangesOf(i + 1)[0]!.start!);
};

const withBoundaries = (scheme: DynamicScheme, tokens: readonly Token[]): DynamicScheme =>
  scheme.kind === 'range'
    ? { ...nextVersion(scheme), splitPoints: tokens as Uint8Array[] }
    : { ...nextVersion(scheme), partitions: tokens.length + 1, splitPoints: tokens.map(formatToken) };

/**
 * The partition in two: the upper one, from `at` on, is the new partition, one above, and goes to `owner` (that of the partition
 * unless given).
 * @param at the token where the upper one begins: a decimal string or bigint of a hash-range, bytes of a range
 * @throws CadastreError INVALID_ARGUMENT when `at` does not lie inside the partition or the scheme never splits
 */
export const splitAt = (
  table: PartitionTable,
  partition: number,
  at: Token | string,
  owner?: string,
): PartitioningChange => {
  const scheme = dynamicOf(table.scheme);
  refusePartition(table, partition);
  if (table.owners.length >= LIMITS.partitionsMax)
    throw invalid('partition', 'there would be too many', 'merge others first', `${LIMITS.partitionsMax} partitions`);
  const token = checkToken(scheme, at);
  const boundaries = boundariesOf(scheme);
  const [begins, ends] = [boundaries[partition - 1], boundaries[partition]];
  if (isBefore(token, begins ?? leastOf(scheme)) || (ends !== undefined && compareTokens(token, ends) >= 0))
    throw invalid(
      'at',
      `${formatToken(token)} does not lie inside partition ${partition}`,
      'give a token above its first and below its end',
      limitText(begins, ends),
    );
  boundaries.splice(partition, 0, token);
  const owners = [...table.owners];
  owners.splice(partition + 1, 0, owner ?? owners[partition]!);
  return changeBetween(table, { scheme: withBoundaries(scheme, boundaries), owners });
};

const isBefore = (token: Token, least: Token): boolean => compareTokens(token, least) <= 0;
const leastOf = (scheme: DynamicScheme): Token =>
  scheme.kind === 'range' ? new Uint8Array() : spaceOf(scheme.hash).min;
const limitText = (begins: Token | undefined, ends: Token | undefined): string =>
  `above ${begins === undefined ? 'the first token' : formatToken(begins)}, below ${ends === undefined ? 'the end' : formatToken(ends)}`;

const checkToken = (scheme: DynamicScheme, at: Token | string): Token => {
  if (scheme.kind === 'range') {
    if (at instanceof Uint8Array && at.length > 0) return at;
    throw invalid('at', 'is no key', 'give the bytes of the first key of the upper half');
  }
  if (at instanceof Uint8Array) throw invalid('at', 'is no token of the hash', 'give a whole decimal number');
  return parseToken(spaceOf(scheme.hash), 'at', String(at));
};

/**
 * Splits where half of a sample lies on either side: of size when keys weigh their bytes, of load when they weigh their requests.
 * @throws CadastreError FAILED_PRECONDITION when the sample has fewer than two tokens inside the partition: nothing can come between
 */
export const splitAtMedian = (
  table: PartitionTable,
  partition: number,
  sample: readonly SampledKey[],
  owner?: string,
): PartitioningChange => {
  dynamicOf(table.scheme);
  refusePartition(table, partition);
  const median = medianToken(createPartitioner(table.scheme), partition, sample);
  if (median === undefined)
    throw unsplittable(
      partition,
      'its sampled keys share one token',
      'give a larger sample; one hot key is spread by salting it',
    );
  return splitAt(table, partition, median, owner);
};

/**
 * Splits in the middle of the token range.
 * @throws CadastreError FAILED_PRECONDITION when the partition holds a single token
 */
export const splitInHalf = (table: PartitionTable, partition: number, owner?: string): PartitioningChange => {
  const scheme = dynamicOf(table.scheme);
  refusePartition(table, partition);
  if (scheme.kind === 'range')
    throw unsplittable(partition, 'keys have no middle', 'give a split point, or split at the median of a sample');
  const { min, max } = spaceOf(scheme.hash);
  const [{ start, end } = { start: undefined, end: undefined }] = createPartitioner(scheme).rangesOf(partition);
  const [from, to] = [(start as bigint | undefined) ?? min, (end as bigint | undefined) ?? max + 1n];
  if (to - from < 2n)
    throw unsplittable(partition, 'it holds a single token', 'nothing smaller can be moved; salt the keys');
  return splitAt(table, partition, from + (to - from) / 2n, owner);
};

/** The partition and the one above it as one, which goes to `owner` (that of the lower one unless given). */
export const mergeWithNext = (table: PartitionTable, partition: number, owner?: string): PartitioningChange => {
  const scheme = dynamicOf(table.scheme);
  refusePartition(table, partition);
  if (partition === table.owners.length - 1)
    throw invalid(
      'partition',
      `${partition} is the last one`,
      'name the lower one of two neighbours',
      `0 to ${table.owners.length - 2}`,
    );
  const boundaries = boundariesOf(scheme);
  boundaries.splice(partition, 1);
  const owners = [...table.owners];
  owners.splice(partition, 2, owner ?? owners[partition]!);
  return changeBetween(table, { scheme: withBoundaries(scheme, boundaries), owners });
};
