import type { LogEntry } from '../engine.js';

/** Entries that are durable but not applied are kept in memory up to this many bytes per partition. */
const KEEP_BYTES = 1024 * 1024;

interface Kept {
  readonly entry: LogEntry;
  readonly bytes: number;
}

/** The newest log entries, contiguous up to `lastSeq`: at least all that are not durable yet. */
export class LogTail {
  private kept: Kept[] = [];
  private bytes = 0;

  get firstSeq(): number {
    return this.kept[0]?.entry.seq ?? Number.POSITIVE_INFINITY;
  }

  push(entry: LogEntry, bytes: number): void {
    this.kept.push({ entry, bytes });
    this.bytes += bytes;
  }

  get(seq: number): { entry: LogEntry; bytes: number } | undefined {
    return this.kept[seq - this.firstSeq];
  }

  truncateAfter(seq: number): void {
    while ((this.kept.at(-1)?.entry.seq ?? 0) > seq) this.bytes -= this.kept.pop()?.bytes ?? 0;
  }

  /** Lets go of what the disk has: all that is applied, and more when it grows large. */
  release(durableSeq: number, appliedSeq: number): void {
    let drop = 0;
    for (const { entry, bytes } of this.kept) {
      if (entry.seq > durableSeq || (entry.seq > appliedSeq && this.bytes <= KEEP_BYTES)) break;
      this.bytes -= bytes;
      drop += 1;
    }
    if (drop > 0) this.kept = this.kept.slice(drop);
  }
}
