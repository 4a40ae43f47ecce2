/** How many of a partition's newest entries are remembered for recognising a retry. */
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

  constructor(private readonly capacity = RECENT_REQUESTS) {}

  find(requestId: string): Known | undefined {
    return requestId === '' ? undefined : this.byId.get(requestId);
  }

  add(requestId: string, seq: number, epoch: number): void {
    if (requestId === '') return;
    this.byId.delete(requestId);
    this.byId.set(requestId, { seq, epoch });
    if (this.byId.size <= this.capacity) return;
    for (const oldest of this.byId.keys()) {
      this.byId.delete(oldest);
      return;
    }
  }

  truncateAfter(seq: number): void {
    for (const [id, known] of this.byId) if (known.seq > seq) this.byId.delete(id);
  }

  clear(): void {
    this.byId.clear();
  }
}
