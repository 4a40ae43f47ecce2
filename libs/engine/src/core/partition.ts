import type { AskedFor, FillProgress, LogEntry, PartitionId, PartitionMeta, PartitionState } from '../engine.js';
import { Digest128 } from './digest.js';
import { LogTail } from './log-tail.js';
import { Overlay } from './overlay.js';

/** What is known of a partition in memory: the view that callers see, ahead of the disk by at most one group of writes. */
export class Partition {
  promisedEpoch = 0;
  asked: AskedFor | undefined;
  /** Last entry that the log does not hold any more (trimmed, or came with a snapshot), and its epoch. */
  baseSeq = 0;
  baseEpoch = 0;
  lastSeq = 0;
  lastEpoch = 0;
  appliedSeq = 0;
  appliedEpoch = 0;
  /** Up to where it is to be applied. */
  dueSeq = 0;
  count = 0;
  bytes = 0;
  digest = new Digest128();
  state: PartitionState = 'active';
  quarantinedAt: number | undefined;
  filling: FillProgress | undefined;
  readonly overlay = new Overlay();
  readonly tail = new LogTail();
  private truncations = 0;

  /** `number` is what its keys on disk begin with; each life of a partition has its own. */
  constructor(
    readonly id: PartitionId,
    readonly number: number,
  ) {}

  meta(): PartitionMeta {
    return {
      id: this.id,
      promisedEpoch: this.promisedEpoch,
      firstSeq: this.baseSeq + 1,
      lastSeq: this.lastSeq,
      lastEpoch: this.lastEpoch,
      appliedSeq: this.appliedSeq,
      count: this.count,
      digest: this.digest.toHex(),
      state: this.state,
      ...(this.asked && { asked: this.asked }),
      ...(this.quarantinedAt === undefined ? {} : { quarantinedAt: this.quarantinedAt }),
      ...(this.filling === undefined ? {} : { filling: this.filling }),
    };
  }

  appended(entry: LogEntry, bytes: number): void {
    this.tail.push(entry, bytes);
    this.lastSeq = entry.seq;
    this.lastEpoch = entry.epoch;
  }

  truncated(seq: number): void {
    this.tail.truncateAfter(seq);
    this.lastSeq = seq;
    this.truncations += 1;
  }

  /** Call the result when what the log holds now is durable. A truncation meanwhile voids it: newer entries may bear those seqs. */
  releaseWhenDurable(): () => void {
    const { lastSeq, truncations } = this;
    return () => {
      if (truncations === this.truncations) this.tail.release(lastSeq, this.appliedSeq);
    };
  }

  /** `old` and `value` are the pair's content before and after; undefined = absent. */
  exchanged(key: Uint8Array, old: Uint8Array | undefined, value: Uint8Array | undefined): void {
    if (old !== undefined) {
      this.digest.subtract(key, old);
      this.count -= 1;
      this.bytes -= key.length + old.length;
    }
    if (value !== undefined) {
      this.digest.add(key, value);
      this.count += 1;
      this.bytes += key.length + value.length;
    }
  }
}
