import type { KeyValue, Revision } from '../store.js';

/** One stored version of a key; `kv` is undefined for a deletion. */
interface Entry {
  readonly revision: Revision;
  readonly kv: KeyValue | undefined;
}

/** Multi-version keys in the order of their bytes: reads of any revision since the last compaction. */
export class History {
  private readonly entries = new Map<string, Entry[]>();
  private readonly order: string[] = [];

  write(key: string, revision: Revision, kv: KeyValue | undefined): void {
    const versions = this.entries.get(key);
    if (versions) {
      if (versions.at(-1)?.revision === revision) versions.pop();
      versions.push({ revision, kv });
      return;
    }
    this.entries.set(key, [{ revision, kv }]);
    this.order.splice(this.lowerBound(key), 0, key);
  }

  get(key: string, revision?: Revision): KeyValue | undefined {
    const versions = this.entries.get(key);
    if (!versions) return undefined;
    if (revision === undefined) return versions.at(-1)?.kv;
    return versions.findLast((entry) => entry.revision <= revision)?.kv;
  }

  *scan(prefix: string, revision?: Revision): Generator<KeyValue> {
    for (let index = this.lowerBound(prefix); index < this.order.length; index += 1) {
      const key = this.order[index] as string;
      if (!key.startsWith(prefix)) return;
      const kv = this.get(key, revision);
      if (kv) yield kv;
    }
  }

  /** Keeps, of each key, what a read at `revision` or later can see. */
  compact(revision: Revision): void {
    const dead = new Set<string>();
    for (const [key, versions] of this.entries) {
      const visible = versions.findLastIndex((entry) => entry.revision <= revision);
      if (visible > 0) versions.splice(0, visible);
      if (versions.length === 1 && versions[0]?.kv === undefined && visible >= 0) dead.add(key);
    }
    if (dead.size === 0) return;
    for (const key of dead) this.entries.delete(key);
    const live = this.order.filter((key) => !dead.has(key));
    this.order.length = 0;
    for (const key of live) this.order.push(key);
  }

  private lowerBound(key: string): number {
    let low = 0;
    let high = this.order.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareKeys(this.order[middle] as string, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Order of the UTF-8 bytes: UTF-16 order, but surrogates (U+10000 and above) after the rest of the basic plane. */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index += 1) {
    const left = a.charCodeAt(index);
    const right = b.charCodeAt(index);
    if (left !== right) return rank(left) - rank(right);
  }
  return a.length - b.length;
}

const rank = (unit: number): number => (unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit);
