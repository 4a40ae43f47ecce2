import type { KeyRange, Table, Write } from '../core/backing.js';
import { toBinary } from '../core/bytes.js';
import { numberOf } from './group.codec.js';

/** A write that the store has not taken over yet; undefined = removed. Keys are binary strings. */
export type Held = Uint8Array | undefined;

/** The writes of one table and one partition. */
class Bucket {
  readonly values = new Map<string, Held>();
  private names: string[] = [];
  private sorted = true;

  set(name: string, value: Held): void {
    if (!this.values.has(name)) {
      // Logs grow at their end, so most of the time nothing has to be sorted.
      this.sorted &&= this.names.length === 0 || this.names.at(-1)! < name;
      this.names.push(name);
    }
    this.values.set(name, value);
  }

  /** Names from `start` up to without `end`, ascending. */
  between(start: string, end: string): string[] {
    if (!this.sorted) this.names.sort();
    this.sorted = true;
    return this.names.slice(this.indexOf(start), this.indexOf(end));
  }

  private indexOf(name: string): number {
    let low = 0;
    let high = this.names.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.names[middle]! < name) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

const bucketOf = (table: Table, key: Uint8Array): string =>
  table === 'partitions' ? table : `${table}:${numberOf({ table, key })}`;

/** Writes that are in the journal and not in the store, the newest of each key. */
export class MemTable {
  private readonly buckets = new Map<string, Bucket>();
  bytes = 0;

  get size(): number {
    return this.buckets.size;
  }

  add({ table, key, value }: Write): void {
    const name = bucketOf(table, key);
    let bucket = this.buckets.get(name);
    if (!bucket) this.buckets.set(name, (bucket = new Bucket()));
    bucket.set(toBinary(key), value);
    this.bytes += key.length + (value?.length ?? 0) + 64;
  }

  /** The bucket's map: `has` tells a removed key from an unknown one. */
  bucket(table: Table, key: Uint8Array): ReadonlyMap<string, Held> | undefined {
    return this.buckets.get(bucketOf(table, key))?.values;
  }

  /** Of one partition: its number is in the range's start. */
  between(table: Table, { start, end }: KeyRange): readonly string[] {
    return this.buckets.get(bucketOf(table, start))?.between(toBinary(start), toBinary(end)) ?? [];
  }

  /** In runs of one table and partition, so that the store's pages are visited in order. */
  *writes(): Generator<{ table: Table; name: string; value: Held }> {
    for (const [bucket, { values }] of this.buckets) {
      const table = bucket.split(':')[0] as Table;
      for (const [name, value] of values) yield { table, name, value };
    }
  }
}
