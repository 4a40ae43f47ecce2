import { compareBytes } from '../bytes.js';
import { invalid } from '../errors.js';
import { partitionCount } from './check-scheme.js';
import { spaceOf } from './hash-functions.js';
import type { TokenRange } from './partitioner.js';
import { createPartitioner } from './partitioner.js';
import { ringEntries } from './ring.js';
import type { Scheme } from './scheme.js';
import type { Share } from './share.js';
import { NO_SHARE, shareOf } from './share.js';
import { sizeOf } from './token.js';
import type { Token } from './token.js';

/** A scheme and who owns each of its partitions: the node that holds it (its leader, where it has several copies). */
export interface PartitionTable {
  readonly scheme: Scheme;
  readonly owners: readonly string[];
}

/** What a change of partitioning leads to. The table before is left as it was. */
export interface PartitioningChange {
  readonly table: PartitionTable;
  /** For each partition after the change, those before it whose keys it holds, ascending. */
  readonly origins: readonly (readonly number[])[];
  /** The exact share of the token space whose owner is another node than before. */
  readonly moved: Share;
}

/**
 * @param owners of each partition; a ring names its own
 * @throws CadastreError INVALID_ARGUMENT when owners and partitions do not match in number
 */
export const partitionTable = (scheme: Scheme, owners?: readonly string[]): PartitionTable => {
  createPartitioner(scheme);
  if (scheme.kind === 'ring') return { scheme, owners: ringEntries(scheme).map((e) => e.node) };
  const partitions = partitionCount(scheme);
  if (owners?.length !== partitions)
    throw invalid(
      'owners',
      `${owners?.length ?? 0} owners of ${partitions} partitions`,
      'name the owner of each partition',
      `${partitions}`,
    );
  return { scheme, owners };
};

/** The next version of a scheme. */
export const nextVersion = <S extends Scheme>(scheme: S): S => ({ ...scheme, version: (scheme.version ?? 1) + 1 });

export const refusePartition = (table: PartitionTable, partition: number): void => {
  const { length } = table.owners;
  if (!Number.isInteger(partition) || partition < 0 || partition >= length)
    throw invalid('partition', `${partition} does not exist`, 'name a partition of the table', `0 to ${length - 1}`);
};

/** True where tokens are the bytes of keys. */
export const isByteSpace = (scheme: Scheme): boolean =>
  scheme.kind === 'range' || scheme.kind === 'directory' || (scheme.kind === 'ring' && scheme.hash === 'bytes');

/** Bytes as a fraction of all byte strings: `80` is a half. */
const bytesShare = (bytes: Uint8Array): Share =>
  shareOf(
    bytes.reduce((value, byte) => value * 256n + BigInt(byte), 0n),
    256n ** BigInt(bytes.length),
  );

const difference = (from: Share, to: Share): Share =>
  shareOf(to.numerator * from.denominator - from.numerator * to.denominator, to.denominator * from.denominator);

/** What part of the token space a range is; of bytes, as if every next byte were equally likely. */
export const shareOfRange = (scheme: Scheme, { start, end }: TokenRange): Share => {
  if (isByteSpace(scheme)) {
    const from = start === undefined ? NO_SHARE : bytesShare(start as Uint8Array);
    return difference(from, end === undefined ? shareOf(1n, 1n) : bytesShare(end as Uint8Array));
  }
  const [min, size] = numbersOf(scheme);
  return shareOf(((end as bigint | undefined) ?? min + size) - ((start as bigint | undefined) ?? min), size);
};

/** Least token and number of tokens. */
const numbersOf = (scheme: Scheme): [bigint, bigint] => {
  if (scheme.kind === 'hash-slots')
    return scheme.hash === 'riak' ? [0n, 2n ** 160n] : [0n, BigInt(scheme.routingSlots ?? scheme.slots)];
  const space = spaceOf((scheme as { hash: 'murmur3' }).hash);
  return [space.min, sizeOf(space)];
};

/** A token range of a table with its partition, in token order; all together cover the space once. */
export interface Segment extends TokenRange {
  readonly partition: number;
}

export const segmentsOf = (scheme: Scheme): Segment[] => {
  const partitioner = createPartitioner(scheme);
  const segments: Segment[] = [];
  for (let partition = 0; partition < partitioner.partitions; partition += 1)
    for (const range of partitioner.rangesOf(partition)) segments.push({ ...range, partition });
  return segments.sort((a, b) => compareStarts(a.start, b.start));
};

export const compareTokens = (a: Token, b: Token): number =>
  typeof a === 'bigint' ? Number(a > (b as bigint)) - Number(a < (b as bigint)) : compareBytes(a, b as Uint8Array);

const compareStarts = (a: Token | undefined, b: Token | undefined): number => {
  if (a === undefined || b === undefined) return Number(a !== undefined) - Number(b !== undefined);
  return compareTokens(a, b);
};

const compareEnds = (a: Token | undefined, b: Token | undefined): number => {
  if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined);
  return compareTokens(a, b);
};

/** Both tables cut at the boundaries of either: pieces with their partition before and after. */
const overlay = (before: Scheme, after: Scheme): { range: TokenRange; was: number; is: number }[] => {
  const [old, now] = [segmentsOf(before), segmentsOf(after)];
  const pieces: { range: TokenRange; was: number; is: number }[] = [];
  for (let i = 0, j = 0, start: Token | undefined; i < old.length && j < now.length;) {
    const [a, b] = [old[i]!, now[j]!];
    const order = compareEnds(a.end, b.end);
    const end = order <= 0 ? a.end : b.end;
    pieces.push({ range: { start, end }, was: a.partition, is: b.partition });
    start = end;
    if (order <= 0) i += 1;
    if (order >= 0) j += 1;
  }
  return pieces;
};

/**
 * The change from one table to another over the same token space (the same hash, or keys as bytes). Not for directories.
 * @throws CadastreError INVALID_ARGUMENT when the token spaces differ
 */
export const changeBetween = (before: PartitionTable, after: PartitionTable): PartitioningChange => {
  checkSameSpace(before.scheme, after.scheme);
  const origins: Set<number>[] = Array.from({ length: after.owners.length }, () => new Set());
  let moved = NO_SHARE;
  let tokens = 0n;
  const inBytes = isByteSpace(before.scheme);
  const [min, size] = inBytes ? [0n, 1n] : numbersOf(before.scheme);
  for (const { range, was, is } of overlay(before.scheme, after.scheme)) {
    origins[is]!.add(was);
    if (before.owners[was] === after.owners[is]) continue;
    if (inBytes) moved = addTo(moved, shareOfRange(before.scheme, range));
    else tokens += ((range.end as bigint | undefined) ?? min + size) - ((range.start as bigint | undefined) ?? min);
  }
  return {
    table: after,
    origins: origins.map((set) => [...set].sort((a, b) => a - b)),
    moved: inBytes ? moved : shareOf(tokens, size),
  };
};

const addTo = (a: Share, b: Share): Share =>
  shareOf(a.numerator * b.denominator + b.numerator * a.denominator, a.denominator * b.denominator);

const checkSameSpace = (before: Scheme, after: Scheme): void => {
  const key = (scheme: Scheme): string => {
    if (isByteSpace(scheme)) return 'bytes';
    const { hash } = scheme as { hash: string };
    return scheme.kind === 'hash-slots' ? `${hash} ${numbersOf(scheme)[1]}` : hash;
  };
  if (key(before) !== key(after))
    throw invalid(
      'scheme',
      `tokens of ${key(before)} and of ${key(after)} cannot be compared`,
      'count the keys of a sample instead',
    );
};
