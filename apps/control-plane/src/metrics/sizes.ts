import type { KeyspaceMap } from '@cadastre/core';
import type { Observed } from '../controller/observed.js';

export interface Ranked {
  readonly partition: number;
  readonly value: number;
}

/** Ranks of a list of the largest: so many series a keyspace, however many partitions there are. */
export const RANKS = 10;

/** The largest first, of those above 0; equal ones by number. */
export const largest = (values: ArrayLike<number>, ranks = RANKS): Ranked[] => {
  const found: Ranked[] = [];
  for (let partition = 0; partition < values.length; partition += 1) {
    const value = values[partition]!;
    if (!(value > (found.length < ranks ? 0 : found.at(-1)!.value))) continue;
    const place = found.findIndex((f) => f.value < value);
    found.splice(place < 0 ? found.length : place, 0, { partition, value });
    if (found.length > ranks) found.pop();
  }
  return found;
};

export interface Sizes {
  readonly keyspaces: ReadonlyMap<string, { readonly bytes: number; readonly largest: readonly Ranked[] }>;
  readonly nodes: ReadonlyMap<string, number>;
}

/** From the newest reports of all agents. */
export const sizesOf = (observed: Observed, maps: Iterable<KeyspaceMap>, nodes: Iterable<string>): Sizes => {
  const keyspaces = new Map<string, { bytes: number; largest: Ranked[] }>();
  for (const { spec, partitions } of maps) {
    const sizes = observed.sizesOf(spec.name, partitions);
    keyspaces.set(spec.name, { bytes: sizes.reduce((sum, bytes) => sum + bytes, 0), largest: largest(sizes) });
  }
  const byNode = new Map<string, number>();
  for (const node of nodes) {
    if (!observed.has(node)) continue;
    let bytes = 0;
    for (const replica of observed.replicasOf(node)) bytes += replica.bytes;
    byNode.set(node, bytes);
  }
  return { keyspaces, nodes: byNode };
};
