/** So many of a partition's newest requests are remembered for recognising a retry, and all younger ones than `rememberMs`. */
export const RECENT_REQUESTS = 4096;

interface Known {
  readonly seq: number;
  readonly epoch: number;
}

/** Entries from `from` on bear `epoch`, up to the next run. */
interface Run {
  readonly from: number;
  readonly epoch: number;
}

/**
 * Request ids of the newest log entries. It is a function of the log alone, so every replica has the same one and a retry is
 * recognised by a new leader too.
 */
export class RecentRequests {
  /**
   * The seq of each; insertion order is seq order. A number where an object would do: there are hundreds of thousands, each of them outlives
   * the young generation, and epochs change too seldom to be kept with each.
   */
  private readonly byId = new Map<string, number>();
  private runs: Run[] = [];

  /** Entries up to here may be forgotten when there are more than `capacity`. */
  floor = Number.POSITIVE_INFINITY;

  constructor(private readonly capacity = RECENT_REQUESTS) {}

  find(requestId: string): Known | undefined {
    const seq = requestId === '' ? undefined : this.byId.get(requestId);
    return seq === undefined ? undefined : { seq, epoch: this.epochOf(seq) };
  }

  /** Entries are added in the order of their seqs. */
  add(requestId: string, seq: number, epoch: number): void {
    if (requestId === '') return;
    if (this.runs.at(-1)?.epoch !== epoch) this.runs.push({ from: seq, epoch });
    const before = this.byId.size;
    this.byId.set(requestId, seq);
    if (this.byId.size === before) this.renew(requestId, seq);
    if (this.byId.size > this.capacity) this.forget();
  }

  truncateAfter(seq: number): void {
    for (const [id, known] of this.byId) if (known > seq) this.byId.delete(id);
    this.runs = this.runs.filter((run) => run.from <= seq);
  }

  clear(): void {
    this.byId.clear();
    this.runs = [];
  }

  /** Its place in the order is that of the newer entry. */
  private renew(requestId: string, seq: number): void {
    this.byId.delete(requestId);
    this.byId.set(requestId, seq);
  }

  private forget(): void {
    for (const [oldest, seq] of this.byId) {
      if (this.byId.size <= this.capacity || seq > this.floor) break;
      this.byId.delete(oldest);
    }
    if (this.runs.length > 1) this.dropRuns();
  }

  private dropRuns(): void {
    const [oldest = Number.POSITIVE_INFINITY] = this.byId.values();
    while (this.runs.length > 1 && this.runs[1]!.from <= oldest) this.runs.shift();
  }

  private epochOf(seq: number): number {
    return this.runs.findLast((run) => run.from <= seq)!.epoch;
  }
}
