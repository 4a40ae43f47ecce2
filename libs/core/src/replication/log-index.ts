interface Run {
  readonly epoch: number;
  readonly from: number;
}

export interface LogBounds {
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly lastEpoch: number;
}

/**
 * Which epoch wrote each entry of a partition's log, as runs: all that is needed to compare two logs. Two entries with the same
 * (epoch, seq) are the same entry, because an epoch has one leader and a leader gives each seq once.
 */
export class LogIndex {
  private runs: Run[] = [];
  /** Epoch of the entry before the first; undefined = not known any more. */
  private baseEpoch: number | undefined;
  private first: number;
  private last: number;

  /** `epochs` are those of the entries from `firstSeq` on, in order. */
  constructor(bounds: LogBounds, epochs: Iterable<number>) {
    this.first = bounds.firstSeq;
    this.last = bounds.firstSeq - 1;
    this.baseEpoch = this.last === 0 ? 0 : bounds.lastSeq < bounds.firstSeq ? bounds.lastEpoch : undefined;
    for (const epoch of epochs) this.append(epoch);
  }

  get firstSeq(): number {
    return this.first;
  }

  get lastSeq(): number {
    return this.last;
  }

  get lastEpoch(): number {
    return this.runs.at(-1)?.epoch ?? this.baseEpoch ?? 0;
  }

  append(epoch: number): void {
    this.last += 1;
    if (this.runs.at(-1)?.epoch !== epoch) this.runs.push({ epoch, from: this.last });
  }

  /** Epoch of the entry at `seq`; undefined when it is not in the log or was trimmed. */
  epochAt(seq: number): number | undefined {
    if (seq > this.last) return undefined;
    if (seq === this.first - 1) return this.baseEpoch;
    return this.runs.findLast((run) => run.from <= seq)?.epoch;
  }

  /** The last entry of an epoch up to `epoch`; the one before the first entry when there is none. */
  lastUpToEpoch(epoch: number): number {
    const later = this.runs.find((run) => run.epoch > epoch);
    return later ? later.from - 1 : this.last;
  }

  truncateAfter(seq: number): void {
    this.last = Math.min(this.last, seq);
    this.runs = this.runs.filter((run) => run.from <= this.last);
  }

  trimBefore(seq: number): void {
    const base = this.epochAt(seq - 1);
    this.first = seq;
    this.baseEpoch = base;
    const kept = this.runs.filter((run, i) => (this.runs[i + 1]?.from ?? this.last + 1) > seq);
    this.runs = kept.map((run) => (run.from < seq ? { epoch: run.epoch, from: seq } : run));
  }

  /** The log after a snapshot: empty, and it goes on after `seq`. */
  reset(seq: number, epoch: number): void {
    this.first = seq + 1;
    this.last = seq;
    this.baseEpoch = epoch;
    this.runs = [];
  }
}
