/** Where a journal's segments lie: numbered files of fixed length, written in place. */
export interface JournalDevice {
  open(): Promise<void>;
  close(): Promise<void>;
  /** Numbers of the segments that exist, ascending. */
  list(): Promise<number[]>;
  read(segment: number): Promise<Buffer>;
  /**
   * A segment of at least `bytes`, durably there when it resolves. Its content may be anything: an older segment may be used again
   * under the new number, because overwriting blocks that exist costs no journal commit of the file system.
   */
  make(segment: number, bytes: number): Promise<void>;
  /** Durable when it resolves. @throws CadastreError RESOURCE_EXHAUSTED | INTERNAL */
  write(segment: number, offset: number, bytes: Uint8Array): Promise<void>;
  /** The segments before this one are not needed any more. */
  release(before: number): Promise<void>;
}

export const SEGMENT_BYTES = 4 * 1024 * 1024;
