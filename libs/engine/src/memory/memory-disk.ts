import { CadastreError } from '@cadastre/core';
import type { Clock } from '@cadastre/runtime';
import { TABLES, type KeyRange, type ReadSnapshot, type Table, type Write } from '../core/backing.js';
import { fromBinary, toBinary } from '../core/bytes.js';

/** Sorted by key; copied before a change when a snapshot shares it. */
class SortedTable {
  constructor(
    private readonly values = new Map<string, Uint8Array>(),
    private readonly names: string[] = [],
  ) {}

  copy(): SortedTable {
    return new SortedTable(new Map(this.values), [...this.names]);
  }

  get(name: string): Uint8Array | undefined {
    return this.values.get(name);
  }

  set(name: string, value: Uint8Array | undefined): void {
    const known = this.values.has(name);
    if (value === undefined) {
      if (known) this.names.splice(this.indexOf(name), 1);
      this.values.delete(name);
      return;
    }
    if (!known) this.names.splice(this.indexOf(name), 0, name);
    this.values.set(name, value);
  }

  *range({ start, end, reverse = false }: KeyRange): Generator<{ key: Uint8Array; value: Uint8Array }> {
    const first = this.indexOf(toBinary(start));
    const last = this.indexOf(toBinary(end)) - 1;
    for (let step = 0; step <= last - first; step += 1) {
      const name = this.names[reverse ? last - step : first + step] ?? '';
      // A copy each time, as a disk gives: what a caller does to it must not reach the disk.
      yield { key: fromBinary(name), value: Uint8Array.from(this.values.get(name) ?? []) };
    }
  }

  /** Where `name` is, or would be. */
  private indexOf(name: string): number {
    let low = 0;
    let high = this.names.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.names[middle] ?? '') < name) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

export interface MemoryDiskOptions {
  readonly clock?: Clock;
  /** How long a commit takes on `clock`; 0 = until the next microtask. */
  readonly commitMs?: number;
}

/** What survives a crash of a memory engine: give it to the next one. Commits are whole or not at all. */
export class MemoryDisk {
  private tables: Record<Table, SortedTable> = {
    partitions: new SortedTable(),
    log: new SortedTable(),
    data: new SortedTable(),
    long: new SortedTable(),
  };
  private readonly shared = new Set<Table>();
  private failures: CadastreError[] = [];
  /** Whether an engine has it open. */
  inUse = false;
  commits = 0;

  constructor(private readonly options: MemoryDiskOptions = {}) {}

  /** The next commit changes nothing and rejects with `error`, as a full or broken disk would. */
  failNext(
    error = new CadastreError('RESOURCE_EXHAUSTED', 'the disk is full', {
      remedy: 'free space, then restart the agent',
    }),
  ): void {
    this.failures.push(error);
  }

  get(table: Table, key: Uint8Array): Uint8Array | undefined {
    const value = this.tables[table].get(toBinary(key));
    return value === undefined ? undefined : Uint8Array.from(value);
  }

  range(table: Table, range: KeyRange): Iterable<{ key: Uint8Array; value: Uint8Array }> {
    return this.tables[table].range(range);
  }

  snapshot(): ReadSnapshot {
    const frozen = { ...this.tables };
    for (const table of TABLES) this.shared.add(table);
    return {
      get: (table, key) => frozen[table].get(toBinary(key)),
      range: (table, range) => frozen[table].range(range),
      close: () => undefined,
    };
  }

  /** `wanted` is asked when the time has passed: false = the machine died meanwhile, and nothing was written. */
  async commit(writes: readonly Write[], wanted: () => boolean): Promise<boolean> {
    await this.pass();
    if (!wanted()) return false;
    const failure = this.failures.shift();
    if (failure !== undefined) throw failure;
    for (const { table, key, value } of writes)
      this.own(table).set(toBinary(key), value === undefined ? undefined : Uint8Array.from(value));
    this.commits += 1;
    return true;
  }

  private own(table: Table): SortedTable {
    if (this.shared.delete(table)) this.tables[table] = this.tables[table].copy();
    return this.tables[table];
  }

  private pass(): Promise<void> {
    const { clock, commitMs = 0 } = this.options;
    if (clock === undefined || commitMs === 0) return Promise.resolve();
    return new Promise((resolve) => void clock.after(commitMs, resolve));
  }
}
