import {
  invalid,
  joinFixed,
  joinRingAt,
  keyTypeOf,
  PRESETS,
  type PartitionTable,
  partitionTable,
  type Preset,
  presetScheme,
  preSplitFromSample,
  type RingScheme,
  type Scheme,
} from '@cadastre/core';

/** What every scheme of a comparison has in common. */
export interface Setting {
  readonly nodes: readonly string[];
  /** They join one after another. */
  readonly joining: readonly string[];
  /** Of schemes that do not fix the number. */
  readonly partitions: number;
  /** Tokens a node on rings. */
  readonly vnodes: number;
  /** Texts of keys; at least one. */
  readonly keys: readonly string[];
}

/** One scheme in a comparison: who owns what before and after nodes joined. */
export interface Contender {
  readonly name: string;
  readonly kind: Scheme['kind'];
  readonly vnodes?: number;
  readonly before: PartitionTable;
  readonly after: PartitionTable;
}

const utf8 = new TextEncoder();

/** Keys that split points of ranges are taken from. */
const SAMPLE = 20_000;

/** Every preset, and the classic ring with one vnode a node beside the one with many. */
export const contendersOf = (setting: Setting): Contender[] =>
  PRESETS.flatMap((preset) => {
    if (preset.name !== 'md5-ring') return [contenderOf(preset, setting)];
    return [ringOf(preset, setting, 1), ringOf(preset, setting, setting.vnodes)];
  });

const contenderOf = (preset: Preset, setting: Setting): Contender => {
  if (preset.kind === 'ring' && preset.name !== 'cassandra-byte-ordered')
    return ringOf(preset, setting, setting.vnodes);
  const scheme = fixedOrSplit(preset, setting);
  const partitions = scheme.kind === 'range' ? scheme.splitPoints.length + 1 : partitionsOf(scheme);
  const { nodes, joining } = setting;
  const before = partitionTable(
    scheme,
    Array.from({ length: partitions }, (_, p) => nodes[p % nodes.length]!),
  );
  const after = joining.reduce((table, node) => joinFixed(table, node).table, before);
  return { name: preset.name, kind: scheme.kind, before, after };
};

const partitionsOf = (scheme: Scheme): number => {
  if (scheme.kind === 'hash-slots') return scheme.slots;
  if (scheme.kind === 'hash-range') return scheme.partitions;
  throw invalid('scheme.kind', `${scheme.kind} has nodes of its own`, 'compare it as a ring');
};

/** Slots and ranges: as many as the setting asks for unless the system fixes the number; ranges of keys are cut by a sample. */
const fixedOrSplit = (preset: Preset, { partitions, keys }: Setting): Scheme => {
  if (preset.kind !== 'range' && preset.name !== 'cassandra-byte-ordered')
    return presetScheme(preset.name, preset.name === 'redis-cluster' ? {} : { partitions });
  const step = Math.max(1, Math.floor(keys.length / SAMPLE));
  const sample = keys.filter((_, i) => i % step === 0).map((key) => ({ key: utf8.encode(key) }));
  return preSplitFromSample({ kind: 'range', splitPoints: [] }, sample, Math.min(partitions, sample.length));
};

/** A ring's node brings its tokens with it: those of the others stay where they are. */
const ringOf = (preset: Preset, { nodes, joining }: Setting, vnodes: number): Contender => {
  const before = partitionTable(presetScheme(preset.name, { nodes, vnodes }));
  const all = presetScheme(preset.name, { nodes: [...nodes, ...joining], vnodes }) as RingScheme;
  const after = all.nodes.slice(nodes.length).reduce((table, node) => joinRingAt(table, node).table, before);
  const plural = vnodes === 1 ? 'vnode' : 'vnodes';
  return { name: `${preset.name}, ${vnodes} ${plural}`, kind: 'ring', vnodes, before, after };
};

/** True where the texts of keys are no keys of the scheme, so that their numbers are placed instead. */
export const isKeyedByNumber = (scheme: Scheme): boolean => keyTypeOf(scheme) !== 'text';
