import { compareBytes, equalBytes } from '../bytes.js';
import { invalid } from '../errors.js';
import { murmur3 } from './hashes/index.js';
import { isEmptyRange, prefixEnd } from './key-part.js';
import type { Partitioner, TokenRange } from './partitioner.js';
import type { DirectoryEntry, DirectoryScheme } from './scheme.js';
import { tableBytes } from './token-table.js';

/** Keys from `start` up to but not `end`, all of which an entry names. Ranges of entries nest or are disjoint, never overlap partly. */
interface Claim {
  readonly start: Uint8Array;
  readonly end: Uint8Array | undefined;
  readonly entry: DirectoryEntry;
}

/** Pieces of the key space in order: piece i begins at `begins[i - 1]` and belongs to an entry, or to the fallback. */
interface Pieces {
  readonly begins: readonly Uint8Array[];
  readonly owners: readonly (DirectoryEntry | undefined)[];
}

/**
 * Every entry is a range of keys: a key alone, all keys with a prefix, all of a geography. Laid over one another, longest on top,
 * they cut the key space into pieces; so the longest match is one search in a sorted table.
 */
export const compileDirectory = (scheme: DirectoryScheme, fallback: Partitioner): Partitioner => {
  const { begins, owners } = piecesOf(claimsOf(scheme));
  const pieceOf = tableBytes(begins);
  const bases = Int32Array.from(owners, (entry) => entry?.partition ?? -1);
  const spreads = Int32Array.from(owners, spreadOf);
  const partitionOf = (key: Uint8Array): number => {
    const piece = pieceOf(key);
    const base = bases[piece]!;
    if (base < 0) return fallback.partitionOf(key);
    const spread = spreads[piece]!;
    return spread === 1 ? base : base + (murmur3(key, 0, key.length) % spread);
  };
  const partitionsFor = (start: Uint8Array, end: Uint8Array | undefined): number[] => {
    const asked = new Set<number>();
    if (isEmptyRange(start, end)) return [];
    for (let piece = pieceOf(start); piece <= begins.length; piece += 1) {
      const from = piece === 0 || compareBytes(begins[piece - 1]!, start) < 0 ? start : begins[piece - 1]!;
      if (isEmptyRange(from, end)) break;
      const next = begins[piece];
      const to = next && (!end || compareBytes(next, end) < 0) ? next : end;
      for (const p of partitionsOfPiece(owners[piece], fallback, from, to)) asked.add(p);
    }
    return [...asked];
  };
  return {
    scheme,
    partitions: scheme.partitions,
    token: (key) => (bases[pieceOf(key)]! < 0 ? fallback.token(key) : key),
    partitionOf,
    partitionsFor,
    ordered: fallback.ordered && begins.length === 0,
    rangesOf: (partition) => [
      ...(partition < fallback.partitions ? fallback.rangesOf(partition) : []),
      ...claimedRanges(begins, owners, partition),
    ],
    ownerOf: (partition) => (partition < fallback.partitions ? fallback.ownerOf(partition) : undefined),
  };
};

/** A range of keys from `start` to the next piece's, and the entry that names it; none where the fallback decides. */
export interface DirectoryPiece {
  readonly start: Uint8Array;
  readonly entry: DirectoryEntry | undefined;
}

export const directoryPieces = (scheme: DirectoryScheme): DirectoryPiece[] => {
  const { begins, owners } = piecesOf(claimsOf(scheme));
  return owners.map((entry, i) => ({ start: begins[i - 1] ?? new Uint8Array(), entry }));
};

const spreadOf = (entry: DirectoryEntry | undefined): number =>
  entry === undefined || entry.match === 'key' ? 1 : (entry.spread ?? 1);

const partitionsOfPiece = (
  entry: DirectoryEntry | undefined,
  fallback: Partitioner,
  from: Uint8Array,
  to: Uint8Array | undefined,
): number[] =>
  entry ? Array.from({ length: spreadOf(entry) }, (_, i) => entry.partition + i) : fallback.partitionsFor(from, to);

const claimedRanges = (
  begins: readonly Uint8Array[],
  owners: readonly (DirectoryEntry | undefined)[],
  partition: number,
): TokenRange[] =>
  owners.flatMap((entry, piece) =>
    entry && partition >= entry.partition && partition < entry.partition + spreadOf(entry)
      ? [{ start: begins[piece - 1], end: begins[piece] }]
      : [],
  );

const claimsOf = (scheme: DirectoryScheme): Claim[] => {
  const claims = scheme.entries.map((entry, i): Claim & { readonly field: string } => ({
    ...claimOf(scheme, entry),
    entry,
    field: `scheme.entries[${i}]`,
  }));
  claims.sort((a, b) => compareBytes(a.start, b.start) || -compareEnds(a.end, b.end));
  claims.forEach((claim, i) => {
    const before = claims[i - 1];
    if (before && equalBytes(before.start, claim.start) && compareEnds(before.end, claim.end) === 0)
      throw invalid(claim.field, `names the same keys as ${before.field}`, 'give each key, prefix and geography once');
  });
  return claims;
};

const claimOf = (scheme: DirectoryScheme, entry: DirectoryEntry): Omit<Claim, 'entry'> => {
  if (entry.match === 'key') {
    const end = new Uint8Array(entry.key.length + 1);
    end.set(entry.key);
    return { start: entry.key, end };
  }
  const prefix =
    entry.match === 'prefix' ? entry.prefix : new TextEncoder().encode(`${entry.label}${scheme.separator ?? '/'}`);
  return { start: prefix, end: prefixEnd(prefix) };
};

const compareEnds = (a: Uint8Array | undefined, b: Uint8Array | undefined): number => {
  if (!a || !b) return Number(!a) - Number(!b);
  return compareBytes(a, b);
};

/** A sweep over nested claims: the innermost open one owns the piece. */
const piecesOf = (claims: readonly Claim[]): Pieces => {
  const begins: Uint8Array[] = [];
  const owners: (DirectoryEntry | undefined)[] = [undefined];
  const open: Claim[] = [];
  const begin = (at: Uint8Array): void => {
    const owner = open.at(-1)?.entry;
    const last = begins.at(-1);
    if (last && equalBytes(last, at)) owners[owners.length - 1] = owner;
    else {
      begins.push(at);
      owners.push(owner);
    }
  };
  const closeUpTo = (at: Uint8Array | undefined): void => {
    for (let top = open.at(-1); top?.end && (!at || compareBytes(top.end, at) <= 0); top = open.at(-1)) {
      open.pop();
      begin(top.end);
    }
  };
  for (const claim of claims) {
    closeUpTo(claim.start);
    open.push(claim);
    begin(claim.start);
  }
  closeUpTo(undefined);
  return { begins, owners };
};
