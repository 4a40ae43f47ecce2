/** One entry of the audit log as it was read: its hash is that of the stored bytes, computed by whoever read them. */
export interface ChainEntry {
  /** From the key. */
  readonly at: number;
  /** What the record says of itself; undefined when it cannot be read. */
  readonly record: { readonly number: number; readonly previousHash: string } | undefined;
  readonly hash: string;
  /** The highest number that this entry says has left the register before; 0 for none. */
  readonly prunedTo: number;
}

export interface ChainHead {
  readonly number: number;
  readonly hash: string;
}

export const AUDIT_FAULTS = ['edited', 'missing', 'reordered', 'cut', 'unreadable'] as const;
export interface AuditFault {
  readonly kind: (typeof AUDIT_FAULTS)[number];
  readonly number: number;
  readonly detail: string;
}

export interface ChainVerdict {
  readonly intact: boolean;
  readonly first: number;
  readonly last: number;
  readonly entries: number;
  readonly faults: readonly AuditFault[];
  readonly checkpoints: number;
}

const FAULTS_MAX = 100;

/**
 * Reads the log from its oldest entry to its newest and tells every break. An edit shows in the entry after it (or in the head), a
 * deletion in the numbers, a reordering in what a record says of itself; a tail that was cut together with the head shows only against
 * checkpoints that were exported before.
 */
export class ChainCheck {
  private readonly faults: AuditFault[] = [];
  private readonly checkpoints: Map<number, string>;
  private first = 0;
  private last = 0;
  private entries = 0;
  private compared = 0;
  private hash = '';
  private prunedTo = 0;

  constructor(checkpoints: readonly ChainHead[]) {
    this.checkpoints = new Map(checkpoints.map((c) => [c.number, c.hash]));
  }

  /** In the order of their keys. */
  take(entry: ChainEntry): void {
    this.entries += 1;
    if (this.first === 0) this.first = entry.at;
    else if (entry.at !== this.last + 1) this.missing(this.last + 1, entry.at - 1);
    this.look(entry);
    const kept = this.checkpoints.get(entry.at);
    if (kept !== undefined) {
      this.compared += 1;
      if (kept !== entry.hash)
        this.add('edited', entry.at, `entry ${entry.at} is not the one that the checkpoint was taken of`);
    }
    this.prunedTo = Math.max(this.prunedTo, entry.prunedTo);
    this.last = entry.at;
    this.hash = entry.hash;
  }

  finish(head: ChainHead | undefined): ChainVerdict {
    // What was pruned is told by an entry that is still there, so an older entry may be missing only up to that number.
    if (this.first > 1 && this.prunedTo < this.first - 1) this.missing(this.prunedTo + 1, this.first - 1);
    this.checkHead(head);
    for (const number of this.checkpoints.keys())
      if (number > this.last) {
        this.compared += 1;
        this.add('cut', this.last + 1, `a checkpoint of entry ${number} exists; the log ends at ${this.last}`);
      }
    const { first, last, entries, faults } = this;
    return { intact: faults.length === 0, first, last, entries, faults, checkpoints: this.compared };
  }

  private look({ at, record, hash: _ }: ChainEntry): void {
    if (!record) return this.add('unreadable', at, `entry ${at} cannot be read`);
    if (record.number !== at) return this.add('reordered', at, `entry ${record.number} stands in the place of ${at}`);
    if (this.last === at - 1 && record.previousHash !== this.hash)
      this.add('edited', at - 1, `entry ${at} was written after an entry ${at - 1} that had another hash`);
  }

  private checkHead(head: ChainHead | undefined): void {
    if (!head) {
      if (this.entries > 0) this.add('cut', this.last, 'the head of the chain is gone');
      return;
    }
    if (head.number > this.last)
      this.add('cut', this.last + 1, `the head names entry ${head.number}; the log ends at ${this.last}`);
    else if (head.number < this.last)
      this.add('cut', head.number, `the head names entry ${head.number}; the log goes on to ${this.last}`);
    else if (head.hash !== this.hash)
      this.add('edited', this.last, `entry ${this.last} is not the one that the head names`);
  }

  private missing(from: number, to: number): void {
    this.add('missing', from, from === to ? `entry ${from} is missing` : `entries ${from} to ${to} are missing`);
  }

  private add(kind: AuditFault['kind'], number: number, detail: string): void {
    if (this.faults.length < FAULTS_MAX) this.faults.push({ kind, number, detail });
  }
}
