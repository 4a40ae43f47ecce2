import type { KeyRange, ReadView, Table } from '../core/backing.js';
import { compareBytes, fromBinary, toBinary } from '../core/bytes.js';
import type { Held, MemTable } from './mem-table.js';

interface Cover {
  readonly key: Uint8Array;
  readonly value: Held;
}

/** A store under layers of newer writes; the last layer is the newest. */
export const getThrough = (
  layers: readonly MemTable[],
  store: ReadView,
  table: Table,
  key: Uint8Array,
): Uint8Array | undefined => {
  let name: string | undefined;
  for (let i = layers.length - 1; i >= 0; i -= 1) {
    const bucket = layers[i]!.bucket(table, key);
    if (!bucket) continue;
    name ??= toBinary(key);
    if (bucket.has(name)) return bucket.get(name);
  }
  return store.get(table, key);
};

/** Not lazy towards the layers: what they hold of the range is fixed at the first step. */
export function* rangeThrough(
  layers: readonly MemTable[],
  store: ReadView,
  table: Table,
  range: KeyRange,
): Generator<{ key: Uint8Array; value: Uint8Array }> {
  const covers = coversOf(layers, table, range);
  const sign = range.reverse ? -1 : 1;
  let at = 0;
  for (const item of store.range(table, range)) {
    let hidden = false;
    for (let cover = covers[at]; cover; cover = covers[at]) {
      const order = sign * compareBytes(cover.key, item.key);
      if (order > 0) break;
      if (cover.value !== undefined) yield { key: cover.key, value: cover.value };
      hidden ||= order === 0;
      at += 1;
    }
    if (!hidden) yield item;
  }
  for (; at < covers.length; at += 1) {
    const { key, value } = covers[at]!;
    if (value !== undefined) yield { key, value };
  }
}

const coversOf = (layers: readonly MemTable[], table: Table, range: KeyRange): Cover[] => {
  const names = new Set<string>();
  let used = 0;
  for (const layer of layers) {
    const found = layer.between(table, range);
    if (found.length > 0) used += 1;
    for (const name of found) names.add(name);
  }
  const sorted = used > 1 ? [...names].sort() : [...names];
  if (range.reverse) sorted.reverse();
  return sorted.map((name) => ({ key: fromBinary(name), value: newest(layers, table, range.start, name) }));
};

const newest = (layers: readonly MemTable[], table: Table, start: Uint8Array, name: string): Held => {
  for (let i = layers.length - 1; i >= 0; i -= 1) {
    const bucket = layers[i]!.bucket(table, start);
    if (bucket?.has(name)) return bucket.get(name);
  }
  return undefined;
};
