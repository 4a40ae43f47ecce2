import { compareBytes, equalBytes } from '../bytes.js';
import { CadastreError, invalid } from '../errors.js';
import { checkScheme } from './check-scheme.js';
import type { DirectoryPiece } from './directory.js';
import { directoryPieces } from './directory.js';
import { isByteSpace, nextVersion, segmentsOf, shareOfRange } from './partition-table.js';
import type { PartitioningChange, PartitionTable } from './partition-table.js';
import { createPartitioner } from './partitioner.js';
import type { DirectoryEntry, DirectoryScheme } from './scheme.js';
import type { Share } from './share.js';
import { addShares, minusShare, NO_SHARE, shareOf, timesShare, WHOLE_SHARE } from './share.js';

/** Names an entry, whatever its partition. */
export type DirectoryMatch =
  | { readonly match: 'key'; readonly key: Uint8Array }
  | { readonly match: 'prefix'; readonly prefix: Uint8Array }
  | { readonly match: 'geography'; readonly label: string };

const directoryOf = ({ scheme }: PartitionTable): DirectoryScheme => {
  if (scheme.kind === 'directory') return scheme;
  throw invalid('scheme.kind', `${scheme.kind} has no entries`, 'put the scheme under a directory as its fallback');
};

const isSame = (a: DirectoryMatch, b: DirectoryMatch): boolean => {
  if (a.match === 'key') return b.match === 'key' && equalBytes(a.key, b.key);
  if (a.match === 'prefix') return b.match === 'prefix' && equalBytes(a.prefix, b.prefix);
  return b.match === 'geography' && a.label === b.label;
};

/** Adds an entry, or gives the one that names the same keys another partition. */
export const putDirectoryEntry = (table: PartitionTable, entry: DirectoryEntry): PartitioningChange => {
  const scheme = directoryOf(table);
  return edited(table, {
    ...nextVersion(scheme),
    entries: [...scheme.entries.filter((e) => !isSame(e, entry)), entry],
  });
};

/** @throws CadastreError NOT_FOUND when no entry names these keys */
export const removeDirectoryEntry = (table: PartitionTable, match: DirectoryMatch): PartitioningChange => {
  const scheme = directoryOf(table);
  const entries = scheme.entries.filter((e) => !isSame(e, match));
  if (entries.length === scheme.entries.length)
    throw new CadastreError('NOT_FOUND', 'entry: no entry names these keys', {
      field: 'entry',
      remedy: 'read the scheme again',
    });
  return edited(table, { ...nextVersion(scheme), entries });
};

/** Adds partitions of its own to a directory, owned by the given nodes; entries may name them from then on. */
export const growDirectory = (table: PartitionTable, owners: readonly string[]): PartitioningChange => {
  const scheme = directoryOf(table);
  const grown = { ...nextVersion(scheme), partitions: scheme.partitions + owners.length };
  return edited({ scheme, owners: [...table.owners, ...owners] }, grown);
};

const edited = (table: PartitionTable, scheme: DirectoryScheme): PartitioningChange => {
  const after: PartitionTable = { scheme: checkScheme(scheme), owners: table.owners };
  createPartitioner(scheme);
  const origins: Set<number>[] = Array.from({ length: scheme.partitions }, () => new Set());
  let moved = NO_SHARE;
  for (const { was, is, share } of overlaid(directoryOf(table), scheme)) {
    const isUnchanged = equalPieces(was, is);
    for (const to of is.keys()) for (const from of isUnchanged ? [to] : was.keys()) origins[to]!.add(from);
    if (!isUnchanged)
      moved = addShares(moved, timesShare(share, minusShare(WHOLE_SHARE, staying(table.owners, was, is))));
  }
  return { table: after, origins: origins.map((set) => [...set].sort((a, b) => a - b)), moved };
};

/** Which share of a piece each partition holds. */
type Holding = ReadonlyMap<number, Share>;

/** Both directories cut at the boundaries of either. */
const overlaid = (before: DirectoryScheme, after: DirectoryScheme): { was: Holding; is: Holding; share: Share }[] => {
  const ordered = isByteSpace(before.fallback);
  const cuts = ordered ? segmentsOf(before.fallback).flatMap((s) => (s.start ? [s.start as Uint8Array] : [])) : [];
  const [old, now] = [directoryPieces(before), directoryPieces(after)];
  const starts = [new Uint8Array(), ...old.map((p) => p.start), ...now.map((p) => p.start), ...cuts].sort(compareBytes);
  const unique = starts.filter((start, i) => i === 0 || !equalBytes(start, starts[i - 1]!));
  const holding = holdings(before);
  return unique.map((start, i) => ({
    was: holding(old, start),
    is: holding(now, start),
    share: shareOfRange(before, { start: i === 0 ? undefined : start, end: unique[i + 1] }),
  }));
};

const holdings = (scheme: DirectoryScheme) => {
  const fallback = createPartitioner(scheme.fallback);
  const hashed: Holding = isByteSpace(scheme.fallback)
    ? new Map()
    : new Map(
        Array.from({ length: fallback.partitions }, (_, p) => [
          p,
          fallback
            .rangesOf(p)
            .map((r) => shareOfRange(scheme.fallback, r))
            .reduce(addShares),
        ]),
      );
  return (pieces: readonly DirectoryPiece[], start: Uint8Array): Holding => {
    const entry = pieces.findLast((p) => compareBytes(p.start, start) <= 0)?.entry;
    if (!entry) return hashed.size > 0 ? hashed : new Map([[fallback.partitionOf(start), WHOLE_SHARE]]);
    const spread = entry.match === 'key' ? 1 : (entry.spread ?? 1);
    return new Map(Array.from({ length: spread }, (_, i) => [entry.partition + i, shareOf(1n, BigInt(spread))]));
  };
};

const equalPieces = (a: Holding, b: Holding): boolean =>
  a === b ||
  (a.size === b.size &&
    [...a].every(
      ([p, { numerator, denominator }]) => b.get(p)?.numerator === numerator && b.get(p)?.denominator === denominator,
    ));

/** The share of a piece that keeps its owner, two different hashes being independent of each other. */
const staying = (owners: readonly string[], was: Holding, is: Holding): Share => {
  const byOwner = (holding: Holding): Map<string, Share> => {
    const sums = new Map<string, Share>();
    for (const [p, share] of holding) sums.set(owners[p]!, addShares(sums.get(owners[p]!) ?? NO_SHARE, share));
    return sums;
  };
  const after = byOwner(is);
  return [...byOwner(was)]
    .map(([owner, share]) => timesShare(share, after.get(owner) ?? NO_SHARE))
    .reduce(addShares, NO_SHARE);
};
