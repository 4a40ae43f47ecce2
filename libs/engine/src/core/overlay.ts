import { compareBytes, fromBinary } from './bytes.js';

/** A write that was applied in memory; `undefined` = the key was deleted. */
export type Applied = Uint8Array | undefined;

/**
 * Writes that are applied but not on disk yet. `take` hands them to a flush and they stay readable until `settle` says that the
 * disk has them; what is written meanwhile is kept apart, so that settling loses nothing. Keys are binary strings.
 */
export class Overlay {
  private young = new Map<string, Applied>();
  private flushing = new Map<string, Applied>();
  /** Bytes of keys and values that wait for a flush. */
  waitingBytes = 0;

  get size(): number {
    return this.young.size + this.flushing.size;
  }

  has(key: string): boolean {
    return this.young.has(key) || this.flushing.has(key);
  }

  get(key: string): Applied {
    return this.young.has(key) ? this.young.get(key) : this.flushing.get(key);
  }

  set(key: string, value: Applied): void {
    this.young.set(key, value);
    this.waitingBytes += key.length + (value?.length ?? 0);
  }

  take(): ReadonlyMap<string, Applied> {
    this.flushing = this.young;
    this.young = new Map();
    this.waitingBytes = 0;
    return this.flushing;
  }

  settle(): void {
    this.flushing = new Map();
  }

  /** Keys within [start, end), in the order asked for. */
  range(start: Uint8Array | undefined, end: Uint8Array | undefined, reverse: boolean): OverlayItem[] {
    const items: OverlayItem[] = [];
    for (const [map, hiddenBy] of [
      [this.young, undefined],
      [this.flushing, this.young],
    ] as const) {
      for (const [name, value] of map) {
        if (hiddenBy?.has(name)) continue;
        const key = fromBinary(name);
        if (start !== undefined && compareBytes(key, start) < 0) continue;
        if (end !== undefined && compareBytes(key, end) >= 0) continue;
        items.push({ key, value });
      }
    }
    return items.sort(reverse ? (a, b) => compareBytes(b.key, a.key) : (a, b) => compareBytes(a.key, b.key));
  }
}

export interface OverlayItem {
  readonly key: Uint8Array;
  readonly value: Applied;
}
