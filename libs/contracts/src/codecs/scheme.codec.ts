import type { Compound, DirectoryEntry, RangeHash, RingHash, Scheme, SlotHash } from '@cadastre/core';
import { invalid } from '@cadastre/core';
import type * as Wire from '../generated/index.js';
import { wholeNumber } from './whole-number.js';

/**
 * Schemes as they are stored and sent. Names of hashes and all numbers are checked by the core when the scheme is compiled; here
 * only what cannot be read at all is refused. Optional fields that say the default are left out on both sides.
 */
type WireKind = NonNullable<Wire.Scheme__Output['kind']>;

/** @throws CadastreError INVALID_ARGUMENT naming the count that the wire cannot carry */
export const encodeScheme = (scheme: Scheme): Wire.Scheme => ({
  ...encodeKind(scheme),
  ...(scheme.version !== undefined && { version: wholeNumber('scheme.version', scheme.version) }),
});

const encodeKind = (scheme: Scheme): Wire.Scheme => {
  if (scheme.kind === 'hash-slots') {
    const { hash, hashTags, compound, routingSlots, routingPartitionSize: size, bucket, bucketType } = scheme;
    return {
      hashSlots: {
        slots: wholeNumber('scheme.slots', scheme.slots),
        hash,
        hashTags,
        ...encodeCompound(compound),
        ...(routingSlots !== undefined && { routingSlots: wholeNumber('scheme.routingSlots', routingSlots) }),
        ...(size !== undefined && { routingPartitionSize: wholeNumber('scheme.routingPartitionSize', size) }),
        ...(bucket !== undefined && { bucket }),
        ...(bucketType !== undefined && { bucketType }),
      },
    };
  }
  if (scheme.kind === 'hash-range') {
    const { hash, splitPoints = [], compound } = scheme;
    const partitions = wholeNumber('scheme.partitions', scheme.partitions);
    return { hashRange: { hash, partitions, splitPoints: [...splitPoints], ...encodeCompound(compound) } };
  }
  if (scheme.kind === 'range') return { range: { splitPoints: scheme.splitPoints.map((p) => Buffer.from(p)) } };
  if (scheme.kind === 'ring') {
    const nodes = scheme.nodes.map(({ node, tokens }) => ({ node, tokens: [...tokens] }));
    return { ring: { hash: scheme.hash, nodes, ...encodeCompound(scheme.compound) } };
  }
  const { separator = '', fallback } = scheme;
  const partitions = wholeNumber('scheme.partitions', scheme.partitions);
  const entries = scheme.entries.map(encodeEntry);
  return { directory: { entries, partitions, separator, fallback: encodeScheme(fallback) } };
};

const encodeCompound = (compound: Compound | undefined): { compound?: Wire.Compound } => {
  if (!compound) return {};
  return 'separator' in compound
    ? { compound: { separator: Buffer.from(compound.separator) } }
    : { compound: { lengthPrefixBytes: compound.lengthPrefixBytes } };
};

const encodeEntry = (entry: DirectoryEntry, i: number): Wire.DirectoryEntry => {
  const partition = wholeNumber(`scheme.entries[${i}].partition`, entry.partition);
  if (entry.match === 'key') return { key: Buffer.from(entry.key), partition };
  const place = { partition, spread: wholeNumber(`scheme.entries[${i}].spread`, entry.spread ?? 0) };
  return entry.match === 'prefix'
    ? { prefix: Buffer.from(entry.prefix), ...place }
    : { geography: entry.label, ...place };
};

/**
 * Reads what came over the wire, and what `encodeScheme` made in this very process, where fields that say the default are not there.
 * @throws CadastreError INVALID_ARGUMENT when the scheme is missing or of a kind from the future
 */
export const decodeScheme = (wire: Wire.Scheme | Wire.Scheme__Output | null | undefined): Scheme => {
  const kind = wire && KINDS.find((k) => wire[k]);
  if (!kind)
    throw invalid(
      'scheme',
      'is missing or of a kind unknown here',
      'use hash-slots, hash-range, range, ring or directory',
    );
  return { ...DECODE[kind](wire), ...(wire.version && { version: wire.version }) };
};

const DECODE: Record<WireKind, (wire: Wire.Scheme) => Scheme> = {
  hashSlots: ({ hashSlots }) => {
    const {
      slots = 0,
      hash,
      hashTags = false,
      compound,
      routingSlots,
      routingPartitionSize,
      bucket,
      bucketType,
    } = hashSlots!;
    return {
      kind: 'hash-slots',
      slots,
      hash: hash as SlotHash,
      hashTags,
      ...decodeCompound(compound),
      ...(routingSlots && { routingSlots }),
      ...(routingPartitionSize && { routingPartitionSize }),
      ...(bucket && { bucket }),
      ...(bucketType && { bucketType }),
    };
  },
  hashRange: ({ hashRange }) => {
    const { hash, partitions = 0, splitPoints = [], compound } = hashRange!;
    const points = splitPoints.length > 0 && { splitPoints };
    return { kind: 'hash-range', hash: hash as RangeHash, partitions, ...points, ...decodeCompound(compound) };
  },
  range: ({ range }) => ({ kind: 'range', splitPoints: (range!.splitPoints ?? []) as Buffer[] }),
  ring: ({ ring }) => {
    const nodes = (ring!.nodes ?? []).map(({ node = '', tokens = [] }) => ({ node, tokens }));
    return { kind: 'ring', hash: ring!.hash as RingHash, nodes, ...decodeCompound(ring!.compound) };
  },
  directory: ({ directory }) => {
    const { entries = [], partitions = 0, separator } = directory!;
    const fallback = decodeScheme(directory!.fallback);
    if (fallback.kind === 'directory')
      throw invalid('scheme.fallback.kind', 'is a directory itself', 'put its entries into this one');
    return {
      kind: 'directory',
      entries: entries.map(decodeEntry),
      partitions,
      ...(separator && { separator }),
      fallback,
    };
  },
};

const KINDS = Object.keys(DECODE) as WireKind[];

const decodeCompound = (wire: Wire.Compound | null | undefined): { compound?: Compound } => {
  if (!wire) return {};
  return wire.separator
    ? { compound: { separator: wire.separator as Buffer } }
    : { compound: { lengthPrefixBytes: (wire.lengthPrefixBytes ?? 0) as 1 } };
};

const decodeEntry = (wire: Wire.DirectoryEntry, i: number): DirectoryEntry => {
  const { partition = 0, key, prefix, geography } = wire;
  const spread = wire.spread ? { spread: wire.spread } : {};
  if (key) return { match: 'key', key: key as Buffer, partition };
  if (prefix) return { match: 'prefix', prefix: prefix as Buffer, partition, ...spread };
  if (geography !== undefined) return { match: 'geography', label: geography, partition, ...spread };
  throw invalid(`scheme.entries[${i}]`, 'names no keys', 'give a key, a prefix or a geography');
};
