import { join } from 'node:path';
import { open, type Database, type RangeOptions, type RootDatabase } from 'lmdb';
import { TABLES, type Backing, type KeyRange, type ReadSnapshot, type Table, type Write } from '../core/backing.js';
import { compareBytes } from '../core/bytes.js';
import { toCadastreError } from './lmdb-errors.js';
import { PidLock } from './pid-lock.js';

type Store = Database<Uint8Array, Uint8Array>;
type ReadTxn = ReturnType<Store['useReadTransaction']>;

/** Keys of 4005 bytes need pages of 8 KiB: with LMDB's default of 4 KiB the longest key is 1978 bytes. */
const PAGE_BYTES = 8192;
/** Address space, not disk: the file grows as it fills, and the map with it when this is not enough. */
const MAP_BYTES = 16 * 1024 ** 3;
/** Snapshots that may be open at once, with room for the binding's own. */
const MAX_READERS = 512;

export interface LmdbBackingOptions {
  readonly directory: string;
  readonly mapBytes?: number;
}

/**
 * One LMDB environment per directory.
 * `overlappingSync` is off: with it a commit resolves before it is durable, and a failed sync is only logged. Without it the
 * promise of a batch resolves after fdatasync of the pages and a synchronous write of the meta page, and rejects when either fails.
 */
export class LmdbBacking implements Backing {
  private readonly lock: PidLock;
  private root: RootDatabase | undefined;
  private tables: Record<Table, Store> | undefined;

  constructor(private readonly options: LmdbBackingOptions) {
    this.lock = new PidLock(options.directory);
  }

  async open(): Promise<void> {
    await this.lock.acquire();
    try {
      this.openTables();
    } catch (error) {
      await this.close();
      throw await toCadastreError(error, this.options.directory);
    }
  }

  private openTables(): void {
    const root = open({
      path: join(this.options.directory, 'data'),
      noSubdir: false,
      maxDbs: TABLES.length + 2,
      maxReaders: MAX_READERS,
      pageSize: PAGE_BYTES,
      mapSize: this.options.mapBytes ?? MAP_BYTES,
      overlappingSync: false,
      // The group commit above batches by turns already.
      eventTurnBatching: false,
    });
    this.root = root;
    const table = (name: Table): Store =>
      root.openDB<Uint8Array, Uint8Array>(name, { keyEncoding: 'binary', encoding: 'binary' });
    this.tables = { partitions: table('partitions'), log: table('log'), data: table('data'), long: table('long') };
  }

  async close(): Promise<void> {
    const { root } = this;
    this.root = undefined;
    this.tables = undefined;
    await root?.close();
    await this.lock.release();
  }

  get(table: Table, key: Uint8Array): Uint8Array | undefined {
    return this.table(table).get(key);
  }

  range(table: Table, range: KeyRange): Iterable<{ key: Uint8Array; value: Uint8Array }> {
    return rangeOf(this.table(table), range, {});
  }

  keys(table: Table, { start, end }: KeyRange, limit: number): Uint8Array[] {
    return [...this.table(table).getKeys({ start, end, limit })];
  }

  snapshot(): ReadSnapshot {
    const store = this.table('data');
    // The shared read transaction may be older than the last commit.
    store.resetReadTxn();
    return new LmdbSnapshot((table) => this.table(table), store.useReadTransaction());
  }

  async commit(writes: readonly Write[]): Promise<void> {
    const root = this.table('data');
    try {
      await root.batch(() => {
        for (const { table, key, value } of writes) {
          if (value === undefined) void this.table(table).remove(key);
          else void this.table(table).put(key, value);
        }
      });
      root.resetReadTxn();
    } catch (error) {
      throw await toCadastreError(error, this.options.directory);
    }
  }

  load(writes: readonly Write[]): Promise<void> {
    return this.commit(writes);
  }

  private table(name: Table): Store {
    if (this.tables === undefined) throw new Error('the backing is closed');
    return this.tables[name];
  }
}

class LmdbSnapshot implements ReadSnapshot {
  constructor(
    private readonly table: (name: Table) => Store,
    private readonly transaction: ReadTxn,
  ) {}

  get(table: Table, key: Uint8Array): Uint8Array | undefined {
    return this.table(table).get(key, { transaction: this.transaction }) as Uint8Array | undefined;
  }

  range(table: Table, range: KeyRange): Iterable<{ key: Uint8Array; value: Uint8Array }> {
    return rangeOf(this.table(table), range, { transaction: this.transaction });
  }

  close(): void {
    this.transaction.done();
  }
}

/** The binding's reverse walk begins AT its start and ends before its end; ours is the mirror image, so the bounds swap their sides. */
const rangeOf = (
  store: Store,
  { start, end, reverse }: KeyRange,
  extra: RangeOptions,
): Iterable<{ key: Uint8Array; value: Uint8Array }> =>
  reverse
    ? skipping(store.getRange({ start: end, end: start, reverse: true, inclusiveEnd: true, ...extra }), end)
    : store.getRange({ start, end, ...extra });

function* skipping(
  items: Iterable<{ key: Uint8Array; value: Uint8Array }>,
  excluded: Uint8Array,
): Iterable<{ key: Uint8Array; value: Uint8Array }> {
  for (const item of items) if (compareBytes(item.key, excluded) < 0) yield item;
}
