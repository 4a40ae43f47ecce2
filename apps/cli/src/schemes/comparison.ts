import { CadastreError, createPartitioner, keyFromText, murmur3, type Partitioner } from '@cadastre/core';
import { type Contender, contendersOf, isKeyedByNumber, type Setting } from './contenders.js';

/** How keys lie on the nodes; 1 and 0 are perfect. */
export interface Spread {
  /** Keys of the fullest node over the mean. */
  readonly maxOverMean: number;
  /** Standard deviation of keys a node over the mean. */
  readonly standardDeviation: number;
  readonly keysPerNode: Readonly<Record<string, number>>;
}

export interface Row {
  readonly scheme: string;
  readonly kind: string;
  /** False for what is shown as a warning only. */
  readonly offered: boolean;
  readonly partitions: number;
  readonly vnodes?: number;
  /** Share of the keys whose node changes when the nodes join, 0 to 1. */
  readonly moved: number;
  readonly spreadBefore: Spread;
  readonly spreadAfter: Spread;
  /** Partitions that a query for `RANGE_SHARE` of the keys, neighbours in order, has to ask, and of how many. */
  readonly rangeQuery: { readonly partitions: number; readonly of: number };
  readonly note?: string;
}

/** Where the range query begins and ends among the sorted keys. */
const RANGE = [0.45, 0.46] as const;
export const RANGE_SHARE = RANGE[1] - RANGE[0];

const utf8 = new TextEncoder();

/** The keys as the file has them, and in order. */
interface Keys {
  readonly keys: readonly Uint8Array[];
  readonly sorted: readonly Uint8Array[];
}

/** The same keys under every scheme: counted, not estimated. */
export const compareSchemes = (setting: Setting): Row[] => {
  const keys = setting.keys.map((key) => utf8.encode(key));
  const sorted = [...keys].sort(Buffer.compare);
  return [moduloRow(setting, keys), ...contendersOf(setting).map((each) => rowOf(each, setting, { keys, sorted }))];
};

/** hash mod N over nodes: what no scheme here is, and why. */
const moduloRow = ({ nodes, joining }: Setting, keys: readonly Uint8Array[]): Row => {
  const all = [...nodes, ...joining];
  const before = keys.map((key) => nodes[murmur3(key) % nodes.length]!);
  const after = keys.map((key) => all[murmur3(key) % all.length]!);
  return {
    scheme: 'hash mod N',
    kind: 'warning',
    offered: false,
    partitions: nodes.length,
    ...changes(before, after, { nodes, all }),
    rangeQuery: { partitions: nodes.length, of: nodes.length },
    note: 'never offered: nearly every key moves',
  };
};

const rowOf = (contender: Contender, { nodes, joining }: Setting, texts: Keys): Row => {
  const { before, after } = contender;
  const partitioner = createPartitioner(before.scheme);
  const byNumber = isKeyedByNumber(before.scheme) || !takesAll(partitioner, texts.keys);
  const keys = byNumber ? texts.keys.map((_, i) => keyFromText(before.scheme, `${i + 1}`)) : texts.keys;
  const later = before.scheme.kind === 'ring' ? createPartitioner(after.scheme) : partitioner;
  const owned = (at: Partitioner, owners: readonly string[]) => keys.map((key) => owners[at.partitionOf(key)]!);
  return {
    scheme: contender.name,
    kind: contender.kind,
    offered: true,
    partitions: partitioner.partitions,
    ...(contender.vnodes !== undefined && { vnodes: contender.vnodes }),
    ...changes(owned(partitioner, before.owners), owned(later, after.owners), { nodes, all: [...nodes, ...joining] }),
    rangeQuery: {
      partitions: rangeQuery(partitioner, byNumber ? keys : texts.sorted),
      of: partitioner.partitions,
    },
    ...(byNumber && { note: 'keys are their numbers in the list: this scheme does not take these texts' }),
  };
};

/** False when the scheme refuses one of the keys, as those do that take ASCII alone. */
const takesAll = (partitioner: Partitioner, keys: readonly Uint8Array[]): boolean => {
  try {
    for (const key of keys) partitioner.partitionOf(key);
    return true;
  } catch (error) {
    if (error instanceof CadastreError && error.code === 'INVALID_ARGUMENT') return false;
    throw error;
  }
};

const changes = (
  before: readonly string[],
  after: readonly string[],
  { nodes, all }: { nodes: readonly string[]; all: readonly string[] },
) => ({
  moved: before.filter((node, i) => node !== after[i]).length / before.length,
  spreadBefore: spreadOf(before, nodes),
  spreadAfter: spreadOf(after, all),
});

const spreadOf = (owners: readonly string[], nodes: readonly string[]): Spread => {
  const keysPerNode = Object.fromEntries(nodes.map((node) => [node, 0]));
  for (const owner of owners) keysPerNode[owner]! += 1;
  const counts = Object.values(keysPerNode);
  const mean = owners.length / nodes.length;
  const variance = counts.reduce((sum, n) => sum + (n - mean) ** 2, 0) / nodes.length;
  return { maxOverMean: Math.max(...counts) / mean, standardDeviation: Math.sqrt(variance) / mean, keysPerNode };
};

const rangeQuery = (partitioner: Partitioner, sorted: readonly Uint8Array[]): number => {
  const [from, to] = RANGE.map((share) => sorted[Math.floor(share * (sorted.length - 1))]!);
  return partitioner.partitionsFor(from!, to!.length === 0 ? undefined : to).length;
};
