/** An ordered, transactional byte store: all that an engine needs of a disk. */
export const TABLES = ['partitions', 'log', 'data', 'long'] as const;
export type Table = (typeof TABLES)[number];

export interface Write {
  readonly table: Table;
  readonly key: Uint8Array;
  /** undefined = remove. */
  readonly value: Uint8Array | undefined;
}

/** Bounds of physical keys: from `start` up to but without `end`, in byte order; `reverse` walks the same set backwards. */
export interface KeyRange {
  readonly start: Uint8Array;
  readonly end: Uint8Array;
  readonly reverse?: boolean;
}

export interface ReadView {
  get(table: Table, key: Uint8Array): Uint8Array | undefined;
  /** Read it in one go: the live view may move on at the next event turn. */
  range(table: Table, range: KeyRange): Iterable<{ readonly key: Uint8Array; readonly value: Uint8Array }>;
}

export interface ReadSnapshot extends ReadView {
  close(): void;
}

export interface Backing extends ReadView {
  /** Partitions of which something that was durable cannot be read; known once it is open. */
  readonly damaged?: ReadonlySet<number>;
  /** Brings everything that was committed to the place where it stays. */
  settle?(): Promise<void>;
  open(): Promise<void>;
  close(): Promise<void>;
  keys(table: Table, range: KeyRange, limit: number): Uint8Array[];
  snapshot(): ReadSnapshot;
  /**
   * All writes or none, in order, visible to reads and durable when it resolves. Called again only after that.
   * @throws CadastreError RESOURCE_EXHAUSTED | INTERNAL
   */
  commit(writes: readonly Write[]): Promise<void>;
  /**
   * As commit, for bulk that need not be quick: it goes straight to where it stays. May be under way along with commits, which then
   * never name the same keys; of its own kind one at a time for each partition.
   */
  load(writes: readonly Write[]): Promise<void>;
}
