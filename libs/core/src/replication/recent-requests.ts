/** So many of a partition's newest requests are remembered for recognising a retry, and all younger ones than `rememberMs`. */
export const RECENT_REQUESTS = 4096;

interface Known {
  readonly seq: number;
  readonly epoch: number;
}

/**
 * Request ids of the newest log entries. It is a function of the log alone, so every replica has the same one and a retry is
 * recognised by a new leader too.
 */
export class RecentRequests {
  /** Insertion order is seq order. */
  private readonly byId = new Map<string, Known>();

  /** Entries up to here may be forgotten when there are more than `capacity`. */
  floor = Number.POSITIVE_INFINITY;

  constructor(private readonly capacity = RECENT_REQUESTS) {}

  find(requestId: string): Known | undefined {
    return requestId === '' ? undefined : this.byId.get(requestId);
  }

  add(requestId: string, seq: number, epoch: number): void {
    if (requestId === '') return;
    this.byId.delete(requestId);
    this.byId.set(requestId, { seq, epoch });
    for (const [oldest, known] of this.byId) {
      if (this.byId.size <= this.capacity || known.seq > this.floor) return;
      this.byId.delete(oldest);
    }
  }

  truncateAfter(seq: number): void {
    for (const [id, known] of this.byId) if (known.seq > seq) this.byId.delete(id);
  }

  clear(): void {
    this.byId.clear();
  }
}
